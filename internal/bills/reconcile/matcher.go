package reconcile

import (
	"cmp"
	"slices"
	"strings"
	"time"

	"github.com/wechatpay-operator/wechatpay-operator/internal/bills"
)

// Matcher compares the bill of one day with what the operator knows. It is not safe for concurrent
// use.
type Matcher struct {
	account    Account
	start, end int64
	rules      Rules
	day        bills.Day

	names     names
	orders    slab[orderRecord]
	refunds   slab[refundRecord]
	ordersBy  register
	refundsBy register

	// noBill says that there is no bill of the day, and read that the bills of its neighbours were read as a whole.
	noBill bool
	read   map[NeighbourDay]bool
	// rows are the numbers of rows that have no record to mark, and emitted the differences.
	rows, emitted *numberSet

	bill, matched, foreign, differing, missing Sums

	byClass  map[Class]*smallest[Difference]
	counts   map[Class]int
	pending  smallest[Pending]
	waiting  map[PendingReason]int
	tooLarge bool
}

// New returns a Matcher for the bill of an account's day.
func New(account Account, day bills.Day, rules Rules) *Matcher {
	rules.Edge, rules.Limit = cmp.Or(rules.Edge, DefaultEdge), cmp.Or(rules.Limit, DefaultLimit)
	return &Matcher{
		account: account, day: day, start: day.Start().Unix(), end: day.End().Unix(), rules: rules,
		ordersBy: newRegister(), refundsBy: newRegister(),
		read: map[NeighbourDay]bool{}, rows: newNumberSet(), emitted: newNumberSet(),
		bill: newSums(), matched: newSums(), foreign: newSums(), differing: newSums(), missing: newSums(),
		byClass: map[Class]*smallest[Difference]{}, counts: map[Class]int{}, waiting: map[PendingReason]int{},
		pending: smallest[Pending]{limit: rules.Limit, compare: Pending.compare, clone: func(p Pending) Pending { return p }},
	}
}

// NoBill records that WeChat has no trade bill of the day, and will not have one.
func (m *Matcher) NoBill() { m.noBill = true }

// Row compares a row of one of the day's bills. The row's texts are not kept.
func (m *Matcher) Row(row bills.TradeRow) {
	own := row.SubMchID == m.account.SubMchID
	switch row.Kind {
	case bills.Payment:
		m.payment(row, own)
	case bills.Refund:
		m.refund(row, own)
	case bills.Reversal:
		m.reversal(row, own)
	}
}

func (m *Matcher) payment(row bills.TradeRow, own bool) {
	order := m.findOrder(row, own)
	switch {
	case order != nil:
		m.known(row, own, &order.record, order.numbers, pair{}, func() bool { return m.comparePayment(row, order) })
	case own:
		m.stranger(row, false)
	}
	// The others are another tenant's.
}

func (m *Matcher) refund(row bills.TradeRow, own bool) {
	refund := m.findRefund(row, own)
	switch {
	case refund != nil:
		m.known(row, own, &refund.record, refund.order, refund.numbers, func() bool { return m.compareRefund(row, refund) })
	case own:
		m.stranger(row, m.findOrder(row, own) != nil)
	}
}

// known counts a row of a payment or a refund that has a record.
func (m *Matcher) known(row bills.TradeRow, own bool, counted *record, order, refund pair, agrees func() bool) {
	number := counted.numbers.weChats()
	if number != "" && number != keyOf(row) {
		// Another payment under the number of an Order, whose own payment is still to be found.
		m.differs(row, classesOf(row).numberDiffers, keyOf(row), number)
		m.markRepeated(row)
		m.count(m.differing, row)
		return
	}
	repeated := counted.marks.has(seen)
	if number == "" {
		repeated = !m.isFirst(row)
	}
	counted.marks |= seen
	matches := false
	if own {
		matches = agrees()
	} else {
		m.belongsToAnother(row, order, refund)
	}
	if repeated {
		m.duplicated(row)
	}
	// It is matched once if it agrees.
	if matches && !counted.marks.has(matched) {
		counted.marks |= matched
		m.count(m.matched, row)
		return
	}
	m.count(m.differing, row)
}

// belongsToAnother reports that a payment or a refund of this account is in the bill as another sub
// merchant's. Nothing of the row is shown but the number by which it was found.
func (m *Matcher) belongsToAnother(row bills.TradeRow, order, refund pair) {
	m.emit(Difference{
		Class: classesOf(row).merchantDiffers, OutTradeNo: order.merchants(), TransactionID: order.weChats(), OutRefundNo: refund.merchants(), RefundID: refund.weChats(),
		Bill: anotherMerchant, Key: keyOf(row),
	})
}

// reversal reports a payment that was taken back. The operator never does that, so it is a
// difference for its Orders, and for others like a payment that nobody knows.
func (m *Matcher) reversal(row bills.TradeRow, own bool) {
	order := m.findOrder(row, own)
	switch {
	case order != nil:
		m.differs(row, PaymentReversed, money(-row.Requested, row.Currency), "")
		m.markRepeated(row)
		m.count(m.differing, row)
	case own:
		m.stranger(row, false)
	}
}

// stranger counts a row that belongs to nothing here: of another merchant number, of another system,
// or of nobody. orderKnown says that it is about an Order of this operator, which no other system
// has to do with.
func (m *Matcher) stranger(row bills.TradeRow, orderKnown bool) {
	switch {
	case m.isOfOtherNumber(row):
		m.differs(row, classesOf(row).merchantDiffers, anotherMerchant, "")
		m.count(m.differing, row)
	case !orderKnown && m.isForeign(row):
		m.count(m.foreign, row)
	default:
		m.differs(row, classesOf(row).notInLedger, amountOf(row), "")
		m.count(m.differing, row)
	}
	m.markRepeated(row)
}

// anotherMerchant is what is said of another merchant: not which one it is.
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

// isFirst reports whether no row of the same kind had this number.
func (m *Matcher) isFirst(row bills.TradeRow) bool { return m.rows.add(string(row.Kind) + keyOf(row)) }

func (m *Matcher) markRepeated(row bills.TradeRow) {
	if !m.isFirst(row) {
		m.duplicated(row)
	}
}

// duplicated records that a number is listed twice. The rows may differ in everything else, so
// nothing else of them is shown.
func (m *Matcher) duplicated(row bills.TradeRow) {
	d := Difference{Class: classesOf(row).duplicated, Key: keyOf(row)}
	if row.Kind == bills.Refund {
		d.RefundID = d.Key
	} else {
		d.TransactionID = d.Key
	}
	m.emit(d)
}

// count adds a row to the bill and to where it landed.
func (m *Matcher) count(where Sums, row bills.TradeRow) {
	amount := row.Order
	if row.Kind != bills.Payment {
		amount = row.Requested
	}
	if !m.bill.add(row.Kind, row.Currency, amount) || !where.add(row.Kind, row.Currency, amount) {
		m.tooLarge = true
	}
}

// keyOf is WeChat's number of what a row is about.
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

// money writes an amount. Currencies that have no hundredths are rare enough to be written so too.
func money(amount int64, currency string) string {
	if currency == "" {
		return bills.FormatFen(amount)
	}
	return bills.FormatFen(amount) + " " + currency
}

// differs records a difference of a row.
func (m *Matcher) differs(row bills.TradeRow, class Class, inBill, here string) {
	m.emit(Difference{
		Class: class, OutTradeNo: row.OutTradeNo, TransactionID: row.TransactionID, OutRefundNo: row.OutRefundNo, RefundID: row.RefundID,
		Bill: inBill, Here: here, Key: keyOf(row),
	})
}

// emit records a difference once.
func (m *Matcher) emit(d Difference) {
	if !m.emitted.add(d.identity()) {
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
