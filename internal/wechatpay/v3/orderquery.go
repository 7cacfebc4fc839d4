package v3

import (
	"cmp"
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
	body, failure := c.exchange(ctx, call{
		operation: wechatpay.OperationQueryOrder, method: http.MethodGet, target: c.orderPath(order.OutTradeNo) + "?" + c.orderQuery(),
		refused: checkOutTradeNo(order.OutTradeNo),
	})
	return transport.Read(wechatpay.OperationQueryOrder, body, failure, func(body []byte) (wechatpay.Trade, error) {
		return c.readTrade(body, order.OutTradeNo)
	})
}

// orderPath is the path of an order, escaped.
func (c *Client) orderPath(outTradeNo string) string {
	return c.transactions() + "/out-trade-no/" + url.PathEscape(outTradeNo)
}

// orderQuery names whose order it is. Merchant numbers are digits, which need no escape.
func (c *Client) orderQuery() string {
	if c.settings.Partner != nil {
		return "sp_mchid=" + c.settings.MchID + "&sub_mchid=" + c.settings.Partner.SubMchID
	}
	return "mchid=" + c.settings.MchID
}

// readTrade reads the answer and keeps an unknown state as it is. Only a paid order has the members
// of a payment.
func (c *Client) readTrade(body []byte, outTradeNo string) (wechatpay.Trade, error) {
	var answer transaction
	if err := readJSON(body, &answer); err != nil {
		return wechatpay.Trade{}, transport.Unreadable(body, err)
	}
	trade := wechatpay.Trade{State: wechatpay.TradeState(answer.TradeState), Attach: answer.Attach}
	if err := answer.Parties.check(c.settings.MchID, c.settings.Partner, trade.State.Paid()); err != nil {
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
	var err error
	if trade.Payment, err = answer.payment(); err != nil {
		return wechatpay.Trade{}, fmt.Errorf("the reply is incomplete: %w", err)
	}
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
	request := closeRequest{MchID: c.settings.MchID}
	if c.settings.Partner != nil {
		request = closeRequest{SpMchID: c.settings.MchID, SubMchID: c.settings.Partner.SubMchID}
	}
	body, err := json.Marshal(request)
	_, failure := c.exchange(ctx, call{
		operation: wechatpay.OperationCloseOrder, method: http.MethodPost, target: c.orderPath(order.OutTradeNo) + "/close",
		body: body, bodiless: true, refused: cmp.Or(checkOutTradeNo(order.OutTradeNo), err),
	})
	if failure == nil || wechatpay.Means(failure, wechatpay.OrderClosed) {
		return nil
	}
	return failure
}
