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

// These limit how much one Merchant's callbacks can delay those of others; perNamespace limits all
// Merchants of a namespace. A forged callback costs a cache lookup and one verification, so these
// limits are for callbacks that verify, or are repeated by anyone who has seen one.
const (
	// queriesPerSecond limits the queries for refund callbacks of one Merchant. A refund callback
	// that is not signed has no time either, so anyone who has seen one can repeat it forever; the
	// reconcilers must still have calls left. WeChat allows a merchant this many successful
	// refunds, so genuine callbacks stay below it.
	queriesPerSecond = 100
	// lookupsPerSecond and concurrentLookups limit the API server requests of one Merchant for
	// numbers that are not in the cache: a genuine callback for a deleted Order can be repeated
	// forever, too. A number that is not in the cache yet is rare.
	lookupsPerSecond  = 20
	concurrentLookups = 8
	// concurrentCallbacks is how many callbacks of one Merchant and kind may wait for the API
	// server or for WeChat. A payment takes some 10 ms, so this allows thousands a second. While
	// WeChat hangs, a Merchant's refund callbacks don't block payments or other Merchants.
	concurrentCallbacks = 64
	// queuedPayments is how many payments of one Merchant may wait for one of these, and
	// paymentQueueTimeout how long: a burst is handled while WeChat waits, and not by WeChat's
	// repetitions, of which the later ones are hours apart. Both together use at most half of the
	// connections. The rest of answerDeadline is for the write.
	queuedPayments      = maxConnections/2 - concurrentCallbacks
	paymentQueueTimeout = 3 * time.Second
)

// perNamespace is the factor by which the limits of a namespace exceed those of one Merchant, so
// that creating many Merchants gives no more.
const perNamespace = 2

// keyedSemaphore limits the callbacks that wait for the API server or WeChat.
type keyedSemaphore struct {
	mutex      sync.Mutex
	semaphores map[tenantKey]*countedSemaphore
}

// tenantKey identifies a limit: a kind of work for a Merchant or, without a name, for its
// namespace.
type tenantKey struct {
	kind     string
	merchant types.NamespacedName
}

// ofNamespace returns the key that all Merchants of the namespace share.
func (k tenantKey) ofNamespace() tenantKey {
	return tenantKey{k.kind, types.NamespacedName{Namespace: k.merchant.Namespace}}
}

// countedSemaphore counts the callers that hold it or wait for it.
type countedSemaphore struct {
	*semaphore.Weighted
	callers int
}

// acquire acquires the semaphores of a Merchant and of its namespace.
func (s *keyedSemaphore) acquire(ctx context.Context, key tenantKey, size, queued int) bool {
	if !s.acquireOne(ctx, key, size, queued) {
		return false
	}
	if !s.acquireOne(ctx, key.ofNamespace(), perNamespace*size, perNamespace*queued) {
		s.releaseOne(key)
		return false
	}
	return true
}

// release releases both.
func (s *keyedSemaphore) release(key tenantKey) {
	s.releaseOne(key.ofNamespace())
	s.releaseOne(key)
}

// acquireOne acquires one semaphore. If it is used up, acquireOne waits until the context ends,
// unless the queue is full.
func (s *keyedSemaphore) acquireOne(ctx context.Context, key tenantKey, size, queued int) bool {
	sem := s.addCaller(key, size, queued)
	if sem == nil {
		return false
	}
	if err := sem.Acquire(ctx, 1); err != nil {
		s.removeCaller(key)
		return false
	}
	return true
}

func (s *keyedSemaphore) addCaller(key tenantKey, size, queued int) *countedSemaphore {
	s.mutex.Lock()
	defer s.mutex.Unlock()
	sem := s.semaphores[key]
	if sem == nil {
		if s.semaphores == nil {
			s.semaphores = map[tenantKey]*countedSemaphore{}
		}
		sem = &countedSemaphore{Weighted: semaphore.NewWeighted(int64(size))}
		s.semaphores[key] = sem
	}
	if sem.callers >= size+queued {
		return nil
	}
	sem.callers++
	return sem
}

// removeCaller removes the semaphore after its last caller.
func (s *keyedSemaphore) removeCaller(key tenantKey) {
	s.mutex.Lock()
	defer s.mutex.Unlock()
	if s.semaphores[key].callers--; s.semaphores[key].callers == 0 {
		delete(s.semaphores, key)
	}
}

// releaseOne releases a semaphore; the longest waiting caller gets it.
func (s *keyedSemaphore) releaseOne(key tenantKey) {
	s.mutex.Lock()
	sem := s.semaphores[key]
	s.mutex.Unlock()
	sem.Release(1)
	s.removeCaller(key)
}

var errTooManyLookups = errors.New("too many callbacks in a second for numbers that the cache does not have")

// limitedReader lists from the API server within a Merchant's limits.
type limitedReader struct {
	client.Reader
	allow     func() bool
	semaphore *keyedSemaphore
	key       tenantKey
}

func (r limitedReader) List(ctx context.Context, list client.ObjectList, options ...client.ListOption) error {
	if !r.allow() || !r.semaphore.acquire(ctx, r.key, concurrentLookups, 0) {
		return errTooManyLookups
	}
	defer r.semaphore.release(r.key)
	return r.Reader.List(ctx, list, options...)
}
