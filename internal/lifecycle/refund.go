package lifecycle

import (
	"cmp"
	"fmt"
	"strings"
	"time"

	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/wechatpay-operator/wechatpay-operator/api/v1alpha1"
	"github.com/wechatpay-operator/wechatpay-operator/internal/text"
	"github.com/wechatpay-operator/wechatpay-operator/internal/wechatpay"
)

// RefundSucceeded reports whether the money was refunded.
func RefundSucceeded(refund *v1alpha1.Refund) bool {
	return meta.IsStatusConditionTrue(refund.Status.Conditions, v1alpha1.ConditionSucceeded)
}

// RefundFinal reports whether the Refund has reached its final state.
func RefundFinal(refund *v1alpha1.Refund) bool {
	return RefundSucceeded(refund) || meta.IsStatusConditionFalse(refund.Status.Conditions, v1alpha1.ConditionSucceeded)
}

// RefundAccepted reports whether WeChat Pay accepted the Refund.
func RefundAccepted(refund *v1alpha1.Refund) bool {
	return meta.IsStatusConditionTrue(refund.Status.Conditions, v1alpha1.ConditionAccepted)
}

// RefundMayBeAtWeChat reports whether a refund request has an unknown outcome.
func RefundMayBeAtWeChat(refund *v1alpha1.Refund) bool {
	return !RefundFinal(refund) && isInDoubt(AcceptedReason(refund))
}

// RefundBegun reports whether, judging by the status, the refund was requested from WeChat Pay or
// WeChat Pay has it.
func RefundBegun(refund *v1alpha1.Refund) bool {
	return RefundAccepted(refund) || RefundMayBeAtWeChat(refund) || refund.Status.LastRequestTime != nil
}

// RefundDenied reports whether the Refund was denied.
func RefundDenied(refund *v1alpha1.Refund) bool {
	return meta.IsStatusConditionFalse(refund.Status.Conditions, v1alpha1.ConditionApproved)
}

func isApproved(refund *v1alpha1.Refund) bool {
	return meta.IsStatusConditionTrue(refund.Status.Conditions, v1alpha1.ConditionApproved)
}

// AcceptedReason returns the reason of the condition Accepted.
func AcceptedReason(refund *v1alpha1.Refund) string {
	return Condition(refund.Status.Conditions, v1alpha1.ConditionAccepted).Reason
}

// ApprovedReason returns the reason of the condition Approved.
func ApprovedReason(refund *v1alpha1.Refund) string {
	return Condition(refund.Status.Conditions, v1alpha1.ConditionApproved).Reason
}

// SucceededReason returns the reason of the condition Succeeded.
func SucceededReason(refund *v1alpha1.Refund) string {
	return Condition(refund.Status.Conditions, v1alpha1.ConditionSucceeded).Reason
}

// Withdrawn notes in the condition Approved, whose decision no longer counts, what a deleted Refund
// waits for.
func Withdrawn(refund *v1alpha1.Refund, now time.Time) {
	BeginRefund(refund, now)
	shown := Condition(refund.Status.Conditions, v1alpha1.ConditionApproved)
	if RefundFinal(refund) || RefundDenied(refund) || strings.HasSuffix(shown.Message, withdrawn) {
		return
	}
	setRefund(refund, now, v1alpha1.ConditionApproved, shown.Status, shown.Reason, text.AtMost(maxMessage-len(withdrawn), shown.Message)+withdrawn)
}

// MayBeSent reports whether the refund may be requested: a person approved it, or the Merchant's
// policy is Automatic and the Refund was never presented for approval or denied. A refund that
// WeChat Pay already has was approved before.
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

// IsAutomatic reports whether the Merchant's policy decides on the Refund. A Refund that was
// presented for approval stays a manual decision, whatever the policy changes to.
func IsAutomatic(refund *v1alpha1.Refund, policy v1alpha1.RefundApproval) bool {
	switch ApprovedReason(refund) {
	case v1alpha1.ReasonAwaitingApproval, v1alpha1.ReasonPolicyMissing, v1alpha1.ReasonPolicyNotVerified, v1alpha1.ReasonApprovedUnguarded:
		return false
	default:
		return policy == v1alpha1.RefundApprovalAutomatic
	}
}

// NeverRequested reports whether, judging by the object, nobody approved the refund and it was
// never requested from WeChat Pay.
func NeverRequested(refund *v1alpha1.Refund) bool {
	return refund.Spec.Approval != v1alpha1.ApprovalApproved && !isApproved(refund) &&
		!RefundMayBeAtWeChat(refund) && refund.Status.LastRequestTime == nil
}

// BeginRefund sets the status fields that follow from the spec alone, and adds missing conditions.
func BeginRefund(refund *v1alpha1.Refund, now time.Time) {
	refund.Status.OutRefundNo = refund.Number()
	if ApprovedReason(refund) == "" {
		setRefund(refund, now, v1alpha1.ConditionApproved, metav1.ConditionUnknown, v1alpha1.ReasonPending, "WeChat Pay has not been queried for this refund yet")
	}
	if AcceptedReason(refund) == "" {
		setRefund(refund, now, v1alpha1.ConditionAccepted, metav1.ConditionUnknown, v1alpha1.ReasonPending, notRequested)
	}
	if SucceededReason(refund) == "" {
		setRefund(refund, now, v1alpha1.ConditionSucceeded, metav1.ConditionUnknown, v1alpha1.ReasonPending, "Not refunded yet")
	}
}

const notRequested = "No refund request has been sent to WeChat Pay yet"

// clearOutdatedWait resets Accepted if it still shows a wait that is over: for the Order, its
// payment, or the Merchant. A person who decides must not read that the Order is not paid.
func clearOutdatedWait(refund *v1alpha1.Refund, now time.Time) {
	switch AcceptedReason(refund) {
	case v1alpha1.ReasonOrderNotFound, v1alpha1.ReasonOrderNotPaid, v1alpha1.ReasonMerchantNotReady, v1alpha1.ReasonNotPermitted:
		setRefund(refund, now, v1alpha1.ConditionAccepted, metav1.ConditionUnknown, v1alpha1.ReasonPending, notRequested)
	}
}

// AwaitingApproval records that a person has to decide.
func AwaitingApproval(refund *v1alpha1.Refund, now time.Time) {
	BeginRefund(refund, now)
	if RefundFinal(refund) || RefundAccepted(refund) || RefundDenied(refund) {
		return
	}
	clearOutdatedWait(refund, now)
	setRefund(refund, now, v1alpha1.ConditionApproved, metav1.ConditionUnknown, v1alpha1.ReasonAwaitingApproval,
		"Waiting for an approver to set spec.approval to Approved or Denied")
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

// AwaitingGuard records that the Refund waits for the approval policy: without it, the API server
// does not restrict who approves. An approval recorded while the policy was in force stays valid.
func AwaitingGuard(refund *v1alpha1.Refund, reason, message string, now time.Time) {
	BeginRefund(refund, now)
	if RefundFinal(refund) || RefundAccepted(refund) || RefundDenied(refund) || ApprovalTrusted(refund) {
		return
	}
	clearOutdatedWait(refund, now)
	setRefund(refund, now, v1alpha1.ConditionApproved, metav1.ConditionUnknown, reason, message)
}

// ApprovalTrusted reports whether a person's approval was recorded while the approval policy was in
// force, or WeChat Pay already had the refund.
func ApprovalTrusted(refund *v1alpha1.Refund) bool {
	reason := ApprovedReason(refund)
	return isApproved(refund) && (reason == v1alpha1.ReasonApproved || reason == v1alpha1.ReasonRecovered)
}

// ApprovedUnguarded records that the approval is void because the approval policy was missing when
// it was made. EndRefund ends the Refund once it is certain that WeChat Pay does not already have
// it.
func ApprovedUnguarded(refund *v1alpha1.Refund, now time.Time) {
	BeginRefund(refund, now)
	if RefundFinal(refund) || RefundAccepted(refund) || RefundDenied(refund) || ApprovalTrusted(refund) {
		return
	}
	setRefund(refund, now, v1alpha1.ConditionApproved, metav1.ConditionFalse, v1alpha1.ReasonApprovedUnguarded, UnguardedMessage)
}

// UnguardedMessage explains why an approval is void.
const UnguardedMessage = "The refund was approved while the policy wechatpay-operator-refund-approval was not in force here, so anyone could have approved it. " +
	"The operator does not send it. Create a Refund with another name once the Merchant's condition RefundsGuarded is True, " +
	"or without spec.approval if the Merchant's refundApproval is Automatic"

// Denied records, finally, that the refund is not to be sent. A refund that WeChat Pay accepted
// can't be denied any more.
func Denied(refund *v1alpha1.Refund, now time.Time) {
	BeginRefund(refund, now)
	if RefundFinal(refund) || RefundAccepted(refund) {
		return
	}
	message := "spec.approval is Denied; no refund request was sent to WeChat Pay"
	if refund.Status.LastRequestTime != nil {
		message = "spec.approval is Denied; an earlier request was sent, but WeChat Pay did not accept it"
	}
	setRefund(refund, now, v1alpha1.ConditionApproved, metav1.ConditionFalse, v1alpha1.ReasonDenied, "spec.approval is Denied")
	EndRefund(refund, v1alpha1.ReasonDenied, message, now)
}

// NotAccepted records why WeChat Pay has not accepted the refund. An unknown outcome (a lost
// response, an unsigned refusal) stays until a response proves something: the result of a later
// call says nothing about the first one.
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

// NotAcceptedBy records the error of the refund call. It does not make the Refund final: see
// EndRefund.
func NotAcceptedBy(refund *v1alpha1.Refund, err error, now time.Time) {
	status, reason, message := Explain(err)
	NotAccepted(refund, status, reason, message, now)
}

// Accepted records that WeChat Pay accepted the refund. Only a query or a signed callback confirms
// that the money was refunded. It changes nothing if the Refund is already final.
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
		"WeChat Pay is processing the refund: minutes to a balance, up to several days to a card")
}

// stalled records since when WeChat Pay has no longer confirmed that it is processing the refund.
// Only the first time is recorded, so that later responses cause no writes.
func stalled(refund *v1alpha1.Refund, now time.Time) {
	if refund.Status.StalledTime == nil {
		refund.Status.StalledTime = new(metav1.NewTime(now))
	}
}

func accept(refund *v1alpha1.Refund, refundID string, now time.Time) {
	if refundID != "" {
		refund.Status.RefundID = text.AtMost(64, refundID)
	}
	if refund.Status.AcceptedTime == nil {
		refund.Status.AcceptedTime = new(metav1.NewTime(now))
	}
	if ApprovedReason(refund) == v1alpha1.ReasonApprovedUnguarded {
		recovered(refund, now) // nothing was sent since the approval was found void
	}
	setRefund(refund, now, v1alpha1.ConditionAccepted, metav1.ConditionTrue, v1alpha1.ReasonAccepted, "WeChat Pay accepted the refund")
}

func recovered(refund *v1alpha1.Refund, now time.Time) {
	setRefund(refund, now, v1alpha1.ConditionApproved, metav1.ConditionTrue, v1alpha1.ReasonRecovered,
		"WeChat Pay already has a refund with this number, so it was approved before this object was created")
}

// RefundLearned records a refund as QueryRefund or a signed callback states it, and why the refund
// was sent: it was approved here, or before this object was created (a restore, a re-applied
// manifest).
func RefundLearned(refund *v1alpha1.Refund, policy v1alpha1.RefundApproval, orderNumber string, fact wechatpay.RefundFact, now time.Time) {
	if RefundFinal(refund) || !RefundState(refund, orderNumber, fact, now) {
		return
	}
	switch {
	case isApproved(refund):
		// The recorded decision stands; a later change of the policy does not rewrite it.
	case MayBeSent(refund, policy):
		Approved(refund, now)
	default:
		recovered(refund, now)
	}
}

// RefundState records a refund as QueryRefund or a signed callback states it. It returns false if
// the response describes another refund: another amount or another order. A single such response
// ends nothing: WeChat Pay accepted or may have accepted this refund, or is queried once more
// before the number counts as used. A final state never changes.
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
		refund.Status.ReceivedAccount = text.AtMost(256, fact.ReceivedAccount)
	}
	switch fact.Status {
	case wechatpay.RefundStatusSucceeded:
		refund.Status.SucceededTime = cmp.Or(statusTime(fact.SuccessTime), statusTime(now))
		refund.Status.StalledTime = nil
		setRefund(refund, now, v1alpha1.ConditionSucceeded, metav1.ConditionTrue, v1alpha1.ReasonSucceeded, "Refunded")
	case wechatpay.RefundStatusClosed:
		refund.Status.StalledTime = nil
		setRefund(refund, now, v1alpha1.ConditionSucceeded, metav1.ConditionFalse, v1alpha1.ReasonClosed,
			"WeChat Pay closed the refund without paying the money back. Create another Refund to try again")
	case wechatpay.RefundStatusProcessing:
		processing(refund, now)
	case wechatpay.RefundStatusAbnormal:
		stalled(refund, now)
		setRefund(refund, now, v1alpha1.ConditionSucceeded, metav1.ConditionUnknown, v1alpha1.ReasonAbnormal,
			"The payer's card or account can't receive the money. A user with the right to approve chooses in spec.abnormal where it goes, or handles the refund manually in the merchant platform (交易中心). The operator then records the result here")
	default:
		stalled(refund, now)
		setRefund(refund, now, v1alpha1.ConditionSucceeded, metav1.ConditionUnknown, v1alpha1.ReasonUnknownState,
			fmt.Sprintf("WeChat Pay returned the unknown refund status %.64q, so the operator draws no conclusion from it. Look up the refund in the merchant platform (交易中心); the operator queries it again automatically", fact.Status))
	}
	return true
}

// RefundMismatched reports whether WeChat Pay's last response about the refund contradicts it.
func RefundMismatched(refund *v1alpha1.Refund) bool {
	return SucceededReason(refund) == v1alpha1.ReasonMismatch
}

func mismatched(refund *v1alpha1.Refund, difference string, now time.Time) {
	message := fmt.Sprintf("WeChat Pay reports a refund %s with %s. ", refund.Number(), difference)
	if RefundAccepted(refund) {
		stalled(refund, now)
		message += "That contradicts the accepted refund, so the operator draws no conclusion and queries it again automatically. If this persists, compare with the merchant platform (交易中心) before refunding in any other way"
	} else {
		message += "Nothing was sent. The operator queries once more after a minute before it treats the number as used"
	}
	setRefund(refund, now, v1alpha1.ConditionSucceeded, metav1.ConditionUnknown, v1alpha1.ReasonMismatch, message)
}

// NoMismatch records that WeChat Pay does not have the mismatching refund that it stated before.
func NoMismatch(refund *v1alpha1.Refund, now time.Time) {
	if RefundMismatched(refund) && !RefundAccepted(refund) {
		setRefund(refund, now, v1alpha1.ConditionSucceeded, metav1.ConditionUnknown, v1alpha1.ReasonPending, "Not refunded yet")
	}
}

// FollowFailed records that the query of an accepted refund failed, with WeChat Pay's error text.
func FollowFailed(refund *v1alpha1.Refund, err error, now time.Time) {
	if RefundFinal(refund) || !RefundAccepted(refund) {
		return
	}
	stalled(refund, now)
	switch reason := SucceededReason(refund); reason {
	case v1alpha1.ReasonAbnormal, v1alpha1.ReasonMismatch, v1alpha1.ReasonUnknownState:
		// What WeChat Pay stated before still matters most.
		setRefund(refund, now, v1alpha1.ConditionSucceeded, metav1.ConditionUnknown, reason,
			withQueryFailed(Condition(refund.Status.Conditions, v1alpha1.ConditionSucceeded).Message, err))
	default:
		setRefund(refund, now, v1alpha1.ConditionSucceeded, metav1.ConditionUnknown, v1alpha1.ReasonQueryFailed,
			explained(err, "WeChat Pay accepted the refund, but its state can't be queried at the moment; the operator queries it again automatically. If this persists, look up the refund in the merchant platform (交易中心)"))
	}
}

// AskFailed records that the query of a refund that is not known to be accepted failed, with WeChat
// Pay's error text. The failure says nothing about an earlier request.
func AskFailed(refund *v1alpha1.Refund, err error, now time.Time) {
	BeginRefund(refund, now)
	if RefundFinal(refund) || RefundAccepted(refund) {
		return
	}
	reason, message := v1alpha1.ReasonPending, explained(err, "WeChat Pay could not be queried for this refund yet; the operator queries again automatically")
	if RefundMayBeAtWeChat(refund) {
		reason = AcceptedReason(refund)
		_, message = stillUnknown(reason, v1alpha1.ReasonNotSent, explained(err, "The operator queries again automatically"))
	}
	setRefund(refund, now, v1alpha1.ConditionAccepted, metav1.ConditionUnknown, reason, message)
}

func refundDifference(refund *v1alpha1.Refund, orderNumber string, fact wechatpay.RefundFact) string {
	switch {
	case fact.OutTradeNo != "" && fact.OutTradeNo != orderNumber:
		// The message names nothing of that order: it may be another tenant's.
		return fmt.Sprintf("another order than %s", orderNumber)
	case fact.Amount != refund.Spec.Amount:
		return fmt.Sprintf("the amount %d, not %d", fact.Amount, refund.Spec.Amount)
	default:
		return ""
	}
}

// EndRefund records, finally, that this Refund pays no money back.
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

// Requested records when the refund was requested: the next request for the same Order must wait a
// minute. It rounds up, because the API stores whole seconds and WeChat Pay refuses a request that
// is a second early.
func Requested(refund *v1alpha1.Refund, at time.Time) {
	refund.Status.LastRequestTime = new(metav1.NewTime(at.Add(time.Second - time.Nanosecond).Truncate(time.Second)))
}

func setRefund(refund *v1alpha1.Refund, now time.Time, kind string, status metav1.ConditionStatus, reason, message string) {
	set(&refund.Status.Conditions, refund.Generation, now, kind, status, reason, message)
}

// LookFailed records that the query whether WeChat Pay already has the refund failed. A person may
// decide all the same.
func LookFailed(refund *v1alpha1.Refund, err error, now time.Time) {
	BeginRefund(refund, now)
	if RefundFinal(refund) || isApproved(refund) || RefundDenied(refund) {
		return
	}
	setRefund(refund, now, v1alpha1.ConditionApproved, metav1.ConditionUnknown, v1alpha1.ReasonPending,
		explained(err, "WeChat Pay could not be queried for this refund yet; the operator queries again automatically"))
}

// Taken sums an order's refunds at WeChat Pay that are not closed.
func Taken(facts []wechatpay.RefundFact) int64 {
	var taken int64
	for _, fact := range facts {
		if fact.Status != wechatpay.RefundStatusClosed {
			taken += fact.Amount
		}
	}
	return taken
}

// ExceedsAtWeChat explains that WeChat Pay refused a Refund because it exceeds what is left of the
// payment.
func ExceedsAtWeChat(taken int64, order *v1alpha1.Order, refund *v1alpha1.Refund) string {
	return fmt.Sprintf("%d was paid and WeChat Pay already has refunds of %d, including those made in the merchant platform, so %d can't be refunded (minor units).",
		order.Spec.Amount.Total, taken, refund.Spec.Amount)
}
