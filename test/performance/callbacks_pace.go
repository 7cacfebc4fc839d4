package main

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"time"

	"github.com/wechatpay-operator/wechatpay-operator/test/performance/internal/callback"
)

// pace is what became of requests that were sent at a rate.
type pace struct {
	// took is how long each that succeeded took, from when it was due; the others failed.
	took   []time.Duration
	failed int
	// lasted is from the first request to the last answer.
	lasted time.Duration
}

// and is what became of two turns.
func (p pace) and(more pace) pace {
	return pace{append(slices.Clone(p.took), more.took...), p.failed + more.failed, p.lasted + more.lasted}
}

// rate is how many succeeded a second.
func (p pace) rate() float64 { return float64(len(p.took)) / p.lasted.Seconds() }

func (p pace) percentile(percent int) time.Duration {
	return callback.Percentile(slices.Sorted(slices.Values(p.took)), percent)
}

func (p pace) String() string {
	text := fmt.Sprintf("%.0f a second, p50 %.1f ms, p99 %.1f ms", p.rate(), callback.Milliseconds(p.percentile(50)), callback.Milliseconds(p.percentile(99)))
	if p.failed > 0 {
		text += fmt.Sprintf(", %d failed", p.failed)
	}
	return text
}

// atRate does something so many times a second, whatever becomes of what began before, and times each from when it was due. So a
// server that falls behind is charged with the time that others had to wait for it.
func atRate(ctx context.Context, rate, count int, do func(i int) (succeeded bool)) pace {
	var (
		underWay sync.WaitGroup
		mutex    sync.Mutex
		p        pace
	)
	began := time.Now()
	for i := range count {
		due := began.Add(time.Duration(i) * time.Second / time.Duration(rate))
		select {
		case <-time.After(time.Until(due)):
		case <-ctx.Done():
		}
		underWay.Go(func() {
			succeeded := do(i)
			took := time.Since(due)
			mutex.Lock()
			defer mutex.Unlock()
			if succeeded {
				p.took = append(p.took, took)
			} else {
				p.failed++
			}
		})
	}
	underWay.Wait()
	p.lasted = time.Since(began)
	return p
}
