package miniprogram

import (
	"context"
	"slices"
	"sync"
	"time"
)

// places limits the calls under way of the MiniPrograms of each namespace, so that hosts which do not
// answer keep nobody else waiting. The namespaces that use a MiniProgram share its places: one may
// take a place while it holds fewer than are free, so that one alone holds half of them, and the
// next one finds a place at once, however many Shipments the first has.
type callSlots struct {
	mutex   sync.Mutex
	byOwner map[string]*ownerSlots
	// patience is how long a call waits for a place.
	queueTimeout time.Duration
}

// perLender is how many calls of a namespace's MiniPrograms may be under way.
const slotsPerOwner = 8

// placePatience is short: a worker waits meanwhile. A call that finds no place is tried again.
const defaultQueueTimeout = time.Second

// lender is a namespace whose MiniPrograms are called.
type ownerSlots struct {
	free int
	// held are the places by the namespace that the calls are for.
	held map[string]int
	// waiting is one call of each namespace that found no place, in the order of their coming.
	waiting []*slotWaiter
}

type slotWaiter struct {
	namespace string
	acquired  chan struct{}
}

func newCallSlots() *callSlots {
	return &callSlots{byOwner: map[string]*ownerSlots{}, queueTimeout: defaultQueueTimeout}
}

func (o *ownerSlots) hasSlot(namespace string) bool { return o.held[namespace] < o.free }

func (o *ownerSlots) take(namespace string) {
	o.free--
	o.held[namespace]++
}

// enter takes a place of a namespace's MiniPrograms for a call that another namespace, or the same
// one, needs. It waits for a moment if there is none. Only one call of each namespace waits; for the
// others, and after that moment, it returns false. leave gives the place back.
func (s *callSlots) acquire(ctx context.Context, owner, namespace string) (release func(), acquired bool) {
	s.mutex.Lock()
	slots := s.byOwner[owner]
	if slots == nil {
		slots = &ownerSlots{free: slotsPerOwner, held: map[string]int{}}
		s.byOwner[owner] = slots
	}
	release = func() { s.release(owner, namespace) }
	waits := slices.ContainsFunc(slots.waiting, func(w *slotWaiter) bool { return w.namespace == namespace })
	switch {
	case !waits && slots.hasSlot(namespace):
		slots.take(namespace)
		s.mutex.Unlock()
		return release, true
	case waits:
		s.mutex.Unlock()
		return nil, false
	}
	w := &slotWaiter{namespace: namespace, acquired: make(chan struct{})}
	slots.waiting = append(slots.waiting, w)
	s.mutex.Unlock()
	ctx, cancel := context.WithTimeout(ctx, s.queueTimeout)
	defer cancel()
	select {
	case <-w.acquired:
		return release, true
	case <-ctx.Done():
		return release, s.cancelWait(slots, w)
	}
}

// gaveUp ends a wait, and reports whether a place was given at the same moment.
func (s *callSlots) cancelWait(slots *ownerSlots, w *slotWaiter) (acquired bool) {
	s.mutex.Lock()
	defer s.mutex.Unlock()
	at := slices.Index(slots.waiting, w)
	if at < 0 {
		return true
	}
	slots.waiting = slices.Delete(slots.waiting, at, at+1)
	return false
}

// leave gives a place back, and free ones to those that wait.
func (s *callSlots) release(owner, namespace string) {
	s.mutex.Lock()
	defer s.mutex.Unlock()
	slots := s.byOwner[owner]
	slots.free++
	if slots.held[namespace]--; slots.held[namespace] == 0 {
		delete(slots.held, namespace)
	}
	slots.waiting = slices.DeleteFunc(slots.waiting, func(w *slotWaiter) bool {
		if !slots.hasSlot(w.namespace) {
			return false
		}
		slots.take(w.namespace)
		close(w.acquired)
		return true
	})
	if slots.free == slotsPerOwner {
		delete(s.byOwner, owner)
	}
}
