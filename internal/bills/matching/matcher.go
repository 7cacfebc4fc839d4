package matching

import (
	"cmp"
	"slices"
	"strings"
	"time"

	"github.com/wechatpay-operator/wechatpay-operator/internal/bills"
)

// Source is the bill that rows come from.
type Source int

// The sources. The others complete TradeBill; without TradeBill nothing can be compared.
const (
	// TradeBill is the day's bill of all payments and refunds.
	TradeBill Source = iota
	// RechargeBill has the day's refunds from the available balance.
	RechargeBill
	// PreviousDay and NextDay are the neighbouring days' bills.
	PreviousDay
	NextDay
)

// Matcher compares the bill of one day with the operator's records. It is not safe for concurrent use.
type Matcher struct {
	account    Account
	start, end int64
	rules      Rules
	day        bills.Day

	texts     textTable
	orders    slab[orderRecord]
	refunds   slab[refundRecord]
	ordersBy  recordIndex
	refundsBy recordIndex

	// read are the bills that were read completely; noBill is true if there is none.
	read   map[Source]bool
	noBill bool
	// rows are the numbers of rows that have no record to mark, and reported the identities of the differences.
	rows, reported *bills.NumberSet

	bill, matched, foreign, differing, missing Sums

	byClass  map[Class]*smallest[Difference]
	counts   map[Class]int
	pending  smallest[Pending]
	waiting  map[PendingReason]int
	tooLarge bool
}

// New returns a Matcher for the bill of a day of an account.
func New(account Account, day bills.Day, rules Rules) *Matcher {
	rules.Edge, rules.Limit = cmp.Or(rules.Edge, DefaultEdge), cmp.Or(rules.Limit, DefaultLimit)
	return &Matcher{
		account: account, day: day, start: day.Start().Unix(), end: day.End().Unix(), rules: rules,
		ordersBy: newRecordIndex(), refundsBy: newRecordIndex(),
		read: map[Source]bool{}, rows: bills.NewNumberSet(), reported: bills.NewNumberSet(),
		bill: newSums(), matched: newSums(), foreign: newSums(), differing: newSums(), missing: newSums(),
		byClass: map[Class]*smallest[Difference]{}, counts: map[Class]int{}, waiting: map[PendingReason]int{},
		pending: smallest[Pending]{limit: rules.Limit, compare: Pending.compare, clone: func(p Pending) Pending { return p }},
	}
}

// Begin records that a bill was read, even if it has no rows.
func (m *Matcher) Begin(source Source) { m.read[source] = true }

// NoBill records that WeChat has no trade bill of the day, and will not have one.
func (m *Matcher) NoBill() { m.noBill = true }

// Row compares a row. It does not keep the row's texts.
func (m *Matcher) Row(source Source, row bills.TradeRow) {
	m.read[source] = true
	own := row.SubMchID == m.account.SubMchID
	if source == PreviousDay || source == NextDay {
		m.noteNeighbour(row, own)
		return
	}
	switch row.Kind {
	case bills.Payment:
		m.payment(row, own)
	case bills.Refund:
		m.refund(row, own)
	case bills.Reversal:
		m.reversal(row, own)
	}
}

// noteNeighbour marks the record of a row in the bill of a neighbouring day.
func (m *Matcher) noteNeighbour(row bills.TradeRow, own bool) {
	at, found := m.findInDay(row, own)
	switch {
	case !found:
	case row.Kind == bills.Refund:
		m.refunds.at(at).marks |= inNeighbour
	case row.Kind == bills.Payment:
		m.orders.at(at).marks |= inNeighbour
	}
}

// findInDay finds the record of a row among those that were added. It does not use Finder.
func (m *Matcher) findInDay(row bills.TradeRow, own bool) (at int32, found bool) {
	if !own {
		return 0, false
	}
	find, by, number := m.ordersBy, row.TransactionID, row.OutTradeNo
	if row.Kind == bills.Refund {
		find, by, number = m.refundsBy, row.RefundID, row.OutRefundNo
	}
	if at, found = find.byWeChats[by]; !found {
		at, found = find.byMerchants[number]
	}
	return at, found
}

func (m *Matcher) payment(row bills.TradeRow, own bool) {
	order := m.findOrder(row, own)
	switch {
	case order == nil && !own:
		return // it belongs to another tenant
	case order == nil:
		m.unknownRow(row, PaymentNotInLedger, PaymentMerchantDiffers, PaymentDuplicated, false)
		return
	case order.numbers.weChats() != "" && order.numbers.weChats() != row.TransactionID:
		// Another payment has the number of an Order. The Order's own payment may still follow.
		m.differs(row, PaymentNumberDiffers, row.TransactionID, order.numbers.weChats())
		m.markRepeated(row, PaymentDuplicated)
		m.count(m.differing, row)
		return
	}
	repeated := order.marks.has(seen)
	if order.numbers.weChats() == "" {
		repeated = !m.isFirst(row)
	}
	order.marks |= seen
	agrees := own && m.comparePayment(row, order)
	if !own {
		m.belongsToAnother(row, PaymentMerchantDiffers, order.numbers, numberPair{})
	}
	if repeated {
		m.duplicated(row, PaymentDuplicated)
	}
	m.countRow(row, &order.marks, agrees)
}

// belongsToAnother reports that the bill lists a payment or refund of this account under another sub merchant. The
// difference contains only the number by which the row was found.
func (m *Matcher) belongsToAnother(row bills.TradeRow, class Class, order, refund numberPair) {
	m.addDifference(Difference{
		Class: class, OutTradeNo: order.merchants(), TransactionID: order.weChats(), OutRefundNo: refund.merchants(), RefundID: refund.weChats(),
		Bill: anotherMerchant, Key: keyOf(row),
	})
}

// countRow counts a row as matched if it agrees and is the first one of its record, and otherwise as differing.
func (m *Matcher) countRow(row bills.TradeRow, marks *mark, agrees bool) {
	if agrees && !marks.has(matched) {
		*marks |= matched
		m.count(m.matched, row)
		return
	}
	m.count(m.differing, row)
}

func (m *Matcher) refund(row bills.TradeRow, own bool) {
	refund := m.findRefund(row, own)
	switch {
	case refund == nil && !own:
		return // it belongs to another tenant
	case refund == nil:
		m.unknownRow(row, RefundNotInLedger, RefundMerchantDiffers, RefundDuplicated, m.findOrder(row, own) != nil)
		return
	case refund.numbers.weChats() != "" && refund.numbers.weChats() != row.RefundID:
		m.differs(row, RefundNumberDiffers, row.RefundID, refund.numbers.weChats())
		m.markRepeated(row, RefundDuplicated)
		m.count(m.differing, row)
		return
	}
	repeated := refund.marks.has(seen)
	if refund.numbers.weChats() == "" {
		repeated = !m.isFirst(row)
	}
	refund.marks |= seen
	agrees := own && m.compareRefund(row, refund)
	if !own {
		m.belongsToAnother(row, RefundMerchantDiffers, refund.order, refund.numbers)
	}
	if repeated {
		m.duplicated(row, RefundDuplicated)
	}
	m.countRow(row, &refund.marks, agrees)
}

// reversal reports a payment that was reversed. The operator never does that, so it is a difference for a known Order.
// Without an Order it counts like an unknown payment.
func (m *Matcher) reversal(row bills.TradeRow, own bool) {
	order := m.findOrder(row, own)
	switch {
	case order == nil && !own:
		return
	case order == nil:
		m.unknownRow(row, PaymentNotInLedger, PaymentMerchantDiffers, PaymentDuplicated, false)
		return
	}
	m.differs(row, PaymentReversed, money(-row.Requested, row.Currency), "")
	m.markRepeated(row, PaymentDuplicated)
	m.count(m.differing, row)
}

// unknownRow counts a row without a record: it belongs to another merchant number, to another system, or is unknown.
// orderKnown: it is about an Order of this operator, so it is never foreign.
func (m *Matcher) unknownRow(row bills.TradeRow, unknown, otherMerchant, duplicated Class, orderKnown bool) {
	switch {
	case m.isOfOtherNumber(row):
		m.differs(row, otherMerchant, anotherMerchant, "")
		m.count(m.differing, row)
	case !orderKnown && m.isForeign(row):
		m.count(m.foreign, row)
	default:
		m.differs(row, unknown, amountOf(row), "")
		m.count(m.differing, row)
	}
	m.markRepeated(row, duplicated)
}

// anotherMerchant replaces the other merchant's number, which is not shown.
const anotherMerchant = "another merchant"

func (m *Matcher) isOfOtherNumber(row bills.TradeRow) bool {
	return m.account.MchID != "" && row.MchID != m.account.MchID
}

func (m *Matcher) isForeign(row bills.TradeRow) bool {
	foreign := m.rules.Foreign
	return slices.ContainsFunc(foreign.Prefixes, func(prefix string) bool { return prefix != "" && strings.HasPrefix(row.OutTradeNo, prefix) }) ||
		row.AppID != "" && slices.Contains(foreign.AppIDs, row.AppID) ||
		row.TradeType != "" && slices.Contains(foreign.TradeTypes, row.TradeType)
}

// isFirst reports whether no earlier row of the same kind had this number.
func (m *Matcher) isFirst(row bills.TradeRow) bool { return m.rows.Add(string(row.Kind) + keyOf(row)) }

func (m *Matcher) markRepeated(row bills.TradeRow, duplicated Class) {
	if !m.isFirst(row) {
		m.duplicated(row, duplicated)
	}
}

// duplicated records that a number is listed twice. The rows may differ in everything else, so only the number is
// shown.
func (m *Matcher) duplicated(row bills.TradeRow, class Class) {
	d := Difference{Class: class, Key: keyOf(row)}
	if row.Kind == bills.Refund {
		d.RefundID = d.Key
	} else {
		d.TransactionID = d.Key
	}
	m.addDifference(d)
}

// count adds a row to the sums of the bill and to the given ones.
func (m *Matcher) count(where Sums, row bills.TradeRow) {
	amount := row.Order
	if row.Kind != bills.Payment {
		amount = row.Requested
	}
	if !m.bill.add(row.Kind, row.Currency, amount) || !where.add(row.Kind, row.Currency, amount) {
		m.tooLarge = true
	}
}

// keyOf returns WeChat's number of the row's payment or refund.
func keyOf(row bills.TradeRow) string {
	if row.Kind == bills.Refund {
		return row.RefundID
	}
	return row.TransactionID
}

func amountOf(row bills.TradeRow) string {
	switch row.Kind {
	case bills.Payment:
		return money(row.Order, row.Currency)
	case bills.Refund:
		return money(row.Requested, row.Currency)
	default:
		return money(-row.Requested, row.Currency)
	}
}

// money writes an amount with two decimals. It does so for the few currencies without decimals too.
func money(amount int64, currency string) string {
	if currency == "" {
		return bills.FormatFen(amount)
	}
	return bills.FormatFen(amount) + " " + currency
}

// differs records a difference of a row.
func (m *Matcher) differs(row bills.TradeRow, class Class, inBill, here string) {
	m.addDifference(Difference{
		Class: class, OutTradeNo: row.OutTradeNo, TransactionID: row.TransactionID, OutRefundNo: row.OutRefundNo, RefundID: row.RefundID,
		Bill: inBill, Here: here, Key: keyOf(row),
	})
}

// addDifference records a difference once.
func (m *Matcher) addDifference(d Difference) {
	if !m.reported.Add(d.identity()) {
		return
	}
	m.counts[d.Class]++
	of := m.byClass[d.Class]
	if of == nil {
		of = &smallest[Difference]{limit: m.rules.Limit, compare: Difference.compare, clone: Difference.clone}
		m.byClass[d.Class] = of
	}
	of.add(d)
}

func dayOf(seconds int64) bills.Day { return bills.DayOf(time.Unix(seconds, 0)) }
