package controllers

import (
	"sync"
	"time"

	"k8s.io/utils/clock"

	"github.com/wechatpay-operator/wechatpay-operator/internal/account"
)

// refundSpacing keeps refund requests of one order at WeChat apart (chapter 9_4: at least a
// minute), whatever their number. The status of a Refund also records earlier requests, but a
// process may have stopped between a request and that write. So for objects that are older than
// this process's leadership it waits until no request of an earlier leader can be too close.
type refundSpacing struct {
	spacing time.Duration
	clock   clock.PassiveClock

	mutex sync.Mutex
	began time.Time
	last  map[string]time.Time
}

func newRefundSpacing(spacing time.Duration, clock clock.PassiveClock) *refundSpacing {
	return &refundSpacing{spacing: spacing, clock: clock, last: map[string]time.Time{}}
}

// begin records when this process became the leader; only the first call counts.
func (p *refundSpacing) begin() {
	p.mutex.Lock()
	defer p.mutex.Unlock()
	if p.began.IsZero() {
		p.began = p.clock.Now()
	}
}

// spacingKey identifies the order at WeChat that a Refund refunds, whatever objects represent it.
// An unproven key gets its own, so that it can't delay others.
func (f *refund) spacingKey() string {
	if !f.account.Proven() {
		return string(f.order.UID)
	}
	account := account.IDOf(f.merchant)
	return account.Hosts + "/" + account.MchID + "/" + f.order.Number()
}

// take reserves a request for an order now and returns the time of the previous one, or returns how
// long to wait.
func (p *refundSpacing) take(order string, created time.Time) (before time.Time, allowed bool, wait time.Duration) {
	p.mutex.Lock()
	defer p.mutex.Unlock()
	now := p.clock.Now()
	earliest := time.Time{}
	if !created.After(p.began) {
		earliest = p.began.Add(p.spacing)
	}
	if last, ok := p.last[order]; ok && last.Add(p.spacing).After(earliest) {
		earliest = last.Add(p.spacing)
	}
	if now.Before(earliest) {
		return time.Time{}, false, earliest.Sub(now)
	}
	before = p.last[order]
	p.last[order] = now
	p.dropOld(now)
	return before, true, 0
}

// undo reverts take for a request that was not sent.
func (p *refundSpacing) undo(order string, before time.Time) {
	p.mutex.Lock()
	defer p.mutex.Unlock()
	if p.last[order] = before; before.IsZero() {
		delete(p.last, order)
	}
}

// callEnded sets the time of the last request to its end: it may have arrived at any moment until
// then.
func (p *refundSpacing) callEnded(order string) {
	p.mutex.Lock()
	defer p.mutex.Unlock()
	p.last[order] = p.clock.Now()
}

func (p *refundSpacing) dropOld(now time.Time) {
	for order, last := range p.last {
		if now.Sub(last) > 10*p.spacing {
			delete(p.last, order)
		}
	}
}
