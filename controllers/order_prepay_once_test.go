package controllers_test

import (
	"testing"

	"github.com/onsi/gomega"
	"k8s.io/apimachinery/pkg/api/meta"

	"github.com/wechatpay-operator/wechatpay-operator/api/v1alpha1"
	"github.com/wechatpay-operator/wechatpay-operator/internal/testshop"
	"github.com/wechatpay-operator/wechatpay-operator/internal/wechatpay/simulator"
)

// TestAPrepayIsOneOrders: an answer with the prepay_id, the QR code or the link of another Order prepares nothing, in whatever
// namespace that Order is. When WeChat answers for this Order again, it is prepared.
func TestAPrepayIsOneOrders(t *testing.T) {
	shop, g := openReady(t, testshop.WithNamespaces(1))
	shop.Create(shop.NewMerchant(func(m *v1alpha1.Merchant) {
		m.Namespace, m.Name = shop.Other(0), "again"
		m.Spec.APIKeySecretRef.Name = "wechatpay"
	}))
	shop.CreateCredentials(shop.Other(0))
	shop.Create(shop.NewOrder("order-0001", native))
	first := shop.WaitOrder("order-0001", "Prepared=True/Prepared")

	for i, c := range []struct {
		fields    map[string]string
		namespace string
		whose     string
	}{
		{map[string]string{"prepay_id": first.Status.Prepay.ID}, shop.Namespace, "the Order order-0001"},
		{map[string]string{"code_url": first.Status.Prepay.CodeURL}, shop.Namespace, "the Order order-0001"},
		{map[string]string{"mweb_url": first.Status.Prepay.CodeURL}, shop.Namespace, "the Order order-0001"},
		{map[string]string{"prepay_id": first.Status.Prepay.ID}, shop.Other(0), "an Order of another namespace"},
	} {
		name := orderName(i + 2)
		fault, err := shop.WeChat.AddFault(simulator.Fault{Operation: simulator.OperationUnifiedOrder, Number: name, Kind: simulator.FaultExtraFields, Fields: c.fields})
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

func native(o *v1alpha1.Order) {
	o.Spec.TradeType, o.Spec.Payer, o.Spec.ProductID = v1alpha1.TradeTypeNative, nil, "soap-1"
}
