package account

import (
	"context"
	"fmt"
	"sync"
	"time"

	"golang.org/x/time/rate"
)

// fairLimiter lets calls through at a rate: those of a namespace in the order in which they first asked, and namespaces beside each
// other. Who has to wait for longer than a worker should is told when its turn comes, and keeps its place until then: newcomers
// of its namespace stand behind it.
type fairLimiter struct {
	limit rate.Limit
	burst int
	// bucket has the tokens that calls take.
	bucket *rate.Limiter

	mutex      sync.Mutex
	namespaces map[string]*namespaceQueue
	swept      time.Time
}

// namespaceQueue are the places of one namespace in the line.
type namespaceQueue struct {
	// ahead is the namespace's share of the rate, reserved ahead of time: it says when the turn of each comes.
	ahead *rate.Limiter
	of    map[string]*reservation
}

// reservation is one of the line. One that came to its turn and found no token has the next one, whoever comes meanwhile.
type reservation struct {
	turn time.Time
	paid bool
}

func newFairLimiter(limit rate.Limit, burst int) *fairLimiter {
	return &fairLimiter{limit: limit, burst: burst, bucket: rate.NewLimiter(limit, burst), namespaces: map[string]*namespaceQueue{}}
}

// lostAfter is when the place of one that did not come back is forgotten: its object may be gone.
const lostAfter = 10 * time.Minute

// slot is when the call for a number comes to its turn, behind those of the namespace that asked before.
func (l *fairLimiter) slot(namespace, number string, now time.Time) time.Time {
	l.mutex.Lock()
	defer l.mutex.Unlock()
	l.sweep(now)
	own := l.namespaces[namespace]
	if own == nil {
		own = &namespaceQueue{ahead: rate.NewLimiter(l.limit, l.burst), of: map[string]*reservation{}}
		l.namespaces[namespace] = own
	}
	if own.of[number] == nil {
		if others := l.othersWaiting(own); others > 0 || own.ahead.Limit() != l.limit {
			own.ahead.SetLimitAt(now, l.limit/rate.Limit(1+others))
		}
		own.of[number] = &reservation{turn: now.Add(own.ahead.ReserveN(now, 1).DelayFrom(now))}
	}
	return own.of[number].turn
}

// othersWaiting counts the other namespaces of which one is in the line.
func (l *fairLimiter) othersWaiting(own *namespaceQueue) int {
	count := 0
	for _, other := range l.namespaces {
		if other != own && len(other.of) > 0 {
			count++
		}
	}
	return count
}

func (l *fairLimiter) sweep(now time.Time) {
	if now.Sub(l.swept) < lostAfter {
		return
	}
	l.swept = now
	for namespace, own := range l.namespaces {
		for number, place := range own.of {
			if now.Sub(place.turn) > lostAfter {
				delete(own.of, number)
			}
		}
		if len(own.of) == 0 && own.ahead.TokensAt(now) >= float64(l.burst) {
			delete(l.namespaces, namespace)
		}
	}
}

// reserve gives a call its place, and denies it when the turn is further off than most.
func (l *fairLimiter) reserve(namespace, number string, now time.Time, most time.Duration) error {
	if wait := l.slot(namespace, number, now).Sub(now); wait > most {
		return l.throttled(wait)
	}
	return nil
}

// wait waits for the turn of a call that joined, and for its token. One that is denied keeps its place.
func (l *fairLimiter) wait(ctx context.Context, namespace, number string) error {
	for {
		now := time.Now()
		wait, taken := l.tryReserve(namespace, number, now)
		if taken {
			return nil
		}
		if deadline, hurried := ctx.Deadline(); hurried && now.Add(wait).After(deadline) {
			return l.throttled(wait)
		}
		if sleep(ctx, wait) != nil {
			return l.throttled(wait)
		}
	}
}

// tryReserve takes a token without waiting, or says when to come again.
func (l *fairLimiter) tryReserve(namespace, number string, now time.Time) (wait time.Duration, taken bool) {
	if wait := l.slot(namespace, number, now).Sub(now); wait > 0 {
		return wait, false
	}
	l.mutex.Lock()
	defer l.mutex.Unlock()
	of := l.namespaces[namespace].of
	if own := of[number]; own != nil && !own.paid {
		if delay := l.bucket.ReserveN(now, 1).DelayFrom(now); delay > 0 {
			own.paid, own.turn = true, now.Add(delay)
			return delay, false
		}
	}
	delete(of, number)
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

// sleep waits, or returns the error of a context that ends before.
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
