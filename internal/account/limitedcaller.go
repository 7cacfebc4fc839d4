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

func (c *limitedCaller) CreateOrder(ctx context.Context, request wechatpay.OrderRequest) (wechatpay.Prepay, error) {
	return ask(ctx, c, wechatpay.OperationCreateOrder, request.OutTradeNo, c.Caller.CreateOrder, request)
}

func (c *limitedCaller) QueryOrder(ctx context.Context, order wechatpay.OrderRef) (wechatpay.Trade, error) {
	return ask(ctx, c, wechatpay.OperationQueryOrder, order.OutTradeNo, c.Caller.QueryOrder, order)
}

func (c *limitedCaller) CloseOrder(ctx context.Context, order wechatpay.OrderRef) error {
	return c.do(ctx, wechatpay.OperationCloseOrder, order.OutTradeNo, func(ctx context.Context) error {
		return c.Caller.CloseOrder(ctx, order)
	})
}

func (c *limitedCaller) CreateRefund(ctx context.Context, request wechatpay.RefundRequest) (wechatpay.RefundAcceptance, error) {
	return ask(ctx, c, wechatpay.OperationCreateRefund, request.OutRefundNo, c.Caller.CreateRefund, request)
}

func (c *limitedCaller) QueryRefund(ctx context.Context, refund wechatpay.RefundRef) (wechatpay.RefundFact, error) {
	return ask(ctx, c, wechatpay.OperationQueryRefund, refund.OutRefundNo, c.Caller.QueryRefund, refund)
}

func (c *limitedCaller) QueryRefunds(ctx context.Context, order wechatpay.OrderRef) ([]wechatpay.RefundFact, error) {
	return ask(ctx, c, wechatpay.OperationQueryRefund, order.OutTradeNo, c.Caller.QueryRefunds, order)
}

func (c *limitedCaller) ResolveAbnormalRefund(ctx context.Context, request wechatpay.AbnormalRefundRequest) error {
	return c.do(ctx, wechatpay.OperationResolveAbnormalRefund, request.OutRefundNo, func(ctx context.Context) error {
		return c.Caller.ResolveAbnormalRefund(ctx, request)
	})
}

// ask makes a call that has an answer.
func ask[Request, Answer any](ctx context.Context, c *limitedCaller, operation wechatpay.Operation, number string,
	call func(context.Context, Request) (Answer, error), request Request,
) (answer Answer, err error) {
	err = c.do(ctx, operation, number, func(ctx context.Context) error {
		answer, err = call(ctx, request)
		return err
	})
	return answer, err
}

func (c *limitedCaller) do(ctx context.Context, operation wechatpay.Operation, number string, call func(context.Context) error) error {
	started := c.clock.Now()
	err := c.member.do(ctx, operation, number, func() error {
		finishing, cancel := withCallDeadline(ctx)
		defer cancel()
		return call(finishing)
	})
	if c.health.record(operation, err) {
		c.member.notify(c.member.merchant)
	}
	c.count(operation, started, err)
	return err
}

func (c *limitedCaller) count(operation wechatpay.Operation, started time.Time, err error) {
	outcome := "Succeeded"
	if err != nil {
		outcome = string(wechatpay.OutcomeOf(err))
	}
	metrics.Requests.WithLabelValues(string(operation), outcome).Inc()
	metrics.RequestDuration.WithLabelValues(string(operation)).Observe(c.clock.Since(started).Seconds())
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
