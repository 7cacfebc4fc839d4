package main

import (
	"context"
	"errors"
	"fmt"
	"time"
)

// payAfter is how long payers take. It is part of a round, and long enough that an Order is prepared by then.
const payAfter = 500 * time.Millisecond

// measureThroughput compares the operator with a client that only makes the same writes: in turns, so that what the machine does
// beside it, and how full etcd is, strikes both alike.
func measureThroughput(ctx context.Context, o settings, r *results) error {
	return errors.Join(throughputOf(ctx, o, r, "component", true), throughputOf(ctx, o, r, "default", false))
}

func throughputOf(ctx context.Context, o settings, r *results, installation string, finalizerAtCreation bool) (err error) {
	s, err := open(ctx, o, scene{finalizerAtCreation: finalizerAtCreation, payAfter: payAfter})
	defer func() { err = errors.Join(err, s.close()) }()
	if err != nil {
		return err
	}
	var like statuses
	if err := s.withOperator(ctx, func(ctx context.Context, _ *operator) (err error) {
		like, err = s.sample(ctx)
		return err
	}); err != nil {
		return err
	}
	var bare, operated []round
	for i := range o.rounds {
		b, err := s.bareRound(ctx, fmt.Sprintf("bare-%d", i+1), o.orders, like)
		if err != nil {
			return fmt.Errorf("the bare client: %w", err)
		}
		p, err := s.operatorRound(ctx, fmt.Sprintf("operator-%d", i+1), o.orders)
		if err != nil {
			return fmt.Errorf("the operator: %w", err)
		}
		fmt.Printf("    %s, round %d: bare %s; operator %s; ratio %.2f\n", installation, i+1, b, p, p.rate()/b.rate())
		bare, operated = append(bare, b), append(operated, p)
	}
	b, p := together(bare), together(operated)
	r.add(installation+"/bare", b.rate(), "orders/s", "by a bare client that makes the same writes: create, %stwo status updates", ifNot(finalizerAtCreation, "finalizer, "))
	r.add(installation+"/paid", p.rate(), "orders/s", "created, prepared and paid through the operator")
	r.add(installation+"/ratio", p.rate()/b.rate(), "x", "of the bare client's rate (%d rounds of %d Orders each)", o.rounds, o.orders)
	for _, process := range []string{"kube-apiserver", "etcd", "manager", "simulator", self} {
		r.add(installation+"/cpu/"+process, p.cpuPerOrder(process), "ms/order", "CPU for a paid Order; %.2f for one of the bare client's", b.cpuPerOrder(process))
	}
	return nil
}

func ifNot(condition bool, text string) string {
	if condition {
		return ""
	}
	return text
}
