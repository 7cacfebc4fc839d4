package merchant

import (
	"context"
	"fmt"
	"sync"
	"time"

	"golang.org/x/time/rate"
)

// line lets calls through at a rate, in the order in which they first asked. Who has to wait for longer than a worker should
// is told when its turn comes, and keeps its place until then: newcomers stand behind it.
type line struct {
	// bucket has the tokens that calls take.
	bucket *rate.Limiter
	// ahead is the same rate, reserved ahead of time: it says when the turn of each comes.
	ahead *rate.Limiter

	mutex sync.Mutex
	turns map[string]time.Time
	swept time.Time
}

func newLine(limit rate.Limit, burst int) *line {
	return &line{bucket: rate.NewLimiter(limit, burst), ahead: rate.NewLimiter(limit, burst), turns: map[string]time.Time{}}
}

// lostAfter is when the place of one that did not come back is forgotten: its object may be gone.
const lostAfter = 10 * time.Minute

// turn is when the call for a number comes to its turn, behind those that asked before.
func (l *line) turn(number string, now time.Time) time.Time {
	l.mutex.Lock()
	defer l.mutex.Unlock()
	l.sweep(now)
	turn, known := l.turns[number]
	if !known {
		turn = now.Add(l.ahead.ReserveN(now, 1).DelayFrom(now))
		l.turns[number] = turn
	}
	return turn
}

func (l *line) sweep(now time.Time) {
	if now.Sub(l.swept) < lostAfter {
		return
	}
	l.swept = now
	for number, turn := range l.turns {
		if now.Sub(turn) > lostAfter {
			delete(l.turns, number)
		}
	}
}

// join gives a call its place, and denies it when the turn is further off than most.
func (l *line) join(number string, now time.Time, most time.Duration) error {
	if wait := l.turn(number, now).Sub(now); wait > most {
		return l.denial(wait)
	}
	return nil
}

// take waits for the turn of a call that joined, and for its token. One that is denied keeps its place.
func (l *line) take(ctx context.Context, number string) error {
	now := time.Now()
	if err := sleep(ctx, l.turn(number, now).Sub(now)); err != nil {
		return l.denial(l.interval())
	}
	if err := l.bucket.Wait(ctx); err != nil {
		return l.denial(l.interval())
	}
	l.leave(number)
	return nil
}

// tryTake takes a token without waiting, or says when to come again.
func (l *line) tryTake(number string, now time.Time) (bool, time.Duration) {
	if wait := l.turn(number, now).Sub(now); wait > 0 {
		return false, wait
	}
	if !l.bucket.AllowN(now, 1) {
		return false, l.interval() // others came late for their turns
	}
	l.leave(number)
	return true, 0
}

func (l *line) leave(number string) {
	l.mutex.Lock()
	defer l.mutex.Unlock()
	delete(l.turns, number)
}

// interval is how often a turn comes.
func (l *line) interval() time.Duration {
	return max(time.Duration(float64(time.Second)/float64(l.bucket.Limit())), time.Millisecond)
}

func (l *line) denial(wait time.Duration) error {
	return &denial{
		limit: "RateLimit", retryAfter: wait,
		reason: fmt.Sprintf("this Merchant's own limit of %.0f calls a second is used up", float64(l.bucket.Limit())),
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
