package controllers

import (
	"context"

	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/wechatpay-operator/wechatpay-operator/api/v1alpha1"
	"github.com/wechatpay-operator/wechatpay-operator/internal/lifecycle"
	"github.com/wechatpay-operator/wechatpay-operator/internal/metrics"
	"github.com/wechatpay-operator/wechatpay-operator/internal/wechatpay"
)

// releaseIfFinal ends the reconcile of a final Refund, and removes the finalizer of a deleted one.
func (r *RefundReconciler) releaseIfFinal(ctx context.Context, f *refund) progress {
	if isDeleted(f) && !hasFinalizer(f) {
		r.forget(f.UID)
		return done()
	}
	if !lifecycle.RefundFinal(f.Refund) {
		return next()
	}
	r.forget(f.UID)
	if !isDeleted(f) {
		return done()
	}
	counted, err := r.isCounted(ctx, f)
	if err != nil {
		return failed(err)
	}
	if !counted && r.Clock.Since(f.DeletionTimestamp.Time) <= r.Timing.AbandonAtLast {
		return again(r.Timing.RetryFirst)
	}
	return r.finishDeletion(ctx, f)
}

// isCounted reports whether the Order has recorded the refunded amount, so that the next Refund's
// limit includes it.
func (r *RefundReconciler) isCounted(ctx context.Context, f *refund) (bool, error) {
	if !lifecycle.RefundSucceeded(f.Refund) {
		return true, nil
	}
	order := &v1alpha1.Order{}
	if err := r.APIReader.Get(ctx, types.NamespacedName{Namespace: f.Namespace, Name: f.Spec.OrderRef.Name}, order); err != nil {
		return true, client.IgnoreNotFound(err)
	}
	return !lifecycle.IsPaid(order) || lifecycle.HasRefunded(order, f.Number()), nil
}

// withdrawIfDeleted ends a deleted Refund that WeChat has not accepted: nothing is sent any more,
// and the finalizer is removed as soon as it is certain that WeChat does not have it.
func (r *RefundReconciler) withdrawIfDeleted(ctx context.Context, f *refund) progress {
	if !isDeleted(f) {
		return next()
	}
	if r.wasNeverSent(f) {
		return r.finishDeletion(ctx, f)
	}
	if wait := r.callHoldoffs.wait(f, r.Clock.Now()); wait > 0 {
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

// wasNeverSent reports whether it is certain without a query that no request was made, because none
// was allowed.
func (r *RefundReconciler) wasNeverSent(f *refund) bool {
	return lifecycle.NeverRequested(f.Refund) && !lifecycle.MayBeSent(f.Refund, f.merchant.Spec.RefundApproval)
}

// finishDeletion removes the finalizer of a Refund without open work.
func (r *RefundReconciler) finishDeletion(ctx context.Context, f *refund) progress {
	if wait := r.awaitSinks(ctx, f.Refund, f.DeletionTimestamp.Time); wait.stop {
		return wait
	}
	if wait := r.awaitLedger(ctx, f.DeletionTimestamp.Time, f.Refund); wait.stop {
		return wait
	}
	r.forget(f.UID)
	r.forgetSent(f.Refund)
	refused := r.removeFinalizer(ctx, f.Refund)
	if !isRefused(refused) {
		r.refusals.forget(f.UID)
		return stop(refused)
	}
	err := r.record(ctx, f, func(refund *v1alpha1.Refund) {
		lifecycle.RefundWriteRefused(refund, refusal(metrics.WriteRelease, refused), r.Clock.Now())
	})
	if err != nil && !isRefused(err) {
		return stoppedBy(err)
	}
	return again(r.Timing.SecretsCheck)
}

// abandonIfUnwritable limits how long a deleted Refund waits if its status can't be written, so
// that its end can't be recorded.
func (r *RefundReconciler) abandonIfUnwritable(ctx context.Context, f *refund) progress {
	if said := r.unwritable(f); said != "" {
		return r.abandonFinalizer(ctx, f, "the cluster refuses to have its status written: "+said)
	}
	return next()
}

// abandonFinalizer removes the finalizer of a Refund whose final state is unknown.
func (r *RefundReconciler) abandonFinalizer(ctx context.Context, f *refund, why string) progress {
	r.reportAbandoned(ctx, f.Refund, "Removed the finalizer without knowing the final state of refund %s at WeChat Pay: %s", f.Number(), why)
	return r.finishDeletion(ctx, f)
}
