package controllers_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/onsi/gomega"

	"github.com/wechatpay-operator/wechatpay-operator/api/v1alpha1"
	"github.com/wechatpay-operator/wechatpay-operator/controllers"
	"github.com/wechatpay-operator/wechatpay-operator/internal/wechatpay/simulator"
	"github.com/wechatpay-operator/wechatpay-operator/test/framework"
)

// mostFailing returns the largest number of failed refund requests at WeChat within any second.
func mostFailing(ledger simulator.Ledger) (most, failed int) {
	var times []time.Time
	for _, call := range ledger.CallsOf(simulator.OperationRefund, "") {
		if call.Outcome == "SUCCESS" {
			continue
		}
		times = append(times, call.Time)
		for len(times) > 0 && call.Time.Sub(times[0]) >= time.Second {
			times = times[1:]
		}
		most, failed = max(most, len(times)), failed+1
	}
	return most, failed
}

// TestManyFailingRefundsNeverBlockTheMerchant: WeChat blocks a merchant number at six invalid
// refund requests in a second, whatever their error, Order and Merchant.
func TestManyFailingRefundsNeverBlockTheMerchant(t *testing.T) {
	for name, fail := range map[string]func(*framework.Shop){
		"signed: no balance": func(shop *framework.Shop) { shop.Must(shop.WeChat.SetBalance(framework.MchID, new(int64(0)))) },
		"without a signature": func(shop *framework.Shop) {
			shop.Fault(simulator.Fault{Operation: simulator.OperationRefund, Kind: simulator.FaultFail, ReturnMsg: "invalid refund_fee", AfterEffect: true})
		},
		"for good": func(shop *framework.Shop) {
			shop.Fault(simulator.Fault{Operation: simulator.OperationRefund, Kind: simulator.FaultError, ErrCode: "USER_ACCOUNT_ABNORMAL", ErrCodeDes: "退款请求失败"})
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			g := gomega.NewWithT(t)
			shop := framework.Open(t, env, framework.WithTiming(func(timing *controllers.Timing) {
				timing.RefundSpacing = 500 * time.Millisecond
			}), framework.WithWeChat(func(o *simulator.Options) { o.Rules.MinRefundInterval, o.Rules.PrepayLife = -1, -1 }))
			const merchants, each = 2, 30
			fail(shop)
			for m := range merchants {
				merchant := fmt.Sprintf("shop-%d", m)
				shop.Create(shop.NewMerchant(automatic, func(of *v1alpha1.Merchant) { of.Name = merchant }))
				for i := range each {
					shop.Create(shop.NewOrder(fmt.Sprintf("order-%d-%04d", m, i), func(o *v1alpha1.Order) { o.Spec.MerchantRef.Name = merchant }))
				}
			}
			for m := range merchants {
				for i := range each {
					order := fmt.Sprintf("order-%d-%04d", m, i)
					shop.WaitOrder(order, "Prepared=True/Prepared")
					shop.Pay(order)
					shop.Create(shop.NewRefund(fmt.Sprintf("refund-%d-%04d", m, i), order, 101))
				}
			}
			const enough = 40
			shop.Eventually("they failed, many times", func() error {
				if _, failed := mostFailing(shop.WeChat.Ledger()); failed < enough {
					return fmt.Errorf("%d failed", failed)
				}
				return nil
			})
			most, failed := mostFailing(shop.WeChat.Ledger())
			t.Logf("%d failed, at most %d in a second", failed, most)
			g.Expect(most).To(gomega.BeNumerically("<=", 5))
			g.Expect(shop.WeChat.Ledger().ViolationsOf(simulator.ViolationInvalidRefunds)).To(gomega.BeEmpty())
			g.Expect(shop.WeChat.Ledger().ViolationsOf(simulator.ViolationCallWhenBlocked)).To(gomega.BeEmpty())
		})
	}
}

// TestMissingBalanceIsWarnedOfOnce: the request is repeated until somebody tops up the account,
// which may take days, and the status shows it meanwhile.
func TestMissingBalanceIsWarnedOfOnce(t *testing.T) {
	shop, g := paidShop(t, framework.WithTiming(func(timing *controllers.Timing) { timing.RefundSpacing = 100 * time.Millisecond }),
		framework.WithWeChat(func(o *simulator.Options) { o.Rules.MinRefundInterval = -1 }))
	shop.Must(shop.WeChat.SetBalance(framework.MchID, new(int64(0))))
	shop.Create(shop.NewRefund("refund-0001", "order-0001", 101, approved))
	shop.Eventually("the request is repeated", func() error { return atLeast(shop, simulator.OperationRefund, "refund-0001", 4) })
	shop.Must(shop.WeChat.SetBalance(framework.MchID, nil))
	shop.WaitRefund("refund-0001", "Succeeded=True/Succeeded")
	waitEvent(shop, "refund-0001", v1alpha1.ReasonInsufficientBalance)
	warnings := eventsAbout(shop, "refund-0001", v1alpha1.ReasonInsufficientBalance)
	g.Expect(warnings).To(gomega.HaveLen(1))
	g.Expect(warnings[0].Series).To(gomega.BeNil(), "a repeated event is counted there")
}
