package v2

import (
	"context"

	"github.com/wechatpay-operator/wechatpay-operator/internal/wechatpay"
)

// CloseOrder closes an unpaid order. It succeeds if the order is already closed (chapter 9_3).
func (c *Client) CloseOrder(ctx context.Context, order wechatpay.OrderRef) error {
	_, failure := c.exchange(ctx, call{
		operation: wechatpay.OperationCloseOrder,
		appID:     order.AppID,
		required:  []string{"out_trade_no"},
		fields:    []field{{"out_trade_no", order.OutTradeNo}},
	})
	if failure == nil || wechatpay.Means(failure, wechatpay.OrderClosed) {
		return nil
	}
	return failure
}
