package lifecycle_test

import (
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"pgregory.net/rapid"

	"github.com/wechatpay-operator/wechatpay-operator/api/v1alpha1"
	"github.com/wechatpay-operator/wechatpay-operator/internal/lifecycle"
	"github.com/wechatpay-operator/wechatpay-operator/internal/wechatpay"
)

func drawFact(t *rapid.T) wechatpay.RefundFact {
	fact := factOf(newRefund("refund-1", 50), rapid.SampledFrom([]wechatpay.RefundStatus{
		wechatpay.RefundStatusProcessing, wechatpay.RefundStatusSucceeded, wechatpay.RefundStatusClosed, wechatpay.RefundStatusAbnormal, "FOO",
	}).Draw(t, "status"))
	fact.Amount = rapid.SampledFrom([]int64{50, 50, 50, 50, 1}).Draw(t, "amount")
	fact.ReceivedAccount = words.Draw(t, "account")
	if fact.Status == wechatpay.RefundStatusSucceeded {
		fact.SuccessTime = now.Add(time.Hour)
	}
	return fact
}

func drawRefundStep(t *rapid.T) step[*v1alpha1.Refund] {
	type refund = *v1alpha1.Refund
	text := words.Draw(t, "text")
	fact := drawFact(t)
	policy := rapid.SampledFrom([]v1alpha1.RefundApproval{manual, automatic}).Draw(t, "policy")
	switch name := rapid.SampledFrom([]string{
		"BeginRefund", "AwaitingApproval", "Approved", "Denied", "NotAccepted", "NotAcceptedBy", "Accepted", "RefundState",
		"RefundLearned", "EndRefund", "LookFailed", "FollowFailed", "AskFailed", "NoMismatch", "RefundWriteRefused", "AwaitingGuard", "ApprovedUnguarded",
	}).Draw(t, "step"); name {
	case "AwaitingApproval":
		return step[refund]{name, lifecycle.AwaitingApproval}
	case "Approved":
		return step[refund]{name, lifecycle.Approved}
	case "Denied":
		return step[refund]{name, lifecycle.Denied}
	case "NotAccepted":
		reason := rapid.SampledFrom([]string{
			v1alpha1.ReasonMerchantNotReady, v1alpha1.ReasonNotPermitted, v1alpha1.ReasonCertificateMissing, v1alpha1.ReasonOrderNotPaid, v1alpha1.ReasonOrderNotFound,
		}).Draw(t, "reason")
		return step[refund]{name, func(r refund, now time.Time) { lifecycle.NotAccepted(r, metav1.ConditionFalse, reason, text, now) }}
	case "NotAcceptedBy":
		err := drawError(t)
		return step[refund]{name, func(r refund, now time.Time) { lifecycle.NotAcceptedBy(r, err, now) }}
	case "Accepted":
		return step[refund]{name, func(r refund, now time.Time) {
			lifecycle.Accepted(r, wechatpay.RefundAcceptance{RefundID: strings.Repeat("5", 99)}, now)
		}}
	case "RefundState":
		return step[refund]{name, func(r refund, now time.Time) { lifecycle.RefundState(r, orderNumber, fact, now) }}
	case "RefundLearned":
		return step[refund]{name, func(r refund, now time.Time) { lifecycle.RefundLearned(r, policy, orderNumber, fact, now) }}
	case "EndRefund":
		reason := rapid.SampledFrom([]string{v1alpha1.ReasonRejected, v1alpha1.ReasonExceedsPaid}).Draw(t, "reason")
		return step[refund]{name, func(r refund, now time.Time) { lifecycle.EndRefund(r, reason, text, now) }}
	case "AwaitingGuard":
		reason := rapid.SampledFrom([]string{v1alpha1.ReasonPolicyMissing, v1alpha1.ReasonPolicyNotVerified}).Draw(t, "reason")
		return step[refund]{name, func(r refund, now time.Time) { lifecycle.AwaitingGuard(r, reason, "why", now) }}
	case "ApprovedUnguarded":
		return step[refund]{name, lifecycle.ApprovedUnguarded}
	case "LookFailed":
		err := drawError(t)
		return step[refund]{name, func(r refund, now time.Time) { lifecycle.LookFailed(r, err, now) }}
	case "FollowFailed":
		err := drawError(t)
		return step[refund]{name, func(r refund, now time.Time) { lifecycle.FollowFailed(r, err, now) }}
	case "AskFailed":
		err := drawError(t)
		return step[refund]{name, func(r refund, now time.Time) { lifecycle.AskFailed(r, err, now) }}
	case "NoMismatch":
		return step[refund]{name, lifecycle.NoMismatch}
	case "RefundWriteRefused":
		return step[refund]{name, func(r refund, now time.Time) { lifecycle.RefundWriteRefused(r, text, now) }}
	default:
		return step[refund]{name, lifecycle.BeginRefund}
	}
}

// TestRefundsMoveForwardOnly applies random sequences of transitions to Refunds.
func TestRefundsMoveForwardOnly(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		refund := newRefund("refund-1", 50)
		refund.Spec.Approval = rapid.SampledFrom([]v1alpha1.Approval{"", "Approved"}).Draw(t, "approval")
		lifecycle.BeginRefund(refund, now)
		at := now
		for range rapid.IntRange(1, 25).Draw(t, "steps") {
			at = at.Add(time.Duration(rapid.IntRange(0, 3600).Draw(t, "seconds")) * time.Second)
			taken := drawRefundStep(t)
			before := refund.DeepCopy()
			taken.apply(refund, at)
			if wrong := refundStepWrong(before, refund); wrong != "" {
				t.Fatalf("%s: %s\n%s", taken.name, wrong, cmp.Diff(before.Status, refund.Status))
			}
			again := roundTrip(refund)
			taken.apply(again, at.Add(time.Second))
			if difference := cmp.Diff(refund.Status, again.Status); difference != "" {
				t.Fatalf("%s again is another status, and would be written for ever:\n%s", taken.name, difference)
			}
		}
	})
}

func refundStepWrong(before, after *v1alpha1.Refund) string {
	was, is := before.Status.Conditions, after.Status.Conditions
	wrong := malformed(is, after.Generation, v1alpha1.ConditionApproved, v1alpha1.ConditionAccepted, v1alpha1.ConditionSucceeded)
	switch {
	case wrong != "":
		return wrong
	case lifecycle.RefundFinal(before) && (state(was, v1alpha1.ConditionAccepted) != state(is, v1alpha1.ConditionAccepted) ||
		state(was, v1alpha1.ConditionSucceeded) != state(is, v1alpha1.ConditionSucceeded)):
		return "an end was left"
	case lifecycle.RefundFinal(before) && strings.HasPrefix(state(was, v1alpha1.ConditionApproved), "True") &&
		!strings.HasPrefix(state(is, v1alpha1.ConditionApproved), "True"):
		return "the approval of what is over was withdrawn"
	case lifecycle.RefundDenied(before) && lifecycle.RefundFinal(before) && !cmp.Equal(was, is, notes):
		return "a denial was left"
	case lifecycle.RefundDenied(before) && !lifecycle.RefundDenied(after) && !lifecycle.RefundAccepted(after):
		return "an approval that is not believed was, and WeChat has no refund"
	case lifecycle.RefundAccepted(before) && !lifecycle.RefundAccepted(after):
		return "Accepted was left"
	case lifecycle.RefundAccepted(after) != (after.Status.AcceptedTime != nil):
		return "Accepted and its time do not agree"
	case before.Status.AcceptedTime != nil && !before.Status.AcceptedTime.Equal(after.Status.AcceptedTime):
		return "the time of acceptance changed"
	case lifecycle.RefundSucceeded(after) != (after.Status.SucceededTime != nil):
		return "Succeeded and its time do not agree"
	case lifecycle.RefundSucceeded(after) && !lifecycle.RefundAccepted(after):
		return "succeeded without having been accepted"
	case lifecycle.SucceededReason(after) == v1alpha1.ReasonProcessing && after.Status.StalledTime != nil,
		lifecycle.RefundFinal(after) && after.Status.StalledTime != nil:
		return "it is said to be stalled although it goes on"
	case lifecycle.RefundDenied(after) && lifecycle.RefundAccepted(after):
		return "denied although WeChat has it"
	case lifecycle.ApprovedReason(before) == v1alpha1.ReasonRecovered && lifecycle.RefundAccepted(before) && lifecycle.ApprovedReason(after) != v1alpha1.ReasonRecovered:
		return "Recovered was left"
	case len(after.Status.RefundID) > 64 || len(after.Status.ReceivedAccount) > 256:
		return "the status can't be written"
	default:
		return ""
	}
}
