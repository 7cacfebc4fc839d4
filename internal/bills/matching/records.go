package matching

import (
	"github.com/wechatpay-operator/wechatpay-operator/internal/bills"
)

// A day may have hundreds of thousands of orders, so their records are small: both numbers share one string, and
// repeated texts are indices into a textTable.

type mark uint8

const (
	// confirmed: WeChat has it, because the Order is Paid or the Refund Accepted.
	confirmed mark = 1 << iota
	// timed: the time is known.
	timed
	// local: the time is not WeChat's.
	local
	doubtful
	fromBalance
	// seen: the bill has a row of it.
	seen
	// matched: a row of it agrees.
	matched
	// inNeighbour: the bill of a neighbouring day has a row of it.
	inNeighbour
)

func (m mark) has(marks mark) bool { return m&marks == marks }

func markIf(condition bool, m mark) mark {
	if condition {
		return m
	}
	return 0
}

// numberPair has two numbers: the merchant's and WeChat's.
type numberPair struct {
	both  string
	split uint8
}

// newNumberPair joins two numbers. Neither has more than 255 bytes: the CRDs limit them to 64.
func newNumberPair(merchants, weChats string) numberPair {
	merchants = merchants[:min(len(merchants), 255)]
	return numberPair{both: merchants + weChats, split: uint8(len(merchants))}
}

func (p numberPair) merchants() string { return p.both[:p.split] }
func (p numberPair) weChats() string   { return p.both[p.split:] }

// textTable maps repeated texts to small numbers.
type textTable struct {
	list    []string
	indices map[string]uint32
}

func (t *textTable) index(text string) uint32 {
	if at, found := t.indices[text]; found {
		return at
	}
	if t.indices == nil {
		t.indices = map[string]uint32{}
	}
	at := uint32(len(t.list))
	t.list = append(t.list, text)
	t.indices[text] = at
	return at
}

type orderRecord struct {
	numbers              numberPair
	marks                mark
	appID, sub, currency uint32
	total                int64
	// settlement is -1 if it is not known.
	settlement int64
	// paid is in seconds since 1970.
	paid int64
}

type refundRecord struct {
	numbers       numberPair
	marks         mark
	order         numberPair
	sub, currency uint32
	amount        int64
	accepted      int64
}

// slab holds records in blocks, so it grows without copying them.
type slab[Record any] struct {
	blocks [][]Record
	length int32
}

const blockSize = 1024

func (s *slab[Record]) add(record Record) int32 {
	if s.length%blockSize == 0 {
		s.blocks = append(s.blocks, make([]Record, 0, blockSize))
	}
	last := len(s.blocks) - 1
	s.blocks[last] = append(s.blocks[last], record)
	s.length++
	return s.length - 1
}

func (s *slab[Record]) at(index int32) *Record {
	return &s.blocks[index/blockSize][index%blockSize]
}

// all calls yield with every record.
func (s *slab[Record]) all(yield func(*Record) bool) {
	for _, block := range s.blocks {
		for i := range block {
			if !yield(&block[i]) {
				return
			}
		}
	}
}

// recordIndex finds records by either number.
type recordIndex struct {
	byMerchants, byWeChats map[string]int32
}

func newRecordIndex() recordIndex {
	return recordIndex{byMerchants: map[string]int32{}, byWeChats: map[string]int32{}}
}

func (r recordIndex) add(numbers numberPair, index int32) {
	if number := numbers.merchants(); number != "" {
		r.byMerchants[number] = index
	}
	if number := numbers.weChats(); number != "" {
		r.byWeChats[number] = index
	}
}

// AddOrder adds an order that was paid on the day, or whose time of payment is unknown. Other orders have no effect on
// the result.
func (m *Matcher) AddOrder(order Order) {
	record := orderRecord{
		numbers: newNumberPair(order.OutTradeNo, order.TransactionID), total: order.Total, settlement: -1, paid: order.PaidTime.Unix(),
		appID: m.texts.index(order.AppID), sub: m.texts.index(order.SubMchID), currency: m.texts.index(order.Currency),
		// A payment is always recorded with its transaction id.
		marks: markIf(order.Paid && order.TransactionID != "", confirmed) | markIf(!order.PaidTime.IsZero(), timed) | markIf(order.PaidTimeLocal, local),
	}
	if order.SettlementTotal != nil {
		record.settlement = *order.SettlementTotal
	}
	m.ordersBy.add(record.numbers, m.orders.add(record))
}

// AddRefund adds a refund that was accepted on the day or near one of its midnights, or may have been.
func (m *Matcher) AddRefund(refund Refund) {
	record := refundRecord{
		numbers: newNumberPair(refund.OutRefundNo, refund.RefundID), order: newNumberPair(refund.OutTradeNo, refund.TransactionID),
		amount: refund.Amount, accepted: refund.AcceptedTime.Unix(), sub: m.texts.index(refund.SubMchID), currency: m.texts.index(refund.Currency),
		marks: markIf(refund.Accepted && refund.RefundID != "", confirmed) | markIf(!refund.AcceptedTime.IsZero(), timed) |
			markIf(refund.AcceptedTimeLocal, local) | markIf(refund.Doubtful, doubtful) | markIf(refund.FromAvailableBalance, fromBalance),
	}
	m.refundsBy.add(record.numbers, m.refunds.add(record))
}

// findOrder finds the order of a row: by WeChat's number, otherwise by the merchant's. A row of another sub merchant is
// found by WeChat's number only.
func (m *Matcher) findOrder(row bills.TradeRow, own bool) *orderRecord {
	if at, found := m.ordersBy.byWeChats[row.TransactionID]; found {
		return m.orders.at(at)
	}
	if !own {
		return nil
	}
	if at, found := m.ordersBy.byMerchants[row.OutTradeNo]; found {
		return m.orders.at(at)
	}
	if m.rules.Find == nil {
		return nil
	}
	order, found := m.rules.Find.FindOrder(row.TransactionID, row.OutTradeNo)
	if !found {
		return nil
	}
	m.AddOrder(order)
	return m.orders.at(m.orders.length - 1)
}

// findRefund finds the refund of a row. It never searches by transaction id: an order may have several refunds of the
// same amount.
func (m *Matcher) findRefund(row bills.TradeRow, own bool) *refundRecord {
	if at, found := m.refundsBy.byWeChats[row.RefundID]; found {
		return m.refunds.at(at)
	}
	if !own {
		return nil
	}
	if at, found := m.refundsBy.byMerchants[row.OutRefundNo]; found {
		return m.refunds.at(at)
	}
	if m.rules.Find == nil {
		return nil
	}
	refund, found := m.rules.Find.FindRefund(row.RefundID, row.OutRefundNo)
	if !found {
		return nil
	}
	m.AddRefund(refund)
	return m.refunds.at(m.refunds.length - 1)
}
