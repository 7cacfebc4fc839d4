package controllers

import (
	"context"
	"fmt"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/wechatpay-operator/wechatpay-operator/api/v1alpha1"
	"github.com/wechatpay-operator/wechatpay-operator/internal/claims"
	"github.com/wechatpay-operator/wechatpay-operator/internal/lifecycle"
)

// claimNumber checks that the Refund owns its number before the first call: WeChat treats two
// Refunds with one number as one, and the second would show a refund that never happened. An
// accepted Refund owns its number; that is checked again before any result of WeChat is recorded.
func (r *RefundReconciler) claimNumber(ctx context.Context, f *refund) progress {
	if lifecycle.RefundBegun(f.Refund) {
		return next()
	}
	return r.ownsNumber(ctx, f, "")
}

// ownsNumber goes on if the Refund owns its number, and the WeChat refund refundID if that is known,
// and ends the reconcile otherwise.
func (r *RefundReconciler) ownsNumber(ctx context.Context, f *refund, refundID string) progress {
	holder, err := r.Claims.HolderOfRefund(ctx, f.Refund, f.merchant, refundID)
	owner := f.Refund
	if err == nil && holder == nil {
		owner, err = r.Claims.OwnerOfRefund(ctx, f.Refund, f.merchant)
	}
	switch {
	case err != nil:
		return failed(err)
	case holder != nil:
		return r.end(ctx, f, v1alpha1.ReasonNumberInUse, numberOwnedByRefund(f.Refund, holder)+". Create another Refund with another name or spec.outRefundNo")
	case owner.UID == f.UID:
		return next()
	case hideOwner(f.merchant, f.Namespace, owner.Namespace) && !lifecycle.RefundBegun(f.Refund):
		return r.waitForProof(ctx, f)
	case !claims.RefundIsDecided(owner) && !isDeleted(f):
		return r.waitForNumber(ctx, f)
	default:
		return r.end(ctx, f, v1alpha1.ReasonNumberInUse, numberOwnedByRefund(f.Refund, owner)+". Create another Refund with another name or spec.outRefundNo")
	}
}

// waitForNumber handles a Refund after an older one whose number WeChat has not confirmed yet.
// After a restore without status the operator does not know which of them was paid out, and
// WeChat's first answer about the older one decides it.
func (r *RefundReconciler) waitForNumber(ctx context.Context, f *refund) progress {
	err := r.record(ctx, f, func(refund *v1alpha1.Refund) {
		lifecycle.NotAccepted(refund, metav1.ConditionUnknown, v1alpha1.ReasonWaitingForTurn, fmt.Sprintf(
			"An older Refund of the same merchant number has the number %s, and WeChat Pay has not said yet whose it is. Then this Refund goes on or ends; if that takes long, create another Refund with another name or spec.outRefundNo",
			refund.Number()), r.Clock.Now())
	})
	if err != nil {
		return stoppedBy(err)
	}
	return again(min(r.retries.next(f.UID), r.Timing.SecretsCheck))
}

// waitForProof delays a Refund until WeChat has accepted its Merchant's key, which starts the next
// reconcile. The finalizer of a deleted one is removed, since nothing was sent.
func (r *RefundReconciler) waitForProof(ctx context.Context, f *refund) progress {
	if isDeleted(f) {
		return r.finishDeletion(ctx, f)
	}
	err := r.record(ctx, f, func(refund *v1alpha1.Refund) {
		lifecycle.NotAccepted(refund, metav1.ConditionUnknown, v1alpha1.ReasonPending, keyNotAcceptedMessage(f.merchant), r.Clock.Now())
	})
	return afterWrite(err, again(r.Timing.SecretsCheck))
}

// numberOwnedByRefund describes the owner of the number. It names the owner only within the
// namespace.
func numberOwnedByRefund(refund, owner *v1alpha1.Refund) string {
	if owner.Namespace == refund.Namespace {
		return fmt.Sprintf("The number %s belongs to Refund %s of the same merchant number", refund.Number(), owner.Name)
	}
	return fmt.Sprintf("The number %s belongs to a Refund in another namespace with the same merchant number", refund.Number())
}

// beginCall records that the first request is about to be made, so that no other Refund takes the
// number before its answer is recorded.
func (r *RefundReconciler) beginCall(f *refund) bool {
	return lifecycle.RefundBegun(f.Refund) || r.Claims.BeginRefund(f.Refund, f.merchant)
}
