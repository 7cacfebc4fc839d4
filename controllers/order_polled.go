package controllers

import (
	"context"

	"github.com/wechatpay-operator/wechatpay-operator/api/v1alpha1"
	"github.com/wechatpay-operator/wechatpay-operator/internal/lifecycle"
	"github.com/wechatpay-operator/wechatpay-operator/internal/wechatpay"
)

// showPoll shows what a poll of an unpaid Order told when it is neither paid nor closed at WeChat. Nothing is written while each poll
// tells the same.
func (r *OrderReconciler) showPoll(ctx context.Context, o *order, trade wechatpay.Trade, cause error) error {
	if cause != nil {
		return r.pollFailed(ctx, o, cause)
	}
	return r.record(after(ctx, wechatpay.OperationQueryOrder, nil), o, func(order *v1alpha1.Order) {
		lifecycle.Polled(order, trade.State, r.Clock.Now())
	})
}

// pollFailed shows the error that a poll was answered by, in WeChat's words. What limits of our own held back is not worth a write,
// and that a closed order is not there any more is no error.
func (r *OrderReconciler) pollFailed(ctx context.Context, o *order, cause error) error {
	if wechatpay.RetryAfter(cause) > 0 || lifecycle.IsFinished(o.Order) && wechatpay.Means(cause, wechatpay.OrderNotExist) {
		return nil
	}
	return r.record(because(ctx, cause), o, func(order *v1alpha1.Order) { lifecycle.PollFailed(order, cause, r.Clock.Now()) })
}
