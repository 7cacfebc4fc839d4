package simulator

import (
	"fmt"
	"strconv"
)

// refundQuery returns the refunds of an order, ten at a time, or one refund by its number.
func (s *Simulator) refundQuery(c *callV2) (message, error) {
	order, found, err := s.findRefunds(c.request)
	if err != nil {
		return nil, err
	}
	offset, paged, err := offsetOf(c.request)
	if err != nil {
		return nil, err
	}
	if offset >= len(found) {
		return nil, malformed("offset")
	}
	page := found[offset:min(offset+refundsPerPage, len(found))]
	reply := message{
		"transaction_id": order.Payment.TransactionID, "out_trade_no": order.OutTradeNo,
		"total_fee": formatInt(order.Payment.TotalFee), "fee_type": order.Payment.FeeType,
		"cash_fee": formatInt(order.Payment.CashFee), "refund_count": strconv.Itoa(len(page)),
	}
	if paged || len(found) > refundsPerPage {
		reply["total_refund_count"] = strconv.Itoa(len(found))
	}
	if order.Payment.SettlementTotalFee != nil {
		reply["settlement_total_fee"] = formatInt(*order.Payment.SettlementTotalFee)
	}
	for n, r := range page {
		describeRefund(reply, n, r, order)
	}
	return reply, nil
}

// findRefunds searches by the first given of refund_id, out_refund_no, transaction_id and
// out_trade_no.
func (s *Simulator) findRefunds(request message) (*Order, []*Refund, error) {
	mchID := request["mch_id"]
	var one *Refund
	var order *Order
	switch {
	case request["refund_id"] != "":
		one = s.store.refundByID(mchID, request["refund_id"])
	case request["out_refund_no"] != "":
		one = s.store.refund(mchID, request["out_refund_no"])
	case request["transaction_id"] != "":
		if order = s.store.transaction(mchID, request["transaction_id"]); order == nil {
			return nil, nil, errTransactionID
		}
	case request["out_trade_no"] != "":
		order = s.store.order(mchID, request["out_trade_no"])
	default:
		return nil, nil, fail("PARAM_ERROR", "缺少参数 refund_id、out_refund_no、transaction_id 或 out_trade_no")
	}
	found := s.store.refundsOf[order]
	if one != nil {
		order, found = s.store.order(mchID, one.OutTradeNo), []*Refund{one}
	}
	switch {
	case len(found) == 0 || order.AppID != request["appid"] || (order.SubMchID == "") != (request["sub_mch_id"] == ""):
		return nil, nil, errRefundNotExist
	case order.SubMchID != request["sub_mch_id"]:
		return nil, nil, errSubMchMismatch
	}
	return order, found, nil
}

func offsetOf(request message) (offset int, given bool, err error) {
	if request["offset"] == "" {
		return 0, false, nil
	}
	offset, err = strconv.Atoi(request["offset"])
	if err != nil || offset < 0 {
		return 0, false, malformed("offset")
	}
	return offset, true, nil
}

func describeRefund(reply message, n int, r *Refund, o *Order) {
	set := func(name, value string) { reply[fmt.Sprintf("%s_%d", name, n)] = value }
	set("out_refund_no", r.OutRefundNo)
	set("refund_id", r.RefundID)
	set("refund_channel", "ORIGINAL")
	set("refund_fee", formatInt(r.RefundFee))
	set("coupon_refund_fee", formatInt(r.RefundFee-cashPart(r, o)))
	set("coupon_refund_count", "0")
	set("refund_status", string(r.Status))
	set("refund_account", "REFUND_SOURCE_RECHARGE_FUNDS")
	set("refund_recv_accout", r.receivedBy())
	if r.SuccessTime != nil {
		set("refund_success_time", r.SuccessTime.In(beijing).Format(readableTime))
	}
}
