package simulator

import (
	"cmp"
	"maps"
	"slices"
)

// Ledger returns a copy of the simulator's current state.
func (s *Simulator) Ledger() Ledger {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.settleDue()
	t := s.store
	out := Ledger{
		Time: s.now(), Merchants: []MerchantRecord{}, Orders: make([]Order, 0, len(t.orderList)),
		Refunds: make([]Refund, 0, len(t.refundList)), Callbacks: make([]Callback, 0, len(t.callbackList)),
		Calls: t.calls.Latest(), CallCounts: t.calls.Counted(),
		Violations: append([]Violation{}, t.violations...),
	}
	for _, m := range t.merchants {
		out.Merchants = append(out.Merchants, recordOf(m))
	}
	slices.SortFunc(out.Merchants, func(a, b MerchantRecord) int { return cmp.Compare(a.MchID, b.MchID) })
	for _, o := range t.orderList {
		out.Orders = append(out.Orders, s.copyOrder(o))
	}
	for _, r := range t.refundList {
		copied := *r
		copied.Params, copied.Abnormal = maps.Clone(r.Params), copyOf(r.Abnormal)
		out.Refunds = append(out.Refunds, copied)
	}
	for _, c := range t.callbackList {
		copied := *c
		copied.Attempts = append([]CallbackAttempt{}, c.Attempts...)
		out.Callbacks = append(out.Callbacks, copied)
	}
	return out
}

func recordOf(m *merchant) MerchantRecord {
	record := MerchantRecord{
		MchID: m.MchID, AppIDs: slices.Clone(m.AppIDs), Balance: copyOf(m.Balance),
		InvalidRefundCalls: m.InvalidRefundCalls, Blocks: m.Blocks,
	}
	record.Verification, record.SubMerchants = m.Verification, cloneSubMerchants(m.SubMerchants)
	if !m.BlockedUntil.IsZero() {
		record.BlockedUntil = copyOf(&m.BlockedUntil)
	}
	return record
}

func copyOf[T any](value *T) *T {
	if value == nil {
		return nil
	}
	copied := *value
	return &copied
}
