package controllers

import (
	"context"
	"fmt"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/wechatpay-operator/wechatpay-operator/api/v1alpha1"
	"github.com/wechatpay-operator/wechatpay-operator/internal/lifecycle"
	"github.com/wechatpay-operator/wechatpay-operator/internal/wechatpay"
)

// withdrawIfDeleted ends a deleted Refund that WeChat has not accepted: nothing is sent any more,
// and the finalizer is removed as soon as it is certain that WeChat does not have it.
func (r *RefundReconciler) withdrawIfDeleted(ctx context.Context, f *refund) progress {
	if !isDeleted(f) {
		return next()
	}
	if r.wasNeverSent(f) {
		return r.finishDeletion(ctx, f)
	}
	if wait := r.calls.wait(f, r.Clock.Now()); wait > 0 {
		return again(wait)
	}
	fact, err := f.account.QueryRefund(ctx, f.ref())
	switch {
	case err == nil:
		return r.applyFact(ctx, f, fact)
	case wechatpay.Means(err, wechatpay.RefundNotExist) && r.noRequestInFlight(f):
		return r.finishDeletion(ctx, f)
	case r.Clock.Since(f.DeletionTimestamp.Time) > r.Timing.AbandonAtLast:
		return r.abandonFinalizer(ctx, f, err.Error())
	default:
		if err := r.record(ctx, f, func(refund *v1alpha1.Refund) { lifecycle.Withdrawn(refund, r.Clock.Now()) }); err != nil {
			return stoppedBy(err)
		}
		return r.queryFailed(ctx, f, err, max(r.Timing.NotExistGrace/4, r.Timing.RetryFirst))
	}
}

// queryFailed shows the error of a query in WeChat's words, and repeats it after a wait. That
// WeChat does not have the refund, but may still get it, is not an error.
func (r *RefundReconciler) queryFailed(ctx context.Context, f *refund, cause error, wait time.Duration) progress {
	if !wechatpay.Means(cause, wechatpay.RefundNotExist) && wechatpay.RetryAfter(cause) == 0 {
		if err := r.record(withCallError(ctx, cause), f, func(refund *v1alpha1.Refund) { lifecycle.AskFailed(refund, cause, r.Clock.Now()) }); err != nil {
			return stoppedBy(err)
		}
	}
	return r.rest(f, wait)
}

// settleContradiction queries again a refund that WeChat reported with another amount or order,
// before anything else is done with its number.
func (r *RefundReconciler) settleContradiction(ctx context.Context, f *refund) progress {
	if !lifecycle.RefundMismatched(f.Refund) {
		return next()
	}
	if wait := r.calls.wait(f, r.Clock.Now()); wait > 0 {
		return again(wait)
	}
	fact, err := f.account.QueryRefund(ctx, f.ref())
	switch {
	case err == nil:
		return r.applyFact(ctx, f, fact)
	case wechatpay.Means(err, wechatpay.RefundNotExist) && r.noRequestInFlight(f):
		r.contradictions.clear(f.UID)
		err := r.record(ctx, f, func(refund *v1alpha1.Refund) { lifecycle.NoMismatch(refund, r.Clock.Now()) })
		return afterWrite(err, next())
	case isDeleted(f) && r.Clock.Since(f.DeletionTimestamp.Time) > r.Timing.AbandonAtLast:
		return r.abandonFinalizer(ctx, f, err.Error())
	default:
		return r.queryFailed(ctx, f, err, r.retries.after(f.UID, err))
	}
}

// contradicted handles a refund that WeChat reports with this number but another amount or order.
// Two answers, at least NotExistGrace apart, end the Refund, even if a request of it is in doubt:
// WeChat has one refund per number, so if it keeps reporting another one, this one does not exist
// and can't be created. (An accepted Refund never ends like this, see follow.) The time of the
// first answer is in memory: a restart waits again.
func (r *RefundReconciler) contradicted(ctx context.Context, f *refund) progress {
	now := r.Clock.Now()
	first := r.contradictions.setIfUnknown(f.UID, now)
	switch {
	case isDeleted(f) && now.Sub(f.DeletionTimestamp.Time) > r.Timing.AbandonAtLast:
		return r.abandonFinalizer(ctx, f, "WeChat Pay goes on to state another refund of this number")
	case now.Sub(first) < r.Timing.NotExistGrace:
		return r.rest(f, r.Timing.NotExistGrace-now.Sub(first))
	}
	return r.end(ctx, f, v1alpha1.ReasonNumberInUse, fmt.Sprintf(
		"WeChat Pay has another refund of the number %s, with another amount or of another order, and said so twice. Create another Refund with another name or spec.outRefundNo", f.Number()))
}

// wasNeverSent reports whether it is certain without a query that no request was made, because none
// was allowed.
func (r *RefundReconciler) wasNeverSent(f *refund) bool {
	return lifecycle.NeverRequested(f.Refund) && !lifecycle.MayBeSent(f.Refund, f.merchant.Spec.RefundApproval)
}

// noRequestInFlight reports whether no request can still arrive at WeChat: the last one is long
// enough ago. Without a recorded request one may have been made just before the deletion.
func (r *RefundReconciler) noRequestInFlight(f *refund) bool {
	last := f.CreationTimestamp.Time
	if f.DeletionTimestamp != nil {
		last = f.DeletionTimestamp.Time
	}
	if f.Status.LastRequestTime != nil {
		last = f.Status.LastRequestTime.Time
	}
	return r.Clock.Since(last) >= r.Timing.NotExistGrace
}

// queryLostAnswer queries the result of a request whose answer was lost, before the same request is
// repeated.
func (r *RefundReconciler) queryLostAnswer(ctx context.Context, f *refund) progress {
	if !lifecycle.RefundMayBeAtWeChat(f.Refund) {
		return next()
	}
	if wait := r.calls.wait(f, r.Clock.Now()); wait > 0 {
		return again(wait)
	}
	fact, err := f.account.QueryRefund(ctx, f.ref())
	switch {
	case err == nil:
		return r.applyFact(ctx, f, fact)
	case wechatpay.Means(err, wechatpay.RefundNotExist) && r.noRequestInFlight(f):
		return next() // the same request is repeated at its turn
	default:
		return r.queryFailed(ctx, f, err, r.retries.after(f.UID, err))
	}
}

// allowLookup reports whether WeChat may be queried now about a Refund that was not sent: not
// before its delay is over, and within the account's lookup budget.
func (r *RefundReconciler) allowLookup(ctx context.Context, f *refund) (allowed bool, wait time.Duration) {
	if wait := r.calls.wait(f, r.Clock.Now()); wait > 0 {
		return false, wait
	}
	return f.account.AllowLookup(ctx, f.Number(), r.Clock.Now())
}

// queryBeforeDecision queries WeChat once for a Refund that waits for a decision or was denied: one
// that was refunded before this object was created (a restore, a re-applied file) is shown as it
// is.
func (r *RefundReconciler) queryBeforeDecision(ctx context.Context, f *refund) progress {
	reason := lifecycle.ApprovedReason(f.Refund)
	if _, woken := r.woken.get(f.UID); !woken && reason != "" && reason != v1alpha1.ReasonPending {
		return next()
	}
	if lifecycle.MayBeSent(f.Refund, f.merchant.Spec.RefundApproval) {
		return next() // the request returns an existing refund, and pays nothing twice
	}
	if allowedLookup, wait := r.allowLookup(ctx, f); !allowedLookup {
		return again(wait)
	}
	fact, err := f.account.QueryRefund(ctx, f.ref())
	r.woken.clear(f.UID)
	switch {
	case err == nil:
		return r.recover(ctx, f, fact)
	case wechatpay.Means(err, wechatpay.RefundNotExist):
		return next()
	default:
		return r.queryBeforeDecisionFailed(ctx, f, err)
	}
}

func (r *RefundReconciler) queryBeforeDecisionFailed(ctx context.Context, f *refund, cause error) progress {
	err := r.record(withCallError(ctx, cause), f, func(refund *v1alpha1.Refund) {
		lifecycle.LookFailed(refund, cause, r.Clock.Now())
	})
	if err != nil {
		return stoppedBy(err)
	}
	return r.rest(f, r.retries.after(f.UID, cause))
}

func (r *RefundReconciler) recover(ctx context.Context, f *refund, fact wechatpay.RefundFact) progress {
	if end := r.ownsNumber(ctx, f, fact.RefundID); end.stop {
		return end
	}
	if err := r.recordFact(ctx, f, fact); err != nil {
		return stoppedBy(err)
	}
	if lifecycle.RefundMismatched(f.Refund) {
		return r.contradicted(ctx, f)
	}
	if lifecycle.ApprovedReason(f.Refund) == v1alpha1.ReasonRecovered {
		r.note(f.Refund, v1alpha1.ReasonRecovered, "Refund", "WeChat Pay has refund %s already (%s)", f.Number(), fact.Status)
	}
	return done() // the write starts the next reconcile
}

// decide shows the decision, and ends the reconcile unless the Refund may be sent.
func (r *RefundReconciler) decide(ctx context.Context, f *refund) progress {
	before := lifecycle.ApprovedReason(f.Refund)
	allowed := lifecycle.MayBeSent(f.Refund, f.merchant.Spec.RefundApproval)
	var err error
	switch {
	case allowed: // it is written later, together with the result
	case f.Spec.Approval == v1alpha1.ApprovalDenied:
		err = r.record(ctx, f, func(refund *v1alpha1.Refund) { lifecycle.Denied(refund, r.Clock.Now()) })
	default:
		err = r.record(ctx, f, func(refund *v1alpha1.Refund) { lifecycle.AwaitingApproval(refund, r.Clock.Now()) })
	}
	if err != nil {
		return stoppedBy(err)
	}
	if f.Spec.Approval != "" && before != v1alpha1.ReasonRecovered && before != string(f.Spec.Approval) {
		r.note(f.Refund, string(f.Spec.Approval), "Decide", "Refund of %d (minor units) of Order %s was decided: %s", f.Spec.Amount, f.order.Name, f.Spec.Approval)
	}
	if !allowed {
		return done() // a decision starts the next reconcile
	}
	return next()
}

// takeTurn sends refunds of one Order one at a time, with the required interval, and within the
// paid amount.
func (r *RefundReconciler) takeTurn(ctx context.Context, f *refund) progress {
	if wait := r.calls.wait(f, r.Clock.Now()); wait > 0 {
		return again(wait)
	}
	// Live: a decision about a sum must not be made with a cache that may lag. The Refunds are read
	// first, since the Order counts a Refund before it is deleted.
	all, err := r.refundsOf(ctx, r.APIReader, f.Namespace, f.order.Name)
	if err == nil {
		err = r.APIReader.Get(ctx, client.ObjectKeyFromObject(f.order), f.order)
	}
	if err != nil {
		return failed(client.IgnoreNotFound(err))
	}
	if !lifecycle.IsPaid(f.order) {
		return again(r.Timing.RetryFirst) // it lost its status or was recreated, and will record its payment again
	}
	turn := lifecycle.TakeTurn(f.Refund, f.order, all, r.Timing.RefundSpacing, r.Clock.Now())
	switch {
	case turn.Go:
		return r.stillThere(f, all)
	case turn.Never:
		return r.endUnlessAtWeChat(ctx, f, turn.Message)
	case turn.NotBefore.IsZero():
		return r.waitForTurn(ctx, f, turn.Message, r.Timing.RetryFirst)
	default:
		return r.waitForTurn(ctx, f, turn.Message, turn.NotBefore.Sub(r.Clock.Now()))
	}
}

// endUnlessAtWeChat ends a Refund that exceeds the paid amount, unless WeChat has it: a Refund that
// lost its status is itself part of the refunded sum.
func (r *RefundReconciler) endUnlessAtWeChat(ctx context.Context, f *refund, why string) progress {
	if allowedLookup, wait := r.allowLookup(ctx, f); !allowedLookup {
		return again(wait)
	}
	fact, err := f.account.QueryRefund(ctx, f.ref())
	switch {
	case err == nil:
		return r.applyFact(ctx, f, fact)
	case wechatpay.Means(err, wechatpay.RefundNotExist):
		return r.end(ctx, f, v1alpha1.ReasonExceedsPaid, why)
	default:
		return r.queryFailed(ctx, f, err, r.retries.after(f.UID, err))
	}
}

func (r *RefundReconciler) waitForTurn(ctx context.Context, f *refund, message string, wait time.Duration) progress {
	err := r.record(ctx, f, func(refund *v1alpha1.Refund) {
		lifecycle.Approved(refund, r.Clock.Now())
		if !isWaitingForAnything(refund) {
			lifecycle.NotAccepted(refund, metav1.ConditionUnknown, v1alpha1.ReasonWaitingForTurn, message, r.Clock.Now())
		}
	})
	return afterWrite(err, again(wait))
}

// isWaitingForAnything reports whether the status shows a more specific reason than waiting for the
// turn.
func isWaitingForAnything(refund *v1alpha1.Refund) bool {
	switch lifecycle.AcceptedReason(refund) {
	case v1alpha1.ReasonInsufficientBalance, v1alpha1.ReasonRejected, v1alpha1.ReasonRateLimited,
		v1alpha1.ReasonOutcomeUnknown, v1alpha1.ReasonRefused:
		return true
	default:
		return false
	}
}

// end records, finally, that this Refund pays nothing back.
func (r *RefundReconciler) end(ctx context.Context, f *refund, reason, message string) progress {
	err := r.record(ctx, f, func(refund *v1alpha1.Refund) {
		if lifecycle.MayBeSent(refund, f.merchant.Spec.RefundApproval) {
			lifecycle.Approved(refund, r.Clock.Now())
		}
		lifecycle.EndRefund(refund, reason, message, r.Clock.Now())
	})
	if err != nil {
		return stoppedBy(err)
	}
	r.warn(f.Refund, reason, "Refund", "Refund %s of Order %s ends without money going back: %s", f.Number(), f.order.Name, message)
	return done()
}
