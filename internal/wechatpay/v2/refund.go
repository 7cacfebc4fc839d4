package v2

import (
	"context"
	"errors"

	"github.com/wechatpay-operator/wechatpay-operator/internal/wechatpay"
	"github.com/wechatpay-operator/wechatpay-operator/internal/wechatpay/transport"
)

// CreateRefund requests a refund. The number makes it one refund however often it is sent (chapter 9_4).
func (c *Client) CreateRefund(ctx context.Context, request wechatpay.RefundRequest) (wechatpay.RefundAcceptance, error) {
	if err := checkRefundAmounts(request); err != nil {
		return wechatpay.RefundAcceptance{}, transport.NotSent(wechatpay.OperationCreateRefund, wechatpay.Rejected, err)
	}
	reply, failure := c.exchange(ctx, refundCall(request))
	return transport.Read(wechatpay.OperationCreateRefund, reply, failure, func(reply fields) (wechatpay.RefundAcceptance, error) {
		return wechatpay.RefundAcceptance{RefundID: reply.get("refund_id")}, checkAcceptance(reply, request)
	})
}

func checkRefundAmounts(request wechatpay.RefundRequest) error {
	switch {
	case request.Total <= 0 || request.Total > maxAmount:
		return errors.New("total_fee is out of range")
	case request.Amount <= 0 || request.Amount > request.Total:
		return errors.New("refund_fee is out of range")
	default:
		return nil
	}
}

func refundCall(request wechatpay.RefundRequest) call {
	return call{
		operation: wechatpay.OperationCreateRefund,
		certified: true,
		appID:     request.AppID,
		required:  []string{"out_trade_no", "out_refund_no"},
		fields: []field{
			{"notify_url", request.NotifyURL},
			{"out_refund_no", request.OutRefundNo},
			{"out_trade_no", request.OutTradeNo},
			{"refund_desc", request.Reason},
			{"refund_fee", formatAmount(request.Amount)},
			{"refund_fee_type", request.Currency},
			{"total_fee", formatAmount(request.Total)},
		},
	}
}

// checkAcceptance verifies that WeChat Pay accepted what was requested.
func checkAcceptance(reply fields, request wechatpay.RefundRequest) error {
	switch fee := reply.get("refund_fee"); {
	case reply.get("out_trade_no") != request.OutTradeNo:
		return errors.New("the reply is for another out_trade_no")
	case reply.get("out_refund_no") != request.OutRefundNo:
		return errors.New("the reply is for another out_refund_no")
	case fee != "" && fee != formatAmount(request.Amount):
		return errors.New("the reply is for another refund_fee")
	default:
		return nil
	}
}

// ResolveAbnormalRefund is not possible: API v2 has no call for it.
func (c *Client) ResolveAbnormalRefund(context.Context, wechatpay.AbnormalRefundRequest) error {
	return transport.NotSent(wechatpay.OperationResolveAbnormalRefund, wechatpay.NotOffered, errors.New(
		"API v2 has no call for this: give the money back in the merchant platform (交易中心 → 退款管理), or set the Merchant to protocol V3"))
}
