package chaos_test

import (
	"context"
	"errors"
	"math"
	"net/http"
	"slices"
	"time"

	"github.com/go-logr/logr"
	recorder "k8s.io/client-go/tools/events"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"

	"github.com/wechatpay-operator/wechatpay-operator/api/v1alpha1"
	"github.com/wechatpay-operator/wechatpay-operator/controllers"
	"github.com/wechatpay-operator/wechatpay-operator/internal/account"
	"github.com/wechatpay-operator/wechatpay-operator/internal/claims"
	"github.com/wechatpay-operator/wechatpay-operator/internal/events"
	"github.com/wechatpay-operator/wechatpay-operator/internal/hosts"
	"github.com/wechatpay-operator/wechatpay-operator/internal/ledger"
	"github.com/wechatpay-operator/wechatpay-operator/internal/lifecycle"
	"github.com/wechatpay-operator/wechatpay-operator/internal/miniprogram"
	"github.com/wechatpay-operator/wechatpay-operator/internal/wechatpay"
	"github.com/wechatpay-operator/wechatpay-operator/test/framework"
	"github.com/wechatpay-operator/wechatpay-operator/webhookserver"
)

// patience is the timeout of calls and callbacks by the machine's clock: a slow machine is not one
// of the tested faults.
const patience = time.Minute

// errDead is the error for all calls of a dead process: they have no effect, and their results are ignored.
var errDead = errors.New("the process is dead")

// process is one incarnation of the operator: reconcilers, callback handler and everything they
// keep in memory.
type process struct {
	w    *world
	name string
	dead bool
	// seen is the stale view of a lagging cache; nil is an up-to-date one.
	seen snapshot

	cached     client.Client
	database   *ledger.Database
	writer     *ledger.Writer
	dispatcher *events.Dispatcher
	// eventDue is when an event is sent next; zero if none waits.
	eventDue    time.Time
	registry    *account.Registry
	reconcilers map[string]reconcile.Reconciler
	callbacks   http.Handler
	queue       map[key]time.Time
	failures    map[key]int
	// acting is the object that is being reconciled; w.mutex guards it.
	acting key
}

// newProcess starts with an empty memory, as after a restart. Its queue contains every object, as
// after the initial list.
func newProcess(w *world, name string) *process {
	p := &process{w: w, name: name, queue: map[key]time.Time{}, failures: map[key]int{}}
	cached, live := &cachedClient{p: p}, &liveReader{p: p}
	options := account.Options{
		NotifyBaseURL: notifyBase, EndpointHosts: hosts.MustParse(framework.WeChatHost), UserAgent: name, Clock: w.clock,
		Limits:   account.Limits{BreakAfter: math.MaxUint32}, // the breaker uses the machine's clock, which the test can't advance
		Timeouts: wechatpay.Timeouts{Connect: patience, Query: patience, Pay: patience},
	}
	registry := account.NewRegistry(live, options)
	p.cached, p.registry = cached, registry
	base := controllers.Base{
		Client: cached, APIReader: live, Registry: registry, Claims: claims.New(cached, live, w.clock), Recorder: &recorder.FakeRecorder{},
		Timing: controllers.DefaultTiming(), Clock: w.clock, Guard: framework.Guarded{},
	}
	p.keepsLedger(&base)
	p.tellsEvents(&base)
	orders, refunds, merchants := &controllers.OrderReconciler{Base: base}, &controllers.RefundReconciler{Base: base}, &controllers.MerchantReconciler{Base: base}
	registered := miniprogram.NewRegistry(live, miniprogram.Options{
		Hosts: options.EndpointHosts, UserAgent: name, Timeout: patience, Now: w.clock.Now,
	})
	miniPrograms, shipments := &controllers.MiniProgramReconciler{Base: base, MiniPrograms: registered}, &controllers.ShipmentReconciler{Base: base, MiniPrograms: registered}
	w.suite.prepare(orders, refunds, merchants, miniPrograms, shipments)
	p.reconcilers = map[string]reconcile.Reconciler{
		kindOrder: orders, kindRefund: refunds, kindMerchant: merchants, kindMiniProgram: miniPrograms, kindShipment: shipments,
	}
	if p.dispatcher != nil {
		sinks := p.eventSinks(base)
		w.suite.prepare(sinks)
		p.reconcilers[kindEventSink] = sinks
	}
	handler := &webhookserver.Handler{Client: cached, APIReader: live, Registry: registry, Recorder: &recorder.FakeRecorder{}, Clock: w.clock, Log: logr.Discard()}
	p.callbacks = handler.Routes()
	p.relist()
	return p
}

// isDead is called after every call that may have been cut. A reset connection does not synchronize
// the two goroutines; the lock does, because the other one wrote to the trace before.
func (p *process) isDead() bool {
	p.w.mutex.Lock()
	defer p.w.mutex.Unlock()
	return p.dead
}

// relist enqueues every object, as the initial list of a cache and a cache that caught up do.
func (p *process) relist() {
	for k := range p.view() {
		p.enqueue(k, p.w.clock.Now())
	}
	for k, object := range p.view() {
		if p.writer != nil {
			p.writer.Note(object)
		}
		p.hears(k, object)
	}
}

// view returns the content of the process's cache.
func (p *process) view() snapshot {
	if p.seen != nil {
		return p.seen
	}
	return p.w.objects()
}

// enqueue keeps the earlier time of an object that is already queued, as a workqueue does.
func (p *process) enqueue(k key, at time.Time) {
	if queued, ok := p.queue[k]; !ok || at.Before(queued) {
		p.queue[k] = at
	}
}

// changed does what the watches of the controllers do. A lagging cache does not receive the
// change.
func (p *process) changed(k key, object client.Object) {
	if p.seen != nil || p.dead {
		return
	}
	now := p.w.clock.Now()
	p.enqueue(k, now)
	p.hears(k, object)
	if p.writer != nil {
		if _, exists := p.view()[k]; exists {
			p.writer.Note(object)
		} else {
			p.writer.Forget(object.GetUID())
		}
	}
	switch object := object.(type) {
	case *v1alpha1.Order:
		merchant := merchantKey(object)
		if found, ok := p.view()[merchant]; ok && found.GetDeletionTimestamp() != nil {
			p.enqueue(merchant, now)
		}
		p.refundsOf(k, now)
		p.shipmentsOf(k.name, now)
	case *v1alpha1.Shipment:
		p.shipmentsOf(object.Spec.OrderRef.Name, now)
	case *v1alpha1.MiniProgram:
		p.shipmentsOf("", now)
	case *v1alpha1.Refund:
		p.enqueue(orderKey(object), now)
	case *v1alpha1.Merchant:
		for other, found := range p.view() {
			if order, ok := found.(*v1alpha1.Order); ok && merchantKey(order) == k {
				if order.DeletionTimestamp != nil || !lifecycle.IsFinished(order) && !lifecycle.IsPrepared(order) {
					p.enqueue(other, now)
				}
				p.refundsOf(other, now)
			}
		}
	}
}

// shipmentsOf enqueues the Shipments of an Order that are not uploaded; those of all Orders without a
// name.
func (p *process) shipmentsOf(order string, now time.Time) {
	for k, found := range p.view() {
		shipment, ok := found.(*v1alpha1.Shipment)
		if ok && (order == "" || shipment.Spec.OrderRef.Name == order) && !lifecycle.ShipmentFinal(shipment) {
			p.enqueue(k, now)
		}
	}
}

func (p *process) refundsOf(order key, now time.Time) {
	for k, found := range p.view() {
		refund, ok := found.(*v1alpha1.Refund)
		if ok && orderKey(refund) == order && !lifecycle.RefundFinal(refund) && !lifecycle.RefundAccepted(refund) {
			p.enqueue(k, now)
		}
	}
}

func merchantKey(order *v1alpha1.Order) key {
	namespace, name := order.MerchantKey()
	return key{kindMerchant, name, placeOf(namespace)}
}

func orderKey(refund *v1alpha1.Refund) key {
	return key{kindOrder, refund.Spec.OrderRef.Name, placeOf(refund.Namespace)}
}

// next returns the object that is due first. The order is deterministic.
func (p *process) next() (key, time.Time, bool) {
	keys := make([]key, 0, len(p.queue))
	for k := range p.queue {
		keys = append(keys, k)
	}
	if len(keys) == 0 {
		return key{}, time.Time{}, false
	}
	first := slices.MinFunc(keys, func(a, b key) int {
		if c := p.queue[a].Compare(p.queue[b]); c != 0 {
			return c
		}
		if p.w.flow.lastFirst {
			return b.compare(a)
		}
		return a.compare(b)
	})
	return first, p.queue[first], true
}

func (p *process) actsFor(k key) {
	p.w.mutex.Lock()
	defer p.w.mutex.Unlock()
	p.acting = k
}

// work reconciles the first object that is due, and reports whether there was one.
func (p *process) work() bool {
	k, due, ok := p.next()
	now := p.w.clock.Now()
	if !ok || due.After(now) {
		return false
	}
	delete(p.queue, k)
	request := reconcile.Request{NamespacedName: client.ObjectKey{Namespace: p.w.namespaceOf(k.place), Name: k.name}}
	p.actsFor(k)
	result, err := p.reconcilers[k.kind].Reconcile(context.Background(), request)
	p.actsFor(key{})
	switch {
	case p.isDead():
		// The result is lost with the process.
	case err != nil:
		p.w.note("%s: reconciling %s failed: %v", p.name, k, err)
		p.failures[k]++
		p.enqueue(k, p.w.clock.Now().Add(min(time.Second<<min(p.failures[k]-1, 20)/2, 5*time.Minute)))
	default:
		delete(p.failures, k)
		if result.RequeueAfter > 0 {
			p.enqueue(k, p.w.clock.Now().Add(result.RequeueAfter))
		}
	}
	return true
}
