package main

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"time"

	"golang.org/x/sync/errgroup"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/wechatpay-operator/wechatpay-operator/api/v1alpha1"
	"github.com/wechatpay-operator/wechatpay-operator/internal/lifecycle"
	"github.com/wechatpay-operator/wechatpay-operator/test/framework/controlplane"
)

const (
	// newcomers are created at once, behind the Orders that wait.
	newcomers = 100
	// streamed Orders a second are created for streamFor.
	streamed  = 20
	streamFor = 30 * time.Second
)

// queueRun is what one operator did with one of the two queues.
type queueRun struct {
	// early are the times from the creation to Prepared of newcomers while a start has all Orders in the queue, late those of
	// newcomers at rest.
	early, late []time.Duration
	// waiting are the Orders in the queue when the early newcomers are about to be created.
	waiting float64
	// cpu went into the start, in seconds; heap is in MiB.
	cpu, heap float64
	// polls beside those that the schedule has, while new Orders stream in; stream are their times to Prepared.
	polls  float64
	stream []time.Duration
}

// measureQueue compares the reconcilers' two queues, in turns.
func measureQueue(ctx context.Context, o settings, r *results) error {
	scales, err := o.scaleNumbers()
	if err != nil {
		return err
	}
	total := scales[len(scales)/2]
	return withCrowd(ctx, o, total, everyone, func(c *crowd) error {
		if err := c.grow(ctx, total, everyone); err != nil {
			return err
		}
		runs := map[bool][]queueRun{}
		for round := range o.rounds {
			for _, priorities := range inTurn(round) {
				q := &queueing{stage: c.stage, crowd: c, name: fmt.Sprintf("queue-%d-%t", round+1, priorities)}
				if err := q.run(ctx, priorities); err != nil {
					return fmt.Errorf("round %d with priorities %t: %w", round+1, priorities, err)
				}
				fmt.Printf("    round %d, priorities %-5t: %s\n", round+1, priorities, q.queueRun)
				runs[priorities] = append(runs[priorities], q.queueRun)
			}
		}
		for _, priorities := range []bool{false, true} {
			addQueue(r, map[bool]string{false: "off", true: "on"}[priorities], total, runs[priorities])
		}
		return nil
	})
}

// inTurn is the order of the two queues in a round: neither always goes first.
func inTurn(round int) []bool {
	if round%2 == 0 {
		return []bool{false, true}
	}
	return []bool{true, false}
}

func (q queueRun) String() string {
	return fmt.Sprintf("newcomers at the start, behind %.0f, p50 %.0f ms, p99 %.0f ms; at rest %.0f, %.0f ms; start %.1f s of CPU; heap %.0f MiB; streaming %.0f, %.0f ms with %.2f of the polls",
		q.waiting, ms(q.early, 50), ms(q.early, 99), ms(q.late, 50), ms(q.late, 99), q.cpu, q.heap, ms(q.stream, 50), ms(q.stream, 99), q.polls)
}

// ms is a percentile in milliseconds.
func ms(of []time.Duration, percent int) float64 {
	if len(of) == 0 {
		return 0
	}
	sorted := slices.Sorted(slices.Values(of))
	return float64(sorted[min(len(sorted)*percent/100, len(sorted)-1)].Microseconds()) / 1000
}

func addQueue(r *results, name string, total int, runs []queueRun) {
	of := func(value func(queueRun) float64) float64 {
		var values []float64
		for _, run := range runs {
			values = append(values, value(run))
		}
		slices.Sort(values)
		return values[len(values)/2]
	}
	at := fmt.Sprintf("%d open Orders, median of %d rounds", total, len(runs))
	for _, percent := range []int{50, 99} {
		p := "/p" + strconv.Itoa(percent)
		r.add(name+"/start"+p, of(func(q queueRun) float64 { return ms(q.early, percent) }), "ms", "from the creation of an Order to Prepared, when a start has all others in the queue: %s", at)
		r.add(name+"/rest"+p, of(func(q queueRun) float64 { return ms(q.late, percent) }), "ms", "the same at rest, with polls going on")
		r.add(name+"/stream"+p, of(func(q queueRun) float64 { return ms(q.stream, percent) }), "ms", "the same with %d new ones a second", streamed)
	}
	r.add(name+"/stream/polls", of(func(q queueRun) float64 { return q.polls }), "x", "orderqueries beside the schedule's, while %d new Orders a second come in", streamed)
	r.add(name+"/start/waiting", of(func(q queueRun) float64 { return q.waiting }), "orders", "in the queue just before the first new ones")
	r.add(name+"/start-cpu", of(func(q queueRun) float64 { return q.cpu }), "s", "CPU of the operator until each Order was looked at once")
	r.add(name+"/heap", of(func(q queueRun) float64 { return q.heap }), "MiB", "of the operator after a garbage collection")
}

// queueing measures one operator.
type queueing struct {
	queueRun
	stage *stage
	crowd *crowd
	name  string
	// open are the newcomers so far, which are polled as the others are.
	open []openOrder
}

func (q *queueing) run(ctx context.Context, priorities bool) error {
	namespaces := []string{q.name + "-early", q.name + "-late", q.name + "-stream"}
	for _, namespace := range namespaces {
		if err := q.stage.openNamespace(ctx, namespace); err != nil {
			return err
		}
	}
	o, err := q.stage.startProgram(ctx, q.stage.settings.choosing, q.stage.addresses, "--priority-queue="+strconv.FormatBool(priorities))
	if err != nil {
		return err
	}
	err = q.measure(ctx, o, namespaces)
	// They would be polled in the next run.
	for _, namespace := range namespaces {
		err = errors.Join(err, q.removeOrders(ctx, namespace))
	}
	return errors.Join(err, o.Stop())
}

func (q *queueing) measure(ctx context.Context, o *operator, namespaces []string) (err error) {
	if q.waiting, err = o.metric(ctx, "workqueue_depth", `name="order"`); err != nil {
		return err
	}
	if q.early, err = q.newcomers(ctx, namespaces[0], newcomers, 0); err != nil {
		return err
	}
	if err := o.awaitLooked(ctx, q.crowd.total); err != nil {
		return err
	}
	used, err := footprintOf(o.PID())
	if err != nil {
		return err
	}
	q.cpu = used.cpu.Seconds()
	if q.late, err = q.newcomers(ctx, namespaces[1], newcomers, 0); err != nil {
		return err
	}
	from, err := o.counted(ctx)
	if err != nil {
		return err
	}
	if q.stream, err = q.newcomers(ctx, namespaces[2], int(streamed*streamFor.Seconds()), time.Second/streamed); err != nil {
		return err
	}
	now, err := o.counted(ctx)
	if err != nil {
		return err
	}
	q.polls = (now.polls - from.polls) / float64(duePolls(slices.Concat(q.crowd.open, q.open), from.at, now.at))
	heap, err := o.heap(ctx)
	q.heap = heap / mib
	return err
}

// newcomers creates Orders, at once or one in each interval, and says how long each took to be prepared.
func (q *queueing) newcomers(ctx context.Context, namespace string, total int, every time.Duration) ([]time.Duration, error) {
	ctx, cancel := context.WithTimeout(ctx, patience+streamFor)
	defer cancel()
	watching, err := client.NewWithWatch(q.stage.cluster.Config, client.Options{Scheme: controlplane.Scheme()})
	if err != nil {
		return nil, err
	}
	seen, err := watching.Watch(ctx, &v1alpha1.OrderList{}, client.InNamespace(namespace))
	if err != nil {
		return nil, err
	}
	defer seen.Stop()
	created := make([]time.Time, total)
	creating, within := errgroup.WithContext(ctx)
	creating.Go(func() error {
		each := errgroup.Group{}
		each.SetLimit(workers)
		for i := range total {
			each.Go(func() error {
				created[i] = time.Now()
				return q.stage.cluster.Client.Create(within, newOrder(namespace, nameOf(namespace, i)))
			})
			time.Sleep(every)
		}
		return each.Wait()
	})
	prepared := map[string]time.Time{}
	for len(prepared) < total {
		select {
		case <-within.Done():
			return nil, fmt.Errorf("%d of %d new Orders are prepared: %w", len(prepared), total, errors.Join(creating.Wait(), ctx.Err()))
		case event, open := <-seen.ResultChan():
			if !open {
				return nil, errors.New("the watch of new Orders ended")
			}
			if order, ok := event.Object.(*v1alpha1.Order); ok && lifecycle.IsPrepared(order) && prepared[order.Name].IsZero() {
				prepared[order.Name] = time.Now()
				q.open = append(q.open, openOrder{order.UID, lifecycle.PreparedSince(order)})
			}
		}
	}
	if err := creating.Wait(); err != nil {
		return nil, err
	}
	took := make([]time.Duration, total)
	for i := range total {
		took[i] = prepared[nameOf(namespace, i)].Sub(created[i])
	}
	return took, nil
}

func (q *queueing) removeOrders(ctx context.Context, namespace string) error {
	if err := q.stage.cluster.Client.DeleteAllOf(ctx, &v1alpha1.Order{}, client.InNamespace(namespace)); err != nil {
		return err
	}
	return await(ctx, "new Orders to go", func(ctx context.Context) error {
		var left v1alpha1.OrderList
		if err := q.stage.cluster.Client.List(ctx, &left, client.InNamespace(namespace)); err != nil {
			return err
		}
		if len(left.Items) > 0 {
			return fmt.Errorf("%d are left", len(left.Items))
		}
		return nil
	})
}
