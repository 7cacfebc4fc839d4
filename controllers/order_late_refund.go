package controllers

import (
	"context"
	"strings"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/wechatpay-operator/wechatpay-operator/api/v1alpha1"
	"github.com/wechatpay-operator/wechatpay-operator/internal/lifecycle"
	"github.com/wechatpay-operator/wechatpay-operator/internal/metrics"
)

// followLatePayment applies the Merchant's latePayment policy to a payment that arrived after the
// Order was closed.
func (r *OrderReconciler) followLatePayment(ctx context.Context, o *order) progress {
	if lifecycle.PaidReason(o.Order) != v1alpha1.ReasonPaidLate || o.Status.LateRefund != "" {
		return next()
	}
	found := &v1alpha1.Merchant{}
	if err := r.Client.Get(ctx, merchantKeyOf(o.Order), found); apierrors.IsNotFound(err) {
		return next()
	} else if err != nil {
		return failed(err)
	}
	if found.Spec.LatePayment != v1alpha1.LatePaymentRefund || o.Status.Transaction == nil {
		return next()
	}
	return r.createLateRefund(ctx, o)
}

// createLateRefund creates the Refund of a late payment, once: status.lateRefund records it, so
// that a Refund that was denied and deleted is not created again. If the cluster refuses the write,
// only the deletion by ttlSecondsAfterFinished waits for it, since nobody would notice the missing
// refund afterwards.
func (r *OrderReconciler) createLateRefund(ctx context.Context, o *order) progress {
	refund, existing := lateRefund(o.Order), &v1alpha1.Refund{}
	err := r.Client.Get(ctx, client.ObjectKeyFromObject(refund), existing)
	switch {
	case err == nil && !sameRefund(existing, refund):
		if r.refusals.note(o.UID, metrics.WriteCreate, "another one") {
			r.warn(o.Order, "LateRefund", "Refund", "The late payment is not refunded automatically: another Refund with the name %s exists", refund.Name)
		}
		return next()
	case err == nil:
		return r.noteLateRefund(ctx, o, refund)
	case !apierrors.IsNotFound(err):
		return failed(err)
	}
	err = r.Client.Create(ctx, refund)
	switch {
	case err == nil:
		r.note(o.Order, "LateRefund", "Refund", "Created Refund %s over %d (minor units): the payment came after the Order was closed", refund.Name, refund.Spec.Amount)
		return r.noteLateRefund(ctx, o, refund)
	case apierrors.IsAlreadyExists(err):
		return again(r.Timing.RetryFirst) // the cache lags
	case apierrors.HasStatusCause(err, corev1.NamespaceTerminatingCause):
		r.warn(o.Order, "LateRefund", "Refund", "The late payment of order %s is not refunded: the namespace is being deleted", o.Number())
		return next()
	case !isRefused(r.wrote(ctx, o.Order, metrics.WriteCreate, err)):
		return failed(err)
	}
	if err := r.showRefusal(ctx, o, metrics.WriteCreate, err); err != nil {
		return stoppedBy(err)
	}
	o.requeueAfter = r.Timing.SecretsCheck
	return next()
}

func sameRefund(a, b *v1alpha1.Refund) bool {
	return a.Spec.OrderRef == b.Spec.OrderRef && a.Spec.Amount == b.Spec.Amount && a.Number() == b.Number()
}

// noteLateRefund records that the Refund was created. If the cluster refuses that write, the other
// steps continue.
func (r *OrderReconciler) noteLateRefund(ctx context.Context, o *order, refund *v1alpha1.Refund) progress {
	r.refusals.clear(o.UID, metrics.WriteCreate)
	err := r.record(ctx, o, func(order *v1alpha1.Order) {
		order.Status.LateRefund = refund.Name
		lifecycle.OrderWriteRefused(order, "", r.Clock.Now())
	})
	if isRefused(err) {
		o.requeueAfter = r.Timing.SecretsCheck
	} else if err != nil {
		return stoppedBy(err)
	}
	return next()
}

// owesLateRefund reports whether the Refund of a late payment could not be created yet.
func (r *OrderReconciler) owesLateRefund(o *order) bool {
	return o.Status.LateRefund == "" && r.refusals.message(o.UID, metrics.WriteCreate) != ""
}

// lateRefund returns the Refund of a late payment. Its number is derived from the Order's, so that
// it is refunded once, however often it is created.
func lateRefund(order *v1alpha1.Order) *v1alpha1.Refund {
	refund := &v1alpha1.Refund{
		ObjectMeta: metav1.ObjectMeta{
			Namespace: order.Namespace,
			Name:      cutName(order.Name, 253-len(lateSuffix)) + lateSuffix,
			// So it has the finalizer from its creation on.
			Finalizers: []string{v1alpha1.Finalizer},
		},
		Spec: v1alpha1.RefundSpec{
			OrderRef: v1alpha1.OrderReference{Name: order.Name},
			Amount:   order.Status.Transaction.Total,
			Reason:   "订单关闭后到账，退款",
		},
	}
	if number := order.Number() + lateSuffix; number != refund.Name {
		refund.Spec.OutRefundNo = number
	}
	return refund
}

const lateSuffix = "-late"

// cutName keeps a name valid: it must not end in a dot or hyphen before the suffix.
func cutName(name string, most int) string {
	if len(name) > most {
		return strings.TrimRight(name[:most], ".-")
	}
	return name
}
