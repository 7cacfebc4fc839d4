package performance

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

// payAfter is how long payers take. It is part of a round, and long enough that an Order is prepared by then.
const payAfter = 500 * time.Millisecond

// measureThroughput compares the operator with a client that only makes the same writes. They take turns, so that other
// load on the machine, and what is already in etcd, slows both down alike.
func measureThroughput(b *bench) {
	b.inBoth(func(b *bench, finalizerAtCreation bool) {
		s := b.open(scene{finalizerAtCreation: finalizerAtCreation, payAfter: payAfter})
		o := s.operate()
		prepared, paid := s.sample()
		o.stop()
		bare, operated := &timer{bench: b, cpu: map[string]float64{}}, &timer{bench: b, cpu: map[string]float64{}}
		for i := range flags.rounds {
			s.bareRound(bare, fmt.Sprintf("bare-%d", i+1), prepared.Status, paid.Status)
			s.operatorRound(operated, fmt.Sprintf("operator-%d", i+1))
			b.say("%d rounds: bare %.1f a second, operator %.1f", i+1, bare.rate(), operated.rate())
		}
		writes := "create, two status updates"
		if !finalizerAtCreation {
			writes = "create, finalizer, two status updates"
		}
		b.add("bare", bare.rate(), "orders/s", "by a bare client that makes the same writes: %s", writes)
		b.add("paid", operated.rate(), "orders/s", "created, prepared and paid through the operator")
		b.add("ratio", operated.rate()/bare.rate(), "x", "of the bare client's rate (%d rounds of %d Orders each)", flags.rounds, flags.orders)
		for _, process := range []string{"kube-apiserver", "etcd", manager, "simulator", self} {
			b.add("cpu/"+process, operated.cpuOf(process), "ms/order", "CPU for a paid Order; %.2f for one of the bare client's", bare.cpuOf(process))
		}
	})
}

// timer adds up rounds of flags.orders Orders.
type timer struct {
	bench           *bench
	orders, seconds float64
	cpu             map[string]float64
}

// time runs what a round consists of.
func (t *timer) time(run func()) {
	before, began := t.bench.usage(), time.Now()
	run()
	t.orders, t.seconds = t.orders+float64(flags.orders), t.seconds+time.Since(began).Seconds()
	for process, after := range t.bench.usage() {
		t.cpu[process] += after.cpu - before[process].cpu
	}
}

func (t *timer) rate() float64 { return t.orders / t.seconds }

// cpuOf is in milliseconds for an Order.
func (t *timer) cpuOf(process string) float64 { return 1000 * t.cpu[process] / t.orders }

// operatorRound measures Orders that the operator settles. It runs for this round only.
func (s *stage) operatorRound(t *timer, namespace string) {
	o := s.operate()
	t.time(func() {
		s.createOrders(namespace, flags.orders)
		o.awaitState(namespace, v1alpha1.ReasonPaid, flags.orders)
	})
	o.stop()
	s.allPaid(namespace, flags.orders)
}

// bareRound makes the writes that an Order costs, and nothing else: an Order is created, gets the finalizer unless it
// came with it, and its status is written twice, with statuses that the operator wrote for another one. A worker makes
// one write after the other, and reads nothing.
func (s *stage) bareRound(t *timer, namespace string, statuses ...v1alpha1.OrderStatus) {
	writer, err := client.New(s.identity, client.Options{Scheme: controlplane.Scheme()})
	s.must(err)
	t.time(func() {
		s.openNamespace(namespace)
		created := make(chan *v1alpha1.Order, flags.orders)
		writing, ctx := errgroup.WithContext(s.ctx)
		for range workers {
			writing.Go(func() error {
				for order := range created {
					if err := writeAll(ctx, writer, order, statuses); err != nil {
						return err
					}
				}
				return nil
			})
		}
		err := s.storeOrders(newOrders(namespace, flags.orders), func(order *v1alpha1.Order) { created <- order })
		close(created)
		s.must(errors.Join(err, writing.Wait()))
	})
	s.allPaid(namespace, flags.orders)
}

func writeAll(ctx context.Context, writer client.Client, order *v1alpha1.Order, statuses []v1alpha1.OrderStatus) error {
	if bare := order.DeepCopy(); controllerutil.AddFinalizer(order, v1alpha1.Finalizer) {
		if err := writer.Patch(ctx, order, client.MergeFromWithOptions(bare, client.MergeFromWithOptimisticLock{})); err != nil {
			return err
		}
	}
	for _, status := range statuses {
		order.Status = status
		if err := writer.Status().Update(ctx, order); err != nil {
			return err
		}
	}
	return nil
}
