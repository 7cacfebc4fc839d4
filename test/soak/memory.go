package main

import (
	"maps"
	"slices"
	"sync"
	"time"

	"github.com/wechatpay-operator/wechatpay-operator/api/v1alpha1"
	"github.com/wechatpay-operator/wechatpay-operator/test/soak/judge"
)

// memory is what the soak requested. Each request is recorded before it is sent.
type memory struct {
	mu      sync.Mutex
	orders  map[judge.Number]*judge.AskedOrder
	refunds map[judge.Number]*judge.AskedRefund
	rivals  []judge.Rival
	// shipments are changed under the lock.
	shipments []*judge.AskedShipment
	passed    []judge.Number
	// unpayable are Orders whose paySign WeChat Pay did not take.
	unpayable []judge.Number
	forgeries []judge.Forgery
	payments  []judge.SeenPayment
	pauses    []judge.Pause
	counts    map[string]int
}

func newMemory() *memory {
	return &memory{orders: map[judge.Number]*judge.AskedOrder{}, refunds: map[judge.Number]*judge.AskedRefund{}, counts: map[string]int{}}
}

func (m *memory) do(what func()) {
	m.mu.Lock()
	defer m.mu.Unlock()
	what()
}

func (m *memory) count(what string) { m.do(func() { m.counts[what]++ }) }

func (m *memory) askOrder(number judge.Number, order *v1alpha1.Order, merchant *v1alpha1.Merchant) {
	m.do(func() {
		asked := &judge.AskedOrder{Order: order.DeepCopy(), Merchant: merchant}
		if first := m.orders[number]; first != nil {
			first.Twin = asked
			return
		}
		m.orders[number] = asked
	})
}

func (m *memory) deleteOrder(number judge.Number) { m.do(func() { m.orders[number].Deleted = true }) }

func (m *memory) askRefund(number, order judge.Number, refund *v1alpha1.Refund) {
	m.do(func() {
		asked := &judge.AskedRefund{Refund: refund.DeepCopy(), Order: order}
		if first := m.refunds[number]; first != nil {
			first.Twin = asked
			return
		}
		m.refunds[number] = asked
	})
}

func (m *memory) deleteRefund(number judge.Number) { m.do(func() { m.refunds[number].Deleted = true }) }

func (m *memory) approve(number judge.Number, namespace string) {
	m.do(func() {
		asked := m.refunds[number]
		if asked.Refund.Namespace != namespace {
			asked = asked.Twin
		}
		if asked.ApprovedTime.IsZero() {
			asked.ApprovedTime = time.Now()
		}
	})
}

func (m *memory) rival(rival judge.Rival) { m.do(func() { m.rivals = append(m.rivals, rival) }) }

// letThrough records that a user without permission could approve a Refund.
func (m *memory) letThrough(number judge.Number) {
	m.do(func() { m.passed = append(m.passed, number) })
}

// refusedPaySign records that WeChat Pay did not take what an Order gives its payer's client.
func (m *memory) refusedPaySign(number judge.Number) {
	m.do(func() { m.unpayable = append(m.unpayable, number) })
}

func (m *memory) forged(forgery judge.Forgery) {
	m.do(func() { m.forgeries = append(m.forgeries, forgery) })
}

func (m *memory) paid(order judge.Number, transaction string) {
	m.do(func() { m.payments = append(m.payments, judge.SeenPayment{Order: order, TransactionID: transaction}) })
}

func (m *memory) paused(from, until time.Time) {
	m.do(func() { m.pauses = append(m.pauses, judge.Pause{From: from, Until: until}) })
}

// evidence returns a copy of what was recorded.
func (m *memory) evidence() judge.Evidence {
	m.mu.Lock()
	defer m.mu.Unlock()
	e := judge.Evidence{Orders: map[judge.Number]*judge.AskedOrder{}, Refunds: map[judge.Number]*judge.AskedRefund{},
		Rivals: slices.Clone(m.rivals), LetThrough: slices.Clone(m.passed), Unpayable: slices.Clone(m.unpayable), Forgeries: slices.Clone(m.forgeries),
		Payments: slices.Clone(m.payments), Pauses: slices.Clone(m.pauses)}
	for number, asked := range m.orders {
		copied := *asked
		if asked.Twin != nil {
			twin := *asked.Twin
			copied.Twin = &twin
		}
		e.Orders[number] = &copied
	}
	for number, asked := range m.refunds {
		copied := *asked
		if asked.Twin != nil {
			twin := *asked.Twin
			copied.Twin = &twin
		}
		e.Refunds[number] = &copied
	}
	for _, asked := range m.shipments {
		copied := *asked
		e.Shipments = append(e.Shipments, &copied)
	}
	return e
}

func (m *memory) counted() map[string]int {
	m.mu.Lock()
	defer m.mu.Unlock()
	return maps.Clone(m.counts)
}
