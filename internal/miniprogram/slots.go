package miniprogram

import (
	"context"
	"slices"
	"sync"
	"time"
)

// callSlots limits the calls in flight of the MiniPrograms of each namespace, their owner, so that
// a host that does not answer does not block the others. Namespaces that use the MiniPrograms share
// the owner's slots: each may use as many as are still free. So a single one uses at most half of
// them, and the next one gets a slot at once, however many Shipments the first has.
type callSlots struct {
	mutex   sync.Mutex
	byOwner map[string]*ownerSlots
	// queueTimeout is how long a call waits for a slot.
	queueTimeout time.Duration
}

// slotsPerOwner is how many calls of a namespace's MiniPrograms may be in flight.
const slotsPerOwner = 8

// defaultQueueTimeout is short, because a worker waits meanwhile. A call without a slot is retried.
const defaultQueueTimeout = time.Second

// ownerSlots are the slots of a namespace whose MiniPrograms are called.
type ownerSlots struct {
	free int
	// held are the used slots by the namespace that the calls are for.
	held map[string]int
	// waiting has one call of each namespace that got no slot, in the order of arrival.
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

// acquire takes a slot of an owner for a call that a namespace needs, which may be the owner
// itself. If none is free, one call of each namespace waits for queueTimeout; others, and those
// that time out, get false. release frees the slot.
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

// cancelWait ends a wait, and reports whether a slot was assigned at the same moment.
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

// release frees a slot, and assigns free slots to waiting calls.
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
