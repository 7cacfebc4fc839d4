package controllers

import (
	"context"
	"time"

	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/wechatpay-operator/wechatpay-operator/api/v1alpha1"
	"github.com/wechatpay-operator/wechatpay-operator/internal/lifecycle"
	"github.com/wechatpay-operator/wechatpay-operator/internal/metrics"
)

// deleteAfterTTL deletes a finished Order after its TTL. It is the last step of one that is paid,
// rejected, or lost its number; a closed one is still queried.
func (r *OrderReconciler) deleteAfterTTL(ctx context.Context, o *order) progress {
	if wait := r.untilTTL(o); wait.after > 0 || o.Spec.TTLSecondsAfterFinished == nil {
		if needsLateChecks(o.Order) {
			return next()
		}
		r.forget(o.UID)
		return wait
	}
	if r.owesLateRefund(o) {
		return done() // it is retried, and the TTL checked then
	}
	open, err := r.hasOpenRefunds(ctx, o)
	if err != nil {
		return failed(err)
	}
	if open {
		return done() // the Refund's end starts the next reconcile
	}
	if wait := r.awaitShipments(ctx, o.Order, ttlTime(o.Order)); wait.stop {
		return wait
	}
	if wait := r.awaitSinks(ctx, o.Order, ttlTime(o.Order)); wait.stop {
		return r.laterAfterTTL(o, wait)
	}
	objects, err := r.withDependents(ctx, o.Order)
	if err != nil {
		return failed(err)
	}
	if wait := r.awaitLedger(ctx, time.Time{}, objects...); wait.stop {
		return r.laterAfterTTL(o, wait)
	}
	// The cache may lag: the decision is made on the live object, and for no other with the same
	// name.
	live := &v1alpha1.Order{}
	if err := r.APIReader.Get(ctx, client.ObjectKeyFromObject(o.Order), live); err != nil {
		return stop(client.IgnoreNotFound(err))
	}
	if live.UID != o.UID || !lifecycle.IsFinished(live) || live.Spec.TTLSecondsAfterFinished == nil ||
		r.Clock.Now().Before(ttlTime(live)) {
		return again(time.Second)
	}
	err = r.wrote(ctx, o.Order, metrics.WriteDelete, r.Client.Delete(ctx, live, client.Preconditions{UID: &live.UID, ResourceVersion: &live.ResourceVersion}))
	if !isRefused(err) {
		return stop(client.IgnoreNotFound(err))
	}
	if err := r.showRefusal(ctx, o, metrics.WriteDelete, err); err != nil {
		return stoppedBy(err)
	}
	return r.laterAfterTTL(o, again(r.Timing.SecretsCheck))
}

// laterAfterTTL tries the deletion again later. A closed Order is queried meanwhile.
func (r *OrderReconciler) laterAfterTTL(o *order, later progress) progress {
	if !needsLateChecks(o.Order) || later.err != nil {
		return later
	}
	o.requeueAfter = later.after
	return next()
}

func needsLateChecks(order *v1alpha1.Order) bool {
	switch lifecycle.PaidReason(order) {
	case v1alpha1.ReasonClosed, v1alpha1.ReasonExpired:
		return true
	default:
		return false
	}
}

func ttlTime(order *v1alpha1.Order) time.Time {
	return lifecycle.FinishedTime(order).Add(time.Duration(*order.Spec.TTLSecondsAfterFinished) * time.Second)
}

// untilTTL ends the reconcile until the Order's TTL.
func (r *OrderReconciler) untilTTL(o *order) progress {
	if o.Spec.TTLSecondsAfterFinished == nil {
		return done()
	}
	if wait := ttlTime(o.Order).Sub(r.Clock.Now()); wait > 0 {
		return again(wait)
	}
	return done()
}
