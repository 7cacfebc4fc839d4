package desk

import (
	"context"
	"math/rand/v2"
	"time"
)

// Pace are the waits between attempts that failed: the first, doubled each time up to the most.
type Pace struct{ First, Most time.Duration }

// Pauses counts failures in a row.
type Pauses struct {
	pace Pace
	next time.Duration
}

// New begins to count.
func (p Pace) New() *Pauses { return &Pauses{pace: p} }

// Wait waits after a failure, a little more or less than the last time, and reports whether to go on.
func (p *Pauses) Wait(ctx context.Context) bool {
	p.next = min(max(2*p.next, p.pace.First), p.pace.Most)
	return sleep(ctx, p.next*3/4+rand.N(p.next/2+1)) //nolint:gosec // no secret
}

// Reset forgets the failures.
func (p *Pauses) Reset() { p.next = 0 }

func sleep(ctx context.Context, wait time.Duration) bool {
	select {
	case <-ctx.Done():
		return false
	case <-time.After(wait):
		return true
	}
}
