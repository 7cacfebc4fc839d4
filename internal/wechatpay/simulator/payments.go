package simulator

import (
	"cmp"
	"fmt"
	"slices"
)

// Pay pays an order as the payer. It fails for orders that are paid, closed or expired, or have no
// valid prepay_id; options.Force overrides all but the first.
func (s *Simulator) Pay(mchID, outTradeNo string, options PayOptions) (Payment, error) {
	return changed(s, func() (Payment, error) {
		order := s.store.order(mchID, outTradeNo)
		if order == nil {
			return Payment{}, fmt.Errorf("order %s: %w", outTradeNo, ErrNotFound)
		}
		return s.pay(order, "", options)
	})
}

// planPayment schedules the automatic payment of a new order (PayAfter). An order that can't be
// paid by then stays unpaid.
func (s *Simulator) planPayment(o *Order) {
	if s.payAfter <= 0 {
		return
	}
	s.payers.at(s.now().Add(s.payAfter), func() {
		if _, err := s.Pay(o.MchID, o.OutTradeNo, PayOptions{}); err != nil {
			s.logger.Info("not paid", "order", o.OutTradeNo, "error", err)
		}
	})
}

// PayByPrepayID pays with the prepay_id that the shop's page passed to WeChat.
func (s *Simulator) PayByPrepayID(prepayID string, options PayOptions) (Payment, error) {
	return changed(s, func() (Payment, error) {
		order := s.store.byPrepay[prepayID]
		if order == nil {
			return Payment{}, fmt.Errorf("prepay_id %s: %w", prepayID, ErrNotFound)
		}
		return s.pay(order, prepayID, options)
	})
}

// PayAfterClose makes a late payment: it succeeds although the order was closed or expired.
func (s *Simulator) PayAfterClose(mchID, outTradeNo string, options PayOptions) (Payment, error) {
	options.Force = true
	return s.Pay(mchID, outTradeNo, options)
}

func (s *Simulator) pay(o *Order, prepayID string, options PayOptions) (Payment, error) {
	s.ageOut(o)
	refused := s.refusePayment(o, prepayID)
	if refused != nil && (o.Payment != nil || !options.Force) {
		return Payment{}, fmt.Errorf("order %s: %w", o.OutTradeNo, refused)
	}
	payment, err := s.newPayment(o, options)
	if err != nil {
		return Payment{}, err
	}
	payment.Forced = refused != nil
	o.Payment, o.State = &payment, StateSuccess
	s.store.saveOrder(o)
	if !options.NoCallback {
		s.callBackPayment(o)
	}
	s.logger.Info("paid", "merchant", o.MchID, "order", o.OutTradeNo, "transaction", payment.TransactionID,
		"total", payment.TotalFee, "currency", payment.FeeType)
	return payment, nil
}

// refusePayment returns why the payer can't pay now.
func (s *Simulator) refusePayment(o *Order, prepayID string) error {
	now := s.now()
	alive := func(p Prepay) bool { return (prepayID == "" || p.ID == prepayID) && now.Before(p.ExpireTime) }
	switch {
	case o.Payment != nil:
		return ErrOrderPaid
	case o.State == StateClosed:
		return ErrOrderClosed
	case o.ExpireTime != nil && !now.Before(*o.ExpireTime):
		return ErrOrderExpired
	case !slices.ContainsFunc(o.Prepays, alive):
		return ErrPrepayExpired
	}
	return nil
}

// newPayment fills in the fields that the options leave empty.
func (s *Simulator) newPayment(o *Order, options PayOptions) (Payment, error) {
	p := Payment{
		TransactionID: options.TransactionID, Time: s.now(), OpenID: options.OpenID, BankType: options.BankType,
		TotalFee: o.TotalFee, FeeType: o.FeeType, CashFeeType: options.CashFeeType, RateValue: options.RateValue,
		Coupons: slices.Clone(options.Coupons), PromotionDetail: options.PromotionDetail,
	}
	if p.TransactionID == "" {
		p.TransactionID = newTransactionID(p.Time)
	} else if s.store.byTransaction[p.TransactionID] != nil {
		return Payment{}, fmt.Errorf("%w: transaction_id %s is taken", ErrInvalid, p.TransactionID)
	}
	if options.TotalFee != nil {
		p.TotalFee = *options.TotalFee
	}
	p.FeeType = cmp.Or(options.FeeType, p.FeeType)
	p.OpenID = cmp.Or(p.OpenID, o.OpenID, "oSimulatedPayer0000000000000")
	if o.SubAppID != "" {
		p.SubOpenID = cmp.Or(options.SubOpenID, o.SubOpenID, "oSimulatedSubPayer0000000000")
	}
	p.BankType = cmp.Or(p.BankType, "OTHERS")
	p.CashFeeType = cmp.Or(p.CashFeeType, p.FeeType)
	return p, addCash(&p, options.CashFee)
}

// addCash sets the cash amount and what the merchant receives of it.
func addCash(p *Payment, cash *int64) error {
	var notSettled int64
	for _, coupon := range p.Coupons {
		if coupon.Type == "NO_CASH" {
			notSettled += coupon.Fee
		}
	}
	coupons := p.couponSum()
	p.CashFee = p.TotalFee - coupons
	if cash != nil {
		p.CashFee = *cash
	}
	if notSettled > 0 {
		settled := p.TotalFee - notSettled
		p.SettlementTotalFee = &settled
	}
	if p.TotalFee <= 0 || p.CashFee < 0 || coupons > p.TotalFee {
		return fmt.Errorf("%w: total %d, cash %d, coupons %d", ErrInvalid, p.TotalFee, p.CashFee, coupons)
	}
	return nil
}
