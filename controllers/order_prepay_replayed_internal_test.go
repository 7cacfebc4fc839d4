package controllers

import (
	"strings"
	"testing"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	"github.com/wechatpay-operator/wechatpay-operator/api/v1alpha1"
	"github.com/wechatpay-operator/wechatpay-operator/internal/account"
	"github.com/wechatpay-operator/wechatpay-operator/internal/wechatpay"
)

// TestPrepayIsUniqueBeforeTheCacheShowsIt: two answers in quick succession have the same
// prepay, and the cache has neither.
func TestPrepayIsUniqueBeforeTheCacheShowsIt(t *testing.T) {
	t.Parallel()
	proven := func(name string) *v1alpha1.Merchant {
		m := &v1alpha1.Merchant{ObjectMeta: metav1.ObjectMeta{Namespace: name, Name: "shop", UID: types.UID("uid-of-" + name)}}
		m.Spec.MchID = "1900000109"
		m.Status.Keys, m.Status.KeysEndpoint = []string{"id-of-the-key"}, account.EndpointID(m)
		return m
	}
	unproven := func(name string) *v1alpha1.Merchant {
		m := proven(name)
		m.Status.Keys = nil
		return m
	}
	otherNumber := proven("other")
	otherNumber.Spec.MchID = "1900000208"
	answer := wechatpay.Prepay{ID: "wx1", CodeURL: "weixin://wxpay/bizpayurl?pr=1"}

	for name, c := range map[string]struct {
		first, second *v1alpha1.Merchant
		order         string
		answer        wechatpay.Prepay
		refused       string
	}{
		"the same Order again":               {proven("a"), proven("a"), "order-0001", answer, ""},
		"another Order":                      {proven("a"), proven("a"), "order-0002", answer, "the prepay of the Order order-0001"},
		"another Order, the id alone":        {proven("a"), proven("a"), "order-0002", wechatpay.Prepay{ID: answer.ID}, "the prepay of the Order order-0001"},
		"another Order, the QR code alone":   {proven("a"), proven("a"), "order-0002", wechatpay.Prepay{ID: "wx2", CodeURL: answer.CodeURL}, "the prepay of the Order order-0001"},
		"another Order of one unproven":      {unproven("a"), unproven("a"), "order-0002", answer, "the prepay of the Order order-0001"},
		"of another namespace":               {proven("a"), proven("b"), "order-0001", answer, "the prepay of an Order in another namespace"},
		"of another namespace that can't be": {unproven("a"), proven("b"), "order-0001", answer, ""},
		"of another merchant number":         {proven("a"), otherNumber, "order-0001", answer, ""},
		"another prepay":                     {proven("a"), proven("a"), "order-0002", wechatpay.Prepay{ID: "wx2"}, ""},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := &OrderReconciler{Base: staleReaders(t, nil, nil)}
			r.init()
			ask := func(of *v1alpha1.Merchant, name string, answer wechatpay.Prepay) error {
				object := &v1alpha1.Order{ObjectMeta: metav1.ObjectMeta{Namespace: of.Namespace, Name: name}}
				return r.checkPrepayIsNew(t.Context(), &order{Order: object, merchant: of}, answer)
			}
			if err := ask(c.first, "order-0001", answer); err != nil {
				t.Fatal(err)
			}
			switch err := ask(c.second, c.order, c.answer); {
			case c.refused == "" && err != nil:
				t.Fatal(err)
			case c.refused != "" && (err == nil || !strings.Contains(err.Error(), c.refused)):
				t.Fatalf("it was not refused as %q: %v", c.refused, err)
			}
		})
	}
}
