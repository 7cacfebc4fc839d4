package controllers_test

import (
	"testing"
	"time"

	"github.com/onsi/gomega"
	"github.com/prometheus/client_golang/prometheus/testutil"

	"github.com/wechatpay-operator/wechatpay-operator/controllers"
	"github.com/wechatpay-operator/wechatpay-operator/internal/metrics"
	"github.com/wechatpay-operator/wechatpay-operator/internal/wechatpay/simulator"
	"github.com/wechatpay-operator/wechatpay-operator/test/framework"
)

func TestDeletedRefundIsAbandoned(t *testing.T) {
	for name, c := range map[string]struct {
		kind  simulator.FaultKind
		state string
		block func(*framework.Shop)
	}{
		"for credentials": {simulator.FaultRefundHold, "Succeeded=Unknown/Processing", func(shop *framework.Shop) {
			shop.Must(shop.Client.Delete(shop.Context(), secret(shop, "wechatpay")))
			shop.WaitMerchant(framework.MerchantName, "Ready=False/SecretNotFound")
		}},
		"for a person": {simulator.FaultRefundChange, "Succeeded=Unknown/Abnormal", func(*framework.Shop) {}},
	} {
		t.Run(name, func(t *testing.T) {
			released := testutil.ToFloat64(metrics.FinalizersReleased.WithLabelValues("Refund"))
			shop, g := paidShop(t, framework.WithTiming(func(timing *controllers.Timing) {
				pollOften(timing)
				timing.AbandonAtLast = 2 * time.Second
			}))
			shop.Fault(simulator.Fault{Operation: simulator.OperationRefund, Kind: c.kind})
			refund := shop.NewRefund("refund-0001", "order-0001", 101, approved)
			shop.Create(refund)
			shop.WaitRefund("refund-0001", c.state)
			c.block(shop)
			shop.Must(shop.Client.Delete(shop.Context(), refund))
			waitEvent(shop, "refund-0001", "FinalizerAbandoned")
			shop.WaitGone(refund)
			g.Expect(testutil.ToFloat64(metrics.FinalizersReleased.WithLabelValues("Refund"))).To(gomega.BeNumerically(">", released))
		})
	}
}

func TestDeletedOrderIsAbandonedWithoutWeChat(t *testing.T) {
	released := testutil.ToFloat64(metrics.FinalizersReleased.WithLabelValues("Order"))
	shop, g := openReady(t, framework.WithTiming(func(timing *controllers.Timing) { timing.AbandonAtLast = 2 * time.Second }))
	order := shop.NewOrder("order-0001")
	shop.Create(order)
	shop.WaitOrder("order-0001", "Prepared=True/Prepared")
	shop.Fault(simulator.Fault{Operation: simulator.OperationCloseOrder, Kind: simulator.FaultHTML})
	shop.Must(shop.Client.Delete(shop.Context(), order))
	shop.WaitOrder("order-0001", "Paid=Unknown/Closing")
	waitEvent(shop, "order-0001", "FinalizerAbandoned")
	shop.WaitGone(order)
	g.Expect(testutil.ToFloat64(metrics.FinalizersReleased.WithLabelValues("Order"))).To(gomega.BeNumerically(">", released))
}

func TestDeletedMerchantIsAbandonedWithoutCredentials(t *testing.T) {
	released := testutil.ToFloat64(metrics.FinalizersReleased.WithLabelValues("Merchant"))
	shop, g := openReady(t)
	shop.Create(shop.NewOrder("order-0001")) // never deleted
	shop.WaitOrder("order-0001", "Prepared=True/Prepared")
	shop.Must(shop.Client.Delete(shop.Context(), secret(shop, "wechatpay")))
	shop.WaitMerchant(framework.MerchantName, "Ready=False/SecretNotFound")
	merchant := shop.NewMerchant()
	shop.Must(shop.Client.Delete(shop.Context(), merchant))
	waitEvent(shop, framework.MerchantName, "FinalizerAbandoned")
	shop.WaitGone(merchant)
	g.Expect(testutil.ToFloat64(metrics.FinalizersReleased.WithLabelValues("Merchant"))).To(gomega.BeNumerically(">", released))
}
