package account

import (
	"context"
	"math/rand/v2"
	"slices"
	"sync"
	"time"
)

// concurrencyLimit are the calls that may be under way at once for one kind of workers. Nobody has places of their own, and nobody can
// take them all: a host may hold as many as are still free, a namespace at it half of what is left to the host, and an account
// at it a quarter. An account that hangs alone comes to a sixth of all, the next to a little less, and who comes after ten of
// them still finds some. A switch shares its buffer among its ports by the same rule (dynamic thresholds, Choudhury and Hahne 1998).
type concurrencyLimit struct {
	limits Limits

	mutex   sync.Mutex
	all     int
	held    map[share]*holding
	waiting []*waiter
}

// A share is what is counted on its own: a host, an account at it, a namespace.
type share struct{ within, of string }

// holding is what a share has of the places, and when one of them was last taken or given back.
type holding struct {
	places int
	moved  time.Time
}

// callShares is a call as the places see it.
type callShares struct {
	// namespace is the share of whom the call is for, wherever it goes. group is that of the host, or of all that is unproven,
	// and account and guest are those of the account, and of the namespace, within it.
	namespace, group, account, guest share
	proven                           bool
}

// unproven is the group of all Merchants whose key WeChat has not taken yet.
var unproven = share{"", "unproven"}

// provenShares is a call of an account at a host.
func provenShares(host string, account ID, namespace string) callShares {
	group := share{"host", host}
	return callShares{
		namespace: share{"namespace", namespace}, group: group, proven: true,
		account: share{"account of " + account.Hosts, account.MchID}, guest: share{"namespace at " + host, namespace},
	}
}

// unprovenShares is a call with a key that proves nothing. However many Merchants a namespace has, they are one.
func unprovenShares(merchantNamespace, namespace string) callShares {
	own := share{"unproven", merchantNamespace}
	return callShares{namespace: share{"namespace", namespace}, group: unproven, account: own, guest: own}
}

// shares are what a call counts for.
func (c callShares) shares() []share {
	if c.account == c.guest {
		return []share{c.namespace, c.group, c.account}
	}
	return []share{c.namespace, c.group, c.account, c.guest}
}

// waiter is a call that waits for its place.
type waiter struct {
	claim callShares
	taken chan struct{}
}

func newConcurrencyLimit(limits Limits) *concurrencyLimit {
	return &concurrencyLimit{limits: limits, held: map[share]*holding{}}
}

// patience is how long a call waits for a place, and how long nothing moves before none does.
const patience = time.Second

// acquire takes a place. While the calls that hold the places come back, it waits a moment for one. When none has come or gone for
// that long, WeChat hangs, and the worker is given back at once.
func (p *concurrencyLimit) acquire(ctx context.Context, c callShares) error {
	p.mutex.Lock()
	if p.fits(c) {
		p.take(c)
		p.mutex.Unlock()
		return nil
	}
	hangs := p.hangsFor(c)
	if hangs >= patience {
		p.mutex.Unlock()
		return concurrencyExceeded(hangs)
	}
	w := &waiter{claim: c, taken: make(chan struct{})}
	p.waiting = append(p.waiting, w)
	p.mutex.Unlock()
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	select {
	case <-w.taken:
		return nil
	case <-ctx.Done():
		return p.giveUp(w)
	}
}

// giveUp ends a waiting, unless its place came at the same moment.
func (p *concurrencyLimit) giveUp(w *waiter) error {
	p.mutex.Lock()
	defer p.mutex.Unlock()
	at := slices.Index(p.waiting, w)
	if at < 0 {
		return nil
	}
	p.waiting = slices.Delete(p.waiting, at, at+1)
	return concurrencyExceeded(patience)
}

// longestPause bounds the wait after which one comes again that found no place.
const longestPause = 20 * time.Second

// concurrencyExceeded is the answer to who finds no place. The wait grows with the time for which nothing has moved, and is spread, so that
// they are no storm while WeChat hangs, and do not all come at once when it goes on.
func concurrencyExceeded(hangs time.Duration) error {
	wait := min(max(hangs, patience), longestPause)
	return &throttledError{
		limit:      "Concurrency",
		reason:     "too many calls are under way and have no answer yet, of this Merchant, its namespace, its host or of all Merchants whose key is not proven",
		retryAfter: wait + rand.N(wait),
	}
}

// release gives a place back, and hands on what has come free.
func (p *concurrencyLimit) release(c callShares) {
	p.mutex.Lock()
	defer p.mutex.Unlock()
	p.all--
	for _, s := range c.shares() {
		h := p.held[s]
		if h.places--; h.places == 0 {
			delete(p.held, s)
		} else {
			h.moved = time.Now()
		}
	}
	p.waiting = slices.DeleteFunc(p.waiting, func(w *waiter) bool {
		if !p.fits(w.claim) {
			return false
		}
		p.take(w.claim)
		close(w.taken)
		return true
	})
}

// What an account and a namespace may hold of the places that are left to their host, or to all that is unproven: the fourth
// part, and a half.
const partOfAccount, partOfNamespace = 4, 2

// fits says whether each of a call's shares holds fewer places than are free to it.
func (p *concurrencyLimit) fits(c callShares) bool {
	free := p.limits.Places - p.all
	left := free - p.of(c.group)
	if !c.proven {
		left = min(free, p.limits.UnprovenPlaces-p.of(unproven))
	}
	return p.of(c.namespace) < free && p.of(c.account) < p.limits.Concurrent &&
		partOfAccount*p.of(c.account) < left && partOfNamespace*p.of(c.guest) < left
}

func (p *concurrencyLimit) of(s share) int {
	if h := p.held[s]; h != nil {
		return h.places
	}
	return 0
}

func (p *concurrencyLimit) take(c callShares) {
	p.all++
	now := time.Now()
	for _, s := range c.shares() {
		if p.held[s] == nil {
			p.held[s] = &holding{}
		}
		p.held[s].places++
		p.held[s].moved = now
	}
}

// hangsFor is how long nothing has moved at an account, or where the account holds nothing, at whoever fills the places.
func (p *concurrencyLimit) hangsFor(c callShares) time.Duration {
	for _, s := range []share{c.account, c.guest, c.group, c.namespace} {
		if h := p.held[s]; h != nil {
			return time.Since(h.moved)
		}
	}
	return patience
}
