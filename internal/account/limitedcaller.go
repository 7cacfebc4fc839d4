package account

import (
	"context"
	"time"

	"k8s.io/utils/clock"

	"github.com/wechatpay-operator/wechatpay-operator/internal/metrics"
	"github.com/wechatpay-operator/wechatpay-operator/internal/wechatpay"
)

// limitedCaller is a Caller that applies the limits of an account, counts its calls, and records
// when WeChat rejects the key.
type limitedCaller struct {
	wechatpay.Caller
	member *membership
	health *credentialHealth
	clock  clock.PassiveClock
}

func (g *limitedCaller) CreateOrder(ctx context.Context, request wechatpay.OrderRequest) (prepay wechatpay.Prepay, err error) {
	err = g.do(ctx, wechatpay.OperationCreateOrder, request.OutTradeNo, func(ctx context.Context) error {
		prepay, err = g.Caller.CreateOrder(ctx, request)
		return err
	})
	return prepay, err
}

func (g *limitedCaller) QueryOrder(ctx context.Context, order wechatpay.OrderRef) (trade wechatpay.Trade, err error) {
	err = g.do(ctx, wechatpay.OperationQueryOrder, order.OutTradeNo, func(ctx context.Context) error {
		trade, err = g.Caller.QueryOrder(ctx, order)
		return err
	})
	return trade, err
}

func (g *limitedCaller) CloseOrder(ctx context.Context, order wechatpay.OrderRef) error {
	return g.do(ctx, wechatpay.OperationCloseOrder, order.OutTradeNo, func(ctx context.Context) error {
		return g.Caller.CloseOrder(ctx, order)
	})
}

func (g *limitedCaller) CreateRefund(ctx context.Context, request wechatpay.RefundRequest) (acceptance wechatpay.RefundAcceptance, err error) {
	err = g.do(ctx, wechatpay.OperationCreateRefund, request.OutRefundNo, func(ctx context.Context) error {
		acceptance, err = g.Caller.CreateRefund(ctx, request)
		return err
	})
	return acceptance, err
}

func (g *limitedCaller) QueryRefund(ctx context.Context, refund wechatpay.RefundRef) (fact wechatpay.RefundFact, err error) {
	err = g.do(ctx, wechatpay.OperationQueryRefund, refund.OutRefundNo, func(ctx context.Context) error {
		fact, err = g.Caller.QueryRefund(ctx, refund)
		return err
	})
	return fact, err
}

func (g *limitedCaller) QueryRefunds(ctx context.Context, order wechatpay.OrderRef) (facts []wechatpay.RefundFact, err error) {
	err = g.do(ctx, wechatpay.OperationQueryRefund, order.OutTradeNo, func(ctx context.Context) error {
		facts, err = g.Caller.QueryRefunds(ctx, order)
		return err
	})
	return facts, err
}

func (g *limitedCaller) ResolveAbnormalRefund(ctx context.Context, request wechatpay.AbnormalRefundRequest) error {
	return g.do(ctx, wechatpay.OperationResolveAbnormalRefund, request.OutRefundNo, func(ctx context.Context) error {
		return g.Caller.ResolveAbnormalRefund(ctx, request)
	})
}

func (g *limitedCaller) do(ctx context.Context, operation wechatpay.Operation, number string, call func(context.Context) error) error {
	started := g.clock.Now()
	err := g.member.do(ctx, operation, number, func() error {
		finishing, cancel := withCallDeadline(ctx)
		defer cancel()
		return call(finishing)
	})
	if g.health.note(operation, err) {
		g.member.notify(g.member.merchant)
	}
	metrics.Requests.WithLabelValues(string(operation), outcomeLabel(err)).Inc()
	metrics.RequestDuration.WithLabelValues(string(operation)).Observe(g.clock.Since(started).Seconds())
	return err
}

// callDeadline limits a call including its repetition. Together with writing the result it fits
// into the manager's graceful shutdown.
const callDeadline = 30 * time.Second

// withCallDeadline detaches a call from the cancellation of its caller: during a shutdown the
// answer of a refund in flight is still needed. The caller's deadline applies.
func withCallDeadline(ctx context.Context) (context.Context, context.CancelFunc) {
	detached := context.WithoutCancel(ctx)
	deadline := time.Now().Add(callDeadline)
	if earlier, ok := ctx.Deadline(); ok && earlier.Before(deadline) {
		deadline = earlier
	}
	return context.WithDeadline(detached, deadline)
}

func outcomeLabel(err error) string {
	if err == nil {
		return "Succeeded"
	}
	return string(wechatpay.OutcomeOf(err))
}
