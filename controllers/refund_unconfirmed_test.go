package controllers_test

import (
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/onsi/gomega"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/wechatpay-operator/wechatpay-operator/api/v1alpha1"
	"github.com/wechatpay-operator/wechatpay-operator/controllers"
	"github.com/wechatpay-operator/wechatpay-operator/internal/wechatpay/simulator"
	"github.com/wechatpay-operator/wechatpay-operator/test/framework"
)

// shopWithAcceptedRefund opens a Shop with a Refund that WeChat accepted and does not finish.
func shopWithAcceptedRefund(t *testing.T, options ...framework.Option) (*framework.Shop, *gomega.WithT) {
	t.Helper()
	shop, g := paidShop(t, append([]framework.Option{framework.WithTiming(pollOften)}, options...)...)
	acceptedRefund(shop)
	shop.WaitRefund("refund-0001", "Succeeded=Unknown/Processing")
	return shop, g
}

// acceptedRefund creates a Refund that WeChat accepts and does not finish.
func acceptedRefund(shop *framework.Shop) {
	shop.T.Helper()
	shop.Fault(simulator.Fault{Operation: simulator.OperationRefund, Kind: simulator.FaultRefundHold})
	shop.Create(shop.NewRefund("refund-0001", "order-0001", 101, approved))
}

// says makes refund queries return other values, correctly signed.
func says(shop *framework.Shop, fields map[string]string) {
	shop.T.Helper()
	shop.Fault(simulator.Fault{Operation: simulator.OperationRefundQuery, Kind: simulator.FaultExtraFields, Fields: fields})
}

// waitForMoreQueries waits until WeChat has been queried some more times.
func waitForMoreQueries(shop *framework.Shop, operation simulator.Operation, number string, times int) {
	shop.T.Helper()
	asked := len(shop.WeChat.Ledger().CallsOf(operation, number))
	shop.Eventually("WeChat is asked again", func() error { return atLeast(shop, operation, number, asked+times) })
}

// TestErrorsAreShownWhileRefundIsFollowed: WeChat accepted it, and then answers queries with
// errors.
func TestErrorsAreShownWhileRefundIsFollowed(t *testing.T) {
	for name, c := range map[string]struct {
		fault simulator.Fault
		words string
	}{
		"signed USER_ACCOUNT_ABNORMAL": {simulator.Fault{Kind: simulator.FaultError, ErrCode: "USER_ACCOUNT_ABNORMAL", ErrCodeDes: "用户账户异常"}, "USER_ACCOUNT_ABNORMAL: 用户账户异常"},
		"signed REFUNDNOTEXIST":        {simulator.Fault{Kind: simulator.FaultError, ErrCode: "REFUNDNOTEXIST", ErrCodeDes: "退款订单查询失败"}, "退款订单查询失败"},
		"unsigned":                     {simulator.Fault{Kind: simulator.FaultFail, ReturnMsg: "参数格式错误"}, "参数格式错误"},
		"badly signed":                 {simulator.Fault{Kind: simulator.FaultBadSignature}, "QueryRefund"},
	} {
		t.Run(name, func(t *testing.T) {
			shop, g := shopWithAcceptedRefund(t)
			c.fault.Operation = simulator.OperationRefundQuery
			shop.Fault(c.fault)
			refund := shop.WaitRefund("refund-0001", "Succeeded=Unknown/QueryFailed")
			g.Expect(meta.FindStatusCondition(refund.Status.Conditions, v1alpha1.ConditionSucceeded).Message).To(gomega.ContainSubstring(c.words))
			g.Expect(refund.Status.StalledTime).NotTo(gomega.BeNil())
			waitForMoreQueries(shop, simulator.OperationRefundQuery, "refund-0001", 3)
			g.Expect(shop.Refund("refund-0001").ResourceVersion).To(gomega.Equal(refund.ResourceVersion), "no write at each poll")
			shop.WeChat.ClearFaults()
			shop.WaitRefund("refund-0001", "Succeeded=Unknown/Processing")
			shop.Must(shop.WeChat.SetRefundStatus(framework.MchID, "refund-0001", simulator.RefundSuccess))
			shop.WaitRefund("refund-0001", "Succeeded=True/Succeeded")
		})
	}
}

func TestUnknownRefundStateIsShownAsItIs(t *testing.T) {
	shop, g := shopWithAcceptedRefund(t)
	says(shop, map[string]string{"refund_status_0": "FOO"})
	refund := shop.WaitRefund("refund-0001", "Succeeded=Unknown/UnknownState")
	g.Expect(meta.FindStatusCondition(refund.Status.Conditions, v1alpha1.ConditionSucceeded).Message).To(gomega.ContainSubstring("FOO"))
	waitEvent(shop, "refund-0001", v1alpha1.ReasonUnknownState)
	shop.WeChat.ClearFaults()
	shop.WaitRefund("refund-0001", "Succeeded=Unknown/Processing")
}

// TestDeletedRefundWithoutAnswerIsAbandoned: what waits for it continues, too.
func TestDeletedRefundWithoutAnswerIsAbandoned(t *testing.T) {
	for name, fault := range map[string]simulator.Fault{
		"errors":           {Kind: simulator.FaultError, ErrCode: "REFUNDNOTEXIST"},
		"an unknown state": {Kind: simulator.FaultExtraFields, Fields: map[string]string{"refund_status_0": "FOO"}},
		"another amount":   {Kind: simulator.FaultExtraFields, Fields: map[string]string{"refund_fee_0": "51"}},
	} {
		t.Run(name, func(t *testing.T) {
			shop, _ := shopWithAcceptedRefund(t, framework.WithTiming(func(timing *controllers.Timing) {
				pollOften(timing)
				timing.AbandonAtLast = 2 * time.Second
			}))
			fault.Operation = simulator.OperationRefundQuery
			shop.Fault(fault)
			refund, order, merchant := shop.NewRefund("refund-0001", "order-0001", 101), shop.NewOrder("order-0001"), shop.NewMerchant()
			shop.Must(shop.Client.Delete(shop.Context(), merchant))
			shop.Must(shop.Client.Delete(shop.Context(), order))
			shop.Must(shop.Client.Delete(shop.Context(), refund))
			waitEvent(shop, "refund-0001", "FinalizerAbandoned")
			shop.WaitGone(refund)
			shop.WaitGone(order)
			shop.WaitGone(merchant)
		})
	}
}

// TestDeletedRefundStaysWhileWeChatPaysBack: processing ends without help, so the Refund waits
// while WeChat reports it. Each such answer restarts the wait, also for a process that has not seen
// an earlier one.
func TestDeletedRefundStaysWhileWeChatPaysBack(t *testing.T) {
	const patience = 3 * time.Second
	shop, g := shopWithAcceptedRefund(t, framework.WithTiming(func(timing *controllers.Timing) {
		pollOften(timing)
		timing.AbandonAtLast = patience
	}))
	refund := shop.NewRefund("refund-0001", "order-0001", 101)
	shop.Must(shop.Client.Delete(shop.Context(), refund))
	shop.Eventually("it waits for longer than it would without an answer", func() error {
		if waited := time.Since(shop.Refund("refund-0001").DeletionTimestamp.Time); waited < patience+2*time.Second {
			return fmt.Errorf("%s", waited)
		}
		return nil
	})
	shop.StopOperators()
	shop.Fault(simulator.Fault{Operation: simulator.OperationRefundQuery, Kind: simulator.FaultError, ErrCode: "REFUNDNOTEXIST"})
	shop.StartOperator()
	shop.WaitRefund("refund-0001", "Succeeded=Unknown/QueryFailed")
	waitForMoreQueries(shop, simulator.OperationRefundQuery, "refund-0001", 2)
	g.Expect(shop.Client.Get(shop.Context(), keyOf(refund), refund)).To(gomega.Succeed(), "the wait began with the last word, not with the deletion")
	shop.WaitGone(refund)
}

// TestContradictionDoesNotEndAcceptedRefund: WeChat accepted it, and then reports another amount or
// order once.
func TestContradictionDoesNotEndAcceptedRefund(t *testing.T) {
	for name, fields := range map[string]map[string]string{
		"amount": {"refund_fee_0": "51"},
		"order":  {"out_trade_no": "order-0002"},
	} {
		t.Run(name, func(t *testing.T) {
			shop, g := shopWithAcceptedRefund(t)
			says(shop, fields)
			shop.WaitRefund("refund-0001", "Succeeded=Unknown/Mismatch")
			waitEvent(shop, "refund-0001", v1alpha1.ReasonMismatch)
			waitForMoreQueries(shop, simulator.OperationRefundQuery, "refund-0001", 5) // for longer than NotExistGrace
			g.Expect(has(shop.Refund("refund-0001").Status.Conditions, v1alpha1.ConditionSucceeded, v1alpha1.ReasonMismatch)).To(gomega.BeTrue())
			// Its amount is still reserved.
			shop.Create(shop.NewRefund("refund-0002", "order-0001", 101, approved))
			shop.WaitRefund("refund-0002", "Succeeded=False/ExceedsPaid")
			shop.WeChat.ClearFaults()
			shop.Must(shop.WeChat.SetRefundStatus(framework.MchID, "refund-0001", simulator.RefundSuccess))
			shop.WaitRefund("refund-0001", "Succeeded=True/Succeeded")
			shop.NoViolations()
		})
	}
}

// TestCorrectCallbackAfterContradiction: the result of the query that the callback causes is
// recorded.
func TestCorrectCallbackAfterContradiction(t *testing.T) {
	shop, _ := paidShop(t, framework.WithTiming(func(timing *controllers.Timing) {
		timing.RefundPoll.Ages = []time.Duration{3 * time.Second, time.Hour} // a single poll, after the operator has seen its own write
		timing.RetrySlowly = time.Hour
	}))
	says(shop, map[string]string{"refund_fee_0": "51"})
	acceptedRefund(shop)
	shop.WaitRefund("refund-0001", "Succeeded=Unknown/Mismatch")
	shop.WeChat.ClearFaults()
	shop.Must(shop.WeChat.SetRefundStatus(framework.MchID, "refund-0001", simulator.RefundSuccess))
	shop.WaitRefund("refund-0001", "Succeeded=True/Succeeded")
}

// TestRefundWithTheNumberMadeElsewhere: no request was sent, so two answers, some time apart, end
// the Refund.
func TestRefundWithTheNumberMadeElsewhere(t *testing.T) {
	for name, change := range map[string]func(*v1alpha1.Refund){
		"undecided": func(*v1alpha1.Refund) {}, "approved": approved,
	} {
		t.Run(name, func(t *testing.T) {
			shop, g := paidShop(t)
			sent := shop.NewRefund("refund-0001", "order-0001", 50, approved)
			shop.Create(sent)
			shop.WaitRefund("refund-0001", "Succeeded=True/Succeeded")
			dropFromCluster(shop, sent)
			asked := len(shop.WeChat.Ledger().CallsOf(simulator.OperationRefundQuery, "refund-0001"))
			shop.Create(shop.NewRefund("refund-0001", "order-0001", 49, change))
			shop.WaitRefund("refund-0001", "Succeeded=False/NumberInUse")
			g.Expect(len(shop.WeChat.Ledger().CallsOf(simulator.OperationRefundQuery, "refund-0001")) - asked).To(gomega.BeNumerically(">=", 2))
		})
	}
}

// TestErrorsAreShownWhileLostAnswerIsQueried: it remains in doubt, and shows WeChat's answer.
func TestErrorsAreShownWhileLostAnswerIsQueried(t *testing.T) {
	shop, _ := paidShop(t)
	shop.Fault(simulator.Fault{Operation: simulator.OperationRefund, Kind: simulator.FaultDrop, AfterEffect: true})
	shop.Fault(simulator.Fault{Operation: simulator.OperationRefundQuery, Kind: simulator.FaultError, ErrCode: "USER_ACCOUNT_ABNORMAL"})
	shop.Fault(simulator.Fault{Operation: simulator.OperationRefundCallback, Kind: simulator.FaultLose})
	shop.Create(shop.NewRefund("refund-0001", "order-0001", 101, approved))
	shop.Eventually("WeChat's words are shown", func() error {
		refund := shop.WaitRefund("refund-0001", "Accepted=Unknown/OutcomeUnknown")
		return contains(meta.FindStatusCondition(refund.Status.Conditions, v1alpha1.ConditionAccepted).Message, "USER_ACCOUNT_ABNORMAL")
	})
}

// TestErrorsAreShownWhileOrderIsPolled: the payer may still pay, so the error does not replace
// other conditions.
func TestErrorsAreShownWhileOrderIsPolled(t *testing.T) {
	shop, g := openReady(t, framework.WithTiming(pollOften))
	shop.Create(shop.NewOrder("order-0001"))
	shop.WaitOrder("order-0001", "Paid=Unknown/AwaitingPayment")
	shop.Fault(simulator.Fault{Operation: simulator.OperationOrderQuery, Kind: simulator.FaultError, ErrCode: "NOAUTH", ErrCodeDes: "商户无此接口权限"})
	paidMessage := func(part string) func() error {
		return func() error {
			message := meta.FindStatusCondition(shop.Order("order-0001").Status.Conditions, v1alpha1.ConditionPaid).Message
			if part == "" && message != "Waiting for the payer" {
				return errors.New(message)
			}
			return contains(message, part)
		}
	}
	shop.Eventually("WeChat's words are shown", paidMessage(shop.Code("NOAUTH")+": 商户无此接口权限"))
	order := shop.WaitOrder("order-0001", "Paid=Unknown/AwaitingPayment")
	waitForMoreQueries(shop, simulator.OperationOrderQuery, "order-0001", 3)
	g.Expect(shop.Order("order-0001").ResourceVersion).To(gomega.Equal(order.ResourceVersion), "no write at each poll")
	shop.WeChat.ClearFaults()
	shop.Eventually("they go when it is over", paidMessage(""))
	shop.Fault(simulator.Fault{Operation: simulator.OperationOrderQuery, Kind: simulator.FaultExtraFields, Fields: map[string]string{"trade_state": "FOO"}})
	shop.WaitOrder("order-0001", "Paid=Unknown/UnknownState")
	shop.Eventually("the word is shown", paidMessage("FOO"))
	shop.WeChat.ClearFaults()
	shop.WaitOrder("order-0001", "Paid=Unknown/AwaitingPayment")
	shop.Patch(order, wishClosed)
	shop.WaitOrder("order-0001", "Paid=False/Closed")
	shop.Fault(simulator.Fault{Operation: simulator.OperationOrderQuery, Kind: simulator.FaultError, ErrCode: "NOAUTH", ErrCodeDes: "商户无此接口权限"})
	shop.Eventually("also of a closed one", paidMessage(shop.Code("NOAUTH")))
}

func has(conditions []metav1.Condition, kind, reason string) bool {
	found := meta.FindStatusCondition(conditions, kind)
	return found != nil && found.Reason == reason
}
