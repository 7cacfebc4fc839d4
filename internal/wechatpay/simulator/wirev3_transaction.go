package simulator

import "time"

// stateWordsV3 are WeChat's descriptions of the trade states.
var stateWordsV3 = map[TradeState]string{
	StateNotPay:  "订单未支付",
	StateSuccess: "支付成功",
	StateRefund:  "转入退款",
	StateClosed:  "订单已关闭",
}

// parties are the members that say whose order or refund it is.
func parties(mchID, subMchID string) document {
	if subMchID == "" {
		return document{"mchid": mchID}
	}
	return document{"sp_mchid": mchID, "sub_mchid": subMchID}
}

// transactionOf is an order in the query and in the callback.
func transactionOf(o *Order) document {
	out := parties(o.MchID, o.SubMchID)
	out["out_trade_no"], out["trade_state"], out["trade_state_desc"] = o.OutTradeNo, string(o.State), stateWordsV3[o.State]
	if o.SubMchID == "" {
		out["appid"] = o.AppID
	} else {
		out["sp_appid"] = o.AppID
	}
	out.set("sub_appid", o.SubAppID)
	out.set("attach", o.Attach)
	if p := o.Payment; p != nil {
		out["transaction_id"], out["trade_type"], out["bank_type"] = p.TransactionID, o.TradeType, p.BankType
		out["success_time"] = rfc3339(p.Time)
		out["payer"] = payerOf(o)
		out["amount"] = document{"total": p.TotalFee, "payer_total": p.CashFee, "currency": p.FeeType, "payer_currency": p.CashFeeType}
		if o.DeviceInfo != "" {
			out["scene_info"] = document{"device_id": o.DeviceInfo}
		}
		if len(p.Coupons) > 0 {
			out["promotion_detail"] = promotionsOf(p)
		}
	}
	return out
}

func payerOf(o *Order) document {
	if o.SubMchID == "" {
		return document{"openid": o.Payment.OpenID}
	}
	out := document{"sp_openid": o.Payment.OpenID}
	out.set("sub_openid", o.Payment.SubOpenID)
	return out
}

func promotionsOf(p *Payment) []document {
	var out []document
	for _, coupon := range p.Coupons {
		kind := "CASH"
		if coupon.Type == "NO_CASH" {
			kind = "NOCASH"
		}
		out = append(out, document{
			"coupon_id": coupon.ID, "name": "代金券", "scope": "GLOBAL", "type": kind, "amount": coupon.Fee, "stock_id": "10000001",
			"wechatpay_contribute": coupon.Fee, "merchant_contribute": 0, "other_contribute": 0, "currency": p.FeeType,
		})
	}
	return out
}

func rfc3339(t time.Time) string { return t.In(beijing).Format(time.RFC3339) }
