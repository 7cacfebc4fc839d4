package matching

import "github.com/wechatpay-operator/wechatpay-operator/internal/bills"

// Neighbour notes the rows of a neighbouring day's bill until that bill is known to be complete. It notes only records
// that the day's bill left open, once each, so it stays small even if the other bill is large.
type Neighbour struct {
	matcher         *Matcher
	source          Source
	orders, refunds map[int32]struct{}
}

// Neighbour returns notes for the bill of PreviousDay or NextDay. All rows of the day's own bill must have been added
// before.
func (m *Matcher) Neighbour(source Source) *Neighbour {
	return &Neighbour{matcher: m, source: source, orders: map[int32]struct{}{}, refunds: map[int32]struct{}{}}
}

// Row notes a row. It does not keep the row's texts.
func (n *Neighbour) Row(row bills.TradeRow) {
	m := n.matcher
	at, found := m.findInDay(row, row.SubMchID == m.account.SubMchID)
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

// Whole passes the notes to the Matcher. Without this call they don't count.
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
