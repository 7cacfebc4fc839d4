package controllers

import (
	"context"

	"github.com/wechatpay-operator/wechatpay-operator/api/v1alpha1"
	"github.com/wechatpay-operator/wechatpay-operator/internal/lifecycle"
	"github.com/wechatpay-operator/wechatpay-operator/internal/wechatpay"
)

// applyTrade records the result of QueryOrder for an order that is paid or closed.
func (r *OrderReconciler) applyTrade(ctx context.Context, o *order, trade wechatpay.Trade) progress {
	return r.applyTradeAs(ctx, o, trade, v1alpha1.ReasonClosed, "WeChat Pay says that the order is closed")
}

func (r *OrderReconciler) applyTradeAs(ctx context.Context, o *order, trade wechatpay.Trade, reason, why string) progress {
	ctx = withCallOutcome(ctx, wechatpay.OperationQueryOrder, nil)
	if !trade.State.Paid() {
		return r.endClosed(ctx, o, reason, why)
	}
	if end := r.ownsPayment(ctx, o, trade.Payment.TransactionID); end.stop {
		return end
	}
	var verdict lifecycle.Verdict
	var message string
	err := r.record(ctx, o, func(order *v1alpha1.Order) {
		verdict, message = lifecycle.Paid(order, o.payee, trade.Payment, r.Clock.Now())
	})
	if err != nil {
		return stoppedBy(err)
	}
	r.reporter(ctx).Payment(o.Order, o.merchant, verdict, message)
	switch verdict {
	case lifecycle.Recorded, lifecycle.AlreadyRecorded:
		return done()
	case lifecycle.NotOurs:
		return r.otherPayment(ctx, o, trade.Payment.Attach)
	}
	if isDeleted(o) {
		return r.releaseUnlessRefunding(ctx, o) // paid, although differently: there is nothing to close
	}
	// A person has to act. Until then it is rarely queried, in case the account is corrected.
	return r.closeLater(o, r.Timing.RetrySlowly)
}
