package lifecycle

import (
	"cmp"
	"fmt"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/wechatpay-operator/wechatpay-operator/api/v1alpha1"
	"github.com/wechatpay-operator/wechatpay-operator/internal/wechatpay"
)

// RefundSucceeded says whether the money is back.
func RefundSucceeded(refund *v1alpha1.Refund) bool {
	return statusOf(refund.Status.Conditions, v1alpha1.ConditionSucceeded) == metav1.ConditionTrue
}

// RefundFinal says whether nothing more will become of the Refund.
func RefundFinal(refund *v1alpha1.Refund) bool {
	return RefundSucceeded(refund) || statusOf(refund.Status.Conditions, v1alpha1.ConditionSucceeded) == metav1.ConditionFalse
}

// RefundAccepted says whether WeChat took the Refund.
func RefundAccepted(refund *v1alpha1.Refund) bool {
	return statusOf(refund.Status.Conditions, v1alpha1.ConditionAccepted) == metav1.ConditionTrue
}

// RefundMayBeAtWeChat says whether the refund was asked for and the answer is not known for sure.
func RefundMayBeAtWeChat(refund *v1alpha1.Refund) bool {
	if RefundFinal(refund) {
		return false
	}
	switch AcceptedReason(refund) {
	case v1alpha1.ReasonOutcomeUnknown, v1alpha1.ReasonRefused:
		return true
	default:
		return false
	}
}

// RefundBegun says whether, as far as the status tells, WeChat was asked for the Refund, or has it.
func RefundBegun(refund *v1alpha1.Refund) bool {
	return RefundAccepted(refund) || RefundMayBeAtWeChat(refund) || refund.Status.LastRequestTime != nil
}

// RefundDenied says whether the Refund was denied.
func RefundDenied(refund *v1alpha1.Refund) bool {
	return statusOf(refund.Status.Conditions, v1alpha1.ConditionApproved) == metav1.ConditionFalse
}

func isApproved(refund *v1alpha1.Refund) bool {
	return statusOf(refund.Status.Conditions, v1alpha1.ConditionApproved) == metav1.ConditionTrue
}

// AcceptedReason is the reason of the condition Accepted.
func AcceptedReason(refund *v1alpha1.Refund) string {
	return reasonOf(refund.Status.Conditions, v1alpha1.ConditionAccepted)
}

// ApprovedReason is the reason of the condition Approved.
func ApprovedReason(refund *v1alpha1.Refund) string {
	return reasonOf(refund.Status.Conditions, v1alpha1.ConditionApproved)
}

// SucceededReason is the reason of the condition Succeeded.
func SucceededReason(refund *v1alpha1.Refund) string {
	return reasonOf(refund.Status.Conditions, v1alpha1.ConditionSucceeded)
}

// MayBeSent says whether the refund may be asked for: a person approved it, or the Merchant's policy does, nobody was asked
// before it did, and nobody denied it. A refund that WeChat has already was approved before.
func MayBeSent(refund *v1alpha1.Refund, policy v1alpha1.RefundApproval) bool {
	if ApprovedReason(refund) == v1alpha1.ReasonApprovedUnguarded {
		return false
	}
	switch refund.Spec.Approval {
	case v1alpha1.ApprovalApproved:
		return true
	case v1alpha1.ApprovalDenied:
		return false
	default:
		return IsAutomatic(refund, policy)
	}
}

// IsAutomatic says whether the Merchant's policy decides on the Refund. One that was shown to people stays theirs to decide,
// whatever the policy becomes.
func IsAutomatic(refund *v1alpha1.Refund, policy v1alpha1.RefundApproval) bool {
	switch ApprovedReason(refund) {
	case v1alpha1.ReasonAwaitingApproval, v1alpha1.ReasonPolicyMissing, v1alpha1.ReasonPolicyNotVerified, v1alpha1.ReasonApprovedUnguarded:
		return false
	default:
		return policy == v1alpha1.RefundApprovalAutomatic
	}
}

// NeverRequested says whether, as far as the object tells, nobody allowed the refund, and WeChat was never asked for it.
func NeverRequested(refund *v1alpha1.Refund) bool {
	return refund.Spec.Approval != v1alpha1.ApprovalApproved && !isApproved(refund) &&
		!RefundMayBeAtWeChat(refund) && refund.Status.LastRequestTime == nil
}

// BeginRefund fills in what follows from the spec alone, and the conditions that are not there yet.
func BeginRefund(refund *v1alpha1.Refund, now time.Time) {
	refund.Status.OutRefundNo = refund.Number()
	if ApprovedReason(refund) == "" {
		setRefund(refund, now, v1alpha1.ConditionApproved, metav1.ConditionUnknown, v1alpha1.ReasonPending, "WeChat Pay has not been asked yet whether it has this refund")
	}
	if AcceptedReason(refund) == "" {
		setRefund(refund, now, v1alpha1.ConditionAccepted, metav1.ConditionUnknown, v1alpha1.ReasonPending, "WeChat Pay has not been asked to refund yet")
	}
	if SucceededReason(refund) == "" {
		setRefund(refund, now, v1alpha1.ConditionSucceeded, metav1.ConditionUnknown, v1alpha1.ReasonPending, "The money is not back")
	}
}

// AwaitingApproval shows that a person has to decide.
func AwaitingApproval(refund *v1alpha1.Refund, now time.Time) {
	BeginRefund(refund, now)
	if RefundFinal(refund) || RefundAccepted(refund) || RefundDenied(refund) {
		return
	}
	setRefund(refund, now, v1alpha1.ConditionApproved, metav1.ConditionUnknown, v1alpha1.ReasonAwaitingApproval,
		"Waiting for somebody with the right to approve to set spec.approval to Approved or Denied")
}

// Approved records the decision to send the refund.
func Approved(refund *v1alpha1.Refund, now time.Time) {
	BeginRefund(refund, now)
	if ApprovedReason(refund) == v1alpha1.ReasonRecovered || RefundDenied(refund) {
		return
	}
	if refund.Spec.Approval == v1alpha1.ApprovalApproved {
		setRefund(refund, now, v1alpha1.ConditionApproved, metav1.ConditionTrue, v1alpha1.ReasonApproved, "spec.approval is Approved")
		return
	}
	setRefund(refund, now, v1alpha1.ConditionApproved, metav1.ConditionTrue, v1alpha1.ReasonAutomatic, "The Merchant's refundApproval is Automatic")
}

// AwaitingGuard shows that the Refund waits for the policy on approvals: without it nobody knows who approves. An approval that
// was recorded while it was in force stays.
func AwaitingGuard(refund *v1alpha1.Refund, reason, message string, now time.Time) {
	BeginRefund(refund, now)
	if RefundFinal(refund) || RefundAccepted(refund) || RefundDenied(refund) || ApprovalTrusted(refund) {
		return
	}
	setRefund(refund, now, v1alpha1.ConditionApproved, metav1.ConditionUnknown, reason, message)
}

// ApprovalTrusted says whether the decision of a person to send the refund was recorded while the policy on approvals was in
// force, or WeChat had the refund before.
func ApprovalTrusted(refund *v1alpha1.Refund) bool {
	switch ApprovedReason(refund) {
	case v1alpha1.ReasonApproved, v1alpha1.ReasonRecovered:
		return isApproved(refund)
	default:
		return false
	}
}

// ApprovedUnguarded records that the approval is worth nothing, since the policy on approvals was missing when it was made. The
// Refund ends by EndRefund once it is sure that WeChat does not have it from before.
func ApprovedUnguarded(refund *v1alpha1.Refund, now time.Time) {
	BeginRefund(refund, now)
	if RefundFinal(refund) || RefundAccepted(refund) || RefundDenied(refund) || ApprovalTrusted(refund) {
		return
	}
	setRefund(refund, now, v1alpha1.ConditionApproved, metav1.ConditionFalse, v1alpha1.ReasonApprovedUnguarded, UnguardedMessage)
}

// UnguardedMessage is what a person is told whose approval is not believed.
const UnguardedMessage = "It was approved while the policy wechatpay-operator-refund-approval was not in force here, so that anybody may have done it. " +
	"It is not sent. Ask for it anew by a Refund of another name, once the Merchant's condition RefundsGuarded is True"

// Denied records, finally, that the refund is not to be sent. What WeChat took can't be denied any more.
func Denied(refund *v1alpha1.Refund, now time.Time) {
	BeginRefund(refund, now)
	if RefundFinal(refund) || RefundAccepted(refund) {
		return
	}
	message := "spec.approval is Denied; WeChat Pay was not asked to refund"
	if refund.Status.LastRequestTime != nil {
		message = "spec.approval is Denied; WeChat Pay was asked before, and did not take the refund"
	}
	setRefund(refund, now, v1alpha1.ConditionApproved, metav1.ConditionFalse, v1alpha1.ReasonDenied, "spec.approval is Denied")
	EndRefund(refund, v1alpha1.ReasonDenied, message, now)
}

// NotAccepted shows why WeChat has not taken the refund. A doubt (a lost answer, an unsigned refusal) stays until an answer
// that proves something comes: what happens to a later call tells nothing about the first.
func NotAccepted(refund *v1alpha1.Refund, status metav1.ConditionStatus, reason, message string, now time.Time) {
	BeginRefund(refund, now)
	if RefundFinal(refund) || RefundAccepted(refund) {
		return
	}
	if RefundMayBeAtWeChat(refund) && provesNothing(reason) {
		status = metav1.ConditionUnknown
		reason, message = stillUnknown(AcceptedReason(refund), reason, message)
	}
	setRefund(refund, now, v1alpha1.ConditionAccepted, status, reason, message)
}

// NotAcceptedBy shows the error of the refund call. It does not decide what is final: see EndRefund.
func NotAcceptedBy(refund *v1alpha1.Refund, err error, now time.Time) {
	status, reason, message := Explain(err)
	NotAccepted(refund, status, reason, message, now)
}

// Accepted records that WeChat took the refund. Only refundquery says that the money is back. It changes nothing when the
// Refund is final by now.
func Accepted(refund *v1alpha1.Refund, acceptance wechatpay.RefundAcceptance, now time.Time) {
	BeginRefund(refund, now)
	if RefundFinal(refund) {
		return
	}
	accept(refund, acceptance.RefundID, now)
	if SucceededReason(refund) == v1alpha1.ReasonPending {
		processing(refund, now)
	}
}

func processing(refund *v1alpha1.Refund, now time.Time) {
	refund.Status.StalledTime = nil
	setRefund(refund, now, v1alpha1.ConditionSucceeded, metav1.ConditionUnknown, v1alpha1.ReasonProcessing,
		"WeChat Pay is paying back: minutes to a balance, up to some days to a card")
}

// stalled notes since when WeChat has not confirmed any more that it is paying back. Only the first time counts, so that no
// answer after it is a write of its own.
func stalled(refund *v1alpha1.Refund, now time.Time) {
	if refund.Status.StalledTime == nil {
		since := metav1.NewTime(now)
		refund.Status.StalledTime = &since
	}
}

func accept(refund *v1alpha1.Refund, refundID string, now time.Time) {
	if refundID != "" {
		refund.Status.RefundID = kept(refundID, 64)
	}
	if refund.Status.AcceptedTime == nil {
		accepted := metav1.NewTime(now)
		refund.Status.AcceptedTime = &accepted
	}
	if ApprovedReason(refund) == v1alpha1.ReasonApprovedUnguarded {
		recovered(refund, now) // nobody sent it since
	}
	setRefund(refund, now, v1alpha1.ConditionAccepted, metav1.ConditionTrue, v1alpha1.ReasonAccepted, "WeChat Pay took the refund")
}

func recovered(refund *v1alpha1.Refund, now time.Time) {
	setRefund(refund, now, v1alpha1.ConditionApproved, metav1.ConditionTrue, v1alpha1.ReasonRecovered,
		"WeChat Pay has a refund of this number already, so it was approved before this object was created")
}

// RefundLearned records what refundquery says, and why the refund was sent: it was approved here, or before this object
// was created (a restore, a re-applied file).
func RefundLearned(refund *v1alpha1.Refund, policy v1alpha1.RefundApproval, orderNumber string, fact wechatpay.RefundFact, now time.Time) {
	if RefundFinal(refund) || !RefundState(refund, orderNumber, fact, now) {
		return
	}
	switch {
	case isApproved(refund):
		// It was sent on a decision that stands there; a policy that changed since does not rewrite history.
	case MayBeSent(refund, policy):
		Approved(refund, now)
	default:
		recovered(refund, now)
	}
}

// RefundState records what refundquery says. It returns false when the answer is about another refund than this one: another
// amount or another order. One such answer ends nothing: WeChat took this refund, or may have taken it, or is asked once more before
// the number is given up. What is final is never left.
func RefundState(refund *v1alpha1.Refund, orderNumber string, fact wechatpay.RefundFact, now time.Time) bool {
	BeginRefund(refund, now)
	if RefundFinal(refund) {
		return SucceededReason(refund) != v1alpha1.ReasonNumberInUse
	}
	if difference := refundDifference(refund, orderNumber, fact); difference != "" {
		mismatched(refund, difference, now)
		return false
	}
	accept(refund, fact.RefundID, now)
	if fact.ReceivedAccount != "" {
		refund.Status.ReceivedAccount = kept(fact.ReceivedAccount, 256)
	}
	switch fact.Status {
	case wechatpay.RefundStatusSucceeded:
		refund.Status.SucceededTime = cmp.Or(statusTime(fact.SuccessTime), statusTime(now))
		refund.Status.StalledTime = nil
		setRefund(refund, now, v1alpha1.ConditionSucceeded, metav1.ConditionTrue, v1alpha1.ReasonSucceeded, "The money is back")
	case wechatpay.RefundStatusClosed:
		refund.Status.StalledTime = nil
		setRefund(refund, now, v1alpha1.ConditionSucceeded, metav1.ConditionFalse, v1alpha1.ReasonClosed,
			"WeChat Pay closed the refund; no money went back. Create another Refund to try again")
	case wechatpay.RefundStatusProcessing:
		processing(refund, now)
	case wechatpay.RefundStatusAbnormal:
		stalled(refund, now)
		setRefund(refund, now, v1alpha1.ConditionSucceeded, metav1.ConditionUnknown, v1alpha1.ReasonAbnormal,
			"The payer's card or account can't take the money. A person must handle it in the merchant platform (交易中心); the result then shows here by itself")
	default:
		stalled(refund, now)
		setRefund(refund, now, v1alpha1.ConditionSucceeded, metav1.ConditionUnknown, v1alpha1.ReasonUnknownState,
			fmt.Sprintf("WeChat Pay states the refund as %.64q, a word that this version does not know, so nothing is concluded from it. Look the refund up in the merchant platform (交易中心); it is asked for again by itself", fact.Status))
	}
	return true
}

// RefundMismatched says whether WeChat's last answer about the refund contradicts it.
func RefundMismatched(refund *v1alpha1.Refund) bool {
	return SucceededReason(refund) == v1alpha1.ReasonMismatch
}

func mismatched(refund *v1alpha1.Refund, difference string, now time.Time) {
	message := fmt.Sprintf("WeChat Pay states a refund %s with %s. ", refund.Number(), difference)
	if RefundAccepted(refund) {
		stalled(refund, now)
		message += "That contradicts what it took, so nothing is concluded from it, and it is asked again by itself. If it stays, compare with the merchant platform (交易中心) before anything is paid back in another way"
	} else {
		message += "Nothing is sent, and it is asked once more after a minute before the number is taken as used"
	}
	setRefund(refund, now, v1alpha1.ConditionSucceeded, metav1.ConditionUnknown, v1alpha1.ReasonMismatch, message)
}

// NoMismatch records that WeChat does not have the refund that it had stated.
func NoMismatch(refund *v1alpha1.Refund, now time.Time) {
	if RefundMismatched(refund) && !RefundAccepted(refund) {
		setRefund(refund, now, v1alpha1.ConditionSucceeded, metav1.ConditionUnknown, v1alpha1.ReasonPending, "The money is not back")
	}
}

// FollowFailed shows that what became of a refund that WeChat took could not be learnt, in WeChat's words.
func FollowFailed(refund *v1alpha1.Refund, err error, now time.Time) {
	if RefundFinal(refund) || !RefundAccepted(refund) {
		return
	}
	stalled(refund, now)
	switch reason := SucceededReason(refund); reason {
	case v1alpha1.ReasonAbnormal, v1alpha1.ReasonMismatch, v1alpha1.ReasonUnknownState:
		// What WeChat said before still matters most.
		setRefund(refund, now, v1alpha1.ConditionSucceeded, metav1.ConditionUnknown, reason,
			withAskedInVain(messageOf(refund.Status.Conditions, v1alpha1.ConditionSucceeded), err))
	default:
		setRefund(refund, now, v1alpha1.ConditionSucceeded, metav1.ConditionUnknown, v1alpha1.ReasonQueryFailed,
			explained(err, "WeChat Pay took the refund, but what became of it can't be learnt at the moment; it is asked again by itself. If this stays, look it up in the merchant platform (交易中心)"))
	}
}

// AskFailed shows that WeChat could not be asked whether it has a refund that it is not known to have taken, in WeChat's words. It
// tells nothing about a request before.
func AskFailed(refund *v1alpha1.Refund, err error, now time.Time) {
	BeginRefund(refund, now)
	if RefundFinal(refund) || RefundAccepted(refund) {
		return
	}
	reason, message := v1alpha1.ReasonPending, explained(err, "WeChat Pay could not be asked yet whether it has this refund; it is asked again by itself")
	if RefundMayBeAtWeChat(refund) {
		reason = AcceptedReason(refund)
		_, message = stillUnknown(reason, v1alpha1.ReasonNotSent, explained(err, "It is asked again by itself"))
	}
	setRefund(refund, now, v1alpha1.ConditionAccepted, metav1.ConditionUnknown, reason, message)
}

func refundDifference(refund *v1alpha1.Refund, orderNumber string, fact wechatpay.RefundFact) string {
	switch {
	case fact.OutTradeNo != "" && fact.OutTradeNo != orderNumber:
		// Nothing of that order is told: it may be another tenant's.
		return fmt.Sprintf("another order than %s", orderNumber)
	case fact.Amount != refund.Spec.Amount:
		return fmt.Sprintf("the amount %d, not %d", fact.Amount, refund.Spec.Amount)
	default:
		return ""
	}
}

// EndRefund records, finally, that no money goes back by this Refund.
func EndRefund(refund *v1alpha1.Refund, reason, message string, now time.Time) {
	BeginRefund(refund, now)
	if RefundFinal(refund) {
		return
	}
	if !RefundAccepted(refund) {
		setRefund(refund, now, v1alpha1.ConditionAccepted, metav1.ConditionFalse, reason, message)
	}
	refund.Status.StalledTime = nil
	setRefund(refund, now, v1alpha1.ConditionSucceeded, metav1.ConditionFalse, reason, message)
}

// Requested notes when WeChat was asked, for the minute that has to pass before the next request of the same Order. It
// rounds up: the API keeps whole seconds, and a second too few is a refused request.
func Requested(refund *v1alpha1.Refund, at time.Time) {
	requested := metav1.NewTime(at.Add(time.Second - time.Nanosecond).Truncate(time.Second))
	refund.Status.LastRequestTime = &requested
}

func setRefund(refund *v1alpha1.Refund, now time.Time, kind string, status metav1.ConditionStatus, reason, message string) {
	set(&refund.Status.Conditions, refund.Generation, now, kind, status, reason, message)
}

// LookFailed shows that WeChat could not be asked yet whether it has the refund. A person may decide all the same.
func LookFailed(refund *v1alpha1.Refund, err error, now time.Time) {
	BeginRefund(refund, now)
	if RefundFinal(refund) || isApproved(refund) || RefundDenied(refund) {
		return
	}
	setRefund(refund, now, v1alpha1.ConditionApproved, metav1.ConditionUnknown, v1alpha1.ReasonPending,
		explained(err, "WeChat Pay could not be asked yet whether it has this refund; it is asked again by itself"))
}

// Taken sums the refunds that WeChat has of an order and did not close.
func Taken(facts []wechatpay.RefundFact) int64 {
	var taken int64
	for _, fact := range facts {
		if fact.Status != wechatpay.RefundStatusClosed {
			taken += fact.Amount
		}
	}
	return taken
}

// ExceedsAtWeChat explains a Refund that WeChat refused because too little is left of what was paid.
func ExceedsAtWeChat(taken int64, order *v1alpha1.Order, refund *v1alpha1.Refund) string {
	return fmt.Sprintf("%d was paid and WeChat Pay has refunds over %d of it, those made in the merchant platform included, so %d can't be paid back (minor units).",
		order.Spec.Amount.Total, taken, refund.Spec.Amount)
}
