package simulator

import (
	"time"
)

// billKind is a daily bill.
type billKind string

const (
	billAll      billKind = "ALL"
	billSuccess  billKind = "SUCCESS"
	billRefund   billKind = "REFUND"
	billRecharge billKind = "RECHARGE_REFUND"
	billFund     billKind = "fund flow"
)

// billOrder says which bill a call asks for.
type billOrder struct {
	kind  billKind
	mchID string
	// subMchID restricts a service provider's bill; empty means all of its sub merchants.
	subMchID string
	day      time.Time
	// account is that of a fund-flow bill. All money is in the basic one.
	account string
}

// billFile is a bill on its way to the merchant.
type billFile struct {
	text []byte
	gzip bool
	// digest is the header that announces the hash of a fund-flow bill of API v2.
	digest string
}

const dayFormat = "2006-01-02"

// beijingDay is the day of an instant, as its first instant.
func beijingDay(at time.Time) time.Time {
	at = at.In(beijing)
	return time.Date(at.Year(), at.Month(), at.Day(), 0, 0, 0, 0, beijing)
}

// bill returns the text of a bill. A bill is cut when its day ends: what happens later never changes
// it.
func (s *Simulator) bill(b billOrder) ([]byte, error) {
	end := b.day.AddDate(0, 0, 1)
	now := s.wireTimeLocked()
	switch {
	case b.day.Before(beijingDay(now).AddDate(0, -3, 0)):
		return nil, errBillTooOld
	case s.rules.billsOfToday && now.Before(end):
		end = now // cut now
	case now.Before(end):
		return nil, errBillOfToday
	case now.Before(end.Add(s.rules.billDelay)):
		return nil, errBillCreating
	}
	if b.kind == billFund {
		return s.fundBill(b, end)
	}
	return s.tradeBill(b, end)
}

// tradeRow is a row of a trade bill.
type tradeRow struct {
	order  *Order
	refund *Refund
}

// rowsOf returns the payments and refunds of a day, payments first. WeChat Pay does not sort them
// either.
func (s *Simulator) rowsOf(b billOrder, end time.Time) []tradeRow {
	var rows []tradeRow
	within := func(at time.Time) bool { return !at.Before(b.day) && at.Before(end) }
	mine := func(mchID, subMchID string) bool {
		return mchID == b.mchID && (b.subMchID == "" || subMchID == b.subMchID)
	}
	if b.kind == billAll || b.kind == billSuccess || b.kind == billFund {
		for _, o := range s.store.orderList {
			if mine(o.MchID, o.SubMchID) && o.Payment != nil && within(o.Payment.Time) {
				rows = append(rows, tradeRow{order: o})
			}
		}
	}
	if b.kind == billSuccess {
		return rows
	}
	for _, r := range s.store.refundList {
		if mine(r.MchID, r.SubMchID) && within(r.AcceptTime) && (b.kind == billFund || r.fromAvailableBalance() == (b.kind == billRecharge)) {
			rows = append(rows, tradeRow{order: s.store.order(r.MchID, r.OutTradeNo), refund: r})
		}
	}
	return rows
}

// fromAvailableBalance reports whether the merchant asked for the refund to be paid from its
// available balance: such refunds are in a bill of their own.
func (r *Refund) fromAvailableBalance() bool {
	return r.FromBalance || r.Params["refund_account"] == "REFUND_SOURCE_RECHARGE_FUNDS" || r.Params["funds_account"] == "AVAILABLE"
}

// statusAt is the status of a refund when a bill is cut.
func (r *Refund) statusAt(cut time.Time) string {
	if r.SuccessTime != nil && r.SuccessTime.Before(cut) {
		return "SUCCESS"
	}
	return "PROCESSING"
}

// settled is what the merchant gets of a payment.
func (p *Payment) settled() int64 {
	if p.SettlementTotalFee != nil {
		return *p.SettlementTotalFee
	}
	return p.TotalFee
}

// couponSum is the worth of all coupons of a payment.
func (p *Payment) couponSum() int64 {
	var sum int64
	for _, coupon := range p.Coupons {
		sum += coupon.Fee
	}
	return sum
}

// refunded is what the merchant pays of a refund: without the part of coupons that it never got.
func refunded(r *Refund, o *Order) int64 {
	if o.Payment.TotalFee == 0 {
		return r.RefundFee
	}
	return r.RefundFee * o.Payment.settled() / o.Payment.TotalFee
}

// feeOf is 0.60 % in fen, rounded half up.
func feeOf(fen int64) int64 { return (fen*6 + 500) / 1000 }
