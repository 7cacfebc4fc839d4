package controllers

import (
	"context"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/wechatpay-operator/wechatpay-operator/api/v1alpha1"
	"github.com/wechatpay-operator/wechatpay-operator/internal/lifecycle"
	"github.com/wechatpay-operator/wechatpay-operator/internal/wechatpay"
)

// takeTurn sends refunds of one Order one at a time, with the required interval, and within the
// paid amount.
func (r *RefundReconciler) takeTurn(ctx context.Context, f *refund) progress {
	if wait := r.callHoldoffs.wait(f, r.Clock.Now()); wait > 0 {
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

func (r *RefundReconciler) waitForTurn(ctx context.Context, f *refund, message string, wait time.Duration) progress {
	err := r.record(ctx, f, func(refund *v1alpha1.Refund) {
		lifecycle.Approved(refund, r.Clock.Now())
		if !isWaitingForAnything(refund) {
			lifecycle.NotAccepted(refund, metav1.ConditionUnknown, v1alpha1.ReasonWaitingForTurn, message, r.Clock.Now())
		}
	})
	return afterWrite(err, again(wait))
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
