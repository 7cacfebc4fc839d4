package webhookserver

import (
	"context"
	"slices"
	"sync"
)

// fairSemaphore limits concurrency and serves tenants in turn, however many requests each has
// waiting: a tenant with few requests does not wait behind all requests of another. The API server
// does the same for its clients (API Priority and Fairness).
type fairSemaphore struct {
	// maxQueued is how many requests of one tenant may wait.
	maxQueued int

	mutex sync.Mutex
	free  int
	// queues holds the waiting requests by tenant, and roundRobin the tenants with waiting requests
	// in the order of their turns.
	queues     map[string][]chan struct{}
	roundRobin []string
}

func newFairSemaphore(atOnce, maxQueued int) *fairSemaphore {
	return &fairSemaphore{free: atOnce, maxQueued: maxQueued, queues: map[string][]chan struct{}{}}
}

// acquire waits for the tenant's turn. It returns false if too many requests of the tenant wait
// already, or the context ends first.
func (s *fairSemaphore) acquire(ctx context.Context, tenant string) bool {
	turn := s.enqueue(tenant)
	if turn == nil {
		return false
	}
	select {
	case <-turn:
		return true
	case <-ctx.Done():
		if !s.dequeue(tenant, turn) {
			s.release() // its turn came at the same moment
		}
		return false
	}
}

// enqueue returns a channel that is closed at the request's turn, or nil if the queue is full.
func (s *fairSemaphore) enqueue(tenant string) chan struct{} {
	s.mutex.Lock()
	defer s.mutex.Unlock()
	queue, turn := s.queues[tenant], make(chan struct{})
	switch {
	case s.free > 0: // no request waits
		s.free--
		close(turn)
	case len(queue) >= s.maxQueued:
		return nil
	default:
		if len(queue) == 0 {
			s.roundRobin = append(s.roundRobin, tenant)
		}
		s.queues[tenant] = append(queue, turn)
	}
	return turn
}

// dequeue leaves the queue. It returns false if the turn had already come.
func (s *fairSemaphore) dequeue(tenant string, turn chan struct{}) bool {
	s.mutex.Lock()
	defer s.mutex.Unlock()
	queue := s.queues[tenant]
	at := slices.Index(queue, turn)
	if at < 0 {
		return false
	}
	s.setQueue(tenant, slices.Delete(queue, at, at+1))
	if s.queues[tenant] == nil {
		s.roundRobin = slices.DeleteFunc(s.roundRobin, func(other string) bool { return other == tenant })
	}
	return true
}

// release ends a turn, and starts that of the next tenant.
func (s *fairSemaphore) release() {
	s.mutex.Lock()
	defer s.mutex.Unlock()
	if len(s.roundRobin) == 0 {
		s.free++
		return
	}
	tenant := s.roundRobin[0]
	s.roundRobin = slices.Delete(s.roundRobin, 0, 1)
	queue := s.queues[tenant]
	close(queue[0])
	s.setQueue(tenant, slices.Delete(queue, 0, 1))
	if s.queues[tenant] != nil {
		s.roundRobin = append(s.roundRobin, tenant)
	}
}

func (s *fairSemaphore) setQueue(tenant string, queue []chan struct{}) {
	if len(queue) == 0 {
		delete(s.queues, tenant)
		return
	}
	s.queues[tenant] = queue
}
