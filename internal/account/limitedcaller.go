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

func (g *limitedCaller) CreateOrder(ctx context.Context, request wechatpay.OrderRequest) (wechatpay.Prepay, error) {
	return ask(ctx, g, wechatpay.OperationCreateOrder, request.OutTradeNo, g.Caller.CreateOrder, request)
}

func (g *limitedCaller) QueryOrder(ctx context.Context, order wechatpay.OrderRef) (wechatpay.Trade, error) {
	return ask(ctx, g, wechatpay.OperationQueryOrder, order.OutTradeNo, g.Caller.QueryOrder, order)
}

func (g *limitedCaller) CloseOrder(ctx context.Context, order wechatpay.OrderRef) error {
	return g.do(ctx, wechatpay.OperationCloseOrder, order.OutTradeNo, func(ctx context.Context) error {
		return g.Caller.CloseOrder(ctx, order)
	})
}

func (g *limitedCaller) CreateRefund(ctx context.Context, request wechatpay.RefundRequest) (wechatpay.RefundAcceptance, error) {
	return ask(ctx, g, wechatpay.OperationCreateRefund, request.OutRefundNo, g.Caller.CreateRefund, request)
}

func (g *limitedCaller) QueryRefund(ctx context.Context, refund wechatpay.RefundRef) (wechatpay.RefundFact, error) {
	return ask(ctx, g, wechatpay.OperationQueryRefund, refund.OutRefundNo, g.Caller.QueryRefund, refund)
}

func (g *limitedCaller) QueryRefunds(ctx context.Context, order wechatpay.OrderRef) ([]wechatpay.RefundFact, error) {
	return ask(ctx, g, wechatpay.OperationQueryRefund, order.OutTradeNo, g.Caller.QueryRefunds, order)
}

func (g *limitedCaller) ResolveAbnormalRefund(ctx context.Context, request wechatpay.AbnormalRefundRequest) error {
	return g.do(ctx, wechatpay.OperationResolveAbnormalRefund, request.OutRefundNo, func(ctx context.Context) error {
		return g.Caller.ResolveAbnormalRefund(ctx, request)
	})
}

// ask makes a call that has an answer.
func ask[Request, Answer any](ctx context.Context, g *limitedCaller, operation wechatpay.Operation, number string,
	call func(context.Context, Request) (Answer, error), request Request,
) (answer Answer, err error) {
	err = g.do(ctx, operation, number, func(ctx context.Context) error {
		answer, err = call(ctx, request)
		return err
	})
	return answer, err
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
	g.count(operation, started, err)
	return err
}

func (g *limitedCaller) count(operation wechatpay.Operation, started time.Time, err error) {
	outcome := "Succeeded"
	if err != nil {
		outcome = string(wechatpay.OutcomeOf(err))
	}
	metrics.Requests.WithLabelValues(string(operation), outcome).Inc()
	metrics.RequestDuration.WithLabelValues(string(operation)).Observe(g.clock.Since(started).Seconds())
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
