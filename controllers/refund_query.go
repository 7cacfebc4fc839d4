package controllers

import (
	"context"
	"fmt"
	"time"

	"github.com/wechatpay-operator/wechatpay-operator/api/v1alpha1"
	"github.com/wechatpay-operator/wechatpay-operator/internal/lifecycle"
	"github.com/wechatpay-operator/wechatpay-operator/internal/wechatpay"
)

// queryContradiction queries again a refund that WeChat reported with another amount or order,
// before anything else is done with its number.
func (r *RefundReconciler) queryContradiction(ctx context.Context, f *refund) progress {
	if !lifecycle.RefundMismatched(f.Refund) {
		return next()
	}
	if wait := r.callHoldoffs.wait(f, r.Clock.Now()); wait > 0 {
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
		return r.abandonFinalizer(ctx, f, "WeChat Pay keeps reporting another refund with this number")
	case now.Sub(first) < r.Timing.NotExistGrace:
		return r.retryAfter(f, r.Timing.NotExistGrace-now.Sub(first))
	}
	return r.end(ctx, f, v1alpha1.ReasonNumberInUse, fmt.Sprintf(
		"WeChat Pay has another refund of the number %s, with another amount or of another order, and said so twice. Create another Refund with another name or spec.outRefundNo", f.Number()))
}

// queryLostAnswer queries the result of a request whose answer was lost, before the same request is
// repeated.
func (r *RefundReconciler) queryLostAnswer(ctx context.Context, f *refund) progress {
	if !lifecycle.RefundMayBeAtWeChat(f.Refund) {
		return next()
	}
	if wait := r.callHoldoffs.wait(f, r.Clock.Now()); wait > 0 {
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

// queryBeforeDecision queries WeChat once for a Refund that waits for a decision or was denied: one
// that was refunded before this object was created (a restore, a re-applied file) is shown as it
// is.
func (r *RefundReconciler) queryBeforeDecision(ctx context.Context, f *refund) progress {
	reason := lifecycle.ApprovedReason(f.Refund)
	if _, missed := r.missed.get(f.UID); !missed && reason != "" && reason != v1alpha1.ReasonPending {
		return next()
	}
	if lifecycle.MayBeSent(f.Refund, f.merchant.Spec.RefundApproval) {
		return next() // the request returns an existing refund, and pays nothing twice
	}
	if allowedLookup, wait := r.allowLookup(ctx, f); !allowedLookup {
		return again(wait)
	}
	fact, err := f.account.QueryRefund(ctx, f.ref())
	r.missed.clear(f.UID)
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
	return r.retryAfter(f, r.retries.after(f.UID, cause))
}

// allowLookup reports whether WeChat may be queried now about a Refund that was not sent: not
// before its delay is over, and within the account's lookup budget.
func (r *RefundReconciler) allowLookup(ctx context.Context, f *refund) (allowed bool, wait time.Duration) {
	if wait := r.callHoldoffs.wait(f, r.Clock.Now()); wait > 0 {
		return false, wait
	}
	return f.account.AllowLookup(ctx, f.Number(), r.Clock.Now())
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

// queryFailed shows the error of a query in WeChat's words, and repeats it after a wait. That
// WeChat does not have the refund, but may still get it, is not an error.
func (r *RefundReconciler) queryFailed(ctx context.Context, f *refund, cause error, wait time.Duration) progress {
	if !wechatpay.Means(cause, wechatpay.RefundNotExist) && wechatpay.RetryAfter(cause) == 0 {
		if err := r.record(withCallError(ctx, cause), f, func(refund *v1alpha1.Refund) { lifecycle.AskFailed(refund, cause, r.Clock.Now()) }); err != nil {
			return stoppedBy(err)
		}
	}
	return r.retryAfter(f, wait)
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
	return done()
}

// applyFact records the result of QueryRefund for a Refund that was not known to be accepted.
func (r *RefundReconciler) applyFact(ctx context.Context, f *refund, fact wechatpay.RefundFact) progress {
	if end := r.ownsNumber(ctx, f, fact.RefundID); end.stop {
		return end
	}
	if err := r.recordFact(ctx, f, fact); err != nil {
		return stoppedBy(err)
	}
	if lifecycle.RefundMismatched(f.Refund) && !lifecycle.RefundAccepted(f.Refund) {
		return r.contradicted(ctx, f)
	}
	r.retries.forget(f.UID)
	r.callHoldoffs.clear(f.UID)
	r.contradictions.clear(f.UID)
	return done()
}

// recordFact records the result of QueryRefund, and warns if a person has to act.
func (r *RefundReconciler) recordFact(ctx context.Context, f *refund, fact wechatpay.RefundFact) error {
	before := lifecycle.SucceededReason(f.Refund)
	ctx = withCallOutcome(ctx, wechatpay.OperationQueryRefund, nil)
	err := r.record(ctx, f, func(refund *v1alpha1.Refund) {
		lifecycle.RefundLearned(refund, f.merchant.Spec.RefundApproval, f.order.Number(), fact, r.Clock.Now())
	})
	if err == nil {
		r.reporter(ctx).Refund(f.Refund, before)
	}
	return err
}
