package account

import (
	"context"
	"errors"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"time"

	"github.com/sony/gobreaker/v2"
	"k8s.io/apimachinery/pkg/types"

	"github.com/wechatpay-operator/wechatpay-operator/internal/metrics"
	"github.com/wechatpay-operator/wechatpay-operator/internal/wechatpay"
)

// membership is a Merchant with certain credentials as it makes calls: in an account of its own, and in the account of its merchant
// number from the moment at which WeChat took its key. It lives as long as its Account.
type membership struct {
	merchant    types.NamespacedName
	host        string
	id          ID
	accounts    *quotas
	concurrency map[Workers]*concurrencyLimit
	// breakers open over what concerns these credentials alone.
	breakers map[Calls]*breaker
	// tell is told of what is new: calls that are paused or go on, a key that is proven.
	tell func(types.NamespacedName)

	standing atomic.Pointer[standing]
	mutex    sync.Mutex
	closed   bool
	states   map[Calls]gobreaker.State
}

// standing is where a member belongs.
type standing struct {
	account *quota
	proven  bool
}

// memberOf makes a Merchant a member of nothing but an account of its own.
func (r *Registry) memberOf(merchant types.NamespacedName, host string, id ID) *membership {
	m := &membership{
		merchant: merchant, host: host, id: id, accounts: r.accounts, concurrency: r.concurrency, tell: r.notify,
		states: map[Calls]gobreaker.State{},
	}
	m.breakers = newBreakers(ofCredentials, r.options.Limits, r.options.Clock, m.own)
	m.standing.Store(&standing{account: r.accounts.alone(m)})
	m.show()
	return m
}

func (m *membership) isProven() bool { return m.standing.Load().proven }

// prove makes the Merchant a member of the account: WeChat took its key for the number. It is news the first time.
func (m *membership) prove() {
	if !m.isProven() && m.move(true) {
		m.tell(m.merchant)
	}
}

// disprove takes the Merchant out of the account again: WeChat does not take its key any more.
func (m *membership) disprove() { m.move(false) }

// move has the Merchant make its next call in another account, and says whether that is another one.
func (m *membership) move(proven bool) bool {
	m.mutex.Lock()
	defer m.mutex.Unlock()
	if m.closed || m.isProven() == proven {
		return false
	}
	if proven {
		m.standing.Store(&standing{account: m.accounts.join(m.id, m), proven: true})
	} else {
		m.accounts.leave(m.id, m)
		m.standing.Store(&standing{account: m.accounts.alone(m)})
	}
	m.show()
	return true
}

// close ends the membership. Calls under way go on.
func (m *membership) close() {
	m.mutex.Lock()
	defer m.mutex.Unlock()
	m.closed = true
	if m.isProven() {
		m.accounts.leave(m.id, m)
	}
	for _, calls := range []Calls{OrderCalls, RefundCalls} {
		metrics.BreakerState.DeleteLabelValues(m.merchant.Namespace, m.merchant.Name, string(calls))
	}
}

// own is told by a breaker of the member's own, under its lock.
func (m *membership) own(calls Calls, to gobreaker.State) {
	m.mutex.Lock()
	m.states[calls] = to
	m.mutex.Unlock()
	m.turned(to)
}

// turned is told of each change of a breaker that the Merchant's calls go through. That one call is let through to try is no
// news: what comes of it is.
func (m *membership) turned(to gobreaker.State) {
	m.mutex.Lock()
	m.show()
	m.mutex.Unlock()
	if to != gobreaker.StateHalfOpen {
		m.tell(m.merchant)
	}
}

// show sets the metric to what holds calls up most.
func (m *membership) show() {
	if m.closed {
		return
	}
	for _, calls := range []Calls{OrderCalls, RefundCalls} {
		state := max(m.states[calls], m.standing.Load().account.state(calls))
		metrics.BreakerState.WithLabelValues(m.merchant.Namespace, m.merchant.Name, string(calls)).Set(float64(state))
	}
}

// pause says why calls are not made; nil when they are.
func (m *membership) pause(calls Calls) *Pause {
	if own := m.breakers[calls].pause(); own != nil {
		return own
	}
	return m.standing.Load().account.breakers[calls].pause()
}

// do makes a call within the limits. A call that may not be made now is NotSent, and nothing happened. The breakers come
// first, so that what they deny takes no token, and they do not count what the other limits deny: a burst is no failure.
// Calls for the same number are one in the line, however often they come back.
func (m *membership) do(ctx context.Context, operation wechatpay.Operation, number string, call func() error) error {
	at, calls := m.standing.Load(), callsOf(operation)
	err := m.permit(at, operation)
	if err == nil {
		err = at.account.breakers[calls].do(func() error {
			return m.breakers[calls].do(func() error { return m.within(ctx, at, operation, number, call) })
		})
	}
	if denied, ours := errors.AsType[*throttledError](err); ours {
		metrics.CallsDenied.WithLabelValues(string(operation), denied.limit).Inc()
		return &wechatpay.Error{Operation: operation, Outcome: wechatpay.NotSent, Meaning: wechatpay.SlowDown, Err: denied, RetryAfter: denied.retryAfter}
	}
	if provesKey(err) {
		m.prove()
	}
	return err
}

// provesKey says whether an answer shows that WeChat took the key: it is signed with it, and does not say otherwise.
func provesKey(err error) bool {
	return err == nil || wechatpay.OutcomeOf(err) == wechatpay.Failed && wechatpay.MeaningOf(err) != wechatpay.CredentialsRejected
}

// permit holds refund requests back until the key is proven: WeChat blocks a merchant number over those that fail, so they are
// made within the budget of its account only.
func (m *membership) permit(at *standing, operation wechatpay.Operation) error {
	if at.proven || operation != wechatpay.OperationCreateRefund {
		return nil
	}
	m.tell(m.merchant) // who asks WeChat about the key
	return &throttledError{
		limit:      "Unproven",
		reason:     "WeChat Pay has not taken the Merchant's key yet, and refund requests wait for that",
		retryAfter: untilProven(),
	}
}

// untilProven is when one that waits for the proof of a key comes again.
func untilProven() time.Duration { return time.Second + rand.N(time.Second) }

// claim is a call as the places see it.
func (m *membership) claim(at *standing, namespace string) callShares {
	if at.proven {
		return provenShares(m.host, m.id, namespace)
	}
	return unprovenShares(m.merchant.Namespace, namespace)
}

// within makes a call when its turn has come, or gives it back when that would take longer than MaxWait.
func (m *membership) within(ctx context.Context, at *standing, operation wechatpay.Operation, number string, call func() error) error {
	limits, caller := at.account.limits, callerOf(ctx, m.merchant.Namespace)
	waiting, cancel := context.WithTimeout(ctx, limits.MaxWait)
	defer cancel()
	queue, places, claim := at.account.limiters[operation], m.concurrency[caller.Workers], m.claim(at, caller.Namespace)
	if err := queue.reserve(caller.Namespace, number, time.Now(), limits.MaxWait); err != nil {
		return err
	}
	defer CallerWaits(ctx)()
	if err := places.acquire(waiting, claim); err != nil {
		return err
	}
	defer places.release(claim)
	if operation != wechatpay.OperationCreateRefund {
		if err := queue.wait(waiting, caller.Namespace, number); err != nil {
			return err
		}
		return call()
	}
	failing := at.account.failing
	if err := failing.begin(waiting); err != nil {
		return err
	}
	failed := true // until the call has returned: it may panic
	defer func() { failing.end(failed) }()
	if err := queue.wait(waiting, caller.Namespace, number); err != nil {
		failed = false
		return err
	}
	err := call()
	failed = err != nil
	return err
}
