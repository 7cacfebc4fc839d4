package main

import (
	"context"
	"errors"
	"fmt"
	"time"
)

const (
	kib = 1024.0
	mib = 1024 * kib
)

// oneInTwenty is open, the rest is paid.
func oneInTwenty(i int) bool { return i%20 == 0 }

func everyone(int) bool { return true }

// atRest is an operator that has looked at all Orders and waits.
type atRest struct {
	orders float64
	// ready and looked are the times from the start to /readyz, and until each Order was looked at, in seconds; cpu is what went
	// into it.
	ready, looked, cpu float64
	// heap is in use after a garbage collection; rss is before it, and peak the most there was. In bytes.
	heap, rss, peak float64
	// apiServerCPU went into the start as well, in seconds.
	apiServerRSS, apiServerCPU float64
}

// measureMemory starts the operator on more and more Orders.
func measureMemory(ctx context.Context, o settings, scales []int, r *results) error {
	return withCrowd(ctx, o, scales[len(scales)-1], oneInTwenty, func(c *crowd) error {
		var seen []atRest
		for _, scale := range scales {
			began := time.Now()
			if err := c.grow(ctx, scale, oneInTwenty); err != nil {
				return err
			}
			grown := time.Since(began)
			a, err := c.stage.restWith(ctx, c)
			if err != nil {
				return fmt.Errorf("with %d Orders: %w", scale, err)
			}
			fmt.Printf("    %d Orders (written in %.0f s): ready in %.1f s, all looked at in %.1f s with %.1f s of CPU, and %.1f s of kube-apiserver; heap %.0f MiB, RSS %.0f MiB, at most %.0f MiB\n",
				scale, grown.Seconds(), a.ready, a.looked, a.cpu, a.apiServerCPU, a.heap/mib, a.rss/mib, a.peak/mib)
			seen = append(seen, a)
		}
		addMemory(r, seen)
		r.add("etcd-bytes-per-order", float64(c.storedBytes), "bytes", "stored for a paid Order")
		r.add("etcd-history-per-order", float64(c.historyBytes), "bytes", "all %d versions of it, until etcd is compacted", c.versions)
		return nil
	})
}

// restWith starts the operator and waits until it has looked at a crowd.
func (s *stage) restWith(ctx context.Context, c *crowd) (a atRest, err error) {
	before, err := usageOf()
	if err != nil {
		return a, err
	}
	began := time.Now()
	operator, err := s.startOperator(ctx)
	if err != nil {
		return a, err
	}
	defer func() { err = errors.Join(err, operator.Stop()) }()
	if err := operator.awaitLooked(ctx, c.total); err != nil {
		return a, err
	}
	a = atRest{orders: float64(c.total), ready: operator.ready.Seconds(), looked: time.Since(began).Seconds()}
	used, err := footprintOf(operator.PID())
	if err != nil {
		return a, err
	}
	all, err := usageOf()
	if err != nil {
		return a, err
	}
	a.cpu, a.rss, a.peak = used.cpu.Seconds(), used.rss, used.peak
	a.apiServerCPU, a.apiServerRSS = all.since(before)["kube-apiserver"].Seconds(), float64(all.rss["kube-apiserver"])
	a.heap, err = operator.heap(ctx)
	return a, err
}

// awaitLooked waits until the operator leads and has looked at as many Orders as there are.
func (o *operator) awaitLooked(ctx context.Context, orders int) error {
	if err := await(ctx, "the operator to look at each Order", func(ctx context.Context) error {
		looked, err := o.metric(ctx, "controller_runtime_reconcile_total", `controller="order"`)
		if err == nil && looked < float64(orders) {
			err = fmt.Errorf("it looked at %.0f of %d", looked, orders)
		}
		return err
	}); err != nil {
		return err
	}
	return o.awaitIdle(ctx)
}

func addMemory(r *results, seen []atRest) {
	of := func(value func(atRest) float64) line {
		var xs, ys []float64
		for _, a := range seen {
			xs, ys = append(xs, a.orders), append(ys, value(a))
		}
		return fit(xs, ys)
	}
	heap, rss, peak := of(func(a atRest) float64 { return a.heap }), of(func(a atRest) float64 { return a.rss }), of(func(a atRest) float64 { return a.peak })
	ready, cpu := of(func(a atRest) float64 { return a.ready }), of(func(a atRest) float64 { return a.cpu })
	const fitted = "slope of the line through all scales; 19 of 20 Orders are paid"
	r.add("heap-per-order", heap.slope/kib, "KiB", "of the operator after a garbage collection: "+fitted)
	r.add("heap-base", heap.base/mib, "MiB", "the same line with no Orders")
	r.add("rss-per-order", rss.slope/kib, "KiB", "resident when it is idle: "+fitted)
	r.add("rss-base", rss.base/mib, "MiB", "the same line with no Orders")
	r.add("rss-peak-per-order", peak.slope/kib, "KiB", "the most that was resident since the start: "+fitted)
	r.add("rss-peak-base", peak.base/mib, "MiB", "the same line with no Orders")
	r.add("ready-per-order", 1e6*ready.slope, "us", "from the start to /readyz: "+fitted)
	r.add("ready-base", ready.base, "s", "the same line with no Orders")
	r.add("start-cpu-per-order", 1e6*cpu.slope, "us", "of the operator until each Order was looked at once: "+fitted)
	serving := of(func(a atRest) float64 { return a.apiServerCPU })
	r.add("start-apiserver-cpu-per-order", 1e6*serving.slope, "us", "of kube-apiserver meanwhile: "+fitted)
	for _, a := range seen {
		at := func(name string) string { return fmt.Sprintf("%s/%.0f", name, a.orders) }
		r.add(at("heap"), a.heap/mib, "MiB", "of the operator after a garbage collection, with so many Orders")
		r.add(at("rss"), a.rss/mib, "MiB", "resident when it is idle")
		r.add(at("rss-peak"), a.peak/mib, "MiB", "the most that was resident since the start")
		r.add(at("ready"), a.ready, "s", "from the start of the process to /readyz")
		r.add(at("looked"), a.looked, "s", "from the start of the process until each Order was looked at once")
		r.add(at("start-cpu"), a.cpu, "s", "of CPU that went into it")
	}
	server := of(func(a atRest) float64 { return a.apiServerRSS })
	r.add("apiserver-rss-per-order", server.slope/kib, "KiB", "of kube-apiserver, which serves from its own cache: "+fitted)
}
