package webhookserver

import (
	"context"
	"errors"
	"runtime"
	"slices"
	"sync"
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

// reading is what bounds how many callbacks are read and verified at a time.
type reading struct{ ordinary, large *turns }

func newReading() *reading {
	return &reading{ordinary: newTurns(2*runtime.GOMAXPROCS(0), maxConnections), large: newTurns(largeAtOnce, largeInLine)}
}

// of is where a body belongs.
func (r *reading) of(body []byte) *turns {
	if len(body) > ordinaryBody {
		return r.large
	}
	return r.ordinary
}

var errNoTurn = errors.New("too many callbacks of one namespace at once")

// verified reads and verifies a callback when it is its turn.
func verified[Notification any](ctx context.Context, c *callback, read func([]byte) (Notification, error)) (Notification, error) {
	turns := c.reading.of(c.body)
	if !turns.take(ctx, c.merchant.Namespace) {
		var none Notification
		return none, errNoTurn
	}
	defer turns.give()
	return read(c.body)
}

// turns let so many of what takes time go on at once. Tenants take turns, whatever each of them brings: who brings little does not
// wait behind all of what another one brings. It is what the API server does for its clients (API Priority and Fairness), small.
type turns struct {
	// most is how many of one tenant may wait.
	most int

	mutex sync.Mutex
	free  int
	// lines are those who wait, by tenant, and round the tenants that have somebody in line, in the order of their turns.
	lines map[string][]chan struct{}
	round []string
}

func newTurns(atOnce, most int) *turns {
	return &turns{free: atOnce, most: most, lines: map[string][]chan struct{}{}}
}

// take waits for the tenant's turn; false when too many of it wait already, or the context ends before.
func (t *turns) take(ctx context.Context, tenant string) bool {
	turn := t.stand(tenant)
	if turn == nil {
		return false
	}
	select {
	case <-turn:
		return true
	case <-ctx.Done():
		if !t.stepOut(tenant, turn) {
			t.give() // it was given the turn at the same moment
		}
		return false
	}
}

// stand returns what is closed when the turn has come.
func (t *turns) stand(tenant string) chan struct{} {
	t.mutex.Lock()
	defer t.mutex.Unlock()
	line, turn := t.lines[tenant], make(chan struct{})
	switch {
	case t.free > 0: // then nobody waits
		t.free--
		close(turn)
	case len(line) >= t.most:
		return nil
	default:
		if len(line) == 0 {
			t.round = append(t.round, tenant)
		}
		t.lines[tenant] = append(line, turn)
	}
	return turn
}

// stepOut leaves the line; false when the turn had come.
func (t *turns) stepOut(tenant string, turn chan struct{}) bool {
	t.mutex.Lock()
	defer t.mutex.Unlock()
	line := t.lines[tenant]
	at := slices.Index(line, turn)
	if at < 0 {
		return false
	}
	t.keep(tenant, slices.Delete(line, at, at+1))
	if t.lines[tenant] == nil {
		t.round = slices.DeleteFunc(t.round, func(other string) bool { return other == tenant })
	}
	return true
}

// give ends a turn, and gives it to the tenant that is next in the round.
func (t *turns) give() {
	t.mutex.Lock()
	defer t.mutex.Unlock()
	if len(t.round) == 0 {
		t.free++
		return
	}
	tenant := t.round[0]
	t.round = slices.Delete(t.round, 0, 1)
	line := t.lines[tenant]
	close(line[0])
	t.keep(tenant, slices.Delete(line, 0, 1))
	if t.lines[tenant] != nil {
		t.round = append(t.round, tenant)
	}
}

func (t *turns) keep(tenant string, line []chan struct{}) {
	if len(line) == 0 {
		delete(t.lines, tenant)
		return
	}
	t.lines[tenant] = line
}
