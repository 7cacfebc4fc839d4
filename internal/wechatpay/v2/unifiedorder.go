package v2

import (
	"cmp"
	"context"
	"errors"

	"github.com/wechatpay-operator/wechatpay-operator/internal/text"
	"github.com/wechatpay-operator/wechatpay-operator/internal/wechatpay"
	"github.com/wechatpay-operator/wechatpay-operator/internal/wechatpay/transport"
)

// CreateOrder creates the order, or repeats it: the same parameters with the same number return a
// prepay_id that is valid for another two hours (chapter 9_1).
func (c *Client) CreateOrder(ctx context.Context, request wechatpay.OrderRequest) (wechatpay.Prepay, error) {
	order, err := orderCall(request)
	if err := cmp.Or(c.checkOrder(request), err); err != nil {
		return wechatpay.Prepay{}, transport.NotSent(wechatpay.OperationCreateOrder, wechatpay.Rejected, err)
	}
	reply, failure := c.exchange(ctx, order)
	return transport.Read(wechatpay.OperationCreateOrder, reply, failure, func(reply fields) (wechatpay.Prepay, error) {
		prepay, err := readPrepay(reply, request.TradeType)
		if err == nil {
			prepay.Scheme = c.signTypeOf(order)
			c.signParameters(&prepay, request)
		}
		return prepay, err
	})
}

// unknownClientIP is sent if the payer's address is not known: unifiedorder requires one. It is
// constant, so that a repeated call has the same parameters.
const unknownClientIP = "127.0.0.1"

func orderCall(request wechatpay.OrderRequest) (call, error) {
	detail, err := detailOf(request.Goods)
	if err != nil {
		return call{}, err
	}
	sceneInfo, err := sceneInfoOf(request.Store, request.H5)
	if err != nil {
		return call{}, err
	}
	return call{
		operation: wechatpay.OperationCreateOrder,
		appID:     request.AppID,
		signType:  request.Scheme,
		required:  []string{"out_trade_no", "body", "spbill_create_ip", "notify_url", "trade_type"},
		fields: []field{
			{"attach", request.Attach},
			{"body", request.Description},
			{"detail", detail},
			{"device_info", request.DeviceInfo},
			{"fee_type", request.Currency},
			{"goods_tag", request.GoodsTag},
			{"limit_pay", request.LimitPay},
			{"notify_url", request.NotifyURL},
			{"openid", request.OpenID},
			{"out_trade_no", request.OutTradeNo},
			{"product_id", productID(request)},
			{"profit_sharing", request.ProfitSharing},
			{"receipt", request.Receipt},
			{"scene_info", sceneInfo},
			{"spbill_create_ip", cmp.Or(request.ClientIP, unknownClientIP)},
			{"sub_openid", request.SubOpenID},
			{"time_expire", formatTime(request.ExpireTime)},
			{"total_fee", formatAmount(request.Total)},
			{"trade_type", string(request.TradeType)},
		},
	}, nil
}

// productID is the shop's number of what is sold. NATIVE requires one, and accepts any.
func productID(request wechatpay.OrderRequest) string {
	if request.ProductID == "" && request.TradeType == wechatpay.TradeTypeNative {
		return request.OutTradeNo
	}
	return request.ProductID
}

// readPrepay requires what the payer needs. The URLs are accepted as they are: real ones are longer
// than documented.
func readPrepay(reply fields, tradeType wechatpay.TradeType) (wechatpay.Prepay, error) {
	prepay := wechatpay.Prepay{ID: reply.get("prepay_id"), CodeURL: reply.get("code_url"), MWEBURL: reply.get("mweb_url")}
	answered := reply.get("trade_type")
	for _, name := range []string{"prepay_id", "code_url", "mweb_url"} {
		// They work only unmodified, so they are not cleaned.
		if !text.IsClean(reply.get(name)) {
			return wechatpay.Prepay{}, errors.New(name + " of the reply holds control characters")
		}
	}
	switch {
	case answered != "" && answered != string(tradeType):
		return wechatpay.Prepay{}, errors.New("the reply is for another trade_type")
	case prepay.ID == "":
		return wechatpay.Prepay{}, errors.New("the reply has no prepay_id")
	case tradeType == wechatpay.TradeTypeNative && prepay.CodeURL == "":
		return wechatpay.Prepay{}, errors.New("the reply has no code_url")
	case tradeType == wechatpay.TradeTypeMWEB && prepay.MWEBURL == "":
		return wechatpay.Prepay{}, errors.New("the reply has no mweb_url")
	default:
		return prepay, nil
	}
}
