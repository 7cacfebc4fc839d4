package controllers

import (
	"sync"
	"time"

	"k8s.io/utils/clock"

	"github.com/wechatpay-operator/wechatpay-operator/internal/account"
)

// refundSpacing keeps refund requests of one order at WeChat apart (chapter 9_4: at least a minute), whatever their number. What a Refund's
// status says of earlier requests counts as well, but a process may have died between a request and that write. So for
// objects that are older than this process's leadership it waits until nothing an earlier leader sent can be too near.
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

// begin notes when this process became the leader; only the first time counts.
func (p *refundSpacing) begin() {
	p.mutex.Lock()
	defer p.mutex.Unlock()
	if p.began.IsZero() {
		p.began = p.clock.Now()
	}
}

// spacingKey names the order at WeChat that a Refund pays back: the same one, whatever objects stand for it. A key that is not proven is
// no way to take a turn from others.
func (f *refund) spacingKey() string {
	if !f.account.Proven() {
		return string(f.order.UID)
	}
	account := account.IDOf(f.merchant)
	return account.Hosts + "/" + account.MchID + "/" + f.order.Number()
}

// take reserves a request for an order now, and returns when the one before was; or it says how long to wait.
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

// giveBack undoes take for a request that was never sent.
func (p *refundSpacing) giveBack(order string, before time.Time) {
	p.mutex.Lock()
	defer p.mutex.Unlock()
	if p.last[order] = before; before.IsZero() {
		delete(p.last, order)
	}
}

// calledAgain sets the time of the last request to when it ended: it may have arrived at any moment until then.
func (p *refundSpacing) calledAgain(order string) {
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
