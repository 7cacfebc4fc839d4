package controllers_test

import (
	"errors"
	"testing"
	"time"

	"github.com/onsi/gomega"
	"k8s.io/apimachinery/pkg/api/meta"

	"github.com/wechatpay-operator/wechatpay-operator/api/v1alpha1"
	"github.com/wechatpay-operator/wechatpay-operator/controllers"
	"github.com/wechatpay-operator/wechatpay-operator/internal/lifecycle"
	"github.com/wechatpay-operator/wechatpay-operator/internal/manager"
	"github.com/wechatpay-operator/wechatpay-operator/internal/wechatpay/simulator"
	"github.com/wechatpay-operator/wechatpay-operator/test/framework"
)

// TestUnsignedRejectionIsNotFinal: a rejection that would end an Order if it were signed.
func TestUnsignedRejectionIsNotFinal(t *testing.T) {
	for _, words := range []string{"参数错误", "PARAM_ERROR", "XML格式错误", "商户订单号重复"} {
		t.Run(words, func(t *testing.T) {
			shop, g := openReady(t)
			shop.Fault(simulator.Fault{Operation: simulator.OperationUnifiedOrder, Kind: simulator.FaultFail, ReturnMsg: words})
			shop.Create(shop.NewOrder("order-0001"))
			shop.WaitOrder("order-0001", "Prepared=Unknown/Refused")
			g.Expect(reason(shop.Order("order-0001"))).To(gomega.Equal("Pending"))
			shop.WeChat.ClearFaults()
			shop.WaitOrder("order-0001", "Prepared=True/Prepared")
		})
	}
}

// reason returns the reason of the condition Paid.
func reason(order *v1alpha1.Order) string {
	if paid := meta.FindStatusCondition(order.Status.Conditions, v1alpha1.ConditionPaid); paid != nil {
		return paid.Reason
	}
	return ""
}

func TestRefusedCallIsRepeatedSlowly(t *testing.T) {
	shop, g := openReady(t, framework.WithTiming(func(timing *controllers.Timing) { timing.RetrySlowly = time.Hour }))
	shop.Fault(simulator.Fault{Operation: simulator.OperationUnifiedOrder, Number: "order-0001", Kind: simulator.FaultFail, ReturnMsg: "权限"})
	shop.Create(shop.NewOrder("order-0001"))
	shop.WaitOrder("order-0001", "Prepared=Unknown/Refused")
	// Meanwhile another Order is paid, so any repeated call would have been made.
	shop.Paid("order-0002")
	g.Expect(shop.WeChat.Ledger().CallsOf(simulator.OperationUnifiedOrder, "order-0001")).To(gomega.HaveLen(1))
}

// TestOrderThatMayStillArriveIsNotEnded: WeChat does not know an order whose request may still
// arrive.
func TestOrderThatMayStillArriveIsNotEnded(t *testing.T) {
	shop, g := openReady(t, framework.WithTiming(func(timing *controllers.Timing) { timing.NotExistGrace = time.Hour }))
	shop.Fault(simulator.Fault{Operation: simulator.OperationUnifiedOrder, Kind: simulator.FaultDrop})
	order := shop.NewOrder("order-0001")
	shop.Create(order)
	shop.WaitOrder("order-0001", "Prepared=Unknown/OutcomeUnknown")
	shop.Patch(order, wishClosed)
	shop.WaitOrder("order-0001", "Paid=Unknown/Closing")
	shop.Eventually("it is asked for again", func() error { return atLeast(shop, simulator.OperationOrderQuery, "order-0001", 3) })
	g.Expect(reason(shop.Order("order-0001"))).To(gomega.Equal("Closing"), "what is not there yet may still come")
}

func TestCloseThatSaysPaidDoesNotEndTheOrder(t *testing.T) {
	// The query lags: it still says NOTPAY when the close says ORDERPAID.
	shop, g := openReady(t)
	order := shop.NewOrder("order-0001")
	shop.Create(order)
	shop.WaitOrder("order-0001", "Prepared=True/Prepared")
	shop.Fault(simulator.Fault{Operation: simulator.OperationCloseOrder, Kind: simulator.FaultError, ErrCode: "ORDERPAID", ErrCodeDes: "订单已支付", Count: 2})
	shop.Patch(order, wishClosed)
	shop.WaitOrder("order-0001", "Paid=False/Closed")
	ledger := shop.WeChat.Ledger()
	g.Expect(ledger.CallsOf(simulator.OperationCloseOrder, "order-0001")).To(gomega.HaveLen(3), "until WeChat said that it is closed")
	g.Expect(ledger.Order(framework.MchID, "order-0001").State).To(gomega.Equal(simulator.StateClosed))
}

func TestQueryAfterTheCloseFindsAPayment(t *testing.T) {
	shop, _ := openReady(t)
	order := shop.NewOrder("order-0001")
	shop.Create(order)
	shop.WaitOrder("order-0001", "Prepared=True/Prepared")
	// Each query is delayed, so that the payment arrives before the second answer.
	shop.Fault(simulator.Fault{Operation: simulator.OperationOrderQuery, Kind: simulator.FaultDelay, DelayMillis: 2000, Count: 2})
	shop.Patch(order, wishClosed)
	shop.Eventually("it is closed at WeChat", func() error { return atLeast(shop, simulator.OperationCloseOrder, "order-0001", 1) })
	payLate(shop, simulator.PayOptions{NoCallback: true})
	shop.WaitOrder("order-0001", "Paid=True/Paid")
}

// TestUsedNumberOfAnOpenOrderKeepsItsPrepay: WeChat may answer a refresh with 201; the query says
// that the order is open.
func TestUsedNumberOfAnOpenOrderKeepsItsPrepay(t *testing.T) {
	shop, g := openReady(t)
	order := shop.NewOrder("order-0001")
	shop.Create(order)
	first := shop.WaitOrder("order-0001", "Prepared=True/Prepared").Status.Prepay.ID
	shop.Fault(simulator.Fault{Operation: simulator.OperationUnifiedOrder, Kind: simulator.FaultError, ErrCode: "INVALID_REQUEST", ErrCodeDes: "201 商户订单号重复"})
	shop.Patch(order, `{"metadata":{"annotations":{"wechatpay-operator.io/refresh-prepay":"1"}}}`)
	shop.Eventually("the wish is answered", func() error {
		if now := shop.Order("order-0001"); now.Status.Prepay.RefreshRequest != "1" {
			return errors.New("not yet")
		}
		return nil
	})
	g.Expect(shop.WaitOrder("order-0001", "Prepared=True/Prepared").Status.Prepay.ID).To(gomega.Equal(first))
	shop.Pay("order-0001")
	shop.WaitOrder("order-0001", "Paid=True/Paid")
}

func TestOpenOrderThatLostItsStatusGoesOnThoughItIsLate(t *testing.T) {
	shop, g := openReady(t)
	order := shop.NewOrder("order-0001")
	shop.Create(order)
	first := shop.WaitOrder("order-0001", "Prepared=True/Prepared").Status.Prepay
	shop.StopOperators()
	shop.WipeStatus(order)
	shop.StartOperator(func(o *manager.Options) { o.Timing.MinimumLeft = 24 * time.Hour })
	again := shop.WaitOrder("order-0001", "Prepared=True/Prepared").Status.Prepay
	g.Expect(again.SignType).To(gomega.Equal(first.SignType))
	g.Expect(shop.WeChat.Ledger().Orders).To(gomega.HaveLen(1))
	shop.Pay("order-0001")
	shop.WaitOrder("order-0001", "Paid=True/Paid")
	shop.NoViolations()
}

// TestLateCheckThatToldNothingIsMadeAgain: the last check of the schedule fails during an outage.
func TestLateCheckThatToldNothingIsMadeAgain(t *testing.T) {
	shop, _ := closedOrder(t, v1alpha1.LatePaymentHold)
	shop.StopOperators()
	shop.Fault(simulator.Fault{Operation: simulator.OperationOrderQuery, Number: "order-0001", Kind: simulator.FaultHTML, Count: 2})
	payLate(shop, simulator.PayOptions{NoCallback: true})
	closed := meta.FindStatusCondition(shop.Order("order-0001").Status.Conditions, v1alpha1.ConditionPaid).LastTransitionTime
	shop.StartOperator(func(o *manager.Options) {
		o.Timing.LateCheck = lifecycle.Schedule{Ages: []time.Duration{time.Since(closed.Time) + 4*time.Second}}
	})
	shop.WaitOrder("order-0001", "Paid=True/PaidLate")
}

// TestLostNumberIsFreeForOthers: an Order that lost a number does not block it for
// others.
func TestLostNumberIsFreeForOthers(t *testing.T) {
	shop, g := openReady(t, paysMinutesAgo)
	numbered := func(o *v1alpha1.Order) { o.Spec.OutTradeNo = "number-1" }
	first := shop.NewOrder("order-0001", numbered)
	shop.Create(first)
	shop.WaitOrder("order-0001", "Prepared=True/Prepared")
	afterThisSecond(shop)
	shop.Create(shop.NewOrder("order-0002", numbered))
	shop.WaitOrder("order-0002", "Prepared=False/NumberInUse")
	shop.Pay("number-1")
	shop.WaitOrder("order-0001", "Paid=True/Paid")
	shop.Must(shop.Client.Delete(shop.Context(), first))
	shop.WaitGone(first)
	afterThisSecond(shop)
	shop.Create(shop.NewOrder("order-0003", numbered))
	shop.WaitOrder("order-0003", "Paid=True/PaidEarlier")
	g.Expect(reason(shop.Order("order-0002"))).To(gomega.Equal("NumberInUse"), "final for the object that lost")
}

// TestMismatchedOrderGetsNoNewPrepay: an order that needs a person's attention gets
// no new prepay.
func TestMismatchedOrderGetsNoNewPrepay(t *testing.T) {
	shop, g := openReady(t, framework.WithTiming(pollOften))
	order := shop.NewOrder("order-0001")
	shop.Create(order)
	shop.WaitOrder("order-0001", "Prepared=True/Prepared")
	shop.Pay("order-0001", simulator.PayOptions{TotalFee: new(int64(1)), NoCallback: true})
	shop.WaitOrder("order-0001", "Paid=Unknown/AmountMismatch")
	asked := len(shop.WeChat.Ledger().CallsOf(simulator.OperationOrderQuery, "order-0001"))
	shop.Patch(order, `{"metadata":{"annotations":{"wechatpay-operator.io/refresh-prepay":"1"}}}`)
	shop.Eventually("it is asked for again", func() error { return atLeast(shop, simulator.OperationOrderQuery, "order-0001", asked+2) })
	g.Expect(shop.WeChat.Ledger().CallsOf(simulator.OperationUnifiedOrder, "order-0001")).To(gomega.HaveLen(1))
	shop.WaitOrder("order-0001", "Paid=Unknown/AmountMismatch")
}

// TestLateOrderIsNotMadeWhileTheQueryFails: an unanswered query must not lead to a CreateOrder
// call.
func TestLateOrderIsNotMadeWhileTheQueryFails(t *testing.T) {
	shop, g := openReady(t, framework.WithTiming(func(timing *controllers.Timing) { timing.MinimumLeft = 24 * time.Hour }))
	shop.Fault(simulator.Fault{Operation: simulator.OperationOrderQuery, Number: "order-0001", Kind: simulator.FaultHTML})
	shop.Create(shop.NewOrder("order-0001"))
	shop.Eventually("it is asked for again", func() error { return atLeast(shop, simulator.OperationOrderQuery, "order-0001", 5) })
	g.Expect(shop.WeChat.Ledger().CallsOf(simulator.OperationUnifiedOrder, "order-0001")).To(gomega.BeEmpty())
	shop.WeChat.ClearFaults()
	shop.WaitOrder("order-0001", "Paid=False/Expired")
	g.Expect(shop.WeChat.Ledger().Orders).To(gomega.BeEmpty())
}
