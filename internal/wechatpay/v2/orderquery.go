package v2

import (
	"cmp"
	"context"
	"errors"
	"fmt"

	"github.com/wechatpay-operator/wechatpay-operator/internal/wechatpay"
	"github.com/wechatpay-operator/wechatpay-operator/internal/wechatpay/transport"
)

// QueryOrder queries an order by its number.
func (c *Client) QueryOrder(ctx context.Context, order wechatpay.OrderRef) (wechatpay.Trade, error) {
	reply, failure := c.exchange(ctx, callBy(wechatpay.OperationQueryOrder, order.AppID, "out_trade_no", order.OutTradeNo))
	return transport.Read(wechatpay.OperationQueryOrder, reply, failure, func(reply fields) (wechatpay.Trade, error) {
		return readTrade(reply, order.OutTradeNo)
	})
}

// readTrade reads the reply and keeps an unknown state as it is. Only a paid order has the fields
// of a payment; for any other state WeChat Pay guarantees only the number (chapter 9_2).
func readTrade(reply fields, outTradeNo string) (wechatpay.Trade, error) {
	trade := wechatpay.Trade{
		State:  wechatpay.TradeState(reply.get("trade_state")),
		Attach: reply.get("attach"),
	}
	switch {
	case reply.get("out_trade_no") != outTradeNo:
		return wechatpay.Trade{}, errors.New("the reply is for another out_trade_no")
	case trade.State == "":
		return wechatpay.Trade{}, errors.New("the reply has no trade_state")
	case !trade.State.Paid():
		return trade, nil
	}
	var err error
	if trade.Payment, err = readPayment(reply); err != nil {
		return wechatpay.Trade{}, fmt.Errorf("the reply is incomplete: %w", err)
	}
	return trade, nil
}

// readPayment reads a payment from the reply to a query or from a callback, which share their field
// names. It requires the fields that identify and record a payment; the others may be absent, as in
// WeChat Pay's own samples.
func readPayment(message fields) (wechatpay.Payment, error) {
	total, err := parseAmount(message.get("total_fee"))
	switch {
	case err != nil:
		return wechatpay.Payment{}, fmt.Errorf("total_fee is %w", err)
	case message.get("transaction_id") == "":
		return wechatpay.Payment{}, errors.New("transaction_id is missing")
	case message.get("out_trade_no") == "":
		return wechatpay.Payment{}, errors.New("out_trade_no is missing")
	}
	return wechatpay.Payment{
		AppID:           message.get("appid"),
		MchID:           message.get("mch_id"),
		OutTradeNo:      message.get("out_trade_no"),
		TransactionID:   message.get("transaction_id"),
		Total:           total,
		Currency:        cmp.Or(message.get("fee_type"), "CNY"), // chapter 9_2
		CashTotal:       amountIfSaid(message.get("cash_fee")),
		CashCurrency:    message.get("cash_fee_type"),
		SettlementTotal: amountIfSaid(message.get("settlement_total_fee")),
		CouponTotal:     amountIfSaid(message.get("coupon_fee")),
		// If the payer paid in an app of the sub merchant, only sub_openid is present.
		OpenID:    message.get("openid"),
		SubOpenID: message.get("sub_openid"),
		BankType:  message.get("bank_type"),
		PaidTime:  timeIfSaid(compactTime, message.get("time_end")),
		TradeType: message.get("trade_type"),
		Attach:    message.get("attach"),
	}, nil
}

// CloseOrder closes an unpaid order. It succeeds if the order is already closed (chapter 9_3).
func (c *Client) CloseOrder(ctx context.Context, order wechatpay.OrderRef) error {
	_, failure := c.exchange(ctx, callBy(wechatpay.OperationCloseOrder, order.AppID, "out_trade_no", order.OutTradeNo))
	if failure == nil || wechatpay.Means(failure, wechatpay.OrderClosed) {
		return nil
	}
	return failure
}
