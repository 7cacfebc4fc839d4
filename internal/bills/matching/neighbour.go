package matching

import "github.com/wechatpay-operator/wechatpay-operator/internal/bills"

// Neighbour notes what the bill of a neighbouring day has, until that bill is known to be whole. It notes only what the day's bill left
// open, once each, so that it stays small whatever the other bill has.
type Neighbour struct {
	matcher         *Matcher
	source          Source
	orders, refunds map[int32]struct{}
}

// Neighbour returns notes for the bill of PreviousDay or NextDay. The rows of the day's bill come first.
func (m *Matcher) Neighbour(source Source) *Neighbour {
	return &Neighbour{matcher: m, source: source, orders: map[int32]struct{}{}, refunds: map[int32]struct{}{}}
}

// Row notes a row. Its texts are not kept.
func (n *Neighbour) Row(row bills.TradeRow) {
	m := n.matcher
	at, found := m.inDay(row, row.SubMchID == m.account.SubMchID)
	if !found {
		return
	}
	switch row.Kind {
	case bills.Refund:
		if refund := m.refunds.at(at); m.isExpected(refund.marks, refund.accepted) {
			n.refunds[at] = struct{}{}
		}
	case bills.Payment:
		if order := m.orders.at(at); m.isExpected(order.marks, order.paid) {
			n.orders[at] = struct{}{}
		}
	}
}

// Whole tells the Matcher what was noted. Without it nothing counts.
func (n *Neighbour) Whole() {
	m := n.matcher
	m.Begin(n.source)
	for at := range n.orders {
		m.orders.at(at).marks |= inNeighbour
	}
	for at := range n.refunds {
		m.refunds.at(at).marks |= inNeighbour
	}
}
