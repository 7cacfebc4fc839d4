package account

import (
	"context"
	"math/rand/v2"
	"slices"
	"sync"
	"time"
)

// concurrencyLimit limits the calls in flight for one kind of workers. No share is reserved, and no
// tenant can use everything: a host may use as many slots as are still free, a namespace at this
// host half of what is left to the host, and an account at this host a quarter. A single account
// that hangs reaches a sixth of all slots, the next one slightly less, and after ten of them some
// are still free. Switches share their buffer between ports by the same rule (dynamic thresholds,
// Choudhury and Hahne 1998).
type concurrencyLimit struct {
	limits Limits

	mutex   sync.Mutex
	total   int
	usages  map[share]usage
	waiting []*waiter
}

// share is a unit whose calls are counted: a host, an account at a host, or a namespace.
type share struct{ scope, name string }

// usage is the number of slots that a share uses, and when that number last changed.
type usage struct {
	slots       int
	changedTime time.Time
}

// callShares are the shares that a call counts against.
type callShares struct {
	// namespace is the share of the namespace that the call is for, at any host. group is that of
	// the host, or of all unproven Merchants. account and namespaceInGroup are those of the account
	// and of the namespace within the group.
	namespace, group, account, namespaceInGroup share
	proven                                      bool
}

// unprovenGroup is the group of all Merchants whose key WeChat has not accepted yet.
var unprovenGroup = share{"", "unproven"}

// provenShares returns the shares of a call of a proven account at a host.
func provenShares(host string, account ID, namespace string) callShares {
	group := share{"host", host}
	return callShares{
		namespace: share{"namespace", namespace}, group: group, proven: true,
		account: share{"account of " + account.Hosts, account.MchID}, namespaceInGroup: share{"namespace at " + host, namespace},
	}
}

// unprovenShares returns the shares of a call with an unproven key. All unproven Merchants of a
// namespace share one account, however many there are.
func unprovenShares(merchantNamespace, namespace string) callShares {
	account := share{"unproven", merchantNamespace}
	return callShares{namespace: share{"namespace", namespace}, group: unprovenGroup, account: account, namespaceInGroup: account}
}

// shares returns all shares that a call counts against.
func (c callShares) shares() []share {
	if c.account == c.namespaceInGroup {
		return []share{c.namespace, c.group, c.account}
	}
	return []share{c.namespace, c.group, c.account, c.namespaceInGroup}
}

// waiter is a call that waits for a slot.
type waiter struct {
	shares   callShares
	acquired chan struct{}
}

func newConcurrencyLimit(limits Limits) *concurrencyLimit {
	return &concurrencyLimit{limits: limits, usages: map[share]usage{}}
}

// acquireTimeout is how long a call waits for a slot. If the usage of its share has not changed for
// that long, it does not wait at all.
const acquireTimeout = time.Second

// acquire takes a slot. While other calls finish it waits up to acquireTimeout. If none has started
// or finished for that long, WeChat hangs, and acquire returns at once so that the worker is free.
func (l *concurrencyLimit) acquire(ctx context.Context, c callShares) error {
	l.mutex.Lock()
	if l.hasCapacity(c) {
		l.take(c)
		l.mutex.Unlock()
		return nil
	}
	hangs := l.stalledFor(c)
	if hangs >= acquireTimeout {
		l.mutex.Unlock()
		return concurrencyExceeded(hangs)
	}
	w := &waiter{shares: c, acquired: make(chan struct{})}
	l.waiting = append(l.waiting, w)
	l.mutex.Unlock()
	ctx, cancel := context.WithTimeout(ctx, acquireTimeout)
	defer cancel()
	select {
	case <-w.acquired:
		return nil
	case <-ctx.Done():
		return l.cancelWait(w)
	}
}

// cancelWait ends the wait, unless a slot was assigned at the same moment.
func (l *concurrencyLimit) cancelWait(w *waiter) error {
	l.mutex.Lock()
	defer l.mutex.Unlock()
	at := slices.Index(l.waiting, w)
	if at < 0 {
		return nil
	}
	l.waiting = slices.Delete(l.waiting, at, at+1)
	return concurrencyExceeded(acquireTimeout)
}

// maxRetryAfter limits the retry delay of a call that got no slot.
const maxRetryAfter = 20 * time.Second

// concurrencyExceeded is the error for a call that gets no slot. The delay grows with the time for
// which the usage has not changed, and is randomized, so that retries neither pile up while WeChat
// hangs nor all come at once when it recovers.
func concurrencyExceeded(hangs time.Duration) error {
	wait := min(max(hangs, acquireTimeout), maxRetryAfter)
	return &throttledError{
		limit:      "Concurrency",
		reason:     "too many calls are waiting for an answer, of this Merchant, its namespace, its host or of all Merchants whose key is not proven",
		retryAfter: wait + rand.N(wait),
	}
}

// release returns a slot and assigns free slots to waiting calls.
func (l *concurrencyLimit) release(c callShares) {
	l.mutex.Lock()
	defer l.mutex.Unlock()
	l.total--
	l.change(c, -1)
	l.waiting = slices.DeleteFunc(l.waiting, func(w *waiter) bool {
		if !l.hasCapacity(w.shares) {
			return false
		}
		l.take(w.shares)
		close(w.acquired)
		return true
	})
}

// An account may use a quarter, and a namespace half, of the slots that are left to their host or
// to all unproven Merchants.
const accountDivisor, namespaceDivisor = 4, 2

// hasCapacity reports whether each share of a call uses fewer slots than it may.
func (l *concurrencyLimit) hasCapacity(c callShares) bool {
	free := l.limits.MaxInFlight - l.total
	left := free - l.usages[c.group].slots
	if !c.proven {
		left = min(free, l.limits.MaxUnprovenInFlight-l.usages[unprovenGroup].slots)
	}
	byAccount := l.usages[c.account].slots
	return l.usages[c.namespace].slots < free && byAccount < l.limits.Concurrent &&
		accountDivisor*byAccount < left && namespaceDivisor*l.usages[c.namespaceInGroup].slots < left
}

func (l *concurrencyLimit) take(c callShares) {
	l.total++
	l.change(c, 1)
}

// change adds slots to the usage of each share of a call, or removes them.
func (l *concurrencyLimit) change(c callShares, slots int) {
	now := time.Now()
	for _, s := range c.shares() {
		l.usages[s] = usage{slots: l.usages[s].slots + slots, changedTime: now}
		if l.usages[s].slots == 0 {
			delete(l.usages, s)
		}
	}
}

// stalledFor returns for how long the usage of the account has not changed or, if the account uses
// no slot, that of the share that uses them.
func (l *concurrencyLimit) stalledFor(c callShares) time.Duration {
	for _, s := range []share{c.account, c.namespaceInGroup, c.group, c.namespace} {
		if u, used := l.usages[s]; used {
			return time.Since(u.changedTime)
		}
	}
	return acquireTimeout
}
