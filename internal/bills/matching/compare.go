package matching

import (
	"github.com/wechatpay-operator/wechatpay-operator/internal/bills"
)

// comparePayment records every difference between a row and its Order, and reports whether there is none.
func (m *Matcher) comparePayment(row bills.TradeRow, order *orderRecord) (agrees bool) {
	agrees = true
	differs := func(class Class, inBill, here string) {
		m.differs(row, class, inBill, here)
		agrees = false
	}
	if currency := m.texts.list[order.currency]; row.Currency != currency {
		differs(PaymentCurrencyDiffers, row.Currency, currency)
	} else {
		if row.Order != order.total {
			differs(PaymentAmountDiffers, money(row.Order, row.Currency), money(order.total, currency))
		}
		if order.settlement >= 0 && row.Settled != order.settlement {
			differs(PaymentSettlementDiffers, money(row.Settled, row.Currency), money(order.settlement, currency))
		}
	}
	if number := order.numbers.merchants(); row.OutTradeNo != number {
		differs(PaymentNumberDiffers, row.OutTradeNo, number)
	}
	if m.isOfOtherNumber(row) || row.SubMchID != m.texts.list[order.sub] {
		differs(PaymentMerchantDiffers, anotherMerchant, "")
	}
	if appID := m.texts.list[order.appID]; appID != "" && row.AppID != "" && row.AppID != appID {
		differs(PaymentAppIDDiffers, row.AppID, appID)
	}
	switch {
	case !order.marks.has(confirmed):
		differs(PaymentNotRecorded, amountOf(row), "not paid")
	case order.marks.has(timed) && !order.marks.has(local) && dayOf(order.paid) != bills.DayOf(row.Time):
		differs(PaymentDayDiffers, string(bills.DayOf(row.Time)), string(dayOf(order.paid)))
	}
	return agrees
}

// compareRefund does the same for a Refund. The bill has the refund's status of its day, so the status is not compared.
func (m *Matcher) compareRefund(row bills.TradeRow, refund *refundRecord) (agrees bool) {
	agrees = true
	differs := func(class Class, inBill, here string) {
		m.differs(row, class, inBill, here)
		agrees = false
	}
	if currency := m.texts.list[refund.currency]; currency != "" && row.Currency != currency {
		differs(RefundCurrencyDiffers, row.Currency, currency)
	} else if row.Requested != refund.amount {
		differs(RefundAmountDiffers, money(row.Requested, row.Currency), money(refund.amount, row.Currency))
	}
	for _, number := range [...]struct{ inBill, here string }{
		{row.OutRefundNo, refund.numbers.merchants()},
		{row.OutTradeNo, refund.order.merchants()},
		{row.TransactionID, refund.order.weChats()},
	} {
		if number.here != "" && number.inBill != number.here {
			differs(RefundNumberDiffers, number.inBill, number.here)
			break
		}
	}
	if m.isOfOtherNumber(row) || row.SubMchID != m.texts.list[refund.sub] {
		differs(RefundMerchantDiffers, anotherMerchant, "")
	}
	switch {
	case !refund.marks.has(confirmed):
		differs(RefundNotRecorded, amountOf(row), "not accepted")
	case refund.marks.has(timed) && refund.marks&(local|doubtful) == 0 && dayOf(refund.accepted) != bills.DayOf(row.Time):
		differs(RefundDayDiffers, string(bills.DayOf(row.Time)), string(dayOf(refund.accepted)))
	}
	return agrees
}
