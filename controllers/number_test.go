package controllers_test

import (
	"testing"

	"github.com/onsi/gomega"

	"github.com/wechatpay-operator/wechatpay-operator/api/v1alpha1"
	"github.com/wechatpay-operator/wechatpay-operator/internal/wechatpay/simulator"
	"github.com/wechatpay-operator/wechatpay-operator/test/framework"
)

func TestOlderOrderKeepsItsNumber(t *testing.T) {
	shop, g := openReady(t)
	shop.Create(shop.NewOrder("order-0001"))
	shop.WaitOrder("order-0001", "Prepared=True/Prepared")
	afterThisSecond(shop)
	// The same parameters, so that WeChat would treat it as the same order.
	shop.Create(shop.NewOrder("order-0002", func(o *v1alpha1.Order) { o.Spec.OutTradeNo = "order-0001" }))
	lost := shop.WaitOrder("order-0002", "Prepared=False/NumberInUse")
	shop.WaitOrder("order-0002", "Paid=False/NumberInUse")
	g.Expect(lost.Status.Conditions).To(gomega.ContainElement(gomega.HaveField("Message", gomega.ContainSubstring("belongs to Order order-0001"))))
	g.Expect(shop.WeChat.Ledger().CallsOf(simulator.OperationUnifiedOrder, "order-0001")).To(gomega.HaveLen(1), "the younger one called nothing")

	shop.Pay("order-0001")
	shop.WaitOrder("order-0001", "Paid=True/Paid")
	shop.WaitOrder("order-0002", "Paid=False/NumberInUse")
}

func TestNumberOfAnotherNamespaceIsNotRevealed(t *testing.T) {
	shop, g := openReady(t, framework.WithNamespaces(1))
	shop.CreateCredentials(shop.Other(0))
	shop.Create(shop.NewMerchant(func(m *v1alpha1.Merchant) { m.Namespace = shop.Other(0) }))
	shop.Create(shop.NewOrder("order-0001", func(o *v1alpha1.Order) { o.Namespace = shop.Other(0) }))
	shop.WaitOrder(shop.Other(0)+"/order-0001", "Prepared=True/Prepared")
	afterThisSecond(shop)
	shop.Create(shop.NewOrder("order-0001"))
	lost := shop.WaitOrder("order-0001", "Prepared=False/NumberInUse")
	for _, condition := range lost.Status.Conditions {
		g.Expect(condition.Message).NotTo(gomega.ContainSubstring(shop.Other(0)))
	}
}

func TestNumberThatWeChatHasWithOtherParameters(t *testing.T) {
	shop, g := openReady(t)
	order := shop.NewOrder("order-0001")
	shop.Create(order)
	shop.WaitOrder("order-0001", "Prepared=True/Prepared")
	dropFromCluster(shop, order)
	shop.Create(shop.NewOrder("order-0001", func(o *v1alpha1.Order) { o.Spec.Amount.Total = 999 }))
	shop.WaitOrder("order-0001", "Prepared=False/UsedAtWeChat")
	g.Expect(shop.WeChat.Ledger().Order(framework.MchID, "order-0001").State).To(gomega.Equal(simulator.StateNotPay), "the other's order is left alone")
}

func TestOlderRefundKeepsItsNumber(t *testing.T) {
	shop, g := paidShop(t)
	shop.Create(shop.NewRefund("refund-0001", "order-0001", 50, approved))
	shop.WaitRefund("refund-0001", "Succeeded=True/Succeeded")
	afterThisSecond(shop)
	// The same amount of the same Order, so that WeChat would treat both as one.
	shop.Create(shop.NewRefund("refund-0002", "order-0001", 50, approved, func(r *v1alpha1.Refund) { r.Spec.OutRefundNo = "refund-0001" }))
	shop.WaitRefund("refund-0002", "Succeeded=False/NumberInUse")
	g.Expect(shop.WeChat.Ledger().CallsOf(simulator.OperationRefund, "refund-0001")).To(gomega.HaveLen(1))
	shop.NoViolations()
}
