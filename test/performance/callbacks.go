package main

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/wechatpay-operator/wechatpay-operator/test/performance/internal/callback"
)

// Each rate, in callbacks a second, is measured in turns: bare status updates, then callbacks, each for so long.
const (
	callbackTurns = 2
	callbackTurn  = 5 * time.Second
)

// callbacksAtOnce is how many come at once in the end.
const callbacksAtOnce = 1000

// measureCallbacks compares callbacks with a client that only makes the same writes: from when each was due to the answer, which
// for a callback says that Paid is stored. The bare client writes beside the running operator too.
func measureCallbacks(ctx context.Context, o settings, r *results) (err error) {
	s, err := open(ctx, o, scene{finalizerAtCreation: true})
	defer func() { err = errors.Join(err, s.close()) }()
	if err != nil {
		return err
	}
	return s.withOperator(ctx, func(ctx context.Context, o *operator) error {
		like, err := s.sample(ctx)
		if err != nil {
			return err
		}
		for _, rate := range []int{50, 100, 200} {
			if err := o.callbacksAt(ctx, rate, like, r); err != nil {
				return fmt.Errorf("at %d a second: %w", rate, err)
			}
		}
		return o.callbackBurst(ctx, r)
	})
}

// callbacksAt measures one rate.
func (o *operator) callbacksAt(ctx context.Context, rate int, like statuses, r *results) error {
	count := rate * int(callbackTurn/time.Second)
	var bare, called pace
	for i := range callbackTurns {
		b, err := o.bareUpdates(ctx, fmt.Sprintf("bare-%d-%d", rate, i+1), rate, count, like)
		if err != nil {
			return fmt.Errorf("the bare client: %w", err)
		}
		c, err := o.pacedCallbacks(ctx, fmt.Sprintf("callbacks-%d-%d", rate, i+1), rate, count)
		if err != nil {
			return err
		}
		fmt.Printf("    %d a second, turn %d: bare %s; callbacks %s\n", rate, i+1, b, c)
		bare, called = bare.and(b), called.and(c)
	}
	at := fmt.Sprintf("%d/", rate)
	r.add(at+"p50", callback.Milliseconds(called.percentile(50)), "ms", "from when a callback was due to SUCCESS; of a bare status update %.3g", callback.Milliseconds(bare.percentile(50)))
	r.add(at+"p99", callback.Milliseconds(called.percentile(99)), "ms", "of %d callbacks", len(called.took))
	r.add(at+"bare-p99", callback.Milliseconds(bare.percentile(99)), "ms", "of %d bare status updates", len(bare.took))
	r.add(at+"ratio", called.percentile(99).Seconds()/bare.percentile(99).Seconds(), "x", "of the bare client's p99; %d callbacks without SUCCESS at first are not in it", called.failed)
	r.add(at+"achieved", called.rate(), "1/s", "SUCCESS until the last answer")
	r.add(at+"refused", float64(called.failed), "callbacks", "without SUCCESS at first; all came again and were settled")
	r.add(at+"bare-achieved", bare.rate(), "1/s", "less than %d means that the control plane could not do more; failed %d", rate, bare.failed)
	return nil
}

// callbackBurst sends callbacks all at once, and again those that were refused, as WeChat does but with shorter pauses.
func (o *operator) callbackBurst(ctx context.Context, r *results) error {
	c, err := o.prepareCallbacks(ctx, "burst", callbacksAtOnce)
	if err != nil {
		return err
	}
	o.stage.profile(ctx, "burst", o)
	took := c.sendAll(ctx, c.open())
	first := c.sum()
	lied, err := c.lied(ctx)
	if err != nil {
		return err
	}
	repeats, err := c.repeat(ctx)
	if err != nil {
		return err
	}
	paid, err := o.stage.paidIn(ctx, c.namespace)
	if err != nil {
		return err
	}
	r.add("burst/answered", float64(first.succeeded), "callbacks", "of %d at once that were answered SUCCESS within WeChat's %.0f s", callbacksAtOnce, callback.Patience.Seconds())
	r.add("burst/refused", float64(first.refused), "callbacks", "were told to come again; all were settled after %d repeats", repeats)
	r.add("burst/unanswered", float64(first.unanswered), "callbacks", "got no answer in time")
	r.add("burst/lost", float64(callbacksAtOnce-len(paid)+lied), "Orders", "not Paid at the end, or answered SUCCESS before they were")
	r.add("burst/slowest", callback.Milliseconds(took), "ms", "until the last of them was answered")
	return nil
}
