package v3

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"

	"github.com/go-json-experiment/json"

	"github.com/wechatpay-operator/wechatpay-operator/internal/wechatpay"
	"github.com/wechatpay-operator/wechatpay-operator/internal/wechatpay/transport"
)

// QueryOrder queries an order by its number.
func (c *Client) QueryOrder(ctx context.Context, order wechatpay.OrderRef) (wechatpay.Trade, error) {
	if err := checkOutTradeNo(order.OutTradeNo); err != nil {
		return wechatpay.Trade{}, transport.NotSent(wechatpay.OperationQueryOrder, wechatpay.Rejected, err)
	}
	body, failure := c.exchange(ctx, call{
		operation: wechatpay.OperationQueryOrder, method: http.MethodGet, target: c.orderPath(order.OutTradeNo) + "?" + c.orderQuery(),
	})
	if failure != nil {
		return wechatpay.Trade{}, failure
	}
	trade, err := c.readTrade(body, order.OutTradeNo)
	if err != nil {
		return wechatpay.Trade{}, transport.Unknown(wechatpay.OperationQueryOrder, wechatpay.NeedsAttention, err)
	}
	return trade, nil
}

// orderPath is the path of an order, escaped.
func (c *Client) orderPath(outTradeNo string) string {
	return c.transactions() + "/out-trade-no/" + url.PathEscape(outTradeNo)
}

// orderQuery names whose order it is. Merchant numbers are digits, which need no escape.
func (c *Client) orderQuery() string {
	if c.partner != nil {
		return "sp_mchid=" + c.mchID + "&sub_mchid=" + c.partner.SubMchID
	}
	return "mchid=" + c.mchID
}

// readTrade reads the answer and keeps an unknown state as it is. Only a paid order has the members
// of a payment.
func (c *Client) readTrade(body []byte, outTradeNo string) (wechatpay.Trade, error) {
	var answer transaction
	if err := readJSON(body, &answer); err != nil {
		return wechatpay.Trade{}, transport.Unreadable(body, err)
	}
	trade := wechatpay.Trade{State: wechatpay.TradeState(answer.TradeState), Attach: answer.Attach}
	if err := answer.Parties.check(c.mchID, c.partner, trade.State.Paid()); err != nil {
		return wechatpay.Trade{}, fmt.Errorf("the reply is not for this call: %w", err)
	}
	switch {
	case answer.OutTradeNo != outTradeNo:
		return wechatpay.Trade{}, errors.New("the reply is for another out_trade_no")
	case trade.State == "":
		return wechatpay.Trade{}, errors.New("the reply has no trade_state")
	case !trade.State.Paid():
		return trade, nil
	}
	payment, err := answer.payment()
	if err != nil {
		return wechatpay.Trade{}, fmt.Errorf("the reply is incomplete: %w", err)
	}
	trade.Payment = payment
	return trade, nil
}

// closeRequest says whose order is closed.
type closeRequest struct {
	MchID    string `json:"mchid,omitempty"`
	SpMchID  string `json:"sp_mchid,omitempty"`
	SubMchID string `json:"sub_mchid,omitempty"`
}

// CloseOrder closes an unpaid order. It succeeds if the order is already closed. WeChat answers 204
// without a body.
func (c *Client) CloseOrder(ctx context.Context, order wechatpay.OrderRef) error {
	if err := checkOutTradeNo(order.OutTradeNo); err != nil {
		return transport.NotSent(wechatpay.OperationCloseOrder, wechatpay.Rejected, err)
	}
	request := closeRequest{MchID: c.mchID}
	if c.partner != nil {
		request = closeRequest{SpMchID: c.mchID, SubMchID: c.partner.SubMchID}
	}
	body, err := json.Marshal(request)
	if err != nil {
		return transport.NotSent(wechatpay.OperationCloseOrder, wechatpay.Rejected, err)
	}
	_, failure := c.exchange(ctx, call{
		operation: wechatpay.OperationCloseOrder, method: http.MethodPost, target: c.orderPath(order.OutTradeNo) + "/close",
		body: body, bodiless: true,
	})
	if failure == nil || wechatpay.Means(failure, wechatpay.OrderClosed) {
		return nil
	}
	return failure
}
