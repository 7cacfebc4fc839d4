package v3

import (
	"cmp"
	"context"
	"errors"
	"net/http"

	"github.com/go-json-experiment/json"

	"github.com/wechatpay-operator/wechatpay-operator/internal/text"
	"github.com/wechatpay-operator/wechatpay-operator/internal/wechatpay"
	"github.com/wechatpay-operator/wechatpay-operator/internal/wechatpay/transport"
)

// refundsPath is the path of refunds in both modes.
const refundsPath = "/v3/refund/domestic/refunds"

// maxReason is in bytes; WeChat counts the other lengths of a refund in characters.
const maxReason = 80

type refundRequest struct {
	SubMchID    string              `json:"sub_mchid,omitempty"`
	OutTradeNo  string              `json:"out_trade_no"`
	OutRefundNo string              `json:"out_refund_no"`
	Reason      string              `json:"reason,omitempty"`
	NotifyURL   string              `json:"notify_url,omitempty"`
	Amount      refundRequestAmount `json:"amount"`
}

type refundRequestAmount struct {
	Refund   int64  `json:"refund"`
	Total    int64  `json:"total"`
	Currency string `json:"currency"`
}

// CreateRefund requests a refund. The number makes it one refund however often it is sent.
func (c *Client) CreateRefund(ctx context.Context, request wechatpay.RefundRequest) (wechatpay.RefundAcceptance, error) {
	body, err := c.refundBody(request)
	reply, failure := c.exchange(ctx, call{
		operation: wechatpay.OperationCreateRefund, method: http.MethodPost, target: refundsPath, body: body, refused: err,
	})
	return transport.Read(wechatpay.OperationCreateRefund, reply, failure, func(reply []byte) (wechatpay.RefundAcceptance, error) {
		answer, err := c.readRefund(reply)
		if err == nil {
			err = answer.checkAcceptance(request)
		}
		return wechatpay.RefundAcceptance{RefundID: answer.RefundID}, err
	})
}

func (c *Client) refundBody(request wechatpay.RefundRequest) ([]byte, error) {
	if err := checkRefund(request); err != nil {
		return nil, err
	}
	written := refundRequest{
		OutTradeNo:  request.OutTradeNo,
		OutRefundNo: request.OutRefundNo,
		// The reason does not matter for the money, so it is corrected rather than refused.
		Reason:    withoutFourBytes(request.Reason),
		NotifyURL: request.NotifyURL,
		Amount:    refundRequestAmount{Refund: request.Amount, Total: request.Total, Currency: currency},
	}
	if c.settings.Partner != nil {
		written.SubMchID = c.settings.Partner.SubMchID
	}
	body, err := json.Marshal(written)
	if err != nil {
		return nil, errors.New("the reason is not UTF-8")
	}
	return body, nil
}

func checkRefund(request wechatpay.RefundRequest) error {
	switch {
	case request.Total <= 0 || request.Total > maxAmount:
		return errors.New("the order's amount is out of range")
	case request.Amount <= 0 || request.Amount > request.Total:
		return errors.New("the refund's amount is out of range")
	case request.Currency != "" && request.Currency != currency:
		return errors.New("WeChat Pay's protocol V3 takes no other currency than CNY here")
	case len(request.Reason) > maxReason:
		return errors.New("the reason has more than 80 bytes")
	}
	err := cmp.Or(checkOutTradeNo(request.OutTradeNo), checkOutRefundNo(request.OutRefundNo))
	if err == nil && request.NotifyURL != "" {
		err = checkNotifyURL(request.NotifyURL, 256)
	}
	return err
}

// refundAnswer is a refund in an answer.
type refundAnswer struct {
	Parties             parties `json:",inline"`
	OutTradeNo          string  `json:"out_trade_no"`
	OutRefundNo         string  `json:"out_refund_no"`
	RefundID            string  `json:"refund_id"`
	Status              string  `json:"status"`
	UserReceivedAccount string  `json:"user_received_account"`
	SuccessTime         string  `json:"success_time"`
	Amount              struct {
		Total  int64 `json:"total"`
		Refund int64 `json:"refund"`
	} `json:"amount"`
}

// readRefund reads an answer about a refund. It need not name its recipient.
func (c *Client) readRefund(body []byte) (refundAnswer, error) {
	var answer refundAnswer
	if err := readJSON(body, &answer); err != nil {
		return refundAnswer{}, transport.Unreadable(body, err)
	}
	if err := answer.Parties.check(c.settings.MchID, c.settings.Partner, false); err != nil {
		return refundAnswer{}, errors.New("the reply is not for this call: " + err.Error())
	}
	return answer, nil
}

// checkAcceptance verifies that WeChat Pay accepted what was requested.
func (r refundAnswer) checkAcceptance(request wechatpay.RefundRequest) error {
	switch {
	case r.OutTradeNo != request.OutTradeNo:
		return errors.New("the reply is for another out_trade_no")
	case r.OutRefundNo != request.OutRefundNo:
		return errors.New("the reply is for another out_refund_no")
	case r.RefundID == "" || !text.IsClean(r.RefundID):
		return errors.New("the reply has no refund_id")
	case r.Amount.Refund != request.Amount:
		return errors.New("the reply is for another amount")
	default:
		return nil
	}
}
