package merchant

import (
	"context"

	"k8s.io/utils/clock"

	"github.com/wechatpay-operator/wechatpay-operator/internal/metrics"
	"github.com/wechatpay-operator/wechatpay-operator/internal/wechatpay"
)

// limitedGateway is a Gateway that keeps a Merchant's limits, counts its calls, and notes when WeChat refuses the key.
// What needs no call (parameters, callbacks) passes through.
type limitedGateway struct {
	wechatpay.Gateway
	limits  *limiters
	verdict *verdict
	clock   clock.PassiveClock
}

func (g *limitedGateway) UnifiedOrder(ctx context.Context, request wechatpay.OrderRequest) (prepay wechatpay.Prepay, err error) {
	err = g.do(ctx, wechatpay.OperationUnifiedOrder, func() error {
		prepay, err = g.Gateway.UnifiedOrder(ctx, request)
		return err
	})
	return prepay, err
}

func (g *limitedGateway) QueryOrder(ctx context.Context, outTradeNo, appID string) (trade wechatpay.Trade, err error) {
	err = g.do(ctx, wechatpay.OperationOrderQuery, func() error {
		trade, err = g.Gateway.QueryOrder(ctx, outTradeNo, appID)
		return err
	})
	return trade, err
}

func (g *limitedGateway) CloseOrder(ctx context.Context, outTradeNo, appID string) error {
	return g.do(ctx, wechatpay.OperationCloseOrder, func() error {
		return g.Gateway.CloseOrder(ctx, outTradeNo, appID)
	})
}

func (g *limitedGateway) Refund(ctx context.Context, request wechatpay.RefundRequest) (acceptance wechatpay.RefundAcceptance, err error) {
	err = g.do(ctx, wechatpay.OperationRefund, func() error {
		acceptance, err = g.Gateway.Refund(ctx, request)
		return err
	})
	return acceptance, err
}

func (g *limitedGateway) QueryRefund(ctx context.Context, outRefundNo, appID string) (fact wechatpay.RefundFact, err error) {
	err = g.do(ctx, wechatpay.OperationRefundQuery, func() error {
		fact, err = g.Gateway.QueryRefund(ctx, outRefundNo, appID)
		return err
	})
	return fact, err
}

func (g *limitedGateway) QueryRefunds(ctx context.Context, outTradeNo, appID string) (facts []wechatpay.RefundFact, err error) {
	err = g.do(ctx, wechatpay.OperationRefundQuery, func() error {
		facts, err = g.Gateway.QueryRefunds(ctx, outTradeNo, appID)
		return err
	})
	return facts, err
}

func (g *limitedGateway) do(ctx context.Context, operation wechatpay.Operation, call func() error) error {
	started := g.clock.Now()
	err := g.limits.do(ctx, operation, call)
	g.verdict.note(err)
	metrics.Requests.WithLabelValues(string(operation), outcomeLabel(err)).Inc()
	metrics.RequestDuration.WithLabelValues(string(operation)).Observe(g.clock.Since(started).Seconds())
	return err
}

func outcomeLabel(err error) string {
	if err == nil {
		return "Succeeded"
	}
	return string(wechatpay.OutcomeOf(err))
}
