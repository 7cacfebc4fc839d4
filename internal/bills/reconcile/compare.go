package reconcile

import (
	"github.com/wechatpay-operator/wechatpay-operator/internal/bills"
)

// comparison is that of a row with what is known here. It records every difference.
type comparison struct {
	*Matcher
	row    bills.TradeRow
	differ bool
}

func (c *comparison) differs(class Class, inBill, here string) {
	c.Matcher.differs(c.row, class, inBill, here)
	c.differ = true
}

// comparePayment reports whether there is no difference between a row and its Order.
func (m *Matcher) comparePayment(row bills.TradeRow, order *orderRecord) (agrees bool) {
	c := &comparison{Matcher: m, row: row}
	if currency := m.names.texts[order.currency]; row.Currency != currency {
		c.differs(PaymentCurrencyDiffers, row.Currency, currency)
	} else {
		if row.Order != order.total {
			c.differs(PaymentAmountDiffers, money(row.Order, row.Currency), money(order.total, currency))
		}
		if order.settlement >= 0 && row.Settled != order.settlement {
			c.differs(PaymentSettlementDiffers, money(row.Settled, row.Currency), money(order.settlement, currency))
		}
	}
	if number := order.numbers.merchants(); row.OutTradeNo != number {
		c.differs(PaymentNumberDiffers, row.OutTradeNo, number)
	}
	if appID := m.names.texts[order.appID]; appID != "" && row.AppID != "" && row.AppID != appID {
		c.differs(PaymentAppIDDiffers, row.AppID, appID)
	}
	c.compareRecord(&order.record, "not paid")
	return !c.differ
}

// compareRefund does the same for a Refund. The status in the bill is of the day it was made, and
// not compared.
func (m *Matcher) compareRefund(row bills.TradeRow, refund *refundRecord) (agrees bool) {
	c := &comparison{Matcher: m, row: row}
	if currency := m.names.texts[refund.currency]; currency != "" && row.Currency != currency {
		c.differs(RefundCurrencyDiffers, row.Currency, currency)
	} else if row.Requested != refund.amount {
		c.differs(RefundAmountDiffers, money(row.Requested, row.Currency), money(refund.amount, row.Currency))
	}
	for _, number := range [...]struct{ inBill, here string }{
		{row.OutRefundNo, refund.numbers.merchants()},
		{row.OutTradeNo, refund.order.merchants()},
		{row.TransactionID, refund.order.weChats()},
	} {
		if number.here != "" && number.inBill != number.here {
			c.differs(RefundNumberDiffers, number.inBill, number.here)
			break
		}
	}
	c.compareRecord(&refund.record, "not accepted")
	return !c.differ
}

// compareRecord compares whose a payment or a refund is, whether it is recorded, and its day, if WeChat told that here.
func (c *comparison) compareRecord(of *record, unrecorded string) {
	classes := classesOf(c.row)
	if c.isOfOtherNumber(c.row) || c.row.SubMchID != c.names.texts[of.sub] {
		c.differs(classes.merchantDiffers, anotherMerchant, "")
	}
	switch {
	case !of.marks.has(settled):
		c.differs(classes.notRecorded, amountOf(c.row), unrecorded)
	case of.marks.has(timed) && of.marks&(local|doubtful) == 0 && dayOf(of.at) != bills.DayOf(c.row.Time):
		c.differs(classes.dayDiffers, string(bills.DayOf(c.row.Time)), string(dayOf(of.at)))
	}
}
