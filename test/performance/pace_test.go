package performance

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"time"
)

// times are the durations of successful operations.
type times []time.Duration

// percentile is in milliseconds; 0 when there are no times.
func (t times) percentile(percent int) float64 {
	if len(t) == 0 {
		return 0
	}
	return slices.Sorted(slices.Values(t))[min(len(t)*percent/100, len(t)-1)].Seconds() * 1000
}

// pace is the result of requests that were sent at a rate.
type pace struct {
	// times are from when a request was due.
	times
	failed int
	// lasted is from the first request to the last answer.
	lasted time.Duration
}

// and adds another turn.
func (p pace) and(more pace) pace {
	return pace{append(slices.Clone(p.times), more.times...), p.failed + more.failed, p.lasted + more.lasted}
}

// rate is how many succeeded a second.
func (p pace) rate() float64 { return float64(len(p.times)) / p.lasted.Seconds() }

func (p pace) String() string {
	return fmt.Sprintf("%.0f a second, p50 %.1f ms, p99 %.1f ms, %d failed", p.rate(), p.percentile(50), p.percentile(99), p.failed)
}

// atRate starts an operation so many times a second, even if earlier ones have not ended, and measures each from when
// it was due. So the figures of a server that falls behind include the time for which requests waited.
func atRate(ctx context.Context, rate, count int, do func(i int) (succeeded bool)) pace {
	var (
		underWay sync.WaitGroup
		mutex    sync.Mutex
		p        pace
	)
	began := time.Now()
	for i := range count {
		due := began.Add(time.Duration(i) * time.Second / time.Duration(rate))
		if linger(ctx, time.Until(due)); ctx.Err() != nil {
			break
		}
		underWay.Go(func() {
			succeeded := do(i)
			took := time.Since(due)
			mutex.Lock()
			defer mutex.Unlock()
			if succeeded {
				p.times = append(p.times, took)
			} else {
				p.failed++
			}
		})
	}
	underWay.Wait()
	p.lasted = time.Since(began)
	return p
}

// linger waits, or returns when the context ends.
func linger(ctx context.Context, pause time.Duration) {
	select {
	case <-ctx.Done():
	case <-time.After(pause):
	}
}
