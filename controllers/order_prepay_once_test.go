package controllers_test

import (
	"testing"

	"github.com/onsi/gomega"
	"k8s.io/apimachinery/pkg/api/meta"

	"github.com/wechatpay-operator/wechatpay-operator/api/v1alpha1"
	"github.com/wechatpay-operator/wechatpay-operator/internal/wechatpay/simulator"
	"github.com/wechatpay-operator/wechatpay-operator/test/framework"
)

// TestPrepayIsUnique: an answer with the prepay_id, the QR code or the link of another Order,
// in any namespace, does not prepare this one. When WeChat returns a prepay of its own, it is
// prepared.
func TestPrepayIsUnique(t *testing.T) {
	shop, g := openReady(t, framework.WithNamespaces(1))
	shop.Create(shop.NewMerchant(func(m *v1alpha1.Merchant) {
		m.Namespace, m.Name = shop.Other(0), "again"
		m.Spec.APIKeySecretRef.Name = "wechatpay"
	}))
	shop.CreateCredentials(shop.Other(0))
	shop.Create(shop.NewOrder("order-0001", native))
	shop.WaitOrder("order-0001", "Prepared=True/Prepared")
	shop.WaitMerchant(shop.Other(0)+"/again", "Ready=True/Ready") // so that it belongs to the same account

	for i, c := range []struct {
		field     string
		of        func(*v1alpha1.OrderPrepay) string
		namespace string
		whose     string
	}{
		{"prepay_id", prepayID, shop.Namespace, "the Order order-0001"},
		{"code_url", codeURL, shop.Namespace, "the Order order-0001"},
		{"mweb_url", codeURL, shop.Namespace, "the Order order-0001"},
		{"prepay_id", prepayID, shop.Other(0), "an Order of another namespace"},
	} {
		name := orderName(i + 2)
		first := shop.Order("order-0001") // a lagging cache may have caused a second prepare
		fault, err := shop.WeChat.AddFault(simulator.Fault{Operation: simulator.OperationUnifiedOrder, Number: name, Kind: simulator.FaultExtraFields,
			Fields: map[string]string{c.field: c.of(first.Status.Prepay)}})
		shop.Must(err)
		shop.Create(shop.NewOrder(name, native, func(o *v1alpha1.Order) {
			if o.Namespace = c.namespace; c.namespace != shop.Namespace {
				o.Spec.MerchantRef.Name = "again"
			}
		}))
		order := shop.WaitOrder(c.namespace+"/"+name, "Prepared=Unknown/OutcomeUnknown")
		g.Expect(order.Status.Prepay).To(gomega.BeNil())
		g.Expect(meta.FindStatusCondition(order.Status.Conditions, v1alpha1.ConditionPrepared).Message).To(gomega.ContainSubstring("the answer has the prepay of " + c.whose))
		shop.WeChat.RemoveFault(fault.ID)
		g.Expect(shop.WaitOrder(c.namespace+"/"+name, "Prepared=True/Prepared").Status.Prepay.ID).NotTo(gomega.Equal(first.Status.Prepay.ID))
	}
}

func prepayID(p *v1alpha1.OrderPrepay) string { return p.ID }

func codeURL(p *v1alpha1.OrderPrepay) string { return p.CodeURL }

func native(o *v1alpha1.Order) {
	o.Spec.TradeType, o.Spec.Payer, o.Spec.ProductID = v1alpha1.TradeTypeNative, nil, "soap-1"
}
