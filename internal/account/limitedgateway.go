package account

import (
	"context"
	"time"

	"k8s.io/utils/clock"

	"github.com/wechatpay-operator/wechatpay-operator/internal/metrics"
	"github.com/wechatpay-operator/wechatpay-operator/internal/wechatpay"
)

// limitedGateway is a Gateway that keeps the limits of an account, counts its calls, and notes when WeChat refuses the key.
// What needs no call (parameters, callbacks) passes through.
type limitedGateway struct {
	wechatpay.Gateway
	member *membership
	health *credentialHealth
	clock  clock.PassiveClock
}

func (g *limitedGateway) UnifiedOrder(ctx context.Context, request wechatpay.OrderRequest) (prepay wechatpay.Prepay, err error) {
	err = g.do(ctx, wechatpay.OperationUnifiedOrder, request.OutTradeNo, func(ctx context.Context) error {
		prepay, err = g.Gateway.UnifiedOrder(ctx, request)
		return err
	})
	return prepay, err
}

func (g *limitedGateway) QueryOrder(ctx context.Context, outTradeNo, appID string) (trade wechatpay.Trade, err error) {
	err = g.do(ctx, wechatpay.OperationOrderQuery, outTradeNo, func(ctx context.Context) error {
		trade, err = g.Gateway.QueryOrder(ctx, outTradeNo, appID)
		return err
	})
	return trade, err
}

func (g *limitedGateway) CloseOrder(ctx context.Context, outTradeNo, appID string) error {
	return g.do(ctx, wechatpay.OperationCloseOrder, outTradeNo, func(ctx context.Context) error {
		return g.Gateway.CloseOrder(ctx, outTradeNo, appID)
	})
}

func (g *limitedGateway) Refund(ctx context.Context, request wechatpay.RefundRequest) (acceptance wechatpay.RefundAcceptance, err error) {
	err = g.do(ctx, wechatpay.OperationRefund, request.OutRefundNo, func(ctx context.Context) error {
		acceptance, err = g.Gateway.Refund(ctx, request)
		return err
	})
	return acceptance, err
}

func (g *limitedGateway) QueryRefund(ctx context.Context, outRefundNo, appID string) (fact wechatpay.RefundFact, err error) {
	err = g.do(ctx, wechatpay.OperationRefundQuery, outRefundNo, func(ctx context.Context) error {
		fact, err = g.Gateway.QueryRefund(ctx, outRefundNo, appID)
		return err
	})
	return fact, err
}

func (g *limitedGateway) QueryRefunds(ctx context.Context, outTradeNo, appID string) (facts []wechatpay.RefundFact, err error) {
	err = g.do(ctx, wechatpay.OperationRefundQuery, outTradeNo, func(ctx context.Context) error {
		facts, err = g.Gateway.QueryRefunds(ctx, outTradeNo, appID)
		return err
	})
	return facts, err
}

func (g *limitedGateway) do(ctx context.Context, operation wechatpay.Operation, number string, call func(context.Context) error) error {
	started := g.clock.Now()
	err := g.member.do(ctx, operation, number, func() error {
		finishing, cancel := untilAnswered(ctx)
		defer cancel()
		return call(finishing)
	})
	if g.health.note(operation, err) {
		g.member.tell(g.member.merchant)
	}
	metrics.Requests.WithLabelValues(string(operation), outcomeLabel(err)).Inc()
	metrics.RequestDuration.WithLabelValues(string(operation)).Observe(g.clock.Since(started).Seconds())
	return err
}

// callDeadline bounds a call with its repeat. With the writing of its answer it fits into the manager's graceful shutdown.
const callDeadline = 30 * time.Second

// untilAnswered lets a call that has begun come to its end, whatever becomes of who asked for it: at a shutdown the answer of
// a refund under way is still worth waiting for. The caller's deadline holds.
func untilAnswered(ctx context.Context) (context.Context, context.CancelFunc) {
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
