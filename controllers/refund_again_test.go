package controllers_test

import (
	"testing"

	"github.com/onsi/gomega"

	"github.com/wechatpay-operator/wechatpay-operator/api/v1alpha1"
	"github.com/wechatpay-operator/wechatpay-operator/internal/lifecycle"
	"github.com/wechatpay-operator/wechatpay-operator/internal/wechatpay/simulator"
	"github.com/wechatpay-operator/wechatpay-operator/test/framework"
)

func onePayout(shop *framework.Shop, g *gomega.WithT) {
	shop.T.Helper()
	ledger := shop.WeChat.Ledger()
	g.Expect(ledger.Refunds).To(gomega.HaveLen(1))
	g.Expect(ledger.Refunds[0].Payouts).To(gomega.Equal(1))
	shop.NoViolations()
}

func TestRefundAppliedAgainIsRecovered(t *testing.T) {
	shop, g := paidShop(t)
	refund := shop.NewRefund("refund-0001", "order-0001", 101, approved)
	shop.Create(refund)
	shop.WaitRefund("refund-0001", "Succeeded=True/Succeeded")
	dropFromCluster(shop, refund)

	// As the shop first applied it: this object was not approved, and needs no approval.
	shop.Create(shop.NewRefund("refund-0001", "order-0001", 101))
	shop.WaitRefund("refund-0001", "Approved=True/Recovered")
	shop.WaitRefund("refund-0001", "Succeeded=True/Succeeded")
	onePayout(shop, g)
}

func TestRefundRestoredWithItsApprovalIsNotPaidTwice(t *testing.T) {
	shop, g := paidShop(t, framework.WithTiming(pollOften))
	refund := shop.NewRefund("refund-0001", "order-0001", 50, approved)
	shop.Create(refund)
	shop.WaitRefund("refund-0001", "Succeeded=True/Succeeded")
	dropFromCluster(shop, refund)
	shop.Create(shop.NewRefund("refund-0001", "order-0001", 50, approved))
	shop.WaitRefund("refund-0001", "Succeeded=True/Succeeded")
	onePayout(shop, g)
}

func TestDeniedRefundThatWasPaidBeforeIsShownAsItIs(t *testing.T) {
	shop, g := paidShop(t)
	refund := shop.NewRefund("refund-0001", "order-0001", 101, approved)
	shop.Create(refund)
	shop.WaitRefund("refund-0001", "Succeeded=True/Succeeded")
	dropFromCluster(shop, refund)
	shop.Create(shop.NewRefund("refund-0001", "order-0001", 101, func(r *v1alpha1.Refund) { r.Spec.Approval = v1alpha1.ApprovalDenied }))
	shop.WaitRefund("refund-0001", "Approved=True/Recovered")
	shop.WaitRefund("refund-0001", "Succeeded=True/Succeeded")
	onePayout(shop, g)
}

func TestWipedRefundStatusComesBack(t *testing.T) {
	shop, g := paidShop(t, framework.WithTiming(pollOften))
	refund := shop.NewRefund("refund-0001", "order-0001", 101, approved)
	shop.Create(refund)
	shop.WaitRefund("refund-0001", "Succeeded=True/Succeeded")
	shop.WipeStatus(refund)
	shop.WaitRefund("refund-0001", "Succeeded=True/Succeeded")
	onePayout(shop, g)
}

func TestNumberOfAnotherRefund(t *testing.T) {
	shop, g := paidShop(t)
	refund := shop.NewRefund("refund-0001", "order-0001", 50, approved)
	shop.Create(refund)
	shop.WaitRefund("refund-0001", "Succeeded=True/Succeeded")
	dropFromCluster(shop, refund)
	shop.Create(shop.NewRefund("refund-0001", "order-0001", 20))
	shop.WaitRefund("refund-0001", "Succeeded=False/NumberInUse")
	onePayout(shop, g)
}

func TestNewLeaderKeepsTheMinuteBetweenRequests(t *testing.T) {
	shop, g := paidShop(t)
	shop.Fault(simulator.Fault{Operation: simulator.OperationRefund, Kind: simulator.FaultSystemError, Count: 4})
	shop.Create(shop.NewRefund("refund-0001", "order-0001", 101, approved))
	for i := range 3 {
		shop.Eventually("a request was made", func() error { return atLeast(shop, simulator.OperationRefund, "refund-0001", i+1) })
		shop.StopOperators()
		shop.StartOperator()
	}
	shop.WaitRefund("refund-0001", "Succeeded=True/Succeeded")
	onePayout(shop, g) // includes the minimum distance of refunds
}

func TestDeletedRefund(t *testing.T) {
	t.Run("never sent goes at once", func(t *testing.T) {
		shop, g := paidShop(t)
		refund := shop.NewRefund("refund-0001", "order-0001", 101)
		shop.Create(refund)
		shop.WaitRefund("refund-0001", "Approved=Unknown/AwaitingApproval")
		shop.Must(shop.Client.Delete(shop.Context(), refund))
		shop.WaitGone(refund)
		g.Expect(shop.WeChat.Ledger().Refunds).To(gomega.BeEmpty())
	})
	t.Run("under way stays until it is final", func(t *testing.T) {
		shop, g := paidShop(t, framework.WithTiming(pollOften))
		shop.Fault(simulator.Fault{Operation: simulator.OperationRefund, Kind: simulator.FaultRefundHold})
		refund := shop.NewRefund("refund-0001", "order-0001", 101, approved)
		shop.Create(refund)
		shop.WaitRefund("refund-0001", "Succeeded=Unknown/Processing")
		shop.Must(shop.Client.Delete(shop.Context(), refund))
		shop.Eventually("it is still asked for", func() error { return atLeast(shop, simulator.OperationRefundQuery, "refund-0001", 3) })
		g.Expect(shop.Refund("refund-0001").Finalizers).NotTo(gomega.BeEmpty())
		shop.Must(shop.WeChat.SetRefundStatus(framework.MchID, "refund-0001", simulator.RefundSuccess))
		shop.WaitGone(refund)
	})
	t.Run("with a lost answer is asked for and not sent again", func(t *testing.T) {
		shop, g := paidShop(t)
		shop.Fault(simulator.Fault{Operation: simulator.OperationRefund, Kind: simulator.FaultDrop})
		refund := shop.NewRefund("refund-0001", "order-0001", 101, approved)
		shop.Create(refund)
		shop.WaitRefund("refund-0001", "Accepted=Unknown/OutcomeUnknown")
		shop.Fault(simulator.Fault{Operation: simulator.OperationRefundQuery, Kind: simulator.FaultDrop})
		shop.Must(shop.Client.Delete(shop.Context(), refund))
		shop.Eventually("the Refund says what it waits for", func() error {
			return contains(lifecycle.Condition(shop.Refund("refund-0001").Status.Conditions, v1alpha1.ConditionApproved).Message, "The Refund is being deleted")
		})
		shop.WeChat.ClearFaults()
		shop.WaitGone(refund)
		g.Expect(len(shop.WeChat.Ledger().Refunds)).To(gomega.BeNumerically("<=", 1))
		shop.NoViolations()
	})
	t.Run("without balance goes", func(t *testing.T) {
		shop, g := paidShop(t)
		shop.Must(shop.WeChat.SetBalance(framework.MchID, new(int64(1))))
		refund := shop.NewRefund("refund-0001", "order-0001", 101, approved)
		shop.Create(refund)
		shop.WaitRefund("refund-0001", "Accepted=False/InsufficientBalance")
		shop.Must(shop.Client.Delete(shop.Context(), refund))
		shop.WaitGone(refund)
		g.Expect(shop.WeChat.Ledger().Refunds).To(gomega.BeEmpty())
	})
}

func TestShutdownFinishesARefundUnderWay(t *testing.T) {
	shop, g := paidShop(t)
	shop.Fault(simulator.Fault{Operation: simulator.OperationRefund, Kind: simulator.FaultDelay, DelayMillis: 1500, Count: 1})
	shop.Create(shop.NewRefund("refund-0001", "order-0001", 101, approved))
	shop.Eventually("WeChat has the request", func() error { return atLeast(shop, simulator.OperationRefund, "refund-0001", 1) })
	shop.StopOperators()
	refund := shop.Refund("refund-0001")
	g.Expect(refund.Status.RefundID).To(gomega.Equal(shop.WeChat.Ledger().Refund(framework.MchID, "refund-0001").RefundID), "the answer was written before the end")
	onePayout(shop, g)
}

func TestDeletedRefundsOfTheSameAmountAllCount(t *testing.T) {
	shop, g := paidShop(t)
	for i, name := range []string{"refund-0001", "refund-0002"} {
		refund := shop.NewRefund(name, "order-0001", 40, approved)
		shop.Create(refund)
		shop.WaitRefund(name, "Succeeded=True/Succeeded")
		shop.Must(shop.Client.Delete(shop.Context(), refund)) // it remains until the Order has counted it
		shop.WaitGone(refund)
		g.Expect(shop.Order("order-0001").Status.Refunded.Total).To(gomega.Equal(int64(40 * (i + 1))))
	}
	shop.Create(shop.NewRefund("refund-0003", "order-0001", 40, approved))
	shop.WaitRefund("refund-0003", "Succeeded=False/ExceedsPaid")
	g.Expect(shop.WeChat.Ledger().CallsOf(simulator.OperationRefund, "refund-0003")).To(gomega.BeEmpty())
}
