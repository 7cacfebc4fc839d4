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
func (t *fairSemaphore) acquire(ctx context.Context, tenant string) bool {
	turn := t.enqueue(tenant)
	if turn == nil {
		return false
	}
	select {
	case <-turn:
		return true
	case <-ctx.Done():
		if !t.dequeue(tenant, turn) {
			t.release() // its turn came at the same moment
		}
		return false
	}
}

// enqueue returns a channel that is closed at the request's turn, or nil if the queue is full.
func (t *fairSemaphore) enqueue(tenant string) chan struct{} {
	t.mutex.Lock()
	defer t.mutex.Unlock()
	queue, turn := t.queues[tenant], make(chan struct{})
	switch {
	case t.free > 0: // no request waits
		t.free--
		close(turn)
	case len(queue) >= t.maxQueued:
		return nil
	default:
		if len(queue) == 0 {
			t.roundRobin = append(t.roundRobin, tenant)
		}
		t.queues[tenant] = append(queue, turn)
	}
	return turn
}

// dequeue leaves the queue. It returns false if the turn had already come.
func (t *fairSemaphore) dequeue(tenant string, turn chan struct{}) bool {
	t.mutex.Lock()
	defer t.mutex.Unlock()
	queue := t.queues[tenant]
	at := slices.Index(queue, turn)
	if at < 0 {
		return false
	}
	t.keep(tenant, slices.Delete(queue, at, at+1))
	if t.queues[tenant] == nil {
		t.roundRobin = slices.DeleteFunc(t.roundRobin, func(other string) bool { return other == tenant })
	}
	return true
}

// release ends a turn, and starts that of the next tenant.
func (t *fairSemaphore) release() {
	t.mutex.Lock()
	defer t.mutex.Unlock()
	if len(t.roundRobin) == 0 {
		t.free++
		return
	}
	tenant := t.roundRobin[0]
	t.roundRobin = slices.Delete(t.roundRobin, 0, 1)
	queue := t.queues[tenant]
	close(queue[0])
	t.keep(tenant, slices.Delete(queue, 0, 1))
	if t.queues[tenant] != nil {
		t.roundRobin = append(t.roundRobin, tenant)
	}
}

func (t *fairSemaphore) keep(tenant string, queue []chan struct{}) {
	if len(queue) == 0 {
		delete(t.queues, tenant)
		return
	}
	t.queues[tenant] = queue
}
