package controllers

import (
	"context"

	"github.com/wechatpay-operator/wechatpay-operator/api/v1alpha1"
	"github.com/wechatpay-operator/wechatpay-operator/internal/lifecycle"
)

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
