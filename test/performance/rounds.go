package main

import (
	"context"
	"errors"
	"fmt"
	"time"

	"golang.org/x/sync/errgroup"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/controller/controllerutil"

	"github.com/wechatpay-operator/wechatpay-operator/api/v1alpha1"
	"github.com/wechatpay-operator/wechatpay-operator/test/framework/controlplane"
)

// round is one run of so many Orders.
type round struct {
	orders int
	took   time.Duration
	cpu    map[string]time.Duration
}

func (r round) rate() float64 { return float64(r.orders) / r.took.Seconds() }

// cpuPerOrder is in milliseconds.
func (r round) cpuPerOrder(process string) float64 {
	return r.cpu[process].Seconds() * 1000 / float64(r.orders)
}

func (r round) String() string {
	return fmt.Sprintf("%d Orders in %.1f s, %.0f a second", r.orders, r.took.Seconds(), r.rate())
}

// together is what several rounds come to.
func together(rounds []round) round {
	sum := round{cpu: map[string]time.Duration{}}
	for _, r := range rounds {
		sum.orders += r.orders
		sum.took += r.took
		for process, used := range r.cpu {
			sum.cpu[process] += used
		}
	}
	return sum
}

// timed runs what a round consists of.
func timed(orders int, run func() error) (round, error) {
	before, err := usageOf()
	if err != nil {
		return round{}, err
	}
	began := time.Now()
	if err := run(); err != nil {
		return round{}, err
	}
	r := round{orders: orders, took: time.Since(began)}
	after, err := usageOf()
	r.cpu = after.since(before)
	return r, err
}

// operatorRound has Orders come through the operator, which runs for the round only.
func (s *stage) operatorRound(ctx context.Context, namespace string, count int) (r round, err error) {
	if err := s.openNamespace(ctx, namespace); err != nil {
		return r, err
	}
	err = s.withOperator(ctx, func(ctx context.Context, o *operator) error {
		s.profile(ctx, namespace, o)
		r, err = timed(count, func() error {
			if err := s.createOrders(ctx, namespace, count, func(*v1alpha1.Order) {}); err != nil {
				return err
			}
			return o.awaitPaid(ctx, namespace, count)
		})
		return err
	})
	if err != nil {
		return r, err
	}
	return r, s.allPaid(ctx, namespace, count)
}

// withOperator runs the operator until something is done. It starts when the Merchant is ready and nothing is left to do of what
// was there before.
func (s *stage) withOperator(ctx context.Context, do func(context.Context, *operator) error) error {
	o, err := s.startOperator(ctx)
	if err != nil {
		return err
	}
	err = s.awaitMerchant(ctx)
	if err == nil {
		err = o.awaitIdle(ctx)
	}
	if err == nil {
		err = do(ctx, o)
	}
	select {
	case <-o.Ended():
		err = errors.Join(err, errors.New("the operator ended: "+o.Tail(3)))
	default:
	}
	return errors.Join(err, o.Stop())
}

// bareRound makes the writes that an Order costs, and nothing else: it is created, gets the finalizer unless it came with it, and
// its status is written twice, with statuses that the operator wrote for another. A worker makes one write after the other, and
// has nothing to look up.
func (s *stage) bareRound(ctx context.Context, namespace string, count int, like statuses) (r round, err error) {
	if err := s.openNamespace(ctx, namespace); err != nil {
		return r, err
	}
	writer, err := client.New(s.identity, client.Options{Scheme: controlplane.Scheme()})
	if err != nil {
		return r, err
	}
	s.profile(ctx, namespace, nil)
	r, err = timed(count, func() error {
		created := make(chan *v1alpha1.Order, count)
		writing, ctx := errgroup.WithContext(ctx)
		for range workers {
			writing.Go(func() error {
				for order := range created {
					if err := writeAll(ctx, writer, order, like); err != nil {
						return err
					}
				}
				return nil
			})
		}
		err := s.createOrders(ctx, namespace, count, func(order *v1alpha1.Order) { created <- order })
		close(created)
		return errors.Join(err, writing.Wait())
	})
	if err != nil {
		return r, err
	}
	return r, s.allPaid(ctx, namespace, count)
}

func writeAll(ctx context.Context, writer client.Client, order *v1alpha1.Order, like statuses) error {
	if bare := order.DeepCopy(); controllerutil.AddFinalizer(order, v1alpha1.Finalizer) {
		if err := writer.Patch(ctx, order, client.MergeFromWithOptions(bare, client.MergeFromWithOptimisticLock{})); err != nil {
			return err
		}
	}
	for _, status := range []v1alpha1.OrderStatus{like.prepared, like.paid} {
		order.Status = status
		if err := writer.Status().Update(ctx, order); err != nil {
			return err
		}
	}
	return nil
}
