package account

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"time"

	"k8s.io/utils/clock"
)

// failureBudget limits the failed refund calls in any second: the failures of the last second plus
// the calls in flight, which can still fail, never exceed the limit.
type failureBudget struct {
	limit int
	clock clock.PassiveClock

	mutex    sync.Mutex
	inFlight int
	failures []time.Time
	// exhaustedUntil: until this time the whole budget counts as used, since another process may
	// have used it.
	exhaustedUntil time.Time
	// ended is closed when a call ends. It is nil if no call waits for that.
	ended chan struct{}
}

// reserve reserves a failure for a call. Without recent failures it waits until the budget allows
// one more call, so successful calls only wait for each other. After failures it returns an error,
// since waiting would only block a worker.
func (b *failureBudget) reserve(ctx context.Context) error {
	if err := b.waitWhileExhausted(ctx); err != nil {
		return err
	}
	for {
		ended, err := b.tryReserve()
		if ended == nil {
			return err
		}
		select {
		case <-ended:
		case <-ctx.Done():
			return b.denial()
		}
	}
}

// tryReserve reserves a failure, or returns an error, or returns a channel to wait on.
func (b *failureBudget) tryReserve() (<-chan struct{}, error) {
	b.mutex.Lock()
	defer b.mutex.Unlock()
	b.dropOld()
	switch {
	case b.inFlight+len(b.failures) < b.limit:
		b.inFlight++
		return nil, nil
	case len(b.failures) > 0:
		return nil, b.denial()
	case b.ended == nil:
		b.ended = make(chan struct{})
	}
	return b.ended, nil
}

func (b *failureBudget) denial() error {
	return &throttledError{limit: "FailingRefunds", reason: fmt.Sprintf("more than %d failing refund requests a second would block the merchant at WeChat Pay", b.limit)}
}

// exhaustUntil counts the whole budget as used until the given time.
func (b *failureBudget) exhaustUntil(until time.Time) {
	b.mutex.Lock()
	defer b.mutex.Unlock()
	b.exhaustedUntil = until
}

// waitWhileExhausted waits for the end of exhaustedUntil.
func (b *failureBudget) waitWhileExhausted(ctx context.Context) error {
	b.mutex.Lock()
	left := b.exhaustedUntil.Sub(b.clock.Now())
	b.mutex.Unlock()
	if sleep(ctx, left) != nil {
		return b.denial()
	}
	return nil
}

func (b *failureBudget) release(failed bool) {
	b.mutex.Lock()
	defer b.mutex.Unlock()
	b.inFlight--
	b.dropOld()
	if failed {
		b.failures = append(b.failures, b.clock.Now())
	}
	if b.ended != nil {
		close(b.ended)
		b.ended = nil
	}
}

// dropOld removes failures that are more than a second old. A failure exactly one second old still
// counts.
func (b *failureBudget) dropOld() {
	horizon := b.clock.Now().Add(-time.Second)
	b.failures = slices.DeleteFunc(b.failures, func(at time.Time) bool { return at.Before(horizon) })
}
