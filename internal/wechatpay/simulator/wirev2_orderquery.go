package simulator

import (
	"fmt"
	"maps"
)

// stateWords are WeChat's descriptions of the trade states.
var stateWords = map[TradeState]string{
	StateNotPay:  "订单未支付",
	StateSuccess: "支付成功",
	StateRefund:  "订单发生过退款，退款详情请查询退款单",
	StateClosed:  "订单已关闭",
}

// orderQuery returns an order's state. For an unpaid order it returns only the number and attach.
func (s *Simulator) orderQuery(c *callV2) (message, error) {
	order, err := s.findOrderV2(c.request)
	if err != nil {
		return nil, err
	}
	reply := message{
		"out_trade_no": order.OutTradeNo, "attach": order.Attach,
		"trade_state": string(order.State), "trade_state_desc": stateWords[order.State],
	}
	if order.Payment != nil {
		maps.Copy(reply, paymentFields(order))
	}
	return reply, nil
}

// paymentFields are the fields of a payment in both the query and the callback.
func paymentFields(o *Order) message {
	p := o.Payment
	fields := message{
		"device_info": o.DeviceInfo, "openid": p.OpenID, "is_subscribe": "N", "trade_type": o.TradeType,
		"bank_type": p.BankType, "total_fee": formatInt(p.TotalFee), "fee_type": p.FeeType,
		"cash_fee": formatInt(p.CashFee), "cash_fee_type": p.CashFeeType, "rate_value": p.RateValue,
		"transaction_id": p.TransactionID, "out_trade_no": o.OutTradeNo, "attach": o.Attach,
		"time_end": p.Time.In(beijing).Format(compactTime),
	}
	if o.SubAppID != "" {
		fields["sub_openid"], fields["sub_is_subscribe"] = p.SubOpenID, "N"
	}
	if p.SettlementTotalFee != nil {
		fields["settlement_total_fee"] = formatInt(*p.SettlementTotalFee)
	}
	if len(p.Coupons) > 0 {
		fields["coupon_count"] = fmt.Sprint(len(p.Coupons))
		fields["coupon_fee"] = formatInt(p.couponSum())
		for n, coupon := range p.Coupons {
			fields[fmt.Sprintf("coupon_id_%d", n)] = coupon.ID
			fields[fmt.Sprintf("coupon_type_%d", n)] = coupon.Type
			fields[fmt.Sprintf("coupon_fee_%d", n)] = formatInt(coupon.Fee)
		}
	}
	if o.Params["version"] == "1.0" {
		fields["promotion_detail"] = p.PromotionDetail
	}
	return fields
}

// closeOrderV2 closes an unpaid order.
func (s *Simulator) closeOrderV2(c *callV2) (message, error) {
	if err := require(c.request, "out_trade_no"); err != nil {
		return nil, err
	}
	byNumber := maps.Clone(c.request)
	delete(byNumber, "transaction_id")
	order, err := s.findOrderV2(byNumber)
	if err == nil {
		err = s.closeOrder(order)
	}
	if err != nil {
		return nil, err
	}
	return message{"result_msg": "OK"}, nil
}
