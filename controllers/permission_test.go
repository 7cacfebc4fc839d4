package controllers_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/onsi/gomega"
	eventsv1 "k8s.io/api/events/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/wechatpay-operator/wechatpay-operator/api/v1alpha1"
	"github.com/wechatpay-operator/wechatpay-operator/test/framework"
)

// TestRefusalDoesNotRevealMerchants: the Orders of a namespace without a grant look identical
// whether the Merchant that they name exists, is ready, is being deleted, or does not exist; and
// nothing else reveals it.
func TestRefusalDoesNotRevealMerchants(t *testing.T) {
	shop, g := openReady(t, framework.WithNamespaces(1))
	foreign := func(merchant string) func(*v1alpha1.Order) {
		return func(o *v1alpha1.Order) {
			o.Namespace = shop.Other(0)
			o.Spec.MerchantRef = v1alpha1.MerchantReference{Namespace: shop.Namespace, Name: merchant}
		}
	}
	selecting := shop.NewMerchant(func(m *v1alpha1.Merchant) {
		m.Name = "picks"
		m.Spec.AllowedNamespaces = v1alpha1.AllowedNamespaces{From: v1alpha1.NamespacesFromSelector,
			Selector: &metav1.LabelSelector{MatchLabels: map[string]string{"team": "web"}}}
	})
	keyless := shop.NewMerchant(func(m *v1alpha1.Merchant) {
		m.Name = "broke"
		framework.UseKey(m, "there-is-none")
	})
	leaving := shop.NewMerchant(func(m *v1alpha1.Merchant) { m.Name, m.Finalizers = "leave", []string{"example.com/keep"} })
	shop.Create(selecting, keyless, leaving)
	shop.Must(shop.Client.Delete(shop.Context(), leaving))
	shop.WaitMerchant("broke", "Ready=False/SecretNotFound")

	var looks []string
	for i, merchant := range []string{"there-is-none", framework.MerchantName, "picks", "broke", "leave"} {
		name, refundName := orderName(i+1), fmt.Sprintf("refund-%d", i+1)
		shop.Create(shop.NewOrder(name, foreign(merchant)))
		shop.Create(shop.NewRefund(refundName, name, 50, func(r *v1alpha1.Refund) { r.Namespace = shop.Other(0) }))
		order := shop.WaitOrder(shop.Other(0)+"/"+name, "Prepared=False/NotPermitted")
		refund := shop.WaitRefund(shop.Other(0)+"/"+refundName, "Accepted=False/NotPermitted")
		looks = append(looks, appearance(merchant, name, order.Finalizers, order.Status.Conditions, order.Status.Prepay)+
			appearance(merchant, name, refund.Finalizers, refund.Status.Conditions, nil))
		// It is deleted at once, whatever it named.
		shop.Must(shop.Client.Delete(shop.Context(), refund))
		shop.WaitGone(refund)
		shop.Must(shop.Client.Delete(shop.Context(), order))
		shop.WaitGone(order)
	}
	for i := range looks {
		g.Expect(looks[i]).To(gomega.Equal(looks[0]))
	}
	g.Expect(looks[0]).To(gomega.ContainSubstring("spec.allowedNamespaces"), "it says what to do")
	var events eventsv1.EventList
	shop.Must(shop.Client.List(shop.Context(), &events, client.InNamespace(shop.Other(0))))
	g.Expect(events.Items).To(gomega.BeEmpty())
	shop.Must(shop.Client.Update(shop.Context(), withoutFinalizers(shop, leaving)))
}

// appearance returns all visible content of an object, without the two names that differ and the
// times.
func appearance(merchant, order string, finalizers []string, conditions []metav1.Condition, prepay *v1alpha1.OrderPrepay) string {
	text := fmt.Sprintf("%q %v", finalizers, prepay)
	for _, c := range conditions {
		c.LastTransitionTime = metav1.Time{}
		text += fmt.Sprintf("%+v", c)
	}
	return strings.ReplaceAll(strings.ReplaceAll(text, "Merchant "+merchant+" ", "Merchant <name> "), order, "<order>")
}

func withoutFinalizers(shop *framework.Shop, merchant *v1alpha1.Merchant) *v1alpha1.Merchant {
	if err := shop.Client.Get(shop.Context(), keyOf(merchant), merchant); err != nil {
		shop.T.Fatal(err)
	}
	merchant.Finalizers = nil
	return merchant
}
