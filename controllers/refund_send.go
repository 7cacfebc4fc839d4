package controllers

import (
	"context"
	"fmt"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/wechatpay-operator/wechatpay-operator/api/v1alpha1"
	"github.com/wechatpay-operator/wechatpay-operator/internal/lifecycle"
	"github.com/wechatpay-operator/wechatpay-operator/internal/wechatpay"
)

// send sends the refund request.
func (r *RefundReconciler) send(ctx context.Context, f *refund) progress {
	if !r.beginCall(f) {
		return again(r.Timing.RetryFirst) // a request of a deleted object may be in flight
	}
	spacingKey := f.spacingKey() // the answer may prove the key, which changes the spacing key
	before, allowed, wait := r.spacing.take(spacingKey, f.order.CreationTimestamp.Time)
	if !allowed {
		return r.waitForTurn(ctx, f, "Refund requests of one Order go "+r.Timing.RefundSpacing.String()+" apart, as WeChat Pay demands", wait)
	}
	request := lifecycle.RefundRequest(f.Refund, f.order, f.merchant, f.account.RefundNotifyURL)
	r.sending(f)
	acceptance, err := f.account.CreateRefund(ctx, request)
	if outcome := wechatpay.OutcomeOf(err); err != nil && (outcome == wechatpay.NotSent || outcome == wechatpay.Failed) {
		r.forgetSent(f.Refund)
	}
	if wechatpay.RetryAfter(err) > 0 {
		r.spacing.undo(spacingKey, before)
	} else {
		r.spacing.callEnded(spacingKey)
	}
	if err != nil {
		return r.handleRefundError(ctx, f, err)
	}
	err = r.record(withCallOutcome(ctx, wechatpay.OperationCreateRefund, nil), f, func(refund *v1alpha1.Refund) {
		r.noteRequest(refund)
		lifecycle.Accepted(refund, acceptance, r.Clock.Now())
	})
	if err != nil {
		return r.stoppedDuringRefund(ctx, f, err)
	}
	r.retries.forget(f.UID)
	r.callHoldoffs.clear(f.UID)
	return done() // the write starts the next reconcile, which follows it
}

// noteRequest records, together with the answer, that a request was made and who allowed it.
func (r *RefundReconciler) noteRequest(refund *v1alpha1.Refund) {
	lifecycle.Approved(refund, r.Clock.Now())
	lifecycle.Requested(refund, r.Clock.Now())
}

// handleRefundError handles an error of the refund request. Only a verified answer ends a Refund,
// and only after QueryRefund has said that WeChat does not have it: an earlier request may have
// arrived.
func (r *RefundReconciler) handleRefundError(ctx context.Context, f *refund, cause error) progress {
	if wechatpay.Means(cause, wechatpay.Rejected, wechatpay.AmountConflict, wechatpay.NeedsAttention, wechatpay.NoRight) {
		return r.queryAfterRejection(ctx, f, cause)
	}
	return r.retryLater(ctx, f, cause)
}

func (r *RefundReconciler) retryLater(ctx context.Context, f *refund, cause error) progress {
	before := lifecycle.AcceptedReason(f.Refund)
	if err := r.recordError(ctx, f, cause); err != nil {
		return r.stoppedDuringRefund(ctx, f, err)
	}
	if wechatpay.Means(cause, wechatpay.InsufficientBalance) && before != v1alpha1.ReasonInsufficientBalance {
		r.warn(f.Refund, v1alpha1.ReasonInsufficientBalance, "Refund", "%v", cause)
	}
	return r.retryAfter(f, r.waitAfter(f, cause))
}

func (r *RefundReconciler) recordError(ctx context.Context, f *refund, cause error) error {
	return r.record(withCallError(ctx, cause), f, func(refund *v1alpha1.Refund) {
		if wechatpay.OutcomeOf(cause) == wechatpay.NotSent {
			lifecycle.Approved(refund, r.Clock.Now())
		} else {
			r.noteRequest(refund)
		}
		lifecycle.NotAcceptedBy(refund, cause, r.Clock.Now())
	})
}

// waitAfter returns the wait after an error: a lost answer is queried soon; a request is repeated
// after a minute at the earliest, and slowly if a person has to act.
func (r *RefundReconciler) waitAfter(f *refund, err error) time.Duration {
	if wait := wechatpay.RetryAfter(err); wait > 0 {
		return wait // nothing was sent, so no distance is needed
	}
	growing := r.retries.next(f.UID)
	switch {
	case wechatpay.OutcomeOf(err) == wechatpay.Unknown && wechatpay.MeaningOf(err) != wechatpay.SlowDown:
		return growing
	case wechatpay.MeaningOf(err) == wechatpay.SlowDown, wechatpay.OutcomeOf(err) == wechatpay.NotSent, wechatpay.Means(err, wechatpay.InsufficientBalance):
		return max(growing, r.Timing.RefundSpacing)
	case wechatpay.MeaningOf(err) == wechatpay.NoRight && f.merchant.Spec.Partner != nil:
		return r.Timing.RetryRight
	default:
		return r.Timing.RetrySlowly
	}
}

// queryAfterRejection handles a verified rejection: WeChat has the refund nevertheless, or too
// little is left of the paid amount, or the rejection is final.
func (r *RefundReconciler) queryAfterRejection(ctx context.Context, f *refund, cause error) progress {
	fact, err := f.account.QueryRefund(ctx, f.ref())
	switch {
	case err == nil:
		if end := r.ownsNumber(ctx, f, fact.RefundID); end.stop {
			return end
		}
		if recordErr := r.record(withCallOutcome(ctx, wechatpay.OperationQueryRefund, nil), f, func(refund *v1alpha1.Refund) {
			r.noteRequest(refund)
			lifecycle.RefundState(refund, f.order.Number(), fact, r.Clock.Now())
		}); recordErr != nil {
			return stoppedBy(recordErr)
		}
		if lifecycle.RefundMismatched(f.Refund) && !lifecycle.RefundAccepted(f.Refund) {
			return r.contradicted(ctx, f)
		}
		return done()
	case wechatpay.Means(err, wechatpay.RefundNotExist):
		return r.endBy(ctx, f, cause)
	default:
		if recordErr := r.record(withCallError(ctx, cause), f, func(refund *v1alpha1.Refund) {
			r.noteRequest(refund)
			lifecycle.NotAccepted(refund, metav1.ConditionUnknown, v1alpha1.ReasonOutcomeUnknown,
				fmt.Sprintf("%v. Whether WeChat Pay has the refund from an earlier request is being asked. %v", cause, err), r.Clock.Now())
		}); recordErr != nil {
			return stoppedBy(recordErr)
		}
		return r.retryAfter(f, r.retries.after(f.UID, err))
	}
}

// endBy ends a Refund that WeChat rejected finally. If the refunds that WeChat has of the order
// leave too little, others made elsewhere (in the merchant platform) used the amount, and the
// reason says so.
func (r *RefundReconciler) endBy(ctx context.Context, f *refund, cause error) progress {
	if facts, err := f.account.QueryRefunds(ctx, wechatpay.OrderRef{OutTradeNo: f.order.Number(), AppID: f.appID}); err == nil {
		if taken := lifecycle.Taken(facts); taken+f.Spec.Amount > f.order.Spec.Amount.Total {
			return r.endAfterRequest(ctx, f, cause, v1alpha1.ReasonExceedsPaid, lifecycle.ExceedsAtWeChat(taken, f.order, f.Refund)+" "+cause.Error())
		}
	}
	if wechatpay.Means(cause, wechatpay.NeedsAttention, wechatpay.NoRight) {
		return r.retryLater(ctx, f, cause)
	}
	return r.endAfterRequest(ctx, f, cause, v1alpha1.ReasonRejected, cause.Error()+". Create another Refund if it can be paid back otherwise")
}

func (r *RefundReconciler) endAfterRequest(ctx context.Context, f *refund, cause error, reason, message string) progress {
	ctx = withCallOutcome(ctx, wechatpay.OperationCreateRefund, cause)
	if err := r.record(ctx, f, r.noteRequest); err != nil {
		return stoppedBy(err)
	}
	return r.end(ctx, f, reason, message)
}
