package simulator

import (
	"errors"
	"fmt"
	"time"
)

var refundLengths = map[string]int{
	"transaction_id": 32, "out_trade_no": 32, "out_refund_no": 64, "refund_fee_type": 8, "refund_desc": 80,
	"refund_account": 30, "notify_url": 256,
}

// refund accepts a refund. SUCCESS means only acceptance; the money moves later.
func (s *Simulator) refund(c *call) (message, error) {
	if s.now().Before(c.merchant.BlockedUntil) {
		s.violate(ViolationCallWhenBlocked, OperationRefund, c.merchant.MchID, c.number(), "blocked until "+
			c.merchant.BlockedUntil.In(beijing).Format(readableTime))
		return nil, errTooManyInvalid
	}
	wanted, err := s.readRefund(c)
	if err != nil {
		return nil, err
	}
	order, err := s.refundableOrder(c.request)
	if err != nil {
		return nil, err
	}
	if err := s.keepPace(order, wanted); err != nil {
		return nil, err
	}
	if existing := s.store.refund(wanted.MchID, wanted.OutRefundNo); existing != nil {
		return s.repeatRefund(existing, wanted, order)
	}
	if err := s.checkSums(c.merchant, order, wanted); err != nil {
		return nil, err
	}
	return refundReply(s.acceptRefund(c.merchant, order, wanted), order), nil
}

// readRefund validates the values of a request.
func (s *Simulator) readRefund(c *call) (*Refund, error) {
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
		MchID: request["mch_id"], AppID: request["appid"], OutRefundNo: request["out_refund_no"], TotalFee: total,
		RefundFee: amount, FeeType: request["refund_fee_type"], Params: paramsOf(request), NotifyURL: notifyURL,
		RequestSource: "API",
	}, nil
}

// refundableOrder finds the order of a refund. An unpaid order is not found.
func (s *Simulator) refundableOrder(request message) (*Order, error) {
	order, err := s.findOrder(request)
	switch {
	case errors.Is(err, errOrderNotExist) && request["transaction_id"] != "":
		return nil, errTransactionID
	case err != nil:
		return nil, err
	case order.Payment == nil:
		return nil, fail("ORDERNOTEXIST", "订单号不存在")
	}
	return order, nil
}

// keepPace refuses a refund call that comes too soon after the previous one for the same order.
func (s *Simulator) keepPace(o *Order, wanted *Refund) error {
	now := s.now()
	existing := s.store.refund(wanted.MchID, wanted.OutRefundNo)
	if s.rules.allowRefundRepeats && existing != nil && existing.OutTradeNo == o.OutTradeNo {
		return nil
	}
	if o.LastRefundCall != nil {
		if since := now.Sub(*o.LastRefundCall); since < s.rules.minRefundInterval {
			s.violate(ViolationRefundPace, OperationRefund, o.MchID, wanted.OutRefundNo, fmt.Sprintf(
				"order %s: %s after the last refund call, %s are asked for", o.OutTradeNo, since, s.rules.minRefundInterval))
			return errFrequencyLimited
		}
	}
	o.LastRefundCall = &now
	s.store.saveOrder(o)
	return nil
}

// noteRefused counts a refund call that a fault refused towards the spacing, because WeChat Pay
// received it.
func (s *Simulator) noteRefused(c *call, f *Fault) {
	if c.operation != OperationRefund || f.AfterEffect {
		return
	}
	_ = s.change(func() error { // change logs a failure of the state file
		if order, err := s.refundableOrder(c.request); err == nil {
			_ = s.keepPace(order, &Refund{MchID: order.MchID, OutRefundNo: c.request["out_refund_no"]})
		}
		return nil
	})
}

// repeatRefund replies to a call with an existing number. The parameters must match, and nothing is
// paid again.
func (s *Simulator) repeatRefund(existing, wanted *Refund, order *Order) (message, error) {
	existing.Calls++
	s.store.saveRefund(existing)
	if existing.OutTradeNo != order.OutTradeNo || existing.RefundFee != wanted.RefundFee || existing.TotalFee != wanted.TotalFee {
		s.violate(ViolationRefundParams, OperationRefund, existing.MchID, existing.OutRefundNo, fmt.Sprintf(
			"first %d of %d of order %s, now %d of %d of order %s", existing.RefundFee, existing.TotalFee, existing.OutTradeNo,
			wanted.RefundFee, wanted.TotalFee, order.OutTradeNo))
		return nil, errRefundMismatch
	}
	return refundReply(existing, order), nil
}

// checkSums compares a new refund with the order, with its other refunds, and with the balance.
func (s *Simulator) checkSums(m *merchant, o *Order, wanted *Refund) error {
	violation := func(kind ViolationKind, detail string, args ...any) {
		s.violate(kind, OperationRefund, o.MchID, wanted.OutRefundNo, fmt.Sprintf(detail, args...))
	}
	sums := s.store.sums(o)
	switch {
	case wanted.TotalFee != o.Payment.TotalFee:
		violation(ViolationRefundTotal, "total_fee %d, the order's is %d", wanted.TotalFee, o.Payment.TotalFee)
		return errRefundMismatch
	case wanted.FeeType != "" && wanted.FeeType != o.Payment.FeeType:
		return malformed("refund_fee_type")
	case s.now().After(o.Payment.Time.Add(s.rules.refundPeriod)):
		return fail("TRADE_OVERDUE", "订单已经超过退款期限")
	case sums.Accepted+wanted.RefundFee > sums.Paid:
		violation(ViolationRefundSum, "paid %d, refunds %d, now %d more", sums.Paid, sums.Accepted, wanted.RefundFee)
		if sums.Accepted == sums.Paid {
			return fail("INVALID_REQUEST", "订单已全额退款")
		}
		return fail("INVALID_REQUEST", "退款金额超过订单可退金额")
	case sums.Count >= maxRefundsPerOrder:
		violation(ViolationRefundCount, "%d refunds", sums.Count)
		return fail("INVALID_REQUEST", "一笔订单最多支持%d次退款", maxRefundsPerOrder)
	case !m.canPay(wanted.RefundFee):
		return errNotEnough
	}
	return nil
}

// acceptRefund records a refund and deducts its amount from the balance.
func (s *Simulator) acceptRefund(m *merchant, o *Order, r *Refund) *Refund {
	now := s.now()
	settles := now.Add(s.rules.refundDelay)
	r.OutTradeNo, r.TransactionID, r.FeeType = o.OutTradeNo, o.Payment.TransactionID, o.Payment.FeeType
	r.RefundID, r.Status, r.AcceptTime, r.Calls = newRefundID(now), RefundProcessing, now, 1
	r.Outcome, r.SettleTime = RefundSuccess, &settles
	if fault := s.pickFault(OperationRefund, "", r.MchID, r.OutRefundNo, isRefundOutcome); fault != nil {
		r.Outcome = map[FaultKind]RefundStatus{FaultRefundChange: RefundChange, FaultRefundClose: RefundClosed}[fault.Kind]
		if fault.Kind == FaultRefundHold {
			r.SettleTime = nil
		}
	}
	m.addBalance(-r.RefundFee)
	o.State = StateRefund
	s.store.saveMerchant(m)
	s.store.saveOrder(o)
	s.store.saveRefund(r)
	s.planSettlement(r)
	return r
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

// cashPart returns how much of a refund is paid in cash: its share of the payment, except for
// foreign currencies, whose rate is not simulated.
func cashPart(r *Refund, o *Order) int64 {
	if o.Payment.CashFeeType != r.FeeType || o.Payment.CashFee > o.Payment.TotalFee {
		return r.RefundFee
	}
	return r.RefundFee * o.Payment.CashFee / o.Payment.TotalFee
}

// holdAgainst counts refund calls that failed for a reason of the merchant's own. After six in a
// second WeChat Pay blocks the merchant for a minute.
func (s *Simulator) holdAgainst(c *call, err error) {
	if c.operation != OperationRefund || err == nil || errors.Is(err, errTooManyInvalid) || errors.Is(err, errFrequencyLimited) {
		return
	}
	m, now := c.merchant, s.now()
	m.InvalidRefundCalls++
	if window := s.rules.invalidRefundWindow; window > 0 {
		m.recent = append(latest(m.recent, now.Add(-window)), now)
		if len(m.recent) >= s.rules.invalidRefundLimit {
			m.recent = nil
			m.Blocks++
			m.BlockedUntil = now.Add(s.rules.blockDuration)
			s.violate(ViolationInvalidRefunds, OperationRefund, m.MchID, c.number(), "last: "+err.Error())
		}
	}
	s.store.saveMerchant(m)
}

// holdRefusalAgainst counts a call that was refused before it reached the API, if the client
// certificate proves that it was the merchant's.
func (s *Simulator) holdRefusalAgainst(c *call) {
	if c.merchant == nil {
		return
	}
	_ = s.change(func() error { // change logs a failure of the state file
		s.holdAgainst(c, errSignature)
		return nil
	})
}

// latest keeps the times after since.
func latest(times []time.Time, since time.Time) []time.Time {
	for len(times) > 0 && !times[0].After(since) {
		times = times[1:]
	}
	return times
}
