package simulator

import (
	"fmt"
)

// planSettlement schedules the outcome of a refund.
func (s *Simulator) planSettlement(r *Refund) {
	if r.Status != RefundProcessing || r.SettleTime == nil {
		return
	}
	s.settlements.at(*r.SettleTime, func() {
		_ = s.change(func() error { // change logs a failure of the state file
			s.settle(r)
			return nil
		})
	})
	if !s.now().Before(*r.SettleTime) { // without a delay it settles at once
		s.settle(r)
	}
}

// settleDue settles what is due before a call is answered, so that a clock moved by a test takes
// effect at once. With a real clock it does nothing.
func (s *Simulator) settleDue() {
	if !s.movedByHand {
		return
	}
	for _, r := range s.store.processing {
		s.settle(r)
	}
}

func (s *Simulator) settle(r *Refund) {
	if r.Status == RefundProcessing && r.SettleTime != nil && !s.now().Before(*r.SettleTime) {
		s.turnRefund(r, r.Outcome)
	}
}

// turnRefund sets the new status of a refund, moves its money, and schedules the callback.
func (s *Simulator) turnRefund(r *Refund, status RefundStatus) {
	r.Status, r.SettleTime, r.Outcome = status, nil, ""
	switch status {
	case RefundSuccess:
		now := s.now()
		r.SuccessTime = &now
		r.Payouts++
	case RefundClosed:
		if m := s.store.merchants[r.MchID]; m != nil {
			m.addBalance(r.SubMchID, r.RefundFee)
			s.store.saveMerchant(m)
		}
	}
	s.store.saveRefund(r)
	s.callBackRefund(r)
}

// SetRefundStatus sets a refund's status: to CHANGE or REFUNDCLOSE, or to what staff made of a
// CHANGE. A refund that succeeded or was closed does not change.
func (s *Simulator) SetRefundStatus(mchID, outRefundNo string, status RefundStatus) error {
	switch status {
	case RefundSuccess, RefundChange, RefundClosed:
	default:
		return fmt.Errorf("%w: refund status %q", ErrInvalid, status)
	}
	return s.change(func() error {
		r := s.store.refund(mchID, outRefundNo)
		switch {
		case r == nil:
			return fmt.Errorf("refund %s: %w", outRefundNo, ErrNotFound)
		case r.Status == status:
			return nil
		case r.Status == RefundSuccess || r.Status == RefundClosed:
			return fmt.Errorf("%w: refund %s is %s for good", ErrInvalid, outRefundNo, r.Status)
		}
		s.turnRefund(r, status)
		return nil
	})
}

// RefundByStaff creates a refund as staff does in the merchant platform: its number is not the
// shop's, and it reduces what the shop can still refund.
func (s *Simulator) RefundByStaff(mchID, outTradeNo string, refundFee int64) (Refund, error) {
	return s.refundByStaff(mchID, outTradeNo, refundFee, false)
}

// RefundByStaffFromBalance pays such a refund from the available balance: it is in a bill of its own.
func (s *Simulator) RefundByStaffFromBalance(mchID, outTradeNo string, refundFee int64) (Refund, error) {
	return s.refundByStaff(mchID, outTradeNo, refundFee, true)
}

func (s *Simulator) refundByStaff(mchID, outTradeNo string, refundFee int64, fromBalance bool) (Refund, error) {
	return changed(s, func() (Refund, error) {
		m, o := s.store.merchants[mchID], s.store.order(mchID, outTradeNo)
		if m == nil || o == nil || o.Payment == nil {
			return Refund{}, fmt.Errorf("paid order %s: %w", outTradeNo, ErrNotFound)
		}
		sums := s.store.sums(o)
		if refundFee <= 0 || sums.Accepted+refundFee > sums.Paid || sums.Count >= maxRefundsPerOrder || !m.canPay(o.SubMchID, refundFee) {
			return Refund{}, fmt.Errorf("%w: refund of %d", ErrInvalid, refundFee)
		}
		return *s.acceptRefund(m, o, &Refund{
			Protocol: o.Protocol, MchID: mchID, OutRefundNo: "staff" + randomDigits(20), TotalFee: o.Payment.TotalFee,
			RefundFee: refundFee, NotifyURL: m.RefundNotifyURL, RequestSource: "VENDOR_PLATFORM", FromBalance: fromBalance,
		}), nil
	})
}
