package simulator

import (
	"errors"
	"fmt"
	"time"
)

// requestRefund accepts a refund of an order, or finds the one that its number stands for.
// Acceptance moves no money yet.
func (s *Simulator) requestRefund(m *merchant, order *Order, wanted *Refund) (*Refund, error) {
	if err := m.checkRefundRight(order.SubMchID); err != nil {
		return nil, err // even if the number was accepted before: a right is checked first
	}
	if err := s.keepPace(order, wanted); err != nil {
		return nil, err
	}
	if existing := s.store.refund(wanted.MchID, wanted.OutRefundNo); existing != nil {
		return existing, s.repeatRefund(existing, wanted, order)
	}
	if err := s.checkSums(m, order, wanted); err != nil {
		return nil, err
	}
	return s.acceptRefund(m, order, wanted), nil
}

// refuseBlocked refuses the refund calls of a merchant that made too many invalid ones.
func (s *Simulator) refuseBlocked(m *merchant, number string) error {
	if !s.now().Before(m.BlockedUntil) {
		return nil
	}
	s.violate(ViolationCallWhenBlocked, OperationRefund, m.MchID, number,
		"blocked until "+m.BlockedUntil.In(beijing).Format(readableTime))
	return errTooManyInvalid
}

// refundableOrder finds the order of a refund. An unpaid order is not found.
func (s *Simulator) refundableOrder(ref orderRef) (*Order, error) {
	order, err := s.findOrder(ref)
	switch {
	case errors.Is(err, errOrderNotExist) && ref.transactionID != "":
		return nil, errTransactionID
	case err != nil:
		return nil, err
	case order.Payment == nil:
		return nil, errOrderUnpaid
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
		if order, err := s.refundableOrder(c.order); err == nil {
			_ = s.keepPace(order, &Refund{MchID: order.MchID, OutRefundNo: c.outRefundNo})
		}
		return nil
	})
}

// repeatRefund checks a call with an existing number. The parameters must match, and nothing is
// paid again.
func (s *Simulator) repeatRefund(existing, wanted *Refund, order *Order) error {
	existing.Calls++
	s.store.saveRefund(existing)
	if existing.OutTradeNo != order.OutTradeNo || existing.RefundFee != wanted.RefundFee || existing.TotalFee != wanted.TotalFee {
		s.violate(ViolationRefundParams, OperationRefund, existing.MchID, existing.OutRefundNo, fmt.Sprintf(
			"first %d of %d of order %s, now %d of %d of order %s", existing.RefundFee, existing.TotalFee, existing.OutTradeNo,
			wanted.RefundFee, wanted.TotalFee, order.OutTradeNo))
		return errRefundMismatch
	}
	return nil
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
		return errRefundCurrency
	case s.now().After(o.Payment.Time.Add(s.rules.refundPeriod)):
		return errRefundOverdue
	case sums.Accepted+wanted.RefundFee > sums.Paid:
		violation(ViolationRefundSum, "paid %d, refunds %d, now %d more", sums.Paid, sums.Accepted, wanted.RefundFee)
		if sums.Accepted == sums.Paid {
			return errRefundedInFull
		}
		return errRefundExceeds
	case sums.Count >= maxRefundsPerOrder:
		violation(ViolationRefundCount, "%d refunds", sums.Count)
		return errRefundCount
	case !m.canPay(o.SubMchID, wanted.RefundFee):
		return errNotEnough
	}
	return nil
}

// acceptRefund records a refund and deducts its amount from the balance.
func (s *Simulator) acceptRefund(m *merchant, o *Order, r *Refund) *Refund {
	now := s.now()
	settles := now.Add(s.rules.refundDelay)
	r.OutTradeNo, r.TransactionID, r.FeeType = o.OutTradeNo, o.Payment.TransactionID, o.Payment.FeeType
	r.AppID, r.SubMchID, r.SubAppID = o.AppID, o.SubMchID, o.SubAppID
	r.RefundID, r.Status, r.AcceptTime, r.Calls = newRefundID(now), RefundProcessing, now, 1
	r.Outcome, r.SettleTime = RefundSuccess, &settles
	asked := &call{protocol: r.Protocol, operation: OperationRefund, mchID: r.MchID, number: r.OutRefundNo}
	if fault := s.strike(asked, isRefundOutcome); fault != nil {
		r.Outcome = map[FaultKind]RefundStatus{FaultRefundChange: RefundChange, FaultRefundClose: RefundClosed}[fault.Kind]
		if fault.Kind == FaultRefundHold {
			r.SettleTime = nil
		}
	}
	m.addBalance(r.SubMchID, -r.RefundFee)
	o.State = StateRefund
	s.store.saveMerchant(m)
	s.store.saveOrder(o)
	s.store.saveRefund(r)
	s.planSettlement(r)
	return r
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
			s.violate(ViolationInvalidRefunds, OperationRefund, m.MchID, c.number, "last: "+err.Error())
		}
	}
	s.store.saveMerchant(m)
}

// latest keeps the times after since.
func latest(times []time.Time, since time.Time) []time.Time {
	for len(times) > 0 && !times[0].After(since) {
		times = times[1:]
	}
	return times
}
