package lifecycle_test

import (
	"testing"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/wechatpay-operator/wechatpay-operator/api/v1alpha1"
	"github.com/wechatpay-operator/wechatpay-operator/internal/lifecycle"
	"github.com/wechatpay-operator/wechatpay-operator/internal/wechatpay"
)

// TestWhatPeopleWereAskedStaysTheirs: a Merchant that changes to Automatic decides on later
// Refunds, not on those already presented for approval. A Refund that lost its status counts as
// new.
func TestWhatPeopleWereAskedStaysTheirs(t *testing.T) {
	t.Parallel()
	for what, test := range map[string]struct {
		shown func(*v1alpha1.Refund)
		want  bool
	}{
		"new":                    {func(*v1alpha1.Refund) {}, true},
		"not looked at yet":      {func(r *v1alpha1.Refund) { lifecycle.BeginRefund(r, now) }, true},
		"automatic before":       {func(r *v1alpha1.Refund) { lifecycle.Approved(r, now) }, true},
		"awaiting approval":      {func(r *v1alpha1.Refund) { lifecycle.AwaitingApproval(r, now) }, false},
		"waiting for the policy": {func(r *v1alpha1.Refund) { lifecycle.AwaitingGuard(r, v1alpha1.ReasonPolicyMissing, "why", now) }, false},
		"waiting for a try of it": {func(r *v1alpha1.Refund) {
			lifecycle.AwaitingGuard(r, v1alpha1.ReasonPolicyNotVerified, "why", now)
		}, false},
		"approved unguarded":      {func(r *v1alpha1.Refund) { lifecycle.ApprovedUnguarded(r, now) }, false},
		"restored without status": {func(r *v1alpha1.Refund) { lifecycle.AwaitingApproval(r, now); r.Status = v1alpha1.RefundStatus{} }, true},
	} {
		refund := newRefund("refund-1", 50)
		test.shown(refund)
		if got := lifecycle.MayBeSent(refund, automatic); got != test.want {
			t.Errorf("%s: may be sent is %t", what, got)
		}
		if lifecycle.MayBeSent(refund, manual) {
			t.Errorf("%s: sent under Manual without an approval", what)
		}
	}
}

func TestApprovalIsTrustedOrNot(t *testing.T) {
	t.Parallel()
	approved := func() *v1alpha1.Refund {
		refund := newRefund("refund-1", 50)
		refund.Spec.Approval = v1alpha1.ApprovalApproved
		lifecycle.BeginRefund(refund, now)
		return refund
	}

	refund := approved()
	lifecycle.ApprovedUnguarded(refund, now)
	wantRefund(t, refund, "False/ApprovedUnguarded", "Unknown/Pending", "Unknown/Pending")
	lifecycle.Approved(refund, now)
	lifecycle.AwaitingApproval(refund, now)
	lifecycle.AwaitingGuard(refund, v1alpha1.ReasonPolicyMissing, "why", now)
	lifecycle.LookFailed(refund, problem(wechatpay.NotSent, wechatpay.Repeat), now)
	wantRefund(t, refund, "False/ApprovedUnguarded", "Unknown/Pending", "Unknown/Pending")
	if lifecycle.ApprovalTrusted(refund) || lifecycle.MayBeSent(refund, automatic) || lifecycle.MayBeSent(refund, manual) {
		t.Error("an approval that is not believed is")
	}
	lifecycle.EndRefund(refund, v1alpha1.ReasonApprovedUnguarded, lifecycle.UnguardedMessage, now)
	wantRefund(t, refund, "False/ApprovedUnguarded", "False/ApprovedUnguarded", "False/ApprovedUnguarded")

	// WeChat Pay has it, from before a restore.
	refund = approved()
	lifecycle.ApprovedUnguarded(refund, now)
	lifecycle.RefundLearned(refund, manual, orderNumber, factOf(refund, wechatpay.RefundStatusSucceeded), now)
	wantRefund(t, refund, "True/Recovered", "True/Accepted", "True/Succeeded")

	// A trusted approval stays valid while the policy is missing, and shows that the Refund waits.
	refund = approved()
	lifecycle.Approved(refund, now)
	lifecycle.AwaitingGuard(refund, v1alpha1.ReasonPolicyMissing, "why", now)
	lifecycle.ApprovedUnguarded(refund, now)
	lifecycle.NotAccepted(refund, metav1.ConditionFalse, v1alpha1.ReasonPolicyMissing, "why", now)
	wantRefund(t, refund, "True/Approved", "False/PolicyMissing", "Unknown/Pending")
	if !lifecycle.ApprovalTrusted(refund) {
		t.Error("an approval that was believed is not any more")
	}

	// The outcome of a lost response stays unknown meanwhile.
	lifecycle.NotAccepted(refund, metav1.ConditionUnknown, v1alpha1.ReasonOutcomeUnknown, "lost", now)
	lifecycle.NotAccepted(refund, metav1.ConditionFalse, v1alpha1.ReasonPolicyMissing, "why", now)
	wantRefund(t, refund, "True/Approved", "Unknown/OutcomeUnknown", "Unknown/Pending")

	// Approved by the Merchant's policy: a person's later approval is a different decision.
	refund = newRefund("refund-1", 50)
	lifecycle.Approved(refund, now)
	wantRefund(t, refund, "True/Automatic", "Unknown/Pending", "Unknown/Pending")
	if lifecycle.ApprovalTrusted(refund) {
		t.Error("nobody approved")
	}
}

// TestAWaitThatIsOverIsNotShown to a person who decides.
func TestAWaitThatIsOverIsNotShown(t *testing.T) {
	t.Parallel()
	for reason, want := range map[string]string{
		v1alpha1.ReasonOrderNotFound: v1alpha1.ReasonPending, v1alpha1.ReasonOrderNotPaid: v1alpha1.ReasonPending,
		v1alpha1.ReasonMerchantNotReady: v1alpha1.ReasonPending, v1alpha1.ReasonNotPermitted: v1alpha1.ReasonPending,
		v1alpha1.ReasonInsufficientBalance: v1alpha1.ReasonInsufficientBalance,
	} {
		for name, decide := range map[string]func(*v1alpha1.Refund){
			"awaits approval":   func(r *v1alpha1.Refund) { lifecycle.AwaitingApproval(r, now) },
			"awaits the policy": func(r *v1alpha1.Refund) { lifecycle.AwaitingGuard(r, v1alpha1.ReasonPolicyMissing, "m", now) },
		} {
			refund := newRefund("refund-0001", 50)
			lifecycle.NotAccepted(refund, metav1.ConditionFalse, reason, "m", now)
			decide(refund)
			if got := lifecycle.AcceptedReason(refund); got != want {
				t.Errorf("%s, %s: %s", name, reason, got)
			}
		}
	}
}
