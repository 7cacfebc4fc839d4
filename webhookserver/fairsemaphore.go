package webhookserver

import (
	"context"
	"errors"
	"runtime"
	"slices"
	"sync"

	"github.com/wechatpay-operator/wechatpay-operator/internal/wechatpay"
)

// Reading and verifying is work for a CPU alone. More of it at once would make none of it sooner, and takes memory.
const (
	// ordinaryBody is ample: a callback has some 4 KiB. What is larger, up to maxBody, is worth a hundred ordinary ones, so that
	// it waits for its like only, and one is read at a time.
	ordinaryBody = 16 << 10
	largeAtOnce  = 1
	// largeInLine are those of one tenant that may wait; they hold their bodies in memory.
	largeInLine = 32
)

// parsing is what bounds how many callbacks are read and verified at a time.
type parsing struct{ ordinary, large *fairSemaphore }

func newParsing() *parsing {
	return &parsing{ordinary: newFairSemaphore(2*runtime.GOMAXPROCS(0), maxConnections), large: newFairSemaphore(largeAtOnce, largeInLine)}
}

// of is where a body belongs.
func (r *parsing) of(body []byte) *fairSemaphore {
	if len(body) > ordinaryBody {
		return r.large
	}
	return r.ordinary
}

var errBusy = errors.New("too many callbacks of one namespace at once")

// parse reads and verifies a callback when it is its turn.
func (h *Handler) parse(ctx context.Context, c *callback, kind wechatpay.CallbackKind) (wechatpay.Notification, error) {
	turns := h.parsing.of(c.body)
	if !turns.acquire(ctx, c.merchant.Namespace) {
		return wechatpay.Notification{}, errBusy
	}
	defer turns.release()
	return c.account.Receiver.Parse(wechatpay.Delivery{Kind: kind, Header: c.header, Body: c.body, Time: h.Clock.Now()})
}

// fairSemaphore let so many of what takes time go on at once. Tenants take turns, whatever each of them brings: who brings little does not
// wait behind all of what another one brings. It is what the API server does for its clients (API Priority and Fairness), small.
type fairSemaphore struct {
	// most is how many of one tenant may wait.
	most int

	mutex sync.Mutex
	free  int
	// queues are those who wait, by tenant, and round the tenants that have somebody in line, in the order of their turns.
	queues     map[string][]chan struct{}
	roundRobin []string
}

func newFairSemaphore(atOnce, most int) *fairSemaphore {
	return &fairSemaphore{free: atOnce, most: most, queues: map[string][]chan struct{}{}}
}

// acquire waits for the tenant's turn; false when too many of it wait already, or the context ends before.
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
			t.release() // it was given the turn at the same moment
		}
		return false
	}
}

// enqueue returns what is closed when the turn has come.
func (t *fairSemaphore) enqueue(tenant string) chan struct{} {
	t.mutex.Lock()
	defer t.mutex.Unlock()
	line, turn := t.queues[tenant], make(chan struct{})
	switch {
	case t.free > 0: // then nobody waits
		t.free--
		close(turn)
	case len(line) >= t.most:
		return nil
	default:
		if len(line) == 0 {
			t.roundRobin = append(t.roundRobin, tenant)
		}
		t.queues[tenant] = append(line, turn)
	}
	return turn
}

// dequeue leaves the line; false when the turn had come.
func (t *fairSemaphore) dequeue(tenant string, turn chan struct{}) bool {
	t.mutex.Lock()
	defer t.mutex.Unlock()
	line := t.queues[tenant]
	at := slices.Index(line, turn)
	if at < 0 {
		return false
	}
	t.keep(tenant, slices.Delete(line, at, at+1))
	if t.queues[tenant] == nil {
		t.roundRobin = slices.DeleteFunc(t.roundRobin, func(other string) bool { return other == tenant })
	}
	return true
}

// release ends a turn, and gives it to the tenant that is next in the round.
func (t *fairSemaphore) release() {
	t.mutex.Lock()
	defer t.mutex.Unlock()
	if len(t.roundRobin) == 0 {
		t.free++
		return
	}
	tenant := t.roundRobin[0]
	t.roundRobin = slices.Delete(t.roundRobin, 0, 1)
	line := t.queues[tenant]
	close(line[0])
	t.keep(tenant, slices.Delete(line, 0, 1))
	if t.queues[tenant] != nil {
		t.roundRobin = append(t.roundRobin, tenant)
	}
}

func (t *fairSemaphore) keep(tenant string, line []chan struct{}) {
	if len(line) == 0 {
		delete(t.queues, tenant)
		return
	}
	t.queues[tenant] = line
}
