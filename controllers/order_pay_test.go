package controllers_test

import (
	"strings"
	"testing"
	"time"

	"github.com/onsi/gomega"

	"github.com/wechatpay-operator/wechatpay-operator/api/v1alpha1"
	"github.com/wechatpay-operator/wechatpay-operator/controllers"
	"github.com/wechatpay-operator/wechatpay-operator/internal/wechatpay/simulator"
	"github.com/wechatpay-operator/wechatpay-operator/test/framework"
)

// openReady opens a Shop whose Merchant is ready.
func openReady(t *testing.T, options ...framework.Option) (*framework.Shop, *gomega.WithT) {
	t.Helper()
	t.Parallel()
	shop := framework.Open(t, env, options...)
	shop.Create(shop.NewMerchant())
	shop.WaitMerchant(framework.MerchantName, "Ready=True/Ready")
	return shop, gomega.NewWithT(t)
}

// pollOften is for tests in which only a query shows the result.
func pollOften(timing *controllers.Timing) {
	timing.OrderPoll = framework.EverySoOften(300 * time.Millisecond)
	timing.RefundPoll = framework.EverySoOften(300 * time.Millisecond)
	timing.LateCheck = framework.EverySoOften(300 * time.Millisecond)
}

func TestOrderIsPaidByCallback(t *testing.T) {
	shop, g := openReady(t)
	shop.Create(shop.NewOrder("order-0001"))
	order := shop.WaitOrder("order-0001", "Prepared=True/Prepared")
	g.Expect(order.Status.OutTradeNo).To(gomega.Equal("order-0001"))
	g.Expect(order.Status.ExpireTime.Time).To(gomega.BeTemporally("==", order.CreationTimestamp.Add(2*time.Hour)))
	shop.Pay("order-0001")
	order = shop.WaitOrder("order-0001", "Paid=True/Paid")
	g.Expect(order.Status.Transaction.Total).To(gomega.Equal(int64(101)))
	g.Expect(order.Status.Transaction.OpenID).To(gomega.Equal(framework.OpenID))

	ledger := shop.WeChat.Ledger()
	g.Expect(ledger.CallsOf(simulator.OperationUnifiedOrder, "order-0001")).To(gomega.HaveLen(1), "one call for an Order that is paid by callback")
	g.Expect(ledger.CallsOf(simulator.OperationOrderQuery, "order-0001")).To(gomega.BeEmpty())
	shop.NoViolations()
}

func TestEveryTradeTypeGetsWhatItsClientNeeds(t *testing.T) {
	shop, g := openReady(t, framework.Speaking(v1alpha1.ProtocolV2))
	jsapi := shop.NewOrder("order-jsapi")
	native := shop.NewOrder("order-native", func(o *v1alpha1.Order) {
		o.Spec.TradeType, o.Spec.Payer = v1alpha1.TradeTypeNative, nil
	})
	app := shop.NewOrder("order-app", func(o *v1alpha1.Order) { o.Spec.TradeType, o.Spec.Payer = v1alpha1.TradeTypeApp, nil })
	mweb := shop.NewOrder("order-mweb", func(o *v1alpha1.Order) {
		o.Spec.TradeType, o.Spec.Payer, o.Spec.ClientIP = v1alpha1.TradeTypeMWEB, nil, "203.0.113.7"
		o.Spec.H5 = &v1alpha1.H5{Type: v1alpha1.H5TypeWap, URL: "https://shop.example.com", Name: "Shop"}
	})
	shop.Create(jsapi, native, app, mweb)

	prepay := shop.WaitOrder("order-jsapi", "Prepared=True/Prepared").Status.Prepay
	g.Expect(prepay.JSAPI.Package).To(gomega.Equal("prepay_id=" + prepay.ID))
	g.Expect(prepay.JSAPI.AppID).To(gomega.Equal(framework.AppID))
	g.Expect(prepay.JSAPI.SignType).To(gomega.Equal("HMAC-SHA256"))
	g.Expect(prepay.JSAPI.PaySign).To(gomega.MatchRegexp("^[0-9A-F]{64}$"))
	g.Expect(prepay.App).To(gomega.BeNil())
	g.Expect(prepay.NotifyURL).To(gomega.Equal(shop.Base + "/notify/v2/" + shop.Namespace + "/shop/payment"))

	prepay = shop.WaitOrder("order-native", "Prepared=True/Prepared").Status.Prepay
	g.Expect(prepay.CodeURL).To(gomega.HavePrefix("weixin://wxpay/bizpayurl"))

	prepay = shop.WaitOrder("order-app", "Prepared=True/Prepared").Status.Prepay
	g.Expect(prepay.App.PartnerID).To(gomega.Equal(framework.MchID))
	g.Expect(prepay.App.Package).To(gomega.Equal("Sign=WXPay"))

	prepay = shop.WaitOrder("order-mweb", "Prepared=True/Prepared").Status.Prepay
	g.Expect(prepay.MWEBURL).To(gomega.HavePrefix("https://"))

	for _, name := range []string{"order-jsapi", "order-native", "order-app", "order-mweb"} {
		shop.Pay(name)
		shop.WaitOrder(name, "Paid=True/Paid")
	}
	shop.NoViolations()
}

func TestLostCallbackIsFoundByPolling(t *testing.T) {
	shop, _ := openReady(t, framework.WithTiming(pollOften))
	shop.Create(shop.NewOrder("order-0001"))
	shop.WaitOrder("order-0001", "Prepared=True/Prepared")
	shop.Pay("order-0001", simulator.PayOptions{NoCallback: true})
	shop.WaitOrder("order-0001", "Paid=True/Paid")
}

func TestPollingStopsWhenPaid(t *testing.T) {
	shop, g := openReady(t, framework.WithTiming(pollOften))
	shop.Paid("order-0001")
	asked := len(shop.WeChat.Ledger().CallsOf(simulator.OperationOrderQuery, "order-0001"))
	// Another Order is polled several times meanwhile; the paid one is not.
	shop.Create(shop.NewOrder("order-0002"))
	shop.Eventually("order-0002 is polled", func() error {
		return atLeast(shop, simulator.OperationOrderQuery, "order-0002", 4)
	})
	g.Expect(shop.WeChat.Ledger().CallsOf(simulator.OperationOrderQuery, "order-0001")).To(gomega.HaveLen(asked))
}

func TestPrepayIsRefreshed(t *testing.T) {
	shop, g := openReady(t, framework.WithTiming(func(timing *controllers.Timing) { timing.PrepayLifetime = 2 * time.Second }))
	shop.Create(shop.NewOrder("order-0001"))
	first := shop.WaitOrder("order-0001", "Prepared=True/Prepared").Status.Prepay.ID
	shop.Eventually("the prepay is a new one", func() error { return differs(shop.Order("order-0001").Status.Prepay.ID, first) })
	g.Expect(shop.WeChat.Ledger().Orders).To(gomega.HaveLen(1))
	shop.NoViolations()
}

func TestPrepayIsRefreshedOnRequest(t *testing.T) {
	shop, g := openReady(t)
	order := shop.NewOrder("order-0001")
	shop.Create(order)
	first := shop.WaitOrder("order-0001", "Prepared=True/Prepared").Status.Prepay.ID
	shop.Patch(order, `{"metadata":{"annotations":{"wechatpay-operator.io/refresh-prepay":"1"}}}`)
	shop.Eventually("the prepay is a new one", func() error { return differs(shop.Order("order-0001").Status.Prepay.ID, first) })
	g.Expect(shop.Order("order-0001").Status.Prepay.RefreshRequest).To(gomega.Equal("1"))
	g.Expect(shop.WeChat.Ledger().CallsOf(simulator.OperationUnifiedOrder, "order-0001")).To(gomega.HaveLen(2), "one wish, one call")
}

func TestFailedRefreshKeepsThePrepay(t *testing.T) {
	shop, g := openReady(t)
	order := shop.NewOrder("order-0001")
	shop.Create(order)
	first := shop.WaitOrder("order-0001", "Prepared=True/Prepared").Status.Prepay.ID
	shop.Fault(simulator.Fault{Operation: simulator.OperationUnifiedOrder, Kind: simulator.FaultSystemError, Count: 6})
	shop.Patch(order, `{"metadata":{"annotations":{"wechatpay-operator.io/refresh-prepay":"1"}}}`)
	shop.Eventually("the refresh is tried", func() error { return atLeast(shop, simulator.OperationUnifiedOrder, "order-0001", 3) })
	now := shop.Order("order-0001")
	g.Expect(now.Status.Prepay.ID).To(gomega.Equal(first))
	shop.WaitOrder("order-0001", "Prepared=True/Prepared")
	shop.Eventually("the refresh comes through", func() error { return differs(shop.Order("order-0001").Status.Prepay.ID, first) })
}

func TestCouponsDoNotMatterForTheAmount(t *testing.T) {
	shop, g := openReady(t)
	shop.Create(shop.NewOrder("order-0001"))
	shop.WaitOrder("order-0001", "Prepared=True/Prepared")
	shop.Pay("order-0001", simulator.PayOptions{Coupons: []simulator.Coupon{{ID: "1", Type: "NO_CASH", Fee: 20}}})
	order := shop.WaitOrder("order-0001", "Paid=True/Paid")
	g.Expect(order.Status.Transaction.Total).To(gomega.Equal(int64(101)))
	g.Expect(*order.Status.Transaction.CashTotal).To(gomega.Equal(int64(81)))
	g.Expect(*order.Status.Transaction.CouponTotal).To(gomega.Equal(int64(20)))
}

func TestPaymentThatDiffersIsShownAndNeverPaid(t *testing.T) {
	for name, how := range map[string]simulator.PayOptions{
		"amount by callback":   {TotalFee: new(int64(1))},
		"currency by callback": {FeeType: "USD"},
		"amount by query":      {TotalFee: new(int64(1)), NoCallback: true},
	} {
		t.Run(name, func(t *testing.T) {
			shop, g := openReady(t, framework.WithTiming(pollOften))
			shop.Create(shop.NewOrder("order-0001"))
			shop.WaitOrder("order-0001", "Prepared=True/Prepared")
			shop.Pay("order-0001", how)
			order := shop.WaitOrder("order-0001", "Paid=Unknown/AmountMismatch")
			g.Expect(order.Status.Transaction).To(gomega.BeNil())
			polls := len(shop.WeChat.Ledger().CallsOf(simulator.OperationOrderQuery, "order-0001"))
			shop.Eventually("it is asked for again", func() error {
				return atLeast(shop, simulator.OperationOrderQuery, "order-0001", polls+2)
			})
			shop.WaitOrder("order-0001", "Paid=Unknown/AmountMismatch")
			for _, callback := range shop.WeChat.Ledger().CallbacksOf(simulator.OperationPaymentCallback, "order-0001") {
				for _, attempt := range callback.Attempts {
					g.Expect(strings.Contains(attempt.Body, "SUCCESS")).To(gomega.BeFalse(), attempt.Body)
				}
			}
		})
	}
}
