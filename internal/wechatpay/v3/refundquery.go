package v3

import (
	"cmp"
	"context"
	"errors"
	"net/http"
	"net/url"

	"github.com/wechatpay-operator/wechatpay-operator/internal/text"
	"github.com/wechatpay-operator/wechatpay-operator/internal/wechatpay"
	"github.com/wechatpay-operator/wechatpay-operator/internal/wechatpay/transport"
)

// QueryRefund queries one refund by its number.
func (c *Client) QueryRefund(ctx context.Context, refund wechatpay.RefundRef) (wechatpay.RefundFact, error) {
	target := refundsPath + "/" + url.PathEscape(refund.OutRefundNo)
	if c.settings.Partner != nil {
		target += "?sub_mchid=" + c.settings.Partner.SubMchID
	}
	body, failure := c.exchange(ctx, call{
		operation: wechatpay.OperationQueryRefund, method: http.MethodGet, target: target, refused: checkOutRefundNo(refund.OutRefundNo),
	})
	return transport.Read(wechatpay.OperationQueryRefund, body, failure, func(body []byte) (wechatpay.RefundFact, error) {
		answer, err := c.readRefund(body)
		switch {
		case err != nil:
			return wechatpay.RefundFact{}, err
		case answer.OutRefundNo != refund.OutRefundNo:
			return wechatpay.RefundFact{}, errors.New("the reply is for another out_refund_no")
		default:
			return answer.fact()
		}
	})
}

// QueryRefunds is not possible: API v3 has no call for all refunds of an order. Without their sum a
// refund that WeChat rejects ends for the reason that WeChat gave. The meaning is Rejected because
// nothing is wrong with the account.
func (c *Client) QueryRefunds(context.Context, wechatpay.OrderRef) ([]wechatpay.RefundFact, error) {
	return nil, transport.NotSent(wechatpay.OperationQueryRefund, wechatpay.Rejected,
		errors.New("WeChat Pay's protocol V3 has no call that returns all refunds of an order"))
}

func (r refundAnswer) fact() (wechatpay.RefundFact, error) {
	switch {
	case r.Status == "":
		return wechatpay.RefundFact{}, errors.New("status is missing")
	case r.OutTradeNo == "":
		return wechatpay.RefundFact{}, errors.New("out_trade_no is missing")
	case r.RefundID == "" || !text.IsClean(r.RefundID):
		return wechatpay.RefundFact{}, errors.New("refund_id is missing")
	case r.Amount.Refund <= 0 || r.Amount.Refund > maxAmount:
		return wechatpay.RefundFact{}, errors.New("amount.refund is not an amount")
	}
	fact := wechatpay.RefundFact{
		OutTradeNo: r.OutTradeNo, OutRefundNo: r.OutRefundNo, RefundID: r.RefundID,
		Status: refundStatus(r.Status), Amount: r.Amount.Refund, ReceivedAccount: r.UserReceivedAccount,
	}
	if fact.Status == wechatpay.RefundStatusSucceeded {
		fact.SuccessTime = timeIfSaid(r.SuccessTime)
	}
	return fact, nil
}

// refundStatus translates a state; an unknown one stays unchanged.
func refundStatus(status string) wechatpay.RefundStatus {
	return cmp.Or(refundStatuses[status], wechatpay.RefundStatus(status))
}

var refundStatuses = map[string]wechatpay.RefundStatus{
	"PROCESSING": wechatpay.RefundStatusProcessing,
	"SUCCESS":    wechatpay.RefundStatusSucceeded,
	"CLOSED":     wechatpay.RefundStatusClosed,
	"ABNORMAL":   wechatpay.RefundStatusAbnormal,
}
