package events

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/go-logr/logr"
	"golang.org/x/sync/semaphore"
	"k8s.io/apimachinery/pkg/api/meta"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/utils/clock"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/wechatpay-operator/wechatpay-operator/api/v1alpha1"
	"github.com/wechatpay-operator/wechatpay-operator/internal/index"
	"github.com/wechatpay-operator/wechatpay-operator/internal/metrics"
)

// Limits of concurrent deliveries, for one sink and for all sinks of a namespace. Each namespace has its own limit, so
// namespaces do not wait for each other.
const (
	perSink      = 8
	perNamespace = 16
)

// Dispatcher delivers the events of all EventSinks. It runs on the leader.
type Dispatcher struct {
	// Client reads from the cache.
	Client client.Reader
	// Clock is replaced in tests only.
	Clock  clock.PassiveClock
	Timing Timing
	Log    logr.Logger
	// UserAgent is sent with each event.
	UserAgent string
	// Warn writes a Warning event about an EventSink.
	Warn func(sink *v1alpha1.EventSink, reason, format string, arguments ...any)

	mutex sync.Mutex
	// running is the context of Start.
	running context.Context
	workers sync.WaitGroup
	sinks   map[types.NamespacedName]*sink
	tenants map[string]*tenant
	// changed is called when the status of a sink changed, and released when an object need not wait for its sinks any
	// more.
	changed  func(key types.NamespacedName, after time.Duration)
	released []func(object client.Object)
	waiting  map[types.UID]bool
}

// tenant is a namespace with EventSinks. slots limits its concurrent deliveries.
type tenant struct {
	slots *semaphore.Weighted
	sinks []*sink
}

// ListenToStatus sets the function that is called when the status of a sink changed and may be
// written after the given time.
func (d *Dispatcher) ListenToStatus(changed func(key types.NamespacedName, after time.Duration)) {
	d.mutex.Lock()
	defer d.mutex.Unlock()
	d.changed = changed
}

// ListenToObjects adds a function that is called when an object need not wait any more.
func (d *Dispatcher) ListenToObjects(released func(object client.Object)) {
	d.mutex.Lock()
	defer d.mutex.Unlock()
	d.released = append(d.released, released)
}

// Start runs until the context ends. It then cancels deliveries in progress; the next leader repeats them.
func (d *Dispatcher) Start(ctx context.Context) error {
	d.mutex.Lock()
	d.running = ctx
	for _, s := range d.sinks {
		d.start(s)
	}
	d.mutex.Unlock()
	<-ctx.Done()
	d.mutex.Lock()
	served := d.sinks
	d.sinks, d.tenants = nil, nil
	for _, s := range served {
		s.stop()
	}
	d.mutex.Unlock()
	d.workers.Wait()
	for _, s := range served {
		s.close()
	}
	return nil
}

// start starts the runner of a sink, if the Dispatcher runs. The mutex is held.
func (d *Dispatcher) start(s *sink) {
	if d.running == nil || d.running.Err() != nil {
		return
	}
	ctx, stop := context.WithCancel(d.running)
	s.stop = stop
	slots := d.tenants[s.key.Namespace].slots
	d.workers.Go(func() { d.run(ctx, s, slots) })
}

// Serve delivers events to an EventSink from now on, with the given settings. If settings is nil, nothing can be sent
// until the EventSink is corrected.
func (d *Dispatcher) Serve(ctx context.Context, object *v1alpha1.EventSink, settings *Settings) error {
	// The copy is kept for Warning events: the caller changes its object while deliveries run.
	object = object.DeepCopy()
	key := client.ObjectKeyFromObject(object)
	d.mutex.Lock()
	s := d.sinks[key]
	if s != nil && s.uid != object.UID {
		d.remove(s)
		s = nil
	}
	if s == nil {
		s = d.add(object)
	}
	d.mutex.Unlock()
	d.reportLost(s, s.configure(object, settings, d.Clock.Now()))
	if err := d.seed(ctx, s); err != nil {
		return err
	}
	s.wakeUp()
	return nil
}

// add starts to serve a sink. The mutex is held.
func (d *Dispatcher) add(object *v1alpha1.EventSink) *sink {
	s := newSink(object, d.Timing, d.Clock.Now())
	if d.sinks == nil {
		d.sinks, d.tenants = map[types.NamespacedName]*sink{}, map[string]*tenant{}
	}
	d.sinks[s.key] = s
	t := d.tenants[s.key.Namespace]
	if t == nil {
		t = &tenant{slots: semaphore.NewWeighted(perNamespace)}
		d.tenants[s.key.Namespace] = t
		metrics.StartEvents(s.key.Namespace)
	}
	t.sinks = append(t.sinks, s)
	d.start(s)
	return s
}

// Forget ends the delivery to a deleted sink.
func (d *Dispatcher) Forget(key types.NamespacedName) {
	d.mutex.Lock()
	defer d.mutex.Unlock()
	if s := d.sinks[key]; s != nil {
		d.remove(s)
	}
}

// remove ends the delivery to a sink. The mutex is held.
func (d *Dispatcher) remove(s *sink) {
	s.stop()
	s.close()
	delete(d.sinks, s.key)
	metrics.ForgetEventSink(s.key.Namespace, s.key.Name)
	t := d.tenants[s.key.Namespace]
	t.sinks = slices.DeleteFunc(t.sinks, func(other *sink) bool { return other == s })
	if len(t.sinks) > 0 {
		return
	}
	delete(d.tenants, s.key.Namespace)
	metrics.ForgetEvents(s.key.Namespace)
}

func (d *Dispatcher) find(key types.NamespacedName) *sink {
	d.mutex.Lock()
	defer d.mutex.Unlock()
	return d.sinks[key]
}

// sinksOf returns the sinks of a namespace.
func (d *Dispatcher) sinksOf(namespace string) []*sink {
	d.mutex.Lock()
	defer d.mutex.Unlock()
	if t := d.tenants[namespace]; t != nil {
		return slices.Clone(t.sinks)
	}
	return nil
}

// seed offers the existing objects to a sink. The watch may offer some of them as well, which has no effect.
func (d *Dispatcher) seed(ctx context.Context, s *sink) error {
	s.mutex.Lock()
	seeded := s.seeded
	s.mutex.Unlock()
	if seeded {
		return nil
	}
	for _, kind := range []struct {
		name string
		list client.ObjectList
	}{
		{"Orders", &v1alpha1.OrderList{}}, {"Refunds", &v1alpha1.RefundList{}},
		{"Shipments", &v1alpha1.ShipmentList{}}, {"Statements", &v1alpha1.StatementList{}},
	} {
		if err := d.Client.List(ctx, kind.list, client.InNamespace(s.key.Namespace), index.WithoutOwnWrites, client.UnsafeDisableDeepCopy); err != nil {
			return fmt.Errorf("listing %s: %w", kind.name, err)
		}
		now := d.Clock.Now()
		offer := func(object runtime.Object) error {
			s.offer(nil, object.(client.Object), now)
			return nil
		}
		if err := meta.EachListItem(kind.list, offer); err != nil {
			return err
		}
	}
	s.mutex.Lock()
	defer s.mutex.Unlock()
	s.seeded = true
	return nil
}

// run delivers to one sink until the context ends.
func (d *Dispatcher) run(ctx context.Context, s *sink, slots *semaphore.Weighted) {
	timer := time.NewTimer(0)
	defer timer.Stop()
	for {
		if slots.Acquire(ctx, 1) != nil {
			return
		}
		next, settings, wait := s.take(d.Clock.Now(), perSink)
		if next != nil {
			d.workers.Go(func() {
				defer s.wakeUp()
				defer slots.Release(1)
				d.deliver(ctx, s, next, settings)
			})
			continue
		}
		slots.Release(1)
		timer.Stop()
		if wait > 0 {
			timer.Reset(wait)
		}
		select {
		case <-ctx.Done():
			return
		case <-s.wake:
		case <-timer.C:
		}
	}
}

// DeliverNext sends one event that is due, for tests that call it step by step. It reports whether it sent one. If not,
// it returns when one will be due; zero is never.
func (d *Dispatcher) DeliverNext(ctx context.Context) (sent bool, due time.Time) {
	d.mutex.Lock()
	served := slices.SortedFunc(maps.Values(d.sinks), func(a, b *sink) int { return strings.Compare(a.key.String(), b.key.String()) })
	d.mutex.Unlock()
	for _, s := range served {
		now := d.Clock.Now()
		next, settings, wait := s.take(now, perSink)
		if next != nil {
			d.deliver(ctx, s, next, settings)
			return true, time.Time{}
		}
		if at := now.Add(wait); wait > 0 && (due.IsZero() || at.Before(due)) {
			due = at
		}
	}
	return false, due
}

// deliver sends one event and records the result.
func (d *Dispatcher) deliver(ctx context.Context, s *sink, next *delivery, settings *Settings) {
	answered, err := settings.send(ctx, next, d.UserAgent, d.Timing.Timeout, d.Clock.Now())
	now := d.Clock.Now()
	if isBroken(ctx, err) {
		s.abandoned(next, now)
		return
	}
	result := metrics.EventDelivered
	if err != nil {
		result = metrics.EventFailed
	}
	metrics.EventDeliveries.WithLabelValues(s.key.Namespace, result).Inc()
	last, lost, logs := s.ended(next, settings, answered, err, now)
	if logs != "" {
		d.Log.Info("An EventSink did not take an event", "eventSink", s.key.String(), "event", string(next.event.Type), "object", next.object.GetName(), "problem", logs)
	}
	d.reportLost(s, lost)
	if last {
		d.objectReleased(next.object)
	}
	d.requestStatus(s)
}

// reportLost reports events that were given up: in metrics, in the log and by Warning events.
func (d *Dispatcher) reportLost(s *sink, lost []loss) {
	if len(lost) == 0 {
		return
	}
	reasons := map[string]int{}
	for _, l := range lost {
		reason := metrics.EventLostToTime
		if l.deleted {
			reason = metrics.EventLostDeletion
		}
		reasons[reason]++
		metrics.EventsGivenUp.WithLabelValues(s.key.Namespace, reason).Inc()
		d.objectReleased(l.object)
		d.Log.Info("Gave up an event", "eventSink", s.key.String(), "event", string(l.event.Type), "object", l.object.GetName(), "reason", reason)
	}
	s.mutex.Lock()
	object := s.object
	s.mutex.Unlock()
	example := fmt.Sprintf("%s of %s", lost[0].event.Type, lost[0].object.GetName())
	if count := reasons[metrics.EventLostToTime]; count > 0 {
		d.Warn(object, v1alpha1.ReasonEventsGivenUp, "Gave up %d events, among them %s: the receiver did not take them for %s", count, example, d.Timing.GiveUpAfter)
	}
	if count := reasons[metrics.EventLostDeletion]; count > 0 {
		d.Warn(object, v1alpha1.ReasonEventsGivenUp, "Gave up %d events, among them %s: the object was deleted, and was kept for %s at most", count, example, d.Timing.ObjectWaits)
	}
	d.requestStatus(s)
}
