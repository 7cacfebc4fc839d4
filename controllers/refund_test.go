package controllers_test

import (
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/onsi/gomega"

	"github.com/wechatpay-operator/wechatpay-operator/api/v1alpha1"
	"github.com/wechatpay-operator/wechatpay-operator/internal/wechatpay/simulator"
	"github.com/wechatpay-operator/wechatpay-operator/test/framework"
)

// paidShop opens a Shop with one paid Order.
func paidShop(t *testing.T, options ...framework.Option) (*framework.Shop, *gomega.WithT) {
	t.Helper()
	shop, g := openReady(t, options...)
	shop.Paid("order-0001")
	return shop, g
}

func automatic(m *v1alpha1.Merchant) { m.Spec.RefundApproval = v1alpha1.RefundApprovalAutomatic }

func TestRefundWaitsForApprovalAndSucceeds(t *testing.T) {
	shop, g := paidShop(t)
	shop.Create(shop.NewRefund("refund-0001", "order-0001", 101, func(r *v1alpha1.Refund) { r.Spec.Reason = "质量问题" }))
	shop.WaitRefund("refund-0001", "Approved=Unknown/AwaitingApproval")
	shop.WaitRefund("refund-0001", "Succeeded=Unknown/Pending")
	g.Expect(shop.WeChat.Ledger().CallsOf(simulator.OperationRefund, "refund-0001")).To(gomega.BeEmpty())

	shop.Approve("refund-0001")
	refund := shop.WaitRefund("refund-0001", "Succeeded=True/Succeeded")
	shop.WaitRefund("refund-0001", "Approved=True/Approved")
	shop.WaitRefund("refund-0001", "Accepted=True/Accepted")
	ledger := shop.WeChat.Ledger()
	paidBack := ledger.Refund(framework.MchID, "refund-0001")
	g.Expect(paidBack.RefundFee).To(gomega.Equal(int64(101)))
	g.Expect(paidBack.Params).To(gomega.HaveKeyWithValue(shop.Param("refund_desc"), "质量问题"))
	g.Expect(refund.Status.RefundID).To(gomega.Equal(paidBack.RefundID))
	g.Expect(refund.Status.ReceivedAccount).NotTo(gomega.BeEmpty())
	g.Expect(refund.Status.SucceededTime).NotTo(gomega.BeNil())
	g.Expect(ledger.CallsOf(simulator.OperationRefund, "refund-0001")).To(gomega.HaveLen(1))
	queries := 2 // one look before approval, one that says it succeeded
	if shop.Protocol == v1alpha1.ProtocolV3 {
		queries = 1 // the callback is signed and says it
	}
	g.Expect(len(ledger.CallsOf(simulator.OperationRefundQuery, "refund-0001"))).To(gomega.BeNumerically(">=", queries))
	shop.NoViolations()
}

func TestRefundIsFollowedWithoutACallback(t *testing.T) {
	shop, _ := paidShop(t, framework.WithTiming(pollOften), framework.WithWeChat(func(o *simulator.Options) { o.Rules.RefundDelay = time.Second }))
	shop.Fault(simulator.Fault{Operation: simulator.OperationRefundCallback, Kind: simulator.FaultLose})
	shop.Create(shop.NewRefund("refund-0001", "order-0001", 101))
	shop.Approve("refund-0001")
	shop.WaitRefund("refund-0001", "Succeeded=Unknown/Processing")
	shop.WaitRefund("refund-0001", "Succeeded=True/Succeeded")
}

func TestDeniedRefundIsNeverSent(t *testing.T) {
	shop, g := paidShop(t)
	refund := shop.NewRefund("refund-0001", "order-0001", 101)
	shop.Create(refund)
	shop.WaitRefund("refund-0001", "Approved=Unknown/AwaitingApproval")
	shop.Patch(refund, `{"spec":{"approval":"Denied"}}`)
	shop.WaitRefund("refund-0001", "Succeeded=False/Denied")
	shop.WaitRefund("refund-0001", "Approved=False/Denied")
	g.Expect(shop.WeChat.Ledger().Refunds).To(gomega.BeEmpty())
	shop.Must(shop.Client.Delete(shop.Context(), refund))
	shop.WaitGone(refund)
}

func TestAutomaticApproval(t *testing.T) {
	t.Parallel()
	shop := framework.Open(t, env)
	shop.Create(shop.NewMerchant(automatic))
	shop.Paid("order-0001")
	shop.Create(shop.NewRefund("refund-0001", "order-0001", 101))
	shop.WaitRefund("refund-0001", "Approved=True/Automatic")
	shop.WaitRefund("refund-0001", "Succeeded=True/Succeeded")
	shop.Create(shop.NewRefund("refund-0002", "order-0001", 1, func(r *v1alpha1.Refund) { r.Spec.Approval = v1alpha1.ApprovalDenied }))
	shop.WaitRefund("refund-0002", "Succeeded=False/Denied")
}

func TestPartialRefundsGoOneAtATimeAndNeverBeyondWhatWasPaid(t *testing.T) {
	shop, g := paidShop(t)
	for i, amount := range []int64{30, 30, 41} {
		name := fmt.Sprintf("refund-000%d", i)
		shop.Create(shop.NewRefund(name, "order-0001", amount, approved))
	}
	for i := range 3 {
		shop.WaitRefund(fmt.Sprintf("refund-000%d", i), "Succeeded=True/Succeeded")
	}
	shop.Create(shop.NewRefund("refund-more", "order-0001", 1, approved))
	refused := shop.WaitRefund("refund-more", "Succeeded=False/ExceedsPaid")
	g.Expect(refused.Status.Conditions).To(gomega.ContainElement(gomega.HaveField("Message", gomega.ContainSubstring("101 was paid and other Refunds account for 101"))))
	shop.Eventually("the Order sums its refunds", func() error {
		if refunded := shop.Order("order-0001").Status.Refunded; refunded == nil || refunded.Total != 101 || refunded.Count != 3 {
			return fmt.Errorf("refunded is %v", refunded)
		}
		return nil
	})
	ledger := shop.WeChat.Ledger()
	g.Expect(ledger.Order(framework.MchID, "order-0001").Sums.Refunded).To(gomega.Equal(int64(101)))
	g.Expect(ledger.CallsOf(simulator.OperationRefund, "refund-more")).To(gomega.BeEmpty())
	shop.NoViolations() // the simulator reports requests that come too soon
}

func approved(r *v1alpha1.Refund) { r.Spec.Approval = v1alpha1.ApprovalApproved }

func TestDeletedRefundsStillCount(t *testing.T) {
	shop, _ := paidShop(t)
	refund := shop.NewRefund("refund-0001", "order-0001", 100, approved)
	shop.Create(refund)
	shop.WaitRefund("refund-0001", "Succeeded=True/Succeeded")
	shop.Eventually("the Order remembers", func() error {
		if shop.Order("order-0001").Status.Refunded == nil {
			return errors.New("not yet")
		}
		return nil
	})
	shop.Must(shop.Client.Delete(shop.Context(), refund))
	shop.WaitGone(refund)
	shop.Create(shop.NewRefund("refund-0002", "order-0001", 2, approved))
	shop.WaitRefund("refund-0002", "Succeeded=False/ExceedsPaid")
	shop.NoViolations()
}

func TestRefundsMadeByStaffCountAtWeChat(t *testing.T) {
	shop, g := paidShop(t, framework.Speaking(v1alpha1.ProtocolV2))
	_, err := shop.WeChat.RefundByStaff(framework.MchID, "order-0001", 100)
	shop.Must(err)
	shop.Create(shop.NewRefund("refund-0001", "order-0001", 2, approved))
	refund := shop.WaitRefund("refund-0001", "Succeeded=False/ExceedsPaid")
	g.Expect(refund.Status.Conditions).To(gomega.ContainElement(gomega.HaveField("Message", gomega.ContainSubstring("merchant platform"))))
}

// TestRefundSurvivesLostAnswers: whatever answer is lost or corrupted, the refund is made once.
func TestRefundSurvivesLostAnswers(t *testing.T) {
	for name, fault := range map[string]simulator.Fault{
		"dropped before":      {Kind: simulator.FaultDrop},
		"dropped after":       {Kind: simulator.FaultDrop, AfterEffect: true},
		"SYSTEMERROR before":  {Kind: simulator.FaultSystemError},
		"SYSTEMERROR after":   {Kind: simulator.FaultSystemError, AfterEffect: true},
		"502 page after":      {Kind: simulator.FaultHTML, AfterEffect: true},
		"BIZERR_NEED_RETRY":   {Kind: simulator.FaultNeedRetry},
		"truncated":           {Kind: simulator.FaultTruncate},
		"badly signed":        {Kind: simulator.FaultBadSignature},
		"unsigned":            {Kind: simulator.FaultUnsigned},
		"another's answer":    {Kind: simulator.FaultWrongNumber},
		"FREQUENCY_LIMITED":   {Kind: simulator.FaultFrequencyLimited},
		"unsigned rate limit": {Kind: simulator.FaultRateLimited},
		"ERROR":               {Kind: simulator.FaultError, ErrCode: "ERROR", ErrCodeDes: "业务错误"},
		"no right":            {Kind: simulator.FaultError, ErrCode: "NO_AUTH", ErrCodeDes: "特约子商户商户号未授权服务商的产品权限"},
		"no right, unsigned":  {Kind: simulator.FaultFail, ReturnMsg: "特约子商户商户号未授权服务商的产品权限"},
	} {
		t.Run(name, func(t *testing.T) {
			shop, g := paidShop(t)
			fault.Operation, fault.Count = simulator.OperationRefund, 2
			shop.Fault(fault)
			shop.Create(shop.NewRefund("refund-0001", "order-0001", 101, approved))
			shop.WaitRefund("refund-0001", "Succeeded=True/Succeeded")
			ledger := shop.WeChat.Ledger()
			g.Expect(ledger.Refunds).To(gomega.HaveLen(1))
			g.Expect(ledger.Refunds[0].Payouts).To(gomega.Equal(1))
			shop.NoViolations()
		})
	}
}

func TestLostRefundAnswerIsShownAsUnknown(t *testing.T) {
	shop, _ := paidShop(t)
	shop.Fault(simulator.Fault{Operation: simulator.OperationRefund, Kind: simulator.FaultDrop, AfterEffect: true})
	shop.Fault(simulator.Fault{Operation: simulator.OperationRefundQuery, Kind: simulator.FaultHTML})
	shop.Fault(simulator.Fault{Operation: simulator.OperationRefundCallback, Kind: simulator.FaultLose})
	shop.Create(shop.NewRefund("refund-0001", "order-0001", 101, approved))
	shop.WaitRefund("refund-0001", "Accepted=Unknown/OutcomeUnknown")
	shop.WaitRefund("refund-0001", "Succeeded=Unknown/Pending")
	shop.WeChat.ClearFaults()
	shop.WaitRefund("refund-0001", "Succeeded=True/Succeeded")
	shop.NoViolations()
}

func TestInsufficientBalanceWaitsVisibly(t *testing.T) {
	shop, g := paidShop(t)
	shop.Must(shop.WeChat.SetBalance(framework.MchID, new(int64(10))))
	shop.Create(shop.NewRefund("refund-0001", "order-0001", 101, approved))
	waiting := shop.WaitRefund("refund-0001", "Accepted=False/InsufficientBalance")
	g.Expect(waiting.Status.Conditions).To(gomega.ContainElement(gomega.HaveField("Message", gomega.And(gomega.ContainSubstring("余额不足"), gomega.ContainSubstring("Top up")))))
	shop.WaitRefund("refund-0001", "Succeeded=Unknown/Pending")
	waitEvent(shop, "refund-0001", "InsufficientBalance")
	shop.Must(shop.WeChat.SetBalance(framework.MchID, nil))
	shop.WaitRefund("refund-0001", "Succeeded=True/Succeeded")
	shop.NoViolations()
}

func TestAbnormalRefundIsNotTheEnd(t *testing.T) {
	for name, end := range map[string]struct {
		status simulator.RefundStatus
		state  string
	}{
		"and succeeds after all": {simulator.RefundSuccess, "Succeeded=True/Succeeded"},
		"and is closed":          {simulator.RefundClosed, "Succeeded=False/Closed"},
	} {
		t.Run(name, func(t *testing.T) {
			shop, _ := paidShop(t, framework.WithTiming(pollOften))
			shop.Fault(simulator.Fault{Operation: simulator.OperationRefund, Kind: simulator.FaultRefundChange})
			shop.Create(shop.NewRefund("refund-0001", "order-0001", 101, approved))
			shop.WaitRefund("refund-0001", "Succeeded=Unknown/Abnormal")
			waitEvent(shop, "refund-0001", "Abnormal")
			shop.Must(shop.WeChat.SetRefundStatus(framework.MchID, "refund-0001", end.status))
			shop.WaitRefund("refund-0001", end.state)
		})
	}
}

func TestClosedRefundFreesItsAmount(t *testing.T) {
	shop, _ := paidShop(t)
	shop.Fault(simulator.Fault{Operation: simulator.OperationRefund, Kind: simulator.FaultRefundClose, Count: 1})
	shop.Create(shop.NewRefund("refund-0001", "order-0001", 101, approved))
	shop.WaitRefund("refund-0001", "Succeeded=False/Closed")
	shop.Create(shop.NewRefund("refund-0002", "order-0001", 101, approved))
	shop.WaitRefund("refund-0002", "Succeeded=True/Succeeded")
	shop.NoViolations()
}

func TestRefundWaitsForItsOrder(t *testing.T) {
	shop, _ := openReady(t)
	shop.Create(shop.NewRefund("refund-0001", "order-0001", 101, approved))
	shop.WaitRefund("refund-0001", "Accepted=False/OrderNotFound")
	shop.Create(shop.NewOrder("order-0001"))
	shop.WaitOrder("order-0001", "Prepared=True/Prepared")
	shop.WaitRefund("refund-0001", "Accepted=False/OrderNotPaid")
	shop.Pay("order-0001")
	shop.WaitRefund("refund-0001", "Succeeded=True/Succeeded")
}

func TestRejectedRefundIsFinal(t *testing.T) {
	shop, g := paidShop(t)
	shop.Fault(simulator.Fault{Operation: simulator.OperationRefund, Kind: simulator.FaultError, ErrCode: "USER_ACCOUNT_ABNORMAL", ErrCodeDes: "用户账户异常"})
	shop.Create(shop.NewRefund("refund-0001", "order-0001", 101, approved))
	refund := shop.WaitRefund("refund-0001", "Succeeded=False/Rejected")
	g.Expect(refund.Status.Conditions).To(gomega.ContainElement(gomega.HaveField("Message", gomega.ContainSubstring("USER_ACCOUNT_ABNORMAL: 用户账户异常"))))
}
