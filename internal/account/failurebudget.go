package account

import (
	"context"
	"fmt"
	"sync"
	"time"

	"k8s.io/utils/clock"
)

// failureBudget lets at most `most` refund calls fail in any second: what failed in the last second and what is under way,
// and so may fail, never exceed it together.
type failureBudget struct {
	most  int
	clock clock.PassiveClock

	mutex    sync.Mutex
	underWay int
	failures []time.Time
	// fullUntil: until then everything counts as used up, for what another process may have used.
	fullUntil time.Time
	// ended is closed when a call ends; nil when nobody waits for that.
	ended chan struct{}
}

// begin takes a place for a call. While nothing fails it waits for one, so that calls that succeed go on one after the other;
// after failures it denies, since a wait would only hold up a worker.
func (b *failureBudget) begin(ctx context.Context) error {
	if err := b.waitUntilEmpty(ctx); err != nil {
		return err
	}
	for {
		ended, err := b.tryBegin()
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

// tryBegin takes a place, or denies it, or says what to wait for.
func (b *failureBudget) tryBegin() (<-chan struct{}, error) {
	b.mutex.Lock()
	defer b.mutex.Unlock()
	b.dropOld()
	switch {
	case b.underWay+len(b.failures) < b.most:
		b.underWay++
		return nil, nil
	case len(b.failures) > 0:
		return nil, b.denial()
	case b.ended == nil:
		b.ended = make(chan struct{})
	}
	return b.ended, nil
}

func (b *failureBudget) denial() error {
	return &throttledError{limit: "FailingRefunds", reason: fmt.Sprintf("more than %d failing refund requests a second would block the merchant at WeChat Pay", b.most)}
}

// fill counts all places as used up until a time.
func (b *failureBudget) fill(until time.Time) {
	b.mutex.Lock()
	defer b.mutex.Unlock()
	b.fullUntil = until
}

// waitUntilEmpty waits for the end of what fill counted.
func (b *failureBudget) waitUntilEmpty(ctx context.Context) error {
	b.mutex.Lock()
	left := b.fullUntil.Sub(b.clock.Now())
	b.mutex.Unlock()
	if sleep(ctx, left) != nil {
		return b.denial()
	}
	return nil
}

func (b *failureBudget) end(failed bool) {
	b.mutex.Lock()
	defer b.mutex.Unlock()
	b.underWay--
	b.dropOld()
	if failed {
		b.failures = append(b.failures, b.clock.Now())
	}
	if b.ended != nil {
		close(b.ended)
		b.ended = nil
	}
}

// dropOld forgets failures that are more than a second old. One of exactly a second still counts.
func (b *failureBudget) dropOld() {
	horizon := b.clock.Now().Add(-time.Second)
	kept := b.failures[:0]
	for _, at := range b.failures {
		if !at.Before(horizon) {
			kept = append(kept, at)
		}
	}
	b.failures = kept
}
