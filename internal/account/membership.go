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

// membership is a Merchant with certain credentials that makes calls. It uses a quota of its own
// until WeChat accepts its key, and from then on the shared quota of its merchant number. It lives
// as long as its Account.
type membership struct {
	merchant    types.NamespacedName
	host        string
	id          ID
	quotas      *quotas
	concurrency map[Workers]*concurrencyLimit
	// breakers count the failures of these credentials only.
	breakers map[Calls]*breaker
	// notify reports changes: calls were paused or resumed, or a key was proven.
	notify func(types.NamespacedName)

	assignment atomic.Pointer[quotaAssignment]
	mutex      sync.Mutex
	closed     bool
}

// quotaAssignment is the quota that a member uses.
type quotaAssignment struct {
	quota  *quota
	proven bool
}

// newMembership returns a Merchant that uses a quota of its own.
func (r *Registry) newMembership(merchant types.NamespacedName, host string, id ID) *membership {
	m := &membership{
		merchant: merchant, host: host, id: id, quotas: r.quotas, concurrency: r.concurrency, notify: r.notify,
	}
	m.breakers = newBreakers(scopeCredentials, r.options.Limits, r.options.Clock, m.breakerChanged)
	m.assignment.Store(&quotaAssignment{quota: r.quotas.unshared(m)})
	m.setBreakerMetric()
	return m
}

func (m *membership) isProven() bool { return m.assignment.Load().proven }

// prove assigns the Merchant to the quota of its merchant number, since WeChat accepted its key. It
// notifies the first time.
func (m *membership) prove() {
	if !m.isProven() && m.move(true) {
		m.notify(m.merchant)
	}
}

// disprove removes the Merchant from the shared quota, since WeChat no longer accepts its key.
func (m *membership) disprove() { m.move(false) }

// move assigns another quota for the next calls, and reports whether the assignment changed.
func (m *membership) move(proven bool) bool {
	m.mutex.Lock()
	defer m.mutex.Unlock()
	if m.closed || m.isProven() == proven {
		return false
	}
	if proven {
		m.assignment.Store(&quotaAssignment{quota: m.quotas.join(m.id, m), proven: true})
	} else {
		m.quotas.leave(m.id, m)
		m.assignment.Store(&quotaAssignment{quota: m.quotas.unshared(m)})
	}
	m.setBreakerMetric()
	return true
}

// close ends the membership. Calls in flight continue.
func (m *membership) close() {
	m.mutex.Lock()
	defer m.mutex.Unlock()
	m.closed = true
	if m.isProven() {
		m.quotas.leave(m.id, m)
	}
	for calls := range m.breakers {
		metrics.BreakerState.DeleteLabelValues(m.merchant.Namespace, m.merchant.Name, string(calls))
	}
}

// breakerChanged is called on each state change of a breaker that the Merchant's calls pass, under
// gobreaker's lock. The half-open state is not notified; the result of its trial call is.
func (m *membership) breakerChanged(to gobreaker.State) {
	m.mutex.Lock()
	m.setBreakerMetric()
	m.mutex.Unlock()
	if to != gobreaker.StateHalfOpen {
		m.notify(m.merchant)
	}
}

// setBreakerMetric sets the metric to the most restrictive state.
func (m *membership) setBreakerMetric() {
	if m.closed {
		return
	}
	for calls, own := range m.breakers {
		state := max(own.currentState(), m.assignment.Load().quota.breakers[calls].currentState())
		metrics.BreakerState.WithLabelValues(m.merchant.Namespace, m.merchant.Name, string(calls)).Set(float64(state))
	}
}

// pause returns why calls are paused, or nil if they are not.
func (m *membership) pause(calls Calls) *Pause {
	if own := m.breakers[calls].pause(); own != nil {
		return own
	}
	return m.assignment.Load().quota.breakers[calls].pause()
}

// do makes a call within the limits. A call that is not admitted is NotSent and has no effect. The
// breakers are checked first, so that calls they deny take no token. They do not count denials of
// the other limits: a burst is not a failure. Calls for the same number share one reservation,
// however often they are retried.
func (m *membership) do(ctx context.Context, operation wechatpay.Operation, number string, call func() error) error {
	assigned, calls := m.assignment.Load(), callsOf(operation)
	err := m.permit(assigned, operation)
	if err == nil {
		err = assigned.quota.breakers[calls].do(func() error {
			return m.breakers[calls].do(func() error { return m.callWithinLimits(ctx, assigned, operation, number, call) })
		})
	}
	if denied, ours := errors.AsType[*throttledError](err); ours {
		return denied.notSent(operation)
	}
	if provesKey(err) {
		m.prove()
	}
	return err
}

// provesKey reports whether an answer shows that WeChat accepted the key: it is verified, and does
// not say that the credentials are wrong. A rate limit may be applied before the key is checked.
func provesKey(err error) bool {
	if err == nil {
		return true
	}
	meaning := wechatpay.MeaningOf(err)
	return wechatpay.OutcomeOf(err) == wechatpay.Failed && meaning != wechatpay.CredentialsRejected && meaning != wechatpay.SlowDown
}

// permit delays refund requests until the key is proven: WeChat blocks a merchant number if too
// many of them fail, so they must count against the failure budget of the account.
func (m *membership) permit(assigned *quotaAssignment, operation wechatpay.Operation) error {
	if assigned.proven || !operation.PaysBack() {
		return nil
	}
	m.notify(m.merchant) // starts a probe of the key
	return &throttledError{
		limit:      "Unproven",
		reason:     "WeChat Pay has not accepted the Merchant's key yet, so refund requests wait",
		retryAfter: untilProven(),
	}
}

// untilProven returns when to retry a call that waits for the proof of a key.
func untilProven() time.Duration { return time.Second + rand.N(time.Second) }

// callShares returns the shares that a call counts against.
func (m *membership) callShares(assigned *quotaAssignment, namespace string) callShares {
	if assigned.proven {
		return provenShares(m.host, m.id, namespace)
	}
	return unprovenShares(m.merchant.Namespace, namespace)
}

// callWithinLimits makes a call at its turn, or returns an error if that would take longer than
// MaxWait.
func (m *membership) callWithinLimits(ctx context.Context, assigned *quotaAssignment, operation wechatpay.Operation, number string, call func() error) error {
	limits, caller := assigned.quota.limits, callerOf(ctx, m.merchant.Namespace)
	waiting, cancel := context.WithTimeout(ctx, limits.MaxWait)
	defer cancel()
	limiter, slots, shares := assigned.quota.limiters[operation], m.concurrency[caller.Workers], m.callShares(assigned, caller.Namespace)
	if err := limiter.reserve(caller.Namespace, number, time.Now(), limits.MaxWait); err != nil {
		return err
	}
	defer CallerWaits(ctx)()
	if err := slots.acquire(waiting, shares); err != nil {
		return err
	}
	defer slots.release(shares)
	if !operation.PaysBack() {
		if err := limiter.wait(waiting, caller.Namespace, number); err != nil {
			return err
		}
		return call()
	}
	budget := assigned.quota.failureBudget
	if err := budget.reserve(waiting); err != nil {
		return err
	}
	failed := true // until the call has returned: it may panic
	defer func() { budget.release(failed) }()
	if err := limiter.wait(waiting, caller.Namespace, number); err != nil {
		failed = false
		return err
	}
	err := call()
	failed = err != nil
	return err
}
