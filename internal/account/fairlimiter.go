package account

import (
	"context"
	"fmt"
	"maps"
	"sync"
	"time"

	"golang.org/x/time/rate"
)

// fairLimiter limits the rate of calls. Calls of one namespace are served in the order in which
// they were first requested, and namespaces share the rate equally. A call that would wait longer
// than a worker should gets the time of its turn, and keeps its reservation until then: later calls
// of its namespace are served after it.
type fairLimiter struct {
	limit rate.Limit
	burst int
	// bucket holds the tokens that calls take.
	bucket *rate.Limiter

	mutex      sync.Mutex
	namespaces map[string]*namespaceQueue
	swept      time.Time
}

// namespaceQueue holds the reservations of one namespace.
type namespaceQueue struct {
	// schedule reserves the namespace's share of the rate in advance. It determines the turn of
	// each call.
	schedule     *rate.Limiter
	reservations map[string]*reservation
}

// reservation is a call that waits for its turn. tokenReserved is set if no token was left at its
// turn; the next one is then reserved for it.
type reservation struct {
	turn          time.Time
	tokenReserved bool
}

func newFairLimiter(limit rate.Limit, burst int) *fairLimiter {
	return &fairLimiter{limit: limit, burst: burst, bucket: rate.NewLimiter(limit, burst), namespaces: map[string]*namespaceQueue{}}
}

// reservationTTL is how long the reservation of a call that did not come back is kept. Its object
// may have been deleted.
const reservationTTL = 10 * time.Minute

// turnOf returns when the call for a number may be made, after the earlier calls of its namespace.
// It makes a reservation if there is none.
func (l *fairLimiter) turnOf(namespace, number string, now time.Time) time.Time {
	l.mutex.Lock()
	defer l.mutex.Unlock()
	l.sweep(now)
	queue := l.namespaces[namespace]
	if queue == nil {
		queue = &namespaceQueue{schedule: rate.NewLimiter(l.limit, l.burst), reservations: map[string]*reservation{}}
		l.namespaces[namespace] = queue
	}
	if queue.reservations[number] == nil {
		if others := l.othersWaiting(queue); others > 0 || queue.schedule.Limit() != l.limit {
			queue.schedule.SetLimitAt(now, l.limit/rate.Limit(1+others))
		}
		queue.reservations[number] = &reservation{turn: now.Add(queue.schedule.ReserveN(now, 1).DelayFrom(now))}
	}
	return queue.reservations[number].turn
}

// othersWaiting counts the other namespaces with a reservation.
func (l *fairLimiter) othersWaiting(queue *namespaceQueue) int {
	count := 0
	for _, other := range l.namespaces {
		if other != queue && len(other.reservations) > 0 {
			count++
		}
	}
	return count
}

func (l *fairLimiter) sweep(now time.Time) {
	if now.Sub(l.swept) < reservationTTL {
		return
	}
	l.swept = now
	maps.DeleteFunc(l.namespaces, func(_ string, queue *namespaceQueue) bool {
		maps.DeleteFunc(queue.reservations, func(_ string, reserved *reservation) bool { return now.Sub(reserved.turn) > reservationTTL })
		return len(queue.reservations) == 0 && queue.schedule.TokensAt(now) >= float64(l.burst)
	})
}

// reserve makes a reservation, and returns an error if the turn is later than most from now.
func (l *fairLimiter) reserve(namespace, number string, now time.Time, most time.Duration) error {
	if wait := l.turnOf(namespace, number, now).Sub(now); wait > most {
		return l.throttled(wait)
	}
	return nil
}

// wait waits for the turn and the token of a call that has a reservation. If it returns an error,
// the reservation remains.
func (l *fairLimiter) wait(ctx context.Context, namespace, number string) error {
	for {
		now := time.Now()
		wait, taken := l.tryReserve(namespace, number, now)
		if taken {
			return nil
		}
		if deadline, hasDeadline := ctx.Deadline(); hasDeadline && now.Add(wait).After(deadline) || sleep(ctx, wait) != nil {
			return l.throttled(wait)
		}
	}
}

// tryReserve takes a token without waiting, or returns when to try again.
func (l *fairLimiter) tryReserve(namespace, number string, now time.Time) (wait time.Duration, taken bool) {
	if wait := l.turnOf(namespace, number, now).Sub(now); wait > 0 {
		return wait, false
	}
	l.mutex.Lock()
	defer l.mutex.Unlock()
	reservations := l.namespaces[namespace].reservations
	if reserved := reservations[number]; reserved != nil && !reserved.tokenReserved {
		if delay := l.bucket.ReserveN(now, 1).DelayFrom(now); delay > 0 {
			reserved.tokenReserved, reserved.turn = true, now.Add(delay)
			return delay, false
		}
	}
	delete(reservations, number)
	return 0, true
}

// drain takes all tokens.
func (l *fairLimiter) drain(now time.Time) {
	l.bucket.AllowN(now, int(l.bucket.TokensAt(now)))
}

func (l *fairLimiter) throttled(wait time.Duration) error {
	return &throttledError{
		limit: "RateLimit", retryAfter: wait,
		reason: fmt.Sprintf("this Merchant's own limit of %.0f calls a second is used up", float64(l.limit)),
	}
}

// sleep waits, or returns the error of a context that ends earlier.
func sleep(ctx context.Context, wait time.Duration) error {
	if wait <= 0 {
		return ctx.Err()
	}
	timer := time.NewTimer(wait)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}
