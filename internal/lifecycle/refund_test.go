package lifecycle_test

import (
	"strings"
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/wechatpay-operator/wechatpay-operator/api/v1alpha1"
	"github.com/wechatpay-operator/wechatpay-operator/internal/lifecycle"
	"github.com/wechatpay-operator/wechatpay-operator/internal/wechatpay"
)

const (
	manual    = v1alpha1.RefundApprovalManual
	automatic = v1alpha1.RefundApprovalAutomatic
)

func wantRefund(t *testing.T, refund *v1alpha1.Refund, approved, accepted, succeeded string) {
	t.Helper()
	wantState(t, refund.Status.Conditions, v1alpha1.ConditionApproved, approved)
	wantState(t, refund.Status.Conditions, v1alpha1.ConditionAccepted, accepted)
	wantState(t, refund.Status.Conditions, v1alpha1.ConditionSucceeded, succeeded)
}

func TestMayBeSent(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		approval v1alpha1.Approval
		policy   v1alpha1.RefundApproval
		want     bool
	}{
		{"", manual, false}, {"", "", false}, {"", automatic, true},
		{v1alpha1.ApprovalApproved, manual, true}, {v1alpha1.ApprovalApproved, automatic, true},
		{v1alpha1.ApprovalDenied, manual, false}, {v1alpha1.ApprovalDenied, automatic, false},
	} {
		refund := newRefund("refund-1", 50)
		refund.Spec.Approval = test.approval
		if got := lifecycle.MayBeSent(refund, test.policy); got != test.want {
			t.Errorf("approval %q, policy %q: %t", test.approval, test.policy, got)
		}
	}
}

func TestRefundsWayToTheEnd(t *testing.T) {
	t.Parallel()
	refund := newRefund("refund-1", 50)
	lifecycle.BeginRefund(refund, now)
	wantRefund(t, refund, "Unknown/Pending", "Unknown/Pending", "Unknown/Pending")
	lifecycle.AwaitingApproval(refund, now)
	wantRefund(t, refund, "Unknown/AwaitingApproval", "Unknown/Pending", "Unknown/Pending")
	refund.Spec.Approval = v1alpha1.ApprovalApproved
	lifecycle.Approved(refund, now)
	lifecycle.Accepted(refund, wechatpay.RefundAcceptance{RefundID: "50001"}, now)
	wantRefund(t, refund, "True/Approved", "True/Accepted", "Unknown/Processing")
	if refund.Status.RefundID != "50001" || !refund.Status.AcceptedTime.Time.Equal(now) || refund.Status.OutRefundNo != "refund-1" {
		t.Errorf("status %+v", refund.Status)
	}

	lifecycle.RefundState(refund, orderNumber, factOf(refund, wechatpay.RefundStatusAbnormal), now.Add(time.Minute))
	wantRefund(t, refund, "True/Approved", "True/Accepted", "Unknown/Abnormal")
	if lifecycle.RefundFinal(refund) {
		t.Error("CHANGE is not final")
	}
	fact := factOf(refund, wechatpay.RefundStatusSucceeded)
	fact.SuccessTime, fact.ReceivedAccount = now.Add(time.Hour), "支付用户零钱"
	lifecycle.RefundState(refund, orderNumber, fact, now.Add(2*time.Hour))
	wantRefund(t, refund, "True/Approved", "True/Accepted", "True/Succeeded")
	if !refund.Status.SucceededTime.Time.Equal(fact.SuccessTime) || refund.Status.ReceivedAccount != "支付用户零钱" || !refund.Status.AcceptedTime.Time.Equal(now) {
		t.Errorf("status %+v", refund.Status)
	}
}

func TestRefundStates(t *testing.T) {
	t.Parallel()
	for status, want := range map[wechatpay.RefundStatus]string{
		wechatpay.RefundStatusProcessing: "Unknown/Processing",
		wechatpay.RefundStatusSucceeded:  "True/Succeeded",
		wechatpay.RefundStatusClosed:     "False/Closed",
		wechatpay.RefundStatusAbnormal:   "Unknown/Abnormal",
		"SOMETHING NEW":                  "Unknown/UnknownState",
	} {
		refund := newRefund("refund-1", 50)
		if !lifecycle.RefundState(refund, orderNumber, factOf(refund, status), now) {
			t.Errorf("%s: not ours", status)
		}
		wantState(t, refund.Status.Conditions, v1alpha1.ConditionAccepted, "True/Accepted")
		wantState(t, refund.Status.Conditions, v1alpha1.ConditionSucceeded, want)
		if before := refund.DeepCopy(); lifecycle.RefundFinal(refund) {
			for _, later := range []wechatpay.RefundStatus{"PROCESSING", "SUCCESS", "REFUNDCLOSE", "CHANGE"} {
				lifecycle.RefundLearned(refund, manual, orderNumber, factOf(refund, later), now.Add(time.Hour))
				wantSame(t, string(status)+" is final", before, refund)
			}
		}
	}
}

// contradictions change newRefund's fact to one about another refund.
var contradictions = map[string]func(*wechatpay.RefundFact){
	"amount": func(f *wechatpay.RefundFact) { f.Amount = 51 },
	"order":  func(f *wechatpay.RefundFact) { f.OutTradeNo = "order-0002" },
}

// TestOneContradictionIsNoEnd: a single contradiction ends neither an accepted Refund, nor one with
// an unknown outcome, nor one that was never sent. Later responses count.
func TestOneContradictionIsNoEnd(t *testing.T) {
	t.Parallel()
	for difference, change := range contradictions {
		for before, c := range map[string]struct {
			apply    func(*v1alpha1.Refund)
			accepted string
		}{
			"accepted": {func(r *v1alpha1.Refund) { lifecycle.Accepted(r, wechatpay.RefundAcceptance{}, now) }, "True/Accepted"},
			"in doubt": {func(r *v1alpha1.Refund) {
				lifecycle.NotAcceptedBy(r, problem(wechatpay.Unknown, wechatpay.Repeat), now)
			}, "Unknown/OutcomeUnknown"},
			"never sent": {func(*v1alpha1.Refund) {}, "Unknown/Pending"},
		} {
			refund := newRefund("refund-1", 50)
			c.apply(refund)
			fact := factOf(refund, wechatpay.RefundStatusClosed)
			change(&fact)
			if lifecycle.RefundState(refund, orderNumber, fact, now) {
				t.Errorf("%s, %s: taken for ours", before, difference)
			}
			wantState(t, refund.Status.Conditions, v1alpha1.ConditionAccepted, c.accepted)
			wantState(t, refund.Status.Conditions, v1alpha1.ConditionSucceeded, "Unknown/Mismatch")
			if got := message(refund.Status.Conditions, v1alpha1.ConditionSucceeded); strings.Contains(got, "another name") || strings.Contains(got, "spec.outRefundNo") {
				t.Errorf("%s, %s: advises another number: %q", before, difference, got)
			}
			lifecycle.RefundLearned(refund, automatic, orderNumber, factOf(refund, wechatpay.RefundStatusSucceeded), now.Add(time.Second))
			wantRefund(t, refund, "True/Automatic", "True/Accepted", "True/Succeeded")
		}
	}
	refund := newRefund("refund-1", 50)
	fact := factOf(refund, wechatpay.RefundStatusSucceeded)
	fact.OutTradeNo = "" // WeChat Pay did not state it
	if !lifecycle.RefundState(refund, orderNumber, fact, now) {
		t.Error("an order that is not told does not differ")
	}
}

// TestAContradictionFreesNoSum: WeChat Pay accepted the refund, so its amount stays committed
// whatever a later response says.
func TestAContradictionFreesNoSum(t *testing.T) {
	t.Parallel()
	taken := with("refund-1", 50, accepted)
	fact := factOf(&taken, wechatpay.RefundStatusProcessing)
	fact.Amount = 1
	lifecycle.RefundState(&taken, orderNumber, fact, now)
	another := with("refund-2", paidTotal-49)
	turn := lifecycle.TakeTurn(&another, paidOrder(paidTotal), []v1alpha1.Refund{taken, another}, time.Minute, now.Add(time.Hour))
	if !turn.Never {
		t.Errorf("more than was paid goes back: %+v", turn)
	}
}

// TestTheObjectThatLostItsNumberDoesNotGetItBack: losing the number takes more than one response,
// and is final.
func TestTheObjectThatLostItsNumberDoesNotGetItBack(t *testing.T) {
	t.Parallel()
	refund := newRefund("refund-1", 50)
	lifecycle.EndRefund(refund, v1alpha1.ReasonNumberInUse, "The number is used", now)
	if lifecycle.RefundState(refund, orderNumber, factOf(refund, wechatpay.RefundStatusSucceeded), now) {
		t.Error("it gets it back")
	}
	wantRefund(t, refund, "Unknown/Pending", "False/NumberInUse", "False/NumberInUse")
}

// TestUnconfirmedRefunds: the status records since when WeChat Pay has not confirmed the
// processing, and shows its text.
func TestUnconfirmedRefunds(t *testing.T) {
	t.Parallel()
	failure := problem(wechatpay.Failed, wechatpay.NeedsAttention)
	failure.Code, failure.Description = "USER_ACCOUNT_ABNORMAL", "用户账户异常"
	for state, last := range map[string]func(*v1alpha1.Refund, time.Time){
		"Unknown/QueryFailed": func(r *v1alpha1.Refund, at time.Time) { lifecycle.FollowFailed(r, failure, at) },
		"Unknown/Abnormal": func(r *v1alpha1.Refund, at time.Time) {
			lifecycle.RefundState(r, orderNumber, factOf(r, wechatpay.RefundStatusAbnormal), at)
		},
		"Unknown/UnknownState": func(r *v1alpha1.Refund, at time.Time) {
			lifecycle.RefundState(r, orderNumber, factOf(r, "FOO"), at)
		},
		"Unknown/Mismatch": func(r *v1alpha1.Refund, at time.Time) {
			fact := factOf(r, wechatpay.RefundStatusProcessing)
			fact.Amount = 51
			lifecycle.RefundState(r, orderNumber, fact, at)
		},
	} {
		refund := newRefund("refund-1", 50)
		lifecycle.Accepted(refund, wechatpay.RefundAcceptance{}, now)
		last(refund, now.Add(time.Minute))
		wantState(t, refund.Status.Conditions, v1alpha1.ConditionSucceeded, state)
		last(refund, now.Add(time.Hour))
		if since := refund.Status.StalledTime; since == nil || !since.Time.Equal(now.Add(time.Minute)) {
			t.Errorf("%s since %v", state, since)
		}
		// A later error is added and does not replace what WeChat Pay stated before.
		lifecycle.FollowFailed(refund, failure, now.Add(2*time.Hour))
		wantState(t, refund.Status.Conditions, v1alpha1.ConditionSucceeded, state)
		if got := message(refund.Status.Conditions, v1alpha1.ConditionSucceeded); !strings.Contains(got, "USER_ACCOUNT_ABNORMAL: 用户账户异常") {
			t.Errorf("%s: %q", state, got)
		}
		again := refund.DeepCopy()
		lifecycle.FollowFailed(again, failure, now.Add(3*time.Hour))
		wantSame(t, state+" is not written again", refund, again)
		lifecycle.RefundState(refund, orderNumber, factOf(refund, wechatpay.RefundStatusProcessing), now.Add(4*time.Hour))
		wantState(t, refund.Status.Conditions, v1alpha1.ConditionSucceeded, "Unknown/Processing")
		if got := message(refund.Status.Conditions, v1alpha1.ConditionSucceeded); strings.Contains(got, "ABNORMAL") || refund.Status.StalledTime != nil {
			t.Errorf("%s goes on: %q, stalled %v", state, got, refund.Status.StalledTime)
		}
	}
}

// TestAQuestionThatFailedKeepsTheDoubt: a failed query says nothing about the request whose
// response was lost.
func TestAQuestionThatFailedKeepsTheDoubt(t *testing.T) {
	t.Parallel()
	failure := problem(wechatpay.Failed, wechatpay.NeedsAttention)
	failure.Code = "USER_ACCOUNT_ABNORMAL"
	for outcome, want := range map[wechatpay.Outcome]string{
		wechatpay.Unknown: "Unknown/OutcomeUnknown", wechatpay.Refused: "Unknown/Refused", wechatpay.NotSent: "Unknown/Pending",
	} {
		refund := newRefund("refund-1", 50)
		lifecycle.NotAcceptedBy(refund, problem(outcome, wechatpay.Repeat), now)
		lifecycle.AskFailed(refund, failure, now)
		wantState(t, refund.Status.Conditions, v1alpha1.ConditionAccepted, want)
		if got := message(refund.Status.Conditions, v1alpha1.ConditionAccepted); !strings.Contains(got, "USER_ACCOUNT_ABNORMAL") {
			t.Errorf("%s: %q", outcome, got)
		}
	}
}

func TestWhyItWasSent(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		before func(*v1alpha1.Refund)
		policy v1alpha1.RefundApproval
		want   string
	}{
		"restored":                      {func(*v1alpha1.Refund) {}, manual, "True/Recovered"},
		"restored, awaiting approval":   {func(r *v1alpha1.Refund) { lifecycle.AwaitingApproval(r, now) }, manual, "True/Recovered"},
		"restored, denied in the spec":  {func(r *v1alpha1.Refund) { r.Spec.Approval = v1alpha1.ApprovalDenied }, manual, "True/Recovered"},
		"approved":                      {func(r *v1alpha1.Refund) { r.Spec.Approval = v1alpha1.ApprovalApproved }, manual, "True/Approved"},
		"automatic":                     {func(*v1alpha1.Refund) {}, automatic, "True/Automatic"},
		"automatic, the policy changed": {func(r *v1alpha1.Refund) { lifecycle.Approved(r, now) }, manual, "True/Automatic"},
	} {
		refund := newRefund("refund-1", 50)
		test.before(refund)
		lifecycle.RefundLearned(refund, test.policy, orderNumber, factOf(refund, wechatpay.RefundStatusProcessing), now)
		if got := state(refund.Status.Conditions, v1alpha1.ConditionApproved); got != test.want {
			t.Errorf("%s: %s, want %s", name, got, test.want)
		}
	}
	refund := newRefund("refund-1", 50)
	lifecycle.RefundLearned(refund, manual, orderNumber, factOf(refund, wechatpay.RefundStatusProcessing), now)
	refund.Spec.Approval = v1alpha1.ApprovalApproved
	lifecycle.Approved(refund, now)
	wantState(t, refund.Status.Conditions, v1alpha1.ConditionApproved, "True/Recovered")
}

func TestDenied(t *testing.T) {
	t.Parallel()
	refund := newRefund("refund-1", 50)
	refund.Spec.Approval = v1alpha1.ApprovalDenied
	lifecycle.Denied(refund, now)
	wantRefund(t, refund, "False/Denied", "False/Denied", "False/Denied")
	if !lifecycle.RefundDenied(refund) || !strings.Contains(message(refund.Status.Conditions, v1alpha1.ConditionSucceeded), "no refund request was sent") {
		t.Error("the message does not say that no request was sent")
	}
	before := refund.DeepCopy()
	lifecycle.Approved(refund, now)
	lifecycle.AwaitingApproval(refund, now)
	wantSame(t, "a denial is final", before, refund)

	asked := newRefund("refund-2", 50)
	lifecycle.Requested(asked, now)
	lifecycle.Denied(asked, now)
	if got := message(asked.Status.Conditions, v1alpha1.ConditionSucceeded); !strings.Contains(got, "an earlier request was sent") {
		t.Errorf("after a request: %q", got)
	}

	taken := newRefund("refund-3", 50)
	lifecycle.Approved(taken, now)
	lifecycle.Accepted(taken, wechatpay.RefundAcceptance{}, now)
	lifecycle.Denied(taken, now)
	wantRefund(t, taken, "True/Automatic", "True/Accepted", "Unknown/Processing")
}

// TestARefundsDoubtStays: responses that prove nothing leave the outcome of a lost response or an
// unsigned refusal unknown.
func TestARefundsDoubtStays(t *testing.T) {
	t.Parallel()
	for state, outcome := range map[string]wechatpay.Outcome{"Unknown/OutcomeUnknown": wechatpay.Unknown, "Unknown/Refused": wechatpay.Refused} {
		for _, reason := range []string{
			v1alpha1.ReasonNotSent, v1alpha1.ReasonRefused, v1alpha1.ReasonRateLimited, v1alpha1.ReasonMerchantNotReady, v1alpha1.ReasonNotPermitted,
			v1alpha1.ReasonCertificateMissing, v1alpha1.ReasonOrderNotFound, v1alpha1.ReasonOrderNotPaid, v1alpha1.ReasonWaitingForTurn,
		} {
			refund := newRefund("refund-1", 50)
			lifecycle.NotAcceptedBy(refund, problem(outcome, wechatpay.Repeat), now)
			wantState(t, refund.Status.Conditions, v1alpha1.ConditionAccepted, state)
			lifecycle.NotAccepted(refund, metav1.ConditionFalse, reason, "The words", now)
			wantState(t, refund.Status.Conditions, v1alpha1.ConditionAccepted, state)
			if !lifecycle.RefundMayBeAtWeChat(refund) || !strings.HasSuffix(message(refund.Status.Conditions, v1alpha1.ConditionAccepted), "The words") {
				t.Errorf("%s after %s: %q", reason, state, message(refund.Status.Conditions, v1alpha1.ConditionAccepted))
			}
		}
		refund := newRefund("refund-1", 50)
		lifecycle.NotAcceptedBy(refund, problem(outcome, wechatpay.Repeat), now)
		lifecycle.NotAcceptedBy(refund, problem(wechatpay.Failed, wechatpay.InsufficientBalance), now)
		wantState(t, refund.Status.Conditions, v1alpha1.ConditionAccepted, "False/InsufficientBalance")
	}
}

func TestEndRefund(t *testing.T) {
	t.Parallel()
	for _, reason := range []string{v1alpha1.ReasonRejected, v1alpha1.ReasonExceedsPaid, v1alpha1.ReasonNumberInUse} {
		refund := newRefund("refund-1", 50)
		lifecycle.EndRefund(refund, reason, "Over", now)
		wantRefund(t, refund, "Unknown/Pending", "False/"+reason, "False/"+reason)
		before := refund.DeepCopy()
		lifecycle.EndRefund(refund, v1alpha1.ReasonDenied, "Again", now)
		lifecycle.NotAcceptedBy(refund, problem(wechatpay.Unknown, wechatpay.Repeat), now)
		lifecycle.Accepted(refund, wechatpay.RefundAcceptance{RefundID: "1"}, now)
		lifecycle.LookFailed(refund, problem(wechatpay.Unknown, wechatpay.Repeat), now)
		wantSame(t, reason+" is final", before, refund)
	}
}

func TestRequestedRoundsUp(t *testing.T) {
	t.Parallel()
	for _, nanoseconds := range []time.Duration{0, 1, 999_999_999} {
		refund := newRefund("refund-1", 50)
		lifecycle.Requested(refund, now.Add(nanoseconds))
		read := roundTrip(refund).Status.LastRequestTime.Time
		if read.Before(now.Add(nanoseconds)) || read.Sub(now.Add(nanoseconds)) >= time.Second {
			t.Errorf("a request at +%s is kept as %s", nanoseconds, read)
		}
	}
}

func TestTaken(t *testing.T) {
	t.Parallel()
	facts := []wechatpay.RefundFact{
		{Amount: 1, Status: wechatpay.RefundStatusProcessing}, {Amount: 10, Status: wechatpay.RefundStatusSucceeded},
		{Amount: 100, Status: wechatpay.RefundStatusClosed}, {Amount: 1000, Status: wechatpay.RefundStatusAbnormal},
	}
	if got := lifecycle.Taken(facts); got != 1011 {
		t.Errorf("taken %d", got)
	}
	if got := lifecycle.ExceedsAtWeChat(60, newOrder(), newRefund("refund-1", 50)); !strings.Contains(got, "101 was paid") || !strings.Contains(got, "refunds of 60") || !strings.Contains(got, "so 50 can't") {
		t.Error(got)
	}
}
