package chaos_test

import (
	"context"
	"maps"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"time"

	"github.com/go-logr/logr"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/utils/ptr"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/wechatpay-operator/wechatpay-operator/api/v1alpha1"
	"github.com/wechatpay-operator/wechatpay-operator/controllers"
	"github.com/wechatpay-operator/wechatpay-operator/internal/events"
	"github.com/wechatpay-operator/wechatpay-operator/internal/hosts"
	"github.com/wechatpay-operator/wechatpay-operator/internal/simulation"
	"github.com/wechatpay-operator/wechatpay-operator/test/framework"
)

const kindEventSink = "EventSink"

// eventType is the prefix of the types of our CloudEvents.
const eventType = "io.wechatpay-operator."

// toldEvent is an event that the receiver accepted.
type toldEvent struct {
	uid  string
	kind v1alpha1.EventType
}

// receiver is the receiver of the run's EventSink. The world's mutex guards its events.
type receiver struct {
	server *httptest.Server
	took   []toldEvent
	// facts are the events of everything that was ever stored.
	facts map[toldEvent]bool
}

// openReceiver starts the receiver of a flow with an EventSink.
func (l *network) openReceiver() {
	l.w.events = &receiver{facts: map[toldEvent]bool{}}
	l.w.events.server = httptest.NewTLSServer(http.HandlerFunc(l.receive))
}

func (w *world) closeReceiver() {
	if w.events != nil {
		w.events.server.Close()
	}
}

// receive accepts an event, unless the run cuts that.
func (l *network) receive(answer http.ResponseWriter, request *http.Request) {
	w := l.w
	p := w.processNamed(request.UserAgent())
	if p == nil || p.isDead() {
		simulation.DropConnection(answer)
		return
	}
	id := request.Header.Get("Ce-Id")
	event := toldEvent{uid: id[:max(strings.LastIndex(id, "/"), 0)], kind: v1alpha1.EventType(strings.TrimPrefix(request.Header.Get("Ce-Type"), eventType))}
	met := w.reach(p, step{verb: "event", on: string(event.kind), event: true})
	what := "event " + string(event.kind) + " of " + event.uid
	if w.breaksOff(answer, p, what, met.before) {
		return
	}
	w.note("%s: %s", p.name, what)
	w.mutex.Lock()
	w.events.took = append(w.events.took, event)
	w.mutex.Unlock()
	if w.breaksOff(answer, p, what, met.after) {
		return
	}
	answer.WriteHeader(http.StatusNoContent)
}

// tellsEvents gives a process a Dispatcher, in a flow that has an EventSink.
func (p *process) tellsEvents(base *controllers.Base) {
	if p.w.events == nil {
		return
	}
	timing := events.DefaultTiming()
	timing.Timeout = patience
	p.dispatcher = &events.Dispatcher{
		Client: p.cached, Clock: p.w.clock, Timing: timing, Log: logr.Discard(), UserAgent: p.name,
		Warn: func(*v1alpha1.EventSink, string, string, ...any) {},
	}
	p.dispatcher.ListenToStatus(func(sink types.NamespacedName, after time.Duration) {
		p.enqueue(key{kindEventSink, sink.Name, placeOf(sink.Namespace)}, p.w.clock.Now().Add(after))
	})
	p.dispatcher.ListenToObjects(func(object client.Object) { p.enqueue(keyOf(object), p.w.clock.Now()) })
	base.Events = p.dispatcher
}

// eventSinks returns the reconciler of EventSinks.
func (p *process) eventSinks(base controllers.Base) *controllers.EventSinkReconciler {
	return &controllers.EventSinkReconciler{Base: base, Hosts: hosts.MustParse(framework.WeChatHost)}
}

// tell delivers one event that is due, and reports whether there was one.
func (p *process) tell() bool {
	if p.dispatcher == nil || p.seen != nil || p.isDead() {
		return false
	}
	sent, due := p.dispatcher.DeliverNext(context.Background())
	p.eventDue = due
	return sent
}

// hears passes a change on to the Dispatcher.
func (p *process) hears(k key, object client.Object) {
	if p.dispatcher == nil {
		return
	}
	if _, exists := p.view()[k]; exists {
		p.dispatcher.Changed(nil, object)
	} else {
		p.dispatcher.Deleted(object)
	}
}

// noteFacts remembers the events that follow from a stored object.
func (w *world) noteFacts(object client.Object) {
	if w.events == nil {
		return
	}
	w.mutex.Lock()
	defer w.mutex.Unlock()
	for _, event := range events.Of(object) {
		w.events.facts[toldEvent{string(event.UID), event.Type}] = true
	}
}

func eventStep(_ *flow, s step) bool { return s.event }

// eventFaults are the faults of a receiver.
func eventFaults() []*fault {
	return []*fault{
		{name: "the receiver is away", fits: eventStep, do: func(*world, *process, step) outcome { return outcome{before: errAway} }},
		{name: "the receiver's answer is lost", fits: eventStep, do: func(*world, *process, step) outcome { return outcome{after: errLost} }},
	}
}

// anEventSink is created first, so it gets all events.
func anEventSink() stage {
	return stage{what: "create the event sink", do: func(w *world) {
		w.must(w.suite.api.Create(context.Background(), &corev1.Secret{
			ObjectMeta: metav1.ObjectMeta{Namespace: w.namespace, Name: "events"},
			Data:       map[string][]byte{"signingKey": []byte("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw")},
		}))
		w.create(home, &v1alpha1.EventSink{
			ObjectMeta: metav1.ObjectMeta{Name: "desk"},
			Spec: v1alpha1.EventSinkSpec{
				URL: w.events.server.URL, CABundle: certificatePEM(w.events.server.Certificate()),
				SecretRef: v1alpha1.SigningKeyReference{Name: "events", Key: "signingKey"},
			},
		})
	}, until: now}
}

// eventFlows have an EventSink.
func eventFlows() []*flow {
	automatic := newMerchant(func(s *v1alpha1.MerchantSpec) { s.RefundApproval = v1alpha1.RefundApprovalAutomatic })
	gone0 := func(o *v1alpha1.Order) { o.Spec.TTLSecondsAfterFinished = ptr.To[int32](0) }
	return []*flow{
		{name: "events, paid", events: true, stages: given(anEventSink(), automatic, anOrder()).and(pay(), wait())},
		{name: "events, closed", events: true, payable: true, stages: given(anEventSink(), automatic, anOrder()).and(wish("Closed"), until(finished), wait())},
		{name: "events, refunded", events: true, stages: given(anEventSink(), automatic, anOrder(), pay()).and(aRefund(firstRefund, 50), until(refunded(firstRefund)), wait())},
		{name: "events, paid and gone", events: true, stages: given(anEventSink(), automatic, anOrder(gone0)).and(payUntilGone(), wait())},
		{name: "events, deleted when paid", events: true, stages: given(anEventSink(), automatic, anOrder()).
			and(pay(), deletion(kindOrder, firstOrder), until(gone(kindOrder, firstOrder)), wait())},
	}
}

// checkEvents checks that each fact arrived at least once, in the order of its object, and that nothing else arrived.
func (w *world) checkEvents() {
	if w.events == nil {
		return
	}
	w.mutex.Lock()
	took, facts := slices.Clone(w.events.took), maps.Clone(w.events.facts)
	w.mutex.Unlock()
	arrived := map[toldEvent]bool{}
	for _, event := range took {
		w.holds(eventsArrive)
		if !facts[event] {
			w.breaks(eventsArrive, "%s of %s was told, and is no fact", event.kind, event.uid)
		}
		for earlier := range arrived {
			if earlier.uid == event.uid && !arrived[event] && later(earlier.kind, event.kind) {
				w.breaks(eventsArrive, "%s of %s was told after %s", event.kind, event.uid, earlier.kind)
			}
		}
		arrived[event] = true
	}
	for fact := range facts {
		w.holds(eventsArrive)
		if !arrived[fact] {
			w.breaks(eventsArrive, "%s of %s was never told", fact.kind, fact.uid)
		}
	}
}

// later reports whether the first of two events of an object comes after the second.
func later(first, second v1alpha1.EventType) bool {
	order := []v1alpha1.EventType{
		v1alpha1.EventRefundRequested, v1alpha1.EventOrderClosed, v1alpha1.EventOrderPaidLate, v1alpha1.EventRefundSucceeded, v1alpha1.EventRefundFailed,
	}
	return slices.Index(order, first) > slices.Index(order, second) && slices.Contains(order, second)
}
