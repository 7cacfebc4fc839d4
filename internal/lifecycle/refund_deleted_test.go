package lifecycle_test

import (
	"strings"
	"testing"

	"github.com/wechatpay-operator/wechatpay-operator/api/v1alpha1"
	"github.com/wechatpay-operator/wechatpay-operator/internal/lifecycle"
	"github.com/wechatpay-operator/wechatpay-operator/internal/wechatpay"
)

// TestADeletedRefundSaysWhatItWaitsFor: once, in the condition Approved, whose decision no longer
// counts.
func TestADeletedRefundSaysWhatItWaitsFor(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		before func(*v1alpha1.Refund)
		state  string
		says   bool
	}{
		"not decided":         {func(*v1alpha1.Refund) {}, "Unknown/Pending", true},
		"awaiting a decision": {func(r *v1alpha1.Refund) { lifecycle.AwaitingApproval(r, now) }, "Unknown/AwaitingApproval", true},
		"approved, in doubt": {func(r *v1alpha1.Refund) {
			r.Spec.Approval = v1alpha1.ApprovalApproved
			lifecycle.Approved(r, now)
			lifecycle.NotAcceptedBy(r, problem(wechatpay.Unknown, wechatpay.Repeat), now)
		}, "True/Approved", true},
		"denied": {func(r *v1alpha1.Refund) { r.Spec.Approval = v1alpha1.ApprovalDenied; lifecycle.Denied(r, now) }, "False/Denied", false},
		"final": {func(r *v1alpha1.Refund) {
			lifecycle.EndRefund(r, v1alpha1.ReasonRejected, strings.Repeat("x", 2000), now)
		}, "Unknown/Pending", false},
		"with a long message": {func(r *v1alpha1.Refund) {
			long := problem(wechatpay.Unknown, wechatpay.Repeat)
			long.Description = strings.Repeat("订", 2000)
			lifecycle.LookFailed(r, long, now)
		}, "Unknown/Pending", true},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			refund := newRefund("refund-1", 1)
			lifecycle.BeginRefund(refund, now)
			test.before(refund)
			lifecycle.Withdrawn(refund, now)
			wantState(t, refund.Status.Conditions, v1alpha1.ConditionApproved, test.state)
			said := message(refund.Status.Conditions, v1alpha1.ConditionApproved)
			if strings.Contains(said, "The Refund is being deleted") != test.says || len(said) > 1024 {
				t.Errorf("%d bytes: %q", len(said), said)
			}
			again := refund.DeepCopy()
			lifecycle.Withdrawn(again, now.Add(1))
			wantSame(t, "status", refund.Status, again.Status)
		})
	}
}
