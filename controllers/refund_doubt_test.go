package controllers_test

import (
	"testing"
	"time"

	"github.com/onsi/gomega"

	"github.com/wechatpay-operator/wechatpay-operator/controllers"
	"github.com/wechatpay-operator/wechatpay-operator/internal/wechatpay/simulator"
	"github.com/wechatpay-operator/wechatpay-operator/test/framework"
)

// TestUnsignedRefundRejectionIsNotFinal: a rejection that would end a Refund if it were signed.
func TestUnsignedRefundRejectionIsNotFinal(t *testing.T) {
	for _, words := range []string{"invalid refund_fee", "订单已全额退款", "订单金额或退款金额与之前请求不一致", "参数错误"} {
		t.Run(words, func(t *testing.T) {
			shop, g := paidShop(t)
			shop.Fault(simulator.Fault{Operation: simulator.OperationRefund, Kind: simulator.FaultFail, ReturnMsg: words})
			shop.Create(shop.NewRefund("refund-0001", "order-0001", 101, approved))
			refund := shop.WaitRefund("refund-0001", "Accepted=Unknown/Refused")
			g.Expect(refund.Status.Conditions).To(gomega.ContainElement(gomega.HaveField("Message", gomega.ContainSubstring(words))))
			shop.WaitRefund("refund-0001", "Succeeded=Unknown/Pending")
			shop.WeChat.ClearFaults()
			shop.WaitRefund("refund-0001", "Succeeded=True/Succeeded")
			onePayout(shop, g)
		})
	}
}

// TestSignedRejectionOfExistingRefund: an earlier request was executed, so the query decides.
func TestSignedRejectionOfExistingRefund(t *testing.T) {
	for _, code := range []string{"USER_ACCOUNT_ABNORMAL", "REFUND_FEE_MISMATCH", "ERROR"} {
		t.Run(code, func(t *testing.T) {
			shop, g := paidShop(t)
			shop.Fault(simulator.Fault{Operation: simulator.OperationRefund, Kind: simulator.FaultError, ErrCode: code, ErrCodeDes: "失败", AfterEffect: true})
			shop.Create(shop.NewRefund("refund-0001", "order-0001", 101, approved))
			shop.WaitRefund("refund-0001", "Succeeded=True/Succeeded")
			g.Expect(shop.WeChat.Ledger().CallsOf(simulator.OperationRefund, "refund-0001")).To(gomega.HaveLen(1))
			onePayout(shop, g)
		})
	}
}

func TestLostRefundAnswerIsAskedForBeforeItIsRepeated(t *testing.T) {
	shop, g := paidShop(t, framework.WithTiming(pollOften))
	shop.Fault(simulator.Fault{Operation: simulator.OperationRefundCallback, Kind: simulator.FaultLose})
	shop.Fault(simulator.Fault{Operation: simulator.OperationRefund, Kind: simulator.FaultDrop, AfterEffect: true, Count: 1})
	shop.Create(shop.NewRefund("refund-0001", "order-0001", 101, approved))
	shop.WaitRefund("refund-0001", "Succeeded=True/Succeeded")
	g.Expect(shop.WeChat.Ledger().CallsOf(simulator.OperationRefund, "refund-0001")).To(gomega.HaveLen(1), "the query told, so nothing was sent again")
	onePayout(shop, g)
}

// TestRefundThatMayStillArriveIsNotEnded: WeChat does not know a refund whose request may still
// arrive.
func TestRefundThatMayStillArriveIsNotEnded(t *testing.T) {
	slowly := framework.WithTiming(func(timing *controllers.Timing) { timing.NotExistGrace = time.Hour })
	t.Run("deleted", func(t *testing.T) {
		shop, g := paidShop(t, slowly)
		shop.Fault(simulator.Fault{Operation: simulator.OperationRefund, Kind: simulator.FaultDrop})
		refund := shop.NewRefund("refund-0001", "order-0001", 101, approved)
		shop.Create(refund)
		shop.WaitRefund("refund-0001", "Accepted=Unknown/OutcomeUnknown")
		shop.StopOperators() // state in memory is lost
		shop.Must(shop.Client.Delete(shop.Context(), refund))
		asked := len(shop.WeChat.Ledger().CallsOf(simulator.OperationRefundQuery, "refund-0001"))
		shop.StartOperator()
		shop.Eventually("it is asked for", func() error { return atLeast(shop, simulator.OperationRefundQuery, "refund-0001", asked+1) })
		shop.Paid("order-0002") // all effects of the answer have happened
		g.Expect(shop.Refund("refund-0001").Finalizers).NotTo(gomega.BeEmpty())
		g.Expect(shop.WeChat.Ledger().CallsOf(simulator.OperationRefund, "refund-0001")).To(gomega.HaveLen(1), "a deleted Refund is not sent again")
	})
	t.Run("denied", func(t *testing.T) {
		t.Parallel()
		shop := framework.Open(t, env, slowly)
		shop.Create(shop.NewMerchant(automatic))
		shop.Paid("order-0001")
		shop.Fault(simulator.Fault{Operation: simulator.OperationRefund, Kind: simulator.FaultDrop})
		refund := shop.NewRefund("refund-0001", "order-0001", 101)
		shop.Create(refund)
		shop.WaitRefund("refund-0001", "Accepted=Unknown/OutcomeUnknown")
		shop.Patch(refund, `{"spec":{"approval":"Denied"}}`)
		shop.Eventually("it is asked for", func() error { return atLeast(shop, simulator.OperationRefundQuery, "refund-0001", 3) })
		shop.WaitRefund("refund-0001", "Succeeded=Unknown/Pending")
		shop.WaitRefund("refund-0001", "Accepted=Unknown/OutcomeUnknown")
	})
}

// TestNoDecisionBeforeTheQuery: while WeChat can't be queried about the refund, it does not
// await approval.
func TestNoDecisionBeforeTheQuery(t *testing.T) {
	shop, g := paidShop(t)
	shop.Fault(simulator.Fault{Operation: simulator.OperationRefundQuery, Kind: simulator.FaultHTML})
	shop.Create(shop.NewRefund("refund-0001", "order-0001", 101))
	refund := shop.WaitRefund("refund-0001", "Approved=Unknown/Pending")
	g.Expect(refund.Status.Conditions).To(gomega.ContainElement(gomega.HaveField("Message", gomega.ContainSubstring("could not be queried"))))
	shop.Eventually("it is asked again", func() error { return atLeast(shop, simulator.OperationRefundQuery, "refund-0001", 4) })
	shop.WaitRefund("refund-0001", "Approved=Unknown/Pending")
	shop.WeChat.ClearFaults()
	shop.WaitRefund("refund-0001", "Approved=Unknown/AwaitingApproval")
}

// TestLookupsAreRateLimited: WeChat counts a query for an unknown refund as an invalid request.
func TestLookupsAreRateLimited(t *testing.T) {
	shop, g := paidShop(t)
	const refunds = 7
	for i := range refunds {
		shop.Create(shop.NewRefund(orderName(i), "order-0001", 1))
	}
	for i := range refunds {
		shop.WaitRefund(orderName(i), "Approved=Unknown/AwaitingApproval")
	}
	looks := shop.WeChat.Ledger().CallsOf(simulator.OperationRefundQuery, "")
	g.Expect(looks).To(gomega.HaveLen(refunds))
	g.Expect(looks[refunds-1].Time.Sub(looks[0].Time)).To(gomega.BeNumerically(">", 2*time.Second), "two at once, and two a second after that")
}

// TestRefundThatDoesNotFitIsShownAsWeChatHasIt: later refunds of the order must not change the
// final state that it had.
func TestRefundThatDoesNotFitIsShownAsWeChatHasIt(t *testing.T) {
	shop, g := paidShop(t)
	shop.Fault(simulator.Fault{Operation: simulator.OperationRefund, Kind: simulator.FaultRefundClose, Count: 1})
	closed := shop.NewRefund("refund-0001", "order-0001", 101, approved)
	shop.Create(closed)
	shop.WaitRefund("refund-0001", "Succeeded=False/Closed")
	dropFromCluster(shop, closed)
	shop.Create(shop.NewRefund("refund-0002", "order-0001", 101, approved))
	shop.WaitRefund("refund-0002", "Succeeded=True/Succeeded")

	shop.Create(shop.NewRefund("refund-0001", "order-0001", 101, approved))
	shop.WaitRefund("refund-0001", "Succeeded=False/Closed")
	g.Expect(shop.WeChat.Ledger().CallsOf(simulator.OperationRefund, "refund-0001")).To(gomega.HaveLen(1), "it was looked for, not sent again")
	shop.NoViolations()
}

func TestRefusedRefundIsRepeatedSlowly(t *testing.T) {
	shop, g := paidShop(t, framework.WithTiming(func(timing *controllers.Timing) {
		timing.RetrySlowly, timing.RefundSpacing = time.Hour, 100*time.Millisecond
	}), framework.WithWeChat(func(o *simulator.Options) { o.Rules.MinRefundInterval = -1 }))
	shop.Fault(simulator.Fault{Operation: simulator.OperationRefund, Number: "refund-0001", Kind: simulator.FaultFail, ReturnMsg: "invalid refund_fee"})
	shop.Create(shop.NewRefund("refund-0001", "order-0001", 101, approved))
	shop.WaitRefund("refund-0001", "Accepted=Unknown/Refused")
	// Meanwhile another one is finished, so any repeated request would have been sent.
	shop.Paid("order-0002")
	shop.Create(shop.NewRefund("refund-0002", "order-0002", 101, approved))
	shop.WaitRefund("refund-0002", "Succeeded=True/Succeeded")
	afterThisSecond(shop)
	g.Expect(shop.WeChat.Ledger().CallsOf(simulator.OperationRefund, "refund-0001")).To(gomega.HaveLen(1))
}

// TestNewLeaderKnowsTheLastRequest: the status has its predecessor's last request, so that a Refund
// created since then keeps the distance.
func TestNewLeaderKnowsTheLastRequest(t *testing.T) {
	shop, _ := paidShop(t, framework.WithTiming(func(timing *controllers.Timing) { timing.RefundSpacing = 8 * time.Second }),
		framework.WithWeChat(func(o *simulator.Options) { o.Rules.MinRefundInterval = 8 * time.Second }))
	shop.Create(shop.NewRefund("refund-0001", "order-0001", 50, approved))
	shop.WaitRefund("refund-0001", "Succeeded=True/Succeeded")
	shop.StopOperators()
	shop.StartOperator()
	afterThisSecond(shop) // objects are younger than the new leader
	shop.Create(shop.NewRefund("refund-0002", "order-0001", 51, approved))
	shop.WaitRefund("refund-0002", "Succeeded=True/Succeeded")
	shop.NoViolations() // no request came too soon
}

// TestNewLeaderKeepsTheMinuteForARefundThatIsYounger: whether its predecessor sent a request for
// the Order is not recorded any more, so the distance is kept because the Order is older than the
// new leader.
func TestNewLeaderKeepsTheMinuteForARefundThatIsYounger(t *testing.T) {
	const spacing = 15 * time.Second
	shop, _ := paidShop(t, framework.WithTiming(func(timing *controllers.Timing) { timing.RefundSpacing = spacing }),
		framework.WithWeChat(func(o *simulator.Options) { o.Rules.MinRefundInterval = spacing }))
	sent := shop.NewRefund("refund-0001", "order-0001", 50, approved)
	shop.Create(sent)
	shop.WaitRefund("refund-0001", "Succeeded=True/Succeeded")
	dropFromCluster(shop, sent) // the time of its request is lost; another leader starts
	afterThisSecond(shop)
	shop.Create(shop.NewRefund("refund-0002", "order-0001", 51, approved))
	shop.WaitRefund("refund-0002", "Succeeded=True/Succeeded")
	shop.NoViolations() // no request came too soon
}
