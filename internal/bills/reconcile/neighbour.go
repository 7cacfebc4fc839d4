package reconcile

import "github.com/wechatpay-operator/wechatpay-operator/internal/bills"

// NeighbourDay is the day before or after that of the bill.
type NeighbourDay int

// The neighbouring days.
const (
	PreviousDay NeighbourDay = iota
	NextDay
)

// Neighbour notes what the bill of a neighbouring day has, until that bill is known to be whole. It notes only what the day's bill left
// open, once each, so that it stays small whatever the other bill has.
type Neighbour struct {
	matcher         *Matcher
	day             NeighbourDay
	orders, refunds map[int32]struct{}
}

// Neighbour returns notes for the bill of a neighbouring day. The rows of the day's bill come first.
func (m *Matcher) Neighbour(day NeighbourDay) *Neighbour {
	return &Neighbour{matcher: m, day: day, orders: map[int32]struct{}{}, refunds: map[int32]struct{}{}}
}

// Row notes a row. Its texts are not kept.
func (n *Neighbour) Row(row bills.TradeRow) {
	m := n.matcher
	if row.SubMchID != m.account.SubMchID {
		return
	}
	switch row.Kind {
	case bills.Refund:
		at, found := m.refundsBy.find(row.RefundID, row.OutRefundNo, true)
		if found && m.isExpected(&m.refunds.at(at).record) {
			n.refunds[at] = struct{}{}
		}
	case bills.Payment:
		at, found := m.ordersBy.find(row.TransactionID, row.OutTradeNo, true)
		if found && m.isExpected(&m.orders.at(at).record) {
			n.orders[at] = struct{}{}
		}
	}
}

// Whole tells the Matcher what was noted, also if that day has no bill. Without it nothing counts.
func (n *Neighbour) Whole() {
	m := n.matcher
	m.read[n.day] = true
	for at := range n.orders {
		m.orders.at(at).marks |= inNeighbour
	}
	for at := range n.refunds {
		m.refunds.at(at).marks |= inNeighbour
	}
}
