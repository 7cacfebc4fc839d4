package simulator

import (
	"time"

	"github.com/wechatpay-operator/wechatpay-operator/internal/simulation"
)

// store is the state that outlives a request. Simulator.mu guards it.
type store struct {
	merchants    map[string]*merchant
	orders       map[string]*Order // by merchant and out_trade_no
	refunds      map[string]*Refund
	callbacks    map[string]*Callback
	orderList    []*Order
	refundList   []*Refund
	callbackList []*Callback
	violations   []Violation
	calls        *simulation.Calls[Operation, Call]
	// issued are the API certificates of merchants from this simulator's authority.
	issued []*issuedCertificate
	// platform are WeChat Pay's own keys; nil until they are needed.
	platform *platformKeys

	// Secondary indexes of orders and refunds.
	byTransaction map[string]*Order
	byPrepay      map[string]*Order
	byRefundID    map[string]*Refund
	refundsOf     map[*Order][]*Refund
	// processing holds the refunds in progress.
	processing map[string]*Refund

	journal *simulation.StateFile[entry]
}

// merchant is a merchant with its counters and blocks.
type merchant struct {
	Merchant
	InvalidRefundCalls int       `json:"invalid_refund_calls,omitempty"`
	Blocks             int       `json:"blocks,omitempty"`
	BlockedUntil       time.Time `json:"blocked_until,omitzero"`
	// recent are the times of the latest invalid refund calls. A restart forgets them.
	recent []time.Time
	// parsed are the Certificates, once they are needed.
	parsed []*merchantCertificate
	// The turns of the keys that sign answers and callbacks of API v3.
	turn, callbackTurn int
	// nonces are those of the API v3 requests of the last minutes, with their signatures.
	nonces nonceLog
}

func newStore(maxCalls int) *store {
	return &store{
		merchants: map[string]*merchant{}, orders: map[string]*Order{}, refunds: map[string]*Refund{},
		callbacks: map[string]*Callback{}, calls: simulation.NewCalls[Operation, Call](maxCalls),
		byTransaction: map[string]*Order{}, byPrepay: map[string]*Order{}, byRefundID: map[string]*Refund{},
		refundsOf: map[*Order][]*Refund{}, processing: map[string]*Refund{},
	}
}

// keyOf joins a merchant and a number. A number can't contain the separator.
func keyOf(mchID, number string) string { return mchID + "/" + number }

func (t *store) order(mchID, outTradeNo string) *Order { return t.orders[keyOf(mchID, outTradeNo)] }

func (t *store) refund(mchID, outRefundNo string) *Refund {
	return t.refunds[keyOf(mchID, outRefundNo)]
}

func (t *store) transaction(mchID, id string) *Order {
	if o := t.byTransaction[id]; o != nil && o.MchID == mchID {
		return o
	}
	return nil
}

func (t *store) refundByID(mchID, id string) *Refund {
	if r := t.byRefundID[id]; r != nil && r.MchID == mchID {
		return r
	}
	return nil
}

// The save methods add a new or changed record to the indexes and to the journal.

func (t *store) saveMerchant(m *merchant) {
	t.merchants[m.MchID] = m
	t.journal.Note(m.MchID, entry{Merchant: m})
}

func (t *store) saveIssued(c *issuedCertificate) {
	c.parsed, _ = readMerchantCertificate([]byte(c.CertPEM)) // our own authority issued it
	t.issued = append(t.issued, c)
	t.journal.Note("", entry{Issued: c})
}

func (t *store) savePlatform(p *platformKeys) {
	t.platform = p
	t.journal.Note("platform", entry{Platform: p})
}

func (t *store) saveOrder(o *Order) {
	key := keyOf(o.MchID, o.OutTradeNo)
	if t.orders[key] == nil {
		t.orders[key] = o
		t.orderList = append(t.orderList, o)
	}
	for _, prepay := range o.Prepays {
		t.byPrepay[prepay.ID] = o
	}
	if o.Payment != nil {
		t.byTransaction[o.Payment.TransactionID] = o
	}
	t.journal.Note("order/"+key, entry{Order: o})
}

func (t *store) saveRefund(r *Refund) {
	key := keyOf(r.MchID, r.OutRefundNo)
	if t.refunds[key] == nil {
		t.refunds[key] = r
		t.refundList = append(t.refundList, r)
		t.byRefundID[r.RefundID] = r
		if o := t.order(r.MchID, r.OutTradeNo); o != nil {
			t.refundsOf[o] = append(t.refundsOf[o], r)
		}
	}
	if r.Status == RefundProcessing {
		t.processing[key] = r
	} else {
		delete(t.processing, key)
	}
	t.journal.Note("refund/"+key, entry{Refund: r})
}

func (t *store) saveCallback(c *Callback) {
	if t.callbacks[c.ID] == nil {
		t.callbacks[c.ID] = c
		t.callbackList = append(t.callbackList, c)
	}
	t.journal.Note("callback/"+c.ID, entry{Callback: c})
}

func (t *store) addViolation(v Violation) {
	t.violations = append(t.violations, v)
	t.journal.Note("", entry{Violation: &v})
}

func (t *store) addCall(c Call) {
	t.calls.Add(c, c.Operation, c.Outcome)
	t.journal.Note("", entry{Call: &c})
}

// sums adds up an order's money.
func (t *store) sums(o *Order) OrderSums {
	var sums OrderSums
	if o.Payment != nil {
		sums.Paid = o.Payment.TotalFee
	}
	for _, r := range t.refundsOf[o] {
		sums.Count++
		if r.Status != RefundClosed {
			sums.Accepted += r.RefundFee
		}
		if r.Status == RefundSuccess {
			sums.Refunded += r.RefundFee
		}
	}
	return sums
}
