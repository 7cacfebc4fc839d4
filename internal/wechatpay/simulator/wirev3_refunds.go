package simulator

import (
	"encoding/json"
	"slices"
)

// refundV3 accepts a refund. 200 means only acceptance; the money moves later.
func (s *Simulator) refundV3(c *callV3) (answerV3, error) {
	if err := s.refuseBlocked(c.merchant, c.number); err != nil {
		return answerV3{}, err
	}
	if err := c.checkBody(refundShape); err != nil {
		return answerV3{}, err
	}
	wanted, err := s.readRefundV3(c)
	if err != nil {
		return answerV3{}, err
	}
	if err := c.merchant.checkParties("", c.params["sub_mchid"], ""); err != nil {
		return answerV3{}, err
	}
	order, err := s.refundableOrder(c.order)
	if err != nil {
		return answerV3{}, err
	}
	accepted, err := s.requestRefund(c.merchant, order, wanted)
	if err != nil {
		return answerV3{}, err
	}
	return ok(refundOf(accepted, order)), nil
}

// readRefundV3 checks what the shape of a request does not say.
func (s *Simulator) readRefundV3(c *callV3) (*Refund, error) {
	p := c.params
	if (p["transaction_id"] == "") == (p["out_trade_no"] == "") {
		return nil, badParameter("transaction_id", "or out_trade_no is needed, not both", internalParameter)
	}
	notifyURL := c.merchant.RefundNotifyURL
	if given := p["notify_url"]; given != "" {
		if !isNotifyURL(given, s.rules.strictNotifyURL) {
			return nil, badParameter("notify_url", "is not as documented", internalParameter)
		}
		notifyURL = given
	}
	amount, _ := c.document["amount"].(map[string]any) // its shape is checked
	refund, total := wholeOf(amount["refund"]), wholeOf(amount["total"])
	if refund > total {
		return nil, badParameter("amount.refund", "is more than amount.total", internalRange)
	}
	if from, given := amount["from"].([]any); given {
		var sum int64
		for _, source := range from {
			one, _ := source.(map[string]any)
			sum += wholeOf(one["amount"])
		}
		if sum != refund {
			return nil, badParameter("amount.from", "does not add up to amount.refund", internalRange)
		}
	}
	return &Refund{
		Protocol: ProtocolV3, MchID: c.mchID, OutRefundNo: p["out_refund_no"], TotalFee: total, RefundFee: refund,
		FeeType: p["amount.currency"], Params: p, NotifyURL: notifyURL, RequestSource: "API",
	}, nil
}

func wholeOf(value any) int64 {
	number, _ := value.(json.Number)
	out, _ := number.Int64() // zero if the member is absent
	return out
}

// refundQueryV3 returns one refund by its number.
func (s *Simulator) refundQueryV3(c *callV3) (answerV3, error) {
	if err := c.checkQuery(nil, "sub_mchid"); err != nil {
		return answerV3{}, err
	}
	if err := c.merchant.checkParties("", c.params["sub_mchid"], ""); err != nil {
		return answerV3{}, err
	}
	found, order, err := s.findRefund(s.store.refund(c.mchID, c.pathNumber), c.params["sub_mchid"])
	if err != nil {
		return answerV3{}, err
	}
	return ok(refundOf(found, order)), nil
}

// findRefund checks that a refund is there and of this sub merchant, or of none.
func (s *Simulator) findRefund(r *Refund, subMchID string) (*Refund, *Order, error) {
	switch {
	case r == nil || (r.SubMchID == "") != (subMchID == ""):
		return nil, nil, errRefundNotExist
	case r.SubMchID != subMchID:
		return nil, nil, errSubMchMismatch
	}
	return r, s.store.order(r.MchID, r.OutTradeNo), nil
}

// abnormalBanks are the banks whose cards an abnormal refund can go to.
var abnormalBanks = []string{
	"CMB", "COMM", "ABC", "CCB", "ICBC", "BOC", "PAB", "SPDB", "CITIC", "CEB", "CMBC", "CIB", "GDB", "PSBC", "NBCB",
}

// abnormalRefundV3 sends the money of an abnormal refund elsewhere.
func (s *Simulator) abnormalRefundV3(c *callV3) (answerV3, error) {
	if err := c.checkBody(abnormalShape); err != nil {
		return answerV3{}, err
	}
	wanted, err := s.readAbnormalRefund(c)
	if err != nil {
		return answerV3{}, err
	}
	if err := c.merchant.checkParties("", c.params["sub_mchid"], ""); err != nil {
		return answerV3{}, err
	}
	r, order, err := s.findRefund(s.store.refundByID(c.mchID, c.pathNumber), c.params["sub_mchid"])
	switch {
	case err != nil:
		return answerV3{}, err
	case r.OutRefundNo != c.params["out_refund_no"]:
		return answerV3{}, errRefundMismatch
	case r.Status != RefundChange:
		return answerV3{}, errRefundNotAbnormal
	}
	settles := s.now().Add(s.rules.refundDelay)
	r.Abnormal, r.Status, r.Outcome, r.SettleTime = wanted, RefundProcessing, RefundSuccess, &settles
	s.store.saveRefund(r)
	s.planSettlement(r)
	return ok(refundOf(r, order)), nil
}

// readAbnormalRefund decrypts the account and the name with the key that Wechatpay-Serial names.
func (s *Simulator) readAbnormalRefund(c *callV3) (*AbnormalRefund, error) {
	p := c.params
	wanted := &AbnormalRefund{Type: p["type"], BankType: p["bank_type"]}
	if wanted.Type == "MERCHANT_BANK_CARD" {
		return wanted, nil
	}
	for _, name := range []string{"bank_type", "bank_account", "real_name"} {
		if p[name] == "" {
			return nil, badParameter(name, "is missing", internalParameter)
		}
	}
	if !slices.ContainsFunc(abnormalBanks, func(bank string) bool { return p["bank_type"] == bank+"_DEBIT" }) {
		return nil, badParameter("bank_type", "is not as documented", internalParameter)
	}
	key := s.keys().decrypter(c.header.Get("Wechatpay-Serial"))
	if key == nil {
		return nil, badParameter("Wechatpay-Serial", "names no key of ours", internalParameter)
	}
	for name, plain := range map[string]*string{"bank_account": &wanted.BankAccount, "real_name": &wanted.RealName} {
		opened, err := openSensitive(key, p[name])
		if err != nil {
			return nil, badParameter(name, "can't be decrypted", internalParameter)
		}
		*plain = opened
	}
	return wanted, nil
}

// statusesV3 are the refund states in API v3's words.
var statusesV3 = map[RefundStatus]string{
	RefundProcessing: "PROCESSING", RefundSuccess: "SUCCESS", RefundChange: "ABNORMAL", RefundClosed: "CLOSED",
}

// refundOf is a refund in the answers.
func refundOf(r *Refund, o *Order) document {
	cash := cashPart(r, o)
	out := document{
		"refund_id": r.RefundID, "out_refund_no": r.OutRefundNo, "transaction_id": r.TransactionID, "out_trade_no": r.OutTradeNo,
		"channel": "ORIGINAL", "user_received_account": r.receivedBy(), "create_time": rfc3339(r.AcceptTime),
		"status": statusesV3[r.Status], "funds_account": "UNSETTLED",
		"amount": document{
			"total": r.TotalFee, "refund": r.RefundFee, "payer_total": o.Payment.CashFee, "payer_refund": cash,
			"settlement_refund": r.RefundFee, "settlement_total": r.TotalFee, "discount_refund": r.RefundFee - cash, "currency": r.FeeType,
		},
	}
	if r.Abnormal != nil {
		out["channel"] = "OTHER_BANKCARD"
	}
	if r.SuccessTime != nil {
		out["success_time"] = rfc3339(*r.SuccessTime)
	}
	return out
}

// refundNotice is a refund in the callback.
func refundNotice(r *Refund, o *Order, status RefundStatus) document {
	out := parties(r.MchID, r.SubMchID)
	out["refund_id"], out["out_refund_no"], out["transaction_id"] = r.RefundID, r.OutRefundNo, r.TransactionID
	out["out_trade_no"], out["refund_status"], out["user_received_account"] = r.OutTradeNo, statusesV3[status], r.receivedBy()
	out["amount"] = document{
		"total": r.TotalFee, "refund": r.RefundFee, "payer_total": o.Payment.CashFee, "payer_refund": cashPart(r, o),
	}
	if status == RefundSuccess && r.SuccessTime != nil {
		out["success_time"] = rfc3339(*r.SuccessTime)
	}
	return out
}
