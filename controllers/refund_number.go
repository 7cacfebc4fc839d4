package controllers

import (
	"context"
	"fmt"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/wechatpay-operator/wechatpay-operator/api/v1alpha1"
	"github.com/wechatpay-operator/wechatpay-operator/internal/claims"
	"github.com/wechatpay-operator/wechatpay-operator/internal/lifecycle"
)

// claimNumber sees that the Refund owns its number before WeChat is asked for it: WeChat takes two Refunds of one number for one,
// and the second would show money that never went back. What WeChat took has its number; it is asked for again before
// anything that WeChat says of it is recorded.
func (r *RefundReconciler) claimNumber(ctx context.Context, f *refund) progress {
	if lifecycle.RefundBegun(f.Refund) {
		return next()
	}
	if end := r.ownsNumber(ctx, f, ""); end != nil {
		return *end
	}
	return next()
}

// ownsNumber says whether the Refund owns its number, and what WeChat has under it as refundID, if that is known. Nil means yes;
// otherwise the reconcile ends.
func (r *RefundReconciler) ownsNumber(ctx context.Context, f *refund, refundID string) *progress {
	holder, err := r.Claims.HolderOfRefund(ctx, f.Refund, f.merchant, refundID)
	owner := f.Refund
	if err == nil && holder == nil {
		owner, err = r.Claims.OwnerOfRefund(ctx, f.Refund, f.merchant)
	}
	var end progress
	switch {
	case err != nil:
		end = failed(err)
	case holder != nil:
		end = r.end(ctx, f, v1alpha1.ReasonNumberInUse, numberOwnedByRefund(f.Refund, holder)+". Create another Refund with another name or spec.outRefundNo")
	case owner.UID == f.UID:
		return nil
	case mayNotLearnOwner(f.merchant, f.Namespace, owner.Namespace) && !lifecycle.RefundBegun(f.Refund):
		end = r.waitForProof(ctx, f)
	case !claims.RefundIsDecided(owner) && !isDeleted(f):
		end = r.waitForNumber(ctx, f)
	default:
		end = r.end(ctx, f, v1alpha1.ReasonNumberInUse, numberOwnedByRefund(f.Refund, owner)+". Create another Refund with another name or spec.outRefundNo")
	}
	return &end
}

// waitForNumber is for a Refund that comes after another one of which WeChat has not said yet whether it has it. After a restore
// without status nobody here knows which of them was paid out, and WeChat's first answer to the other tells it.
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

// waitForProof lets a Refund wait until WeChat has taken its Merchant's key, which starts the next reconcile. A deleted one goes: nothing was
// sent for it.
func (r *RefundReconciler) waitForProof(ctx context.Context, f *refund) progress {
	if isDeleted(f) {
		return r.goes(ctx, f)
	}
	err := r.record(ctx, f, func(refund *v1alpha1.Refund) {
		lifecycle.NotAccepted(refund, metav1.ConditionUnknown, v1alpha1.ReasonPending, keyNotTaken(f.merchant), r.Clock.Now())
	})
	if err != nil {
		return stoppedBy(err)
	}
	return again(r.Timing.SecretsCheck)
}

// numberOwnedByRefund says who owns the number, by name only within the namespace.
func numberOwnedByRefund(refund, owner *v1alpha1.Refund) string {
	if owner.Namespace == refund.Namespace {
		return fmt.Sprintf("The number %s belongs to Refund %s of the same merchant number", refund.Number(), owner.Name)
	}
	return fmt.Sprintf("The number %s belongs to a Refund of another namespace of the same merchant number", refund.Number())
}

// beginCall notes that the first request is about to be made, so that no other Refund takes the number before its answer is
// recorded.
func (r *RefundReconciler) beginCall(f *refund) bool {
	return lifecycle.RefundBegun(f.Refund) || r.Claims.BeginRefund(f.Refund, f.merchant)
}
