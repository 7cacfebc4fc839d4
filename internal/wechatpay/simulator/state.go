package simulator

import "cmp"

// entry is one line of the state file; exactly one of its fields is set.
type entry struct {
	Merchant  *merchant  `json:"merchant,omitempty"`
	Order     *Order     `json:"order,omitempty"`
	Refund    *Refund    `json:"refund,omitempty"`
	Callback  *Callback  `json:"callback,omitempty"`
	Violation *Violation `json:"violation,omitempty"`
	Call      *Call      `json:"call,omitempty"`
	// Issued is a merchant's API certificate from this simulator's authority.
	Issued *issuedCertificate `json:"issued,omitempty"`
	// Platform are WeChat Pay's own keys.
	Platform *platformKeys                `json:"platform,omitempty"`
	Counts   map[Operation]map[string]int `json:"counts,omitempty"`
}

// apply applies one line: a record replaces its older version in place.
func (t *store) apply(e entry) {
	switch {
	case e.Merchant != nil:
		t.saveMerchant(e.Merchant)
	case e.Order != nil:
		e.Order.upgrade()
		t.saveOrder(replaced(t.order(e.Order.MchID, e.Order.OutTradeNo), e.Order))
	case e.Refund != nil:
		e.Refund.Protocol = cmp.Or(e.Refund.Protocol, ProtocolV2)
		t.saveRefund(replaced(t.refund(e.Refund.MchID, e.Refund.OutRefundNo), e.Refund))
	case e.Callback != nil:
		e.Callback.Protocol = cmp.Or(e.Callback.Protocol, ProtocolV2)
		t.saveCallback(replaced(t.callbacks[e.Callback.ID], e.Callback))
	case e.Violation != nil:
		t.addViolation(*e.Violation)
	case e.Call != nil:
		t.addCall(*e.Call)
	case e.Issued != nil:
		t.saveIssued(e.Issued)
	case e.Platform != nil:
		t.savePlatform(e.Platform)
	case e.Counts != nil:
		t.calls.Counts = e.Counts
	}
}

// replaced returns the record that stays: the known one, with the content of the newer.
func replaced[T any](known, newer *T) *T {
	if known == nil {
		return newer
	}
	*known = *newer
	return known
}

// upgrade completes an order from a state file that was written before API v3 was simulated.
func (o *Order) upgrade() {
	if o.Protocol == "" {
		o.Protocol = ProtocolV2
		o.fillFromV2()
	}
}

// entries returns the lines of a new state file. The counts come last, because they include the
// calls before them.
func (t *store) entries() []entry {
	var out []entry
	for _, m := range t.merchants {
		out = append(out, entry{Merchant: m})
	}
	if t.platform != nil {
		out = append(out, entry{Platform: t.platform})
	}
	for _, issued := range t.issued {
		out = append(out, entry{Issued: issued})
	}
	for _, o := range t.orderList {
		out = append(out, entry{Order: o})
	}
	for _, r := range t.refundList {
		out = append(out, entry{Refund: r})
	}
	for _, c := range t.callbackList {
		out = append(out, entry{Callback: c})
	}
	for i := range t.violations {
		out = append(out, entry{Violation: &t.violations[i]})
	}
	for _, c := range t.calls.Latest() {
		out = append(out, entry{Call: &c})
	}
	if len(t.calls.Counts) > 0 {
		out = append(out, entry{Counts: t.calls.Counts})
	}
	return out
}
