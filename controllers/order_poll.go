package controllers

import (
	"context"

	"github.com/wechatpay-operator/wechatpay-operator/api/v1alpha1"
	"github.com/wechatpay-operator/wechatpay-operator/internal/lifecycle"
	"github.com/wechatpay-operator/wechatpay-operator/internal/wechatpay"
)

// showPoll shows the result of a poll for an order that is neither paid nor closed at WeChat.
// Nothing is written while the result does not change.
func (r *OrderReconciler) showPoll(ctx context.Context, o *order, trade wechatpay.Trade, cause error) error {
	if cause != nil {
		return r.pollFailed(ctx, o, cause)
	}
	return r.record(withCallOutcome(ctx, wechatpay.OperationQueryOrder, nil), o, func(order *v1alpha1.Order) {
		lifecycle.Polled(order, trade.State, r.Clock.Now())
	})
}

// pollFailed shows the error of a poll, in WeChat's words. A denial by the operator's own limits is
// not worth a write, and a closed order that no longer exists is not an error.
func (r *OrderReconciler) pollFailed(ctx context.Context, o *order, cause error) error {
	if wechatpay.RetryAfter(cause) > 0 || lifecycle.IsFinished(o.Order) && wechatpay.Means(cause, wechatpay.OrderNotExist) {
		return nil
	}
	return r.record(withCallError(ctx, cause), o, func(order *v1alpha1.Order) { lifecycle.PollFailed(order, cause, r.Clock.Now()) })
}
