package controllers

import (
	"context"
	"fmt"

	"github.com/wechatpay-operator/wechatpay-operator/api/v1alpha1"
	"github.com/wechatpay-operator/wechatpay-operator/internal/account"
	"github.com/wechatpay-operator/wechatpay-operator/internal/lifecycle"
	"github.com/wechatpay-operator/wechatpay-operator/internal/metrics"
)

// releaseIfSettled removes the finalizer of a deleted Order that is closed, or paid without open
// Refunds.
func (r *OrderReconciler) releaseIfSettled(ctx context.Context, o *order) progress {
	if !hasFinalizer(o) {
		r.forget(o.UID)
		return done()
	}
	if lifecycle.IsFinished(o.Order) {
		return r.releaseUnlessRefunding(ctx, o)
	}
	if lifecycle.PaidReason(o.Order) == v1alpha1.ReasonAmountMismatch {
		// The next answer can contradict the mismatch, so WeChat is asked before the Order is
		// removed.
		r.closeHoldoffs.clear(o.UID)
	}
	return next()
}

// releaseUnlessRefunding removes the finalizer unless a Refund is open.
func (r *OrderReconciler) releaseUnlessRefunding(ctx context.Context, o *order) progress {
	open, err := r.hasOpenRefunds(ctx, o)
	if err != nil {
		return failed(err)
	}
	if open {
		return done() // the Refund's end starts the next reconcile
	}
	r.forget(o.UID)
	return r.finishDeletion(ctx, o)
}

// finishDeletion removes the finalizer of an Order without open work.
func (r *OrderReconciler) finishDeletion(ctx context.Context, o *order) progress {
	if wait := r.awaitSinks(ctx, o.Order, o.DeletionTimestamp.Time); wait.stop {
		return wait
	}
	objects, err := r.withDependents(ctx, o.Order)
	if err != nil {
		return failed(err)
	}
	if wait := r.awaitLedger(ctx, o.DeletionTimestamp.Time, objects...); wait.stop {
		return wait
	}
	r.deleted.forget(o.Order)
	err = r.removeFinalizer(ctx, o.Order)
	if !isRefused(err) {
		r.refusals.forget(o.UID)
		return stop(err)
	}
	return afterWrite(r.showRefusal(ctx, o, metrics.WriteRelease, err), again(r.Timing.SecretsCheck))
}

// abandonWithoutCredentials limits how long a deleted Order waits for missing credentials. An Order
// that was never started does not wait, even if it had the finalizer from its creation on.
func (r *OrderReconciler) abandonWithoutCredentials(ctx context.Context, o *order, problem *account.Problem) progress {
	if !lifecycle.Started(o.Order) {
		r.forget(o.UID)
		return r.finishDeletion(ctx, o)
	}
	waited := r.Clock.Since(o.DeletionTimestamp.Time)
	if waited < r.Timing.AbandonAfter {
		err := r.record(ctx, o, func(order *v1alpha1.Order) {
			lifecycle.Closing(order, fmt.Sprintf("Deletion waits, at most %s, to close the order at WeChat Pay: %s", r.Timing.AbandonAfter, problem.Message), r.Clock.Now())
		})
		return afterWrite(err, again(min(r.Timing.AbandonAfter-waited, r.Timing.SecretsCheck)))
	}
	return r.abandonFinalizer(ctx, o, problem.Message)
}

// abandonIfUnwritable limits how long a deleted Order waits if its status can't be written, so that
// its end can't be recorded.
func (r *OrderReconciler) abandonIfUnwritable(ctx context.Context, o *order) progress {
	if said := r.unwritable(o); said != "" {
		return r.abandonFinalizer(ctx, o, "the cluster refuses to have its status written: "+said)
	}
	return next()
}

// abandonFinalizer removes the finalizer of an Order that could not be closed. WeChat closes it
// automatically after seven days.
func (r *OrderReconciler) abandonFinalizer(ctx context.Context, o *order, why string) progress {
	r.reportAbandoned(ctx, o.Order, "Removed the finalizer without closing order %s at WeChat Pay: %s", o.Number(), why)
	r.forget(o.UID)
	return r.finishDeletion(ctx, o)
}
