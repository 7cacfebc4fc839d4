package simulator

import (
	"fmt"
)

// stateWords are WeChat's descriptions of the trade states.
var stateWords = map[TradeState]string{
	StateNotPay:  "订单未支付",
	StateSuccess: "支付成功",
	StateRefund:  "订单发生过退款，退款详情请查询退款单",
	StateClosed:  "订单已关闭",
}

// orderQuery returns an order's state. For an unpaid order it returns only the number and attach.
func (s *Simulator) orderQuery(c *call) (message, error) {
	order, err := s.findOrder(c.request)
	if err != nil {
		return nil, err
	}
	reply := message{
		"out_trade_no": order.OutTradeNo, "attach": order.Params["attach"],
		"trade_state": string(order.State), "trade_state_desc": stateWords[order.State],
	}
	if order.Payment != nil {
		for name, value := range paymentFields(order) {
			reply[name] = value
		}
	}
	return reply, nil
}

// paymentFields are the fields of a payment in both the query and the callback.
func paymentFields(o *Order) message {
	p := o.Payment
	fields := message{
		"device_info": o.Params["device_info"], "openid": p.OpenID, "is_subscribe": "N", "trade_type": o.TradeType,
		"bank_type": p.BankType, "total_fee": formatInt(p.TotalFee), "fee_type": p.FeeType,
		"cash_fee": formatInt(p.CashFee), "cash_fee_type": p.CashFeeType, "rate_value": p.RateValue,
		"transaction_id": p.TransactionID, "out_trade_no": o.OutTradeNo, "attach": o.Params["attach"],
		"time_end": p.Time.In(beijing).Format(compactTime),
	}
	if p.SettlementTotalFee != nil {
		fields["settlement_total_fee"] = formatInt(*p.SettlementTotalFee)
	}
	if len(p.Coupons) > 0 {
		fields["coupon_count"] = fmt.Sprint(len(p.Coupons))
		var sum int64
		for n, coupon := range p.Coupons {
			sum += coupon.Fee
			fields[fmt.Sprintf("coupon_id_%d", n)] = coupon.ID
			fields[fmt.Sprintf("coupon_type_%d", n)] = coupon.Type
			fields[fmt.Sprintf("coupon_fee_%d", n)] = formatInt(coupon.Fee)
		}
		fields["coupon_fee"] = formatInt(sum)
	}
	if o.Params["version"] == "1.0" {
		fields["promotion_detail"] = p.PromotionDetail
	}
	return fields
}

// closeOrder closes an unpaid order.
func (s *Simulator) closeOrder(c *call) (message, error) {
	if err := require(c.request, "out_trade_no"); err != nil {
		return nil, err
	}
	order, err := s.findOrder(message{
		"mch_id": c.request["mch_id"], "appid": c.request["appid"], "out_trade_no": c.request["out_trade_no"],
	})
	switch {
	case err != nil:
		return nil, err
	case order.Payment != nil:
		return nil, fail("ORDERPAID", "订单已支付，不能发起关单")
	case order.State == StateClosed:
		return nil, errOrderClosed
	case s.now().Before(order.CreateTime.Add(s.rules.earlyClose)):
		return nil, fail("TRADE_STATE_ERROR", "订单状态错误: 下单后5分钟内不能关单")
	}
	s.closeAt(order, s.now())
	return message{"result_msg": "OK"}, nil
}
