package matching

import (
	"fmt"
	"slices"

	"github.com/wechatpay-operator/wechatpay-operator/internal/bills"
)

// Result is the result of a comparison.
type Result struct {
	// Bill counts the rows of this account. It is the sum of Matched, Foreign and Differing.
	Bill, Matched, Foreign, Differing Sums
	// Missing counts the payments and refunds that the bill should have and does not.
	Missing Sums
	// Differences are sorted by class and key. If there are too many, only some are listed; Counts counts all.
	Differences []Difference
	Counts      map[Class]int
	// Pending are those that a later bill will decide. PendingCounts counts all.
	Pending       []Pending
	PendingCounts map[PendingReason]int
	// TooLarge: a sum does not fit into 64 bits, so the result can't be used.
	TooLarge bool
}

// Result ends the comparison. It may be called only once.
func (m *Matcher) Result() Result {
	m.findMissing()
	return Result{
		Bill: m.bill, Matched: m.matched, Foreign: m.foreign, Differing: m.differing, Missing: m.missing,
		Differences: shared(m.byClass, m.rules.Limit), Counts: m.counts,
		Pending: slices.Clone(m.pending.entries), PendingCounts: m.waiting, TooLarge: m.tooLarge,
	}
}

// findMissing records the payments and refunds that the bill should have and does not.
func (m *Matcher) findMissing() {
	for order := range m.orders.all {
		if m.isExpected(order.marks, order.paid) {
			m.missingOrder(order)
		}
	}
	for refund := range m.refunds.all {
		if m.isExpected(refund.marks, refund.accepted) {
			m.missingRefund(refund)
		}
	}
	if missing := m.missing.Count(); m.noBill && missing > 0 {
		m.addDifference(Difference{Class: BillMissingWithActivity, Key: string(m.day), Bill: "no bill", Here: fmt.Sprintf("%d payments and refunds", missing)})
	}
}

// isExpected reports whether the day's bill should have a row for a record and has none.
func (m *Matcher) isExpected(marks mark, at int64) bool {
	return marks.has(confirmed|timed) && !marks.has(seen) && !marks.has(inNeighbour) && at >= m.start && at < m.end
}

func (m *Matcher) missingOrder(order *orderRecord) {
	number := order.numbers.merchants()
	if order.marks.has(local) && !(m.read[PreviousDay] && m.read[NextDay]) {
		m.wait(AwaitingNeighbour, number)
		return
	}
	currency := m.texts.list[order.currency]
	m.addMissing(bills.Payment, currency, order.total, Difference{
		Class: PaymentNotInBill, OutTradeNo: number, TransactionID: order.numbers.weChats(), Key: number, Here: money(order.total, currency),
	})
}

func (m *Matcher) missingRefund(refund *refundRecord) {
	number := refund.numbers.merchants()
	switch {
	case refund.marks.has(fromBalance) && !m.read[RechargeBill]:
		m.wait(NeedsRechargeBill, number)
		return
	case m.needsNeighbour(refund):
		m.wait(AwaitingNeighbour, number)
		return
	}
	currency := m.texts.list[refund.currency]
	m.addMissing(bills.Refund, currency, refund.amount, Difference{
		Class: RefundNotInBill, OutTradeNo: refund.order.merchants(), TransactionID: refund.order.weChats(),
		OutRefundNo: number, RefundID: refund.numbers.weChats(), Key: number, Here: money(refund.amount, currency),
	})
}

// needsNeighbour reports whether a refund may be in the bill of a neighbouring day that was not read: its time is not
// WeChat's and is near a midnight, or the outcome of a call was unknown.
func (m *Matcher) needsNeighbour(refund *refundRecord) bool {
	edge := int64(m.rules.Edge.Seconds())
	nearStart := refund.marks.has(local) && refund.accepted-m.start < edge
	nearEnd := refund.marks.has(local) && m.end-refund.accepted <= edge
	return (nearStart || refund.marks.has(doubtful)) && !m.read[PreviousDay] ||
		(nearEnd || refund.marks.has(doubtful)) && !m.read[NextDay]
}

func (m *Matcher) wait(reason PendingReason, number string) {
	m.waiting[reason]++
	m.pending.add(Pending{Reason: reason, Number: number})
}

// addMissing counts a missing payment or refund. If the whole bill is missing, that is one difference and not one for
// each.
func (m *Matcher) addMissing(kind bills.RowKind, currency string, amount int64, d Difference) {
	if !m.missing.add(kind, currency, amount) {
		m.tooLarge = true
	}
	if !m.noBill {
		m.addDifference(d)
	}
}

// Verdict is the overall result of a comparison.
type Verdict string

// The verdicts.
const (
	Balanced Verdict = "Balanced"
	Differs  Verdict = "Differs"
	// Undecided: there is no difference so far, and a later bill decides about the rest.
	Undecided Verdict = "Undecided"
	// Incomplete: a bill lacks rows or has rows of others, so the result can't be Balanced.
	Incomplete Verdict = "Incomplete"
)

// Verdict returns the overall result, given the checks of the day's bills that were read.
func (r Result) Verdict(checks ...bills.Checks) Verdict {
	switch {
	case r.TooLarge || slices.ContainsFunc(checks, func(c bills.Checks) bool { return !c.Complete() }):
		return Incomplete
	case len(r.Counts) > 0:
		return Differs
	case len(r.PendingCounts) > 0:
		return Undecided
	default:
		return Balanced
	}
}

// Awaits reports which neighbouring days' bills are needed to decide what is pending. Call it after all rows of the day
// and before Result, and read these bills in between.
func (m *Matcher) Awaits() (previous, next bool) {
	edge := int64(m.rules.Edge.Seconds())
	open := func(marks mark, at int64, needed bool) {
		if !needed || !m.isExpected(marks, at) || marks.has(fromBalance) && !m.read[RechargeBill] {
			return
		}
		previous = previous || !m.read[PreviousDay]
		next = next || !m.read[NextDay]
	}
	for order := range m.orders.all {
		open(order.marks, order.paid, order.marks.has(local))
	}
	for refund := range m.refunds.all {
		near := refund.marks.has(local) && (refund.accepted-m.start < edge || m.end-refund.accepted <= edge)
		open(refund.marks, refund.accepted, refund.marks.has(doubtful) || near)
	}
	return previous, next
}

// HasOrder reports whether an order with a number was added.
func (m *Matcher) HasOrder(outTradeNo string) bool {
	_, found := m.ordersBy.byMerchants[outTradeNo]
	return found
}

// HasRefund reports whether a refund with a number was added.
func (m *Matcher) HasRefund(outRefundNo string) bool {
	_, found := m.refundsBy.byMerchants[outRefundNo]
	return found
}
