package simulator

import "time"

var refundLengths = map[string]int{
	"transaction_id": 32, "out_trade_no": 32, "out_refund_no": 64, "refund_fee_type": 8, "refund_desc": 80,
	"refund_account": 30, "notify_url": 256,
}

// refund accepts a refund. SUCCESS means only acceptance; the money moves later.
func (s *Simulator) refund(c *callV2) (message, error) {
	if err := s.refuseBlocked(c.merchant, c.number); err != nil {
		return nil, err
	}
	wanted, err := s.readRefund(c)
	if err != nil {
		return nil, err
	}
	order, err := s.refundableOrderV2(c)
	if err != nil {
		return nil, err
	}
	accepted, err := s.requestRefund(c.merchant, order, wanted)
	if err != nil {
		return nil, err
	}
	return refundReply(accepted, order), nil
}

func (s *Simulator) refundableOrderV2(c *callV2) (*Order, error) {
	if c.order.transactionID == "" && c.order.outTradeNo == "" {
		return nil, fail("PARAM_ERROR", "缺少参数 transaction_id 或 out_trade_no")
	}
	order, err := s.refundableOrder(c.order)
	switch {
	case err != nil || order.AppID == c.request["appid"]:
		return order, err
	case c.order.transactionID != "":
		return nil, errTransactionID
	}
	return nil, errOrderNotExist
}

// readRefund validates the values of a request.
func (s *Simulator) readRefund(c *callV2) (*Refund, error) {
	request := c.request
	for _, field := range []string{"out_refund_no", "total_fee", "refund_fee"} {
		if request[field] == "" {
			return nil, fail("PARAM_ERROR", "缺少参数 %s", field)
		}
	}
	if err := checkLengths(request, refundLengths); err != nil {
		return nil, err
	}
	if !outRefundNoFormat.MatchString(request["out_refund_no"]) {
		return nil, malformed("out_refund_no")
	}
	total, err := amountOf(request, "total_fee")
	if err != nil {
		return nil, err
	}
	amount, err := amountOf(request, "refund_fee")
	if err != nil {
		return nil, err
	}
	if amount > total {
		return nil, refuse("invalid refund_fee")
	}
	notifyURL := c.merchant.RefundNotifyURL
	if request["notify_url"] != "" {
		if err := checkNotifyURL(request, s.rules.strictNotifyURL); err != nil {
			return nil, err
		}
		notifyURL = request["notify_url"]
	}
	return &Refund{
		Protocol: ProtocolV2, MchID: request["mch_id"], AppID: request["appid"], OutRefundNo: request["out_refund_no"],
		TotalFee: total, RefundFee: amount, FeeType: request["refund_fee_type"], Params: paramsOf(request),
		NotifyURL: notifyURL, RequestSource: "API",
	}, nil
}

// refundReply builds the reply to an accepted refund. It has no status: SUCCESS is acceptance.
func refundReply(r *Refund, o *Order) message {
	return message{
		"transaction_id": r.TransactionID, "out_trade_no": r.OutTradeNo, "out_refund_no": r.OutRefundNo,
		"refund_id": r.RefundID, "refund_fee": formatInt(r.RefundFee), "total_fee": formatInt(r.TotalFee),
		"fee_type": r.FeeType, "cash_fee": formatInt(o.Payment.CashFee), "cash_refund_fee": formatInt(cashPart(r, o)),
		"coupon_refund_fee": formatInt(r.RefundFee - cashPart(r, o)), "coupon_refund_count": "0",
	}
}

// refundInfo returns the encrypted part of a refund callback in plain text.
func refundInfo(r *Refund, status RefundStatus, success *time.Time) message {
	info := message{
		"transaction_id": r.TransactionID, "out_trade_no": r.OutTradeNo, "refund_id": r.RefundID,
		"out_refund_no": r.OutRefundNo, "total_fee": formatInt(r.TotalFee), "settlement_total_fee": formatInt(r.TotalFee),
		"refund_fee": formatInt(r.RefundFee), "settlement_refund_fee": formatInt(r.RefundFee),
		"refund_status": string(status), "refund_recv_accout": r.receivedBy(),
		"refund_account": "REFUND_SOURCE_RECHARGE_FUNDS", "refund_request_source": r.RequestSource,
	}
	if status == RefundSuccess && success != nil {
		info["success_time"] = success.In(beijing).Format(readableTime)
	}
	return info
}
