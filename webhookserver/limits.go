package webhookserver

import (
	"context"
	"errors"
	"sync"
	"time"

	"golang.org/x/sync/semaphore"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

// What one Merchant's callbacks may take from the others; perNamespace is about those of its neighbours. A callback that is forged costs a look into the cache and one
// verification, and gets no further, so that these bounds are for those that can be believed, or be repeated by whoever saw one.
const (
	// queriesPerSecond of one Merchant that refund callbacks may cause. A refund callback has no signature and no time, so that
	// whoever saw one can send it for ever; the reconcilers shall have calls left all the same. It is what WeChat allows a
	// merchant of refunds that succeed, so that genuine callbacks stay below it.
	queriesPerSecond = 100
	// looksPerSecond of one Merchant at the API server, and looksAtOnce, for numbers that the cache does not have: a true
	// callback for an Order that was deleted can be repeated for ever as well. A number that is just not in the cache yet is rare.
	looksPerSecond = 20
	looksAtOnce    = 8
	// settledAtOnce are the callbacks of one Merchant and kind that may wait for the API server or for WeChat. Of payments,
	// which take some 10 ms each, it is thousands a second; where WeChat hangs, its refunds leave room for payments and for
	// other Merchants.
	settledAtOnce = 64
	// queuedAtOnce are the payments of one Merchant that may wait for such a place, and placePatience is how long: a burst is
	// settled while WeChat waits, and not by WeChat's repetitions, of which the later ones are hours away. Both together take half
	// of the connections at most, and what is left of settleDeadline is for the write.
	queuedAtOnce  = maxConnections/2 - settledAtOnce
	placePatience = 3 * time.Second
)

// perNamespace is how many times what one Merchant may take all Merchants of its namespace may take together. Whoever makes a
// thousand Merchants gets no more than that.
const perNamespace = 2

// keyedSemaphore bound the callbacks that wait for somebody else.
type keyedSemaphore struct {
	mutex sync.Mutex
	open  map[tenantKey]*semaphoreOf
}

// tenantKey is that of one kind of waiting, on behalf of a Merchant; without a name, on behalf of its namespace.
type tenantKey struct {
	kind     string
	merchant types.NamespacedName
}

// ofNamespace is the one that it shares with its neighbours.
func (r tenantKey) ofNamespace() tenantKey {
	return tenantKey{r.kind, types.NamespacedName{Namespace: r.merchant.Namespace}}
}

// semaphoreOf are those of a room. Callers hold one, or stand in line for one.
type semaphoreOf struct {
	*semaphore.Weighted
	callers int
}

// acquire takes a place for a Merchant, and one of those of its namespace, until leave.
func (r *keyedSemaphore) acquire(ctx context.Context, in tenantKey, size, line int) bool {
	if !r.acquireOne(ctx, in, size, line) {
		return false
	}
	if !r.acquireOne(ctx, in.ofNamespace(), perNamespace*size, perNamespace*line) {
		r.releaseOne(in)
		return false
	}
	return true
}

// release gives the places back.
func (r *keyedSemaphore) release(in tenantKey) {
	r.releaseOne(in.ofNamespace())
	r.releaseOne(in)
}

// acquireOne takes a place until leaveOne. When all of them are taken it waits in line until the context ends, unless so many wait already.
func (r *keyedSemaphore) acquireOne(ctx context.Context, in tenantKey, size, line int) bool {
	here := r.join(in, size, line)
	if here == nil {
		return false
	}
	if err := here.Acquire(ctx, 1); err != nil {
		r.leave(in)
		return false
	}
	return true
}

func (r *keyedSemaphore) join(in tenantKey, size, line int) *semaphoreOf {
	r.mutex.Lock()
	defer r.mutex.Unlock()
	here := r.open[in]
	if here == nil {
		if r.open == nil {
			r.open = map[tenantKey]*semaphoreOf{}
		}
		here = &semaphoreOf{Weighted: semaphore.NewWeighted(int64(size))}
		r.open[in] = here
	}
	if here.callers >= size+line {
		return nil
	}
	here.callers++
	return here
}

// leave closes the room behind the last one.
func (r *keyedSemaphore) leave(in tenantKey) {
	r.mutex.Lock()
	defer r.mutex.Unlock()
	if r.open[in].callers--; r.open[in].callers == 0 {
		delete(r.open, in)
	}
}

// releaseOne gives the place to who waits longest.
func (r *keyedSemaphore) releaseOne(in tenantKey) {
	r.mutex.Lock()
	here := r.open[in]
	r.mutex.Unlock()
	here.Release(1)
	r.leave(in)
}

var errTooManyLooks = errors.New("too many callbacks in a second for numbers that the cache does not have")

// limitedReader is the API server for look-ups, as long as a Merchant has tokens and places left.
type limitedReader struct {
	client.Reader
	allow     func() bool
	semaphore *keyedSemaphore
	key       tenantKey
}

func (s limitedReader) List(ctx context.Context, list client.ObjectList, options ...client.ListOption) error {
	if !s.allow() || !s.semaphore.acquire(ctx, s.key, looksAtOnce, 0) {
		return errTooManyLooks
	}
	defer s.semaphore.release(s.key)
	return s.Reader.List(ctx, list, options...)
}
