package v3

import (
	"context"
	"time"

	"github.com/wechatpay-operator/wechatpay-operator/internal/wechatpay"
)

// Typical calls.

const (
	testNumber       = "ord_20260101-0001"
	testRefundNumber = "rf-20260102-1"
	testRefundID     = "50000000382024060112345678901"
)

func testOrder() wechatpay.OrderRequest {
	return wechatpay.OrderRequest{
		OutTradeNo: testNumber, AppID: testAppID, TradeType: wechatpay.TradeTypeNative, Description: "肥皂 x1",
		Total: 101, Currency: "CNY", NotifyURL: "https://pay.example.com/notify",
	}
}

// fullOrder has every parameter that an order can have.
func fullOrder() wechatpay.OrderRequest {
	order := testOrder()
	order.TradeType, order.OpenID, order.ClientIP = wechatpay.TradeTypeJSAPI, testOpenID, "203.0.113.7"
	order.ExpireTime = time.Date(2024, 6, 1, 0, 30, 0, 999, time.UTC)
	order.Attach, order.GoodsTag, order.DeviceInfo, order.ProductID = "ns=default|name=demo", "WXG", "till-3", "12"
	order.LimitPay, order.Receipt, order.ProfitSharing = "no_credit", "Y", "Y"
	order.Goods = &wechatpay.Goods{CostPrice: 120, ReceiptID: "r-1", Items: []wechatpay.GoodsItem{
		{ID: "soap", WeChatID: "1001", Name: "肥皂 <A&B>", Quantity: 1, Price: 100}, {ID: "bag", Quantity: 2, Price: 0},
	}}
	order.Store = &wechatpay.Store{ID: "0001", Name: "腾讯大厦分店", AreaCode: "440305", Address: "广东省深圳市"}
	return order
}

func testRefund() wechatpay.RefundRequest {
	return wechatpay.RefundRequest{
		OutTradeNo: testNumber, OutRefundNo: testRefundNumber, AppID: testAppID, Total: 101, Amount: 50, Currency: "CNY",
		Reason: "质量问题", NotifyURL: "https://pay.example.com/refund",
	}
}

func testAbnormal() wechatpay.AbnormalRefundRequest {
	return wechatpay.AbnormalRefundRequest{
		OutRefundNo: testRefundNumber, RefundID: testRefundID, To: wechatpay.AbnormalToUserBankCard,
		BankType: "ICBC_DEBIT", Account: "6222020000000000000", Name: "张三",
	}
}

var (
	testOrderRef  = wechatpay.OrderRef{OutTradeNo: testNumber, AppID: testAppID}
	testRefundRef = wechatpay.RefundRef{OutRefundNo: testRefundNumber, AppID: testAppID}
)

// calls makes each of the calls, and returns only its error.
var calls = map[wechatpay.Operation]func(context.Context, *Client) error{
	wechatpay.OperationCreateOrder: func(ctx context.Context, c *Client) error {
		_, err := c.CreateOrder(ctx, testOrder())
		return err
	},
	wechatpay.OperationQueryOrder: func(ctx context.Context, c *Client) error {
		_, err := c.QueryOrder(ctx, testOrderRef)
		return err
	},
	wechatpay.OperationCloseOrder: func(ctx context.Context, c *Client) error {
		return c.CloseOrder(ctx, testOrderRef)
	},
	wechatpay.OperationCreateRefund: func(ctx context.Context, c *Client) error {
		_, err := c.CreateRefund(ctx, testRefund())
		return err
	},
	wechatpay.OperationQueryRefund: func(ctx context.Context, c *Client) error {
		_, err := c.QueryRefund(ctx, testRefundRef)
		return err
	},
	wechatpay.OperationResolveAbnormalRefund: func(ctx context.Context, c *Client) error {
		return c.ResolveAbnormalRefund(ctx, testAbnormal())
	},
}

// refundBody is a refund in an answer.
func refundBody(status string) string {
	return jsonOf(map[string]any{
		"refund_id": testRefundID, "out_refund_no": testRefundNumber, "transaction_id": "4200000000202406011234567890",
		"out_trade_no": testNumber, "channel": "ORIGINAL", "user_received_account": "招商银行信用卡0403",
		"success_time": "2024-06-01T07:59:59+08:00", "create_time": "2024-06-01T07:50:00+08:00", "status": status,
		"amount": map[string]any{"total": 101, "refund": 50, "payer_total": 101, "payer_refund": 50, "currency": "CNY"},
	})
}

// tradeBody is an order in an answer, or the content of a callback.
func tradeBody(state string, more map[string]any) string {
	body := map[string]any{
		"appid": testAppID, "mchid": testMchID, "out_trade_no": testNumber, "trade_state": state, "trade_state_desc": "文字",
	}
	if wechatpay.TradeState(state).Paid() {
		body["transaction_id"], body["trade_type"], body["bank_type"] = "4200000000202406011234567890", "JSAPI", "OTHERS"
		body["success_time"], body["attach"] = "2024-06-01T07:59:58+08:00", "ns=default"
		body["payer"] = map[string]any{"openid": testOpenID}
		body["amount"] = map[string]any{"total": 101, "payer_total": 100, "currency": "CNY", "payer_currency": "CNY"}
	}
	for name, value := range more {
		if body[name] = value; value == nil {
			delete(body, name)
		}
	}
	return jsonOf(body)
}

// partnerBody has the members of partner mode in place of those of direct mode.
func partnerBody(state string, more map[string]any) string {
	members := map[string]any{
		"appid": nil, "mchid": nil, "sp_appid": testAppID, "sp_mchid": testMchID, "sub_appid": testSubAppID, "sub_mchid": testSubMchID,
	}
	if wechatpay.TradeState(state).Paid() {
		members["payer"] = map[string]any{"sub_openid": testSubOpenID}
	}
	for name, value := range more {
		members[name] = value
	}
	return tradeBody(state, members)
}

// statusOf and bodyOf are the success of each call.
func bodyOf(operation wechatpay.Operation) (status int, body string) {
	switch operation {
	case wechatpay.OperationCreateOrder:
		return 200, `{"code_url":"weixin://wxpay/bizpayurl?pr=x"}`
	case wechatpay.OperationQueryOrder:
		return 200, tradeBody("NOTPAY", nil)
	case wechatpay.OperationCloseOrder:
		return 204, ""
	default:
		return 200, refundBody("PROCESSING")
	}
}

// done answers a call with success.
func done(operation wechatpay.Operation) answer {
	status, body := bodyOf(operation)
	return says(status, body)
}
