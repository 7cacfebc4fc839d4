package controllers

import (
	"context"
	"errors"

	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/wechatpay-operator/wechatpay-operator/api/v1alpha1"
	"github.com/wechatpay-operator/wechatpay-operator/internal/lifecycle"
	"github.com/wechatpay-operator/wechatpay-operator/internal/metrics"
	"github.com/wechatpay-operator/wechatpay-operator/internal/status"
)

// Like an Order, a Refund may be removed by a deletion that began before the finalizer was added. A
// refund request can't be undone, so it is not sent before such a deletion has ended: the finalizer
// is added when the Refund is first seen, and the request is sent only after a later live read
// finds it undeleted.

// sentRefund is a Refund for which a request was sent, as it was at that time.
type sentRefund struct {
	refund *v1alpha1.Refund
	order  *v1alpha1.Order
}

// addFinalizerWhenSeen adds the finalizer, usually long before anything is sent, since people take time to
// decide. A Refund that was denied from the start is never sent.
func (r *RefundReconciler) addFinalizerWhenSeen(ctx context.Context, f *refund) progress {
	if hasFinalizer(f) || isDeleted(f) || f.Spec.Approval == v1alpha1.ApprovalDenied && lifecycle.NeverRequested(f.Refund) {
		return next()
	}
	if err := r.addFinalizer(ctx, f.Refund); err != nil {
		if isRefused(err) {
			f.finalizerError = err
			return next()
		}
		return stop(client.IgnoreNotFound(err))
	}
	r.sendAfter.set(f.UID, r.Clock.Now().Add(r.Timing.DeletionSettles))
	return next()
}

// requireFinalizer stops a Refund without finalizer.
func (r *RefundReconciler) requireFinalizer(ctx context.Context, f *refund) progress {
	if hasFinalizer(f) {
		return next()
	}
	return r.waitFor(ctx, f, v1alpha1.ReasonWriteRefused, "Nothing is sent to WeChat Pay without it, but "+refusal(metrics.WriteHold, f.finalizerError))
}

// awaitEarlierDeletion waits for the end of a deletion that may have begun before the finalizer was added.
func (r *RefundReconciler) awaitEarlierDeletion(_ context.Context, f *refund) progress {
	if settled, known := r.sendAfter.get(f.UID); known {
		if wait := settled.Sub(r.Clock.Now()); wait > 0 {
			return again(wait)
		}
	}
	return next()
}

// stillThere checks that a live list has the Refund, undeleted and with the finalizer.
func (r *RefundReconciler) stillThere(f *refund, live []v1alpha1.Refund) progress {
	for i := range live {
		if live[i].UID != f.UID {
			continue
		}
		switch {
		case isDeleted(&live[i]):
			return done() // the deletion starts the next reconcile
		case !hasFinalizer(&live[i]):
			return again(r.Timing.RetryFirst) // somebody removed the finalizer; it is added again
		default:
			return next()
		}
	}
	return done()
}

// stoppedDuringRefund is stoppedBy after a call that may have refunded.
func (r *RefundReconciler) stoppedDuringRefund(ctx context.Context, f *refund, err error) progress {
	if errors.Is(err, status.ErrReplaced) {
		const nobody = types.UID("")
		r.reportDeleted(ctx, client.ObjectKeyFromObject(f.Refund), nobody)
	}
	return stoppedBy(err)
}

// reportDeleted writes an event about the Order of a Refund that was deleted during its request: no
// object has that name now, or another one has it.
func (r *RefundReconciler) reportDeleted(ctx context.Context, key types.NamespacedName, present types.UID) {
	gone, found := r.sent.take(key, func(sent *sentRefund) bool { return sent.refund.UID != present })
	if !found {
		return
	}
	r.Claims.Calls.End(gone.refund.UID)
	metrics.GoneDuringCalls.WithLabelValues("Refund").Inc()
	r.log(ctx).Info("A Refund is gone since WeChat Pay was asked to pay back", "refund", key.String(), "order", gone.order.Name, "outRefundNo", gone.refund.Number())
	r.warn(gone.order, "RefundGone", "Refund", "Refund %s over %d (minor units) was deleted during its refund request, which may have succeeded. "+
		"Create it again with the same name, number and amount to see its result: nothing is paid twice", gone.refund.Name, gone.refund.Spec.Amount)
}

// sending records a Refund before its request. forgetSent removes one that was deleted regularly or
// not sent.
func (r *RefundReconciler) sending(f *refund) {
	r.sent.set(client.ObjectKeyFromObject(f.Refund), &sentRefund{refund: f.DeepCopy(), order: f.order.DeepCopy()})
}

func (r *RefundReconciler) forgetSent(refund *v1alpha1.Refund) {
	r.sent.take(client.ObjectKeyFromObject(refund), func(sent *sentRefund) bool { return sent.refund.UID == refund.UID })
}
