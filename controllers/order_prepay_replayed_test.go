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
	}))
	shop.CreateCredentials(shop.Other(0))
	shop.Create(shop.NewOrder("order-0001", native), shop.NewOrder("order-0002"))
	shop.WaitOrder("order-0001", "Prepared=True/Prepared")
	shop.WaitOrder("order-0002", "Prepared=True/Prepared")
	shop.WaitMerchant(shop.Other(0)+"/again", "Ready=True/Ready") // so that it belongs to the same account

	for i, c := range []struct {
		field     string
		kind      func(*v1alpha1.Order)
		first     string
		of        func(*v1alpha1.OrderPrepay) string
		namespace string
		whose     string
	}{
		{"prepay_id", payable, "order-0002", prepayID, shop.Namespace, "the Order order-0002"},
		{"code_url", native, "order-0001", codeURL, shop.Namespace, "the Order order-0001"},
		{"mweb_url", inBrowser, "order-0001", codeURL, shop.Namespace, "the Order order-0001"},
		{"prepay_id", payable, "order-0002", prepayID, shop.Other(0), "an Order in another namespace"},
	} {
		name := orderName(i + 3)
		first := shop.Order(c.first) // a lagging cache may have caused a second prepare
		fault, err := shop.WeChat.AddFault(simulator.Fault{Operation: simulator.OperationUnifiedOrder, Number: name, Kind: simulator.FaultExtraFields,
			Fields: map[string]string{c.field: c.of(first.Status.Prepay)}})
		shop.Must(err)
		shop.Create(shop.NewOrder(name, c.kind, func(o *v1alpha1.Order) {
			if o.Namespace = c.namespace; c.namespace != shop.Namespace {
				o.Spec.MerchantRef.Name = "again"
			}
		}))
		order := shop.WaitOrder(c.namespace+"/"+name, "Prepared=Unknown/OutcomeUnknown")
		g.Expect(order.Status.Prepay).To(gomega.BeNil())
		g.Expect(meta.FindStatusCondition(order.Status.Conditions, v1alpha1.ConditionPrepared).Message).To(gomega.ContainSubstring("the answer has the prepay of " + c.whose))
		shop.WeChat.RemoveFault(fault.ID)
		prepay := shop.WaitOrder(c.namespace+"/"+name, "Prepared=True/Prepared").Status.Prepay
		g.Expect([]string{prepay.ID, prepay.CodeURL, prepay.MWEBURL}).NotTo(gomega.ContainElement(c.of(first.Status.Prepay)))
	}
}

func prepayID(p *v1alpha1.OrderPrepay) string { return p.ID }

func codeURL(p *v1alpha1.OrderPrepay) string { return p.CodeURL }

// payable is an Order of NewOrder as it is, whose answer has a prepay_id with both protocols.
func payable(*v1alpha1.Order) {}

func inBrowser(o *v1alpha1.Order) {
	o.Spec.TradeType, o.Spec.Payer, o.Spec.ClientIP = v1alpha1.TradeTypeMWEB, nil, "203.0.113.7"
	o.Spec.H5 = &v1alpha1.H5{Type: v1alpha1.H5TypeWap, URL: "https://shop.example.com", Name: "Shop"}
}

func native(o *v1alpha1.Order) {
	o.Spec.TradeType, o.Spec.Payer, o.Spec.ProductID = v1alpha1.TradeTypeNative, nil, "soap-1"
}
