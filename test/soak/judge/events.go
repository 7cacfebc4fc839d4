package judge

import (
	"slices"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/wechatpay-operator/wechatpay-operator/api/v1alpha1"
)

// Event is an event that a receiver of an EventSink accepted.
type Event struct {
	// Namespace is the EventSink's namespace.
	Namespace string
	UID       types.UID
	Type      v1alpha1.EventType
	// State and TransactionID are of the event's data.
	State, TransactionID string
}

// told is what a receiver may and must get about an object, according to all states that the object ever showed.
type told struct {
	name, namespace string
	// facts are the states that the object ever showed, by the type of their event.
	facts map[v1alpha1.EventType][]string
	// allowed are further events that follow from a fact.
	allowed      []v1alpha1.EventType
	transactions []string
	gone         bool
	// waited: the object had its finalizer when it was deleted, so it waited for its EventSinks.
	waited bool
}

// turn returns the position of an event in the order of an object's events.
var turn = map[v1alpha1.EventType]int{
	v1alpha1.EventRefundRequested: 0, v1alpha1.EventRefundSucceeded: 1, v1alpha1.EventRefundFailed: 1,
	v1alpha1.EventShipmentUploaded: 0, v1alpha1.EventStatementDiffers: 0,
	v1alpha1.EventOrderClosed: 0, v1alpha1.EventOrderPaidLate: 1, v1alpha1.EventOrderPaid: 1,
}

// events checks that each fact of an object arrives at least once and in order, and that nothing else arrives.
func (j *judge) events() {
	if j.Sinks == nil {
		return
	}
	objects := whatToTell(j.History)
	arrived := map[types.UID][]v1alpha1.EventType{}
	for _, event := range j.Events {
		j.hear(event, objects[event.UID], arrived[event.UID])
		arrived[event.UID] = append(arrived[event.UID], event.Type)
	}
	missing := map[string]int{}
	for uid, object := range objects {
		givenUp, listens := j.Sinks[object.namespace]
		if !listens {
			continue
		}
		for kind := range object.facts {
			j.lookAt(EventsArrive)
			switch {
			case slices.Contains(arrived[uid], kind), object.gone && !object.waited:
			case object.gone:
				// The object waits for at most ten minutes of WeChat Pay's time, which are thirty seconds here. The
				// EventSink then counts the events that it gave up.
				if missing[object.namespace]++; int64(missing[object.namespace]) > givenUp {
					j.findAbout(EventsArrive, object.name, "%s never arrived, and the EventSink counts only %d given up", kind, givenUp)
				}
			default:
				j.findAbout(EventsArrive, object.name, "%s has not arrived", kind).Open = true
			}
		}
	}
}

// hear judges an event by the states that its object ever showed, and by the events that arrived before.
func (j *judge) hear(event Event, object *told, before []v1alpha1.EventType) {
	j.lookAt(EventsTrue)
	switch {
	case object == nil:
		j.findAbout(EventsTrue, string(event.UID), "%s of an object that never was", event.Type)
		return
	case object.namespace != event.Namespace:
		j.findAbout(EventsTrue, object.name, "%s arrived at the EventSink of namespace %s", event.Type, event.Namespace)
	case slices.Contains(object.allowed, event.Type):
	case !slices.Contains(object.facts[event.Type], event.State):
		j.findAbout(EventsTrue, object.name, "%s with the state %q, which it never showed", event.Type, event.State)
	case event.TransactionID != "" && !slices.Contains(object.transactions, event.TransactionID):
		j.findAbout(EventsTrue, object.name, "%s with transaction %s, which it never showed", event.Type, event.TransactionID)
	}
	if slices.Contains(before, event.Type) {
		return // a repetition
	}
	j.lookAt(EventsInOrder)
	for _, earlier := range before {
		if turn[earlier] > turn[event.Type] {
			j.findAbout(EventsInOrder, object.name, "%s arrived after %s", event.Type, earlier)
		}
	}
}

func (j *judge) findAbout(rule Rule, name, format string, arguments ...any) *Finding {
	found := j.find(rule, Number{}, format, arguments...)
	found.Number, found.Object = name, j.past.describe(name)
	return found
}

// whatToTell reads the facts of all objects.
func whatToTell(history []Change) map[types.UID]*told {
	objects := map[types.UID]*told{}
	see := func(object client.Object, gone bool) *told {
		known := objects[object.GetUID()]
		if known == nil {
			known = &told{name: key(object), namespace: object.GetNamespace(), facts: map[v1alpha1.EventType][]string{}}
			objects[object.GetUID()] = known
		}
		known.gone = known.gone || gone
		if object.GetDeletionTimestamp() != nil && slices.Contains(object.GetFinalizers(), v1alpha1.Finalizer) {
			known.waited = true
		}
		return known
	}
	for _, change := range history {
		switch object := change.Object.(type) {
		case *v1alpha1.Order:
			see(object, change.Gone).readOrder(object)
		case *v1alpha1.Refund:
			see(object, change.Gone).readRefund(object)
		case *v1alpha1.Shipment:
			see(object, change.Gone).readShipment(object)
		case *v1alpha1.Statement:
			see(object, change.Gone).readStatement(object)
		}
	}
	return objects
}

func (t *told) fact(kind v1alpha1.EventType, state string) {
	if !slices.Contains(t.facts[kind], state) {
		t.facts[kind] = append(t.facts[kind], state)
	}
}

func (t *told) readOrder(order *v1alpha1.Order) {
	paid := condition(order.Status.Conditions, v1alpha1.ConditionPaid)
	if id := transactionID(order); id != "" {
		t.transactions = append(t.transactions, id)
	}
	switch {
	case paid.Status == metav1.ConditionFalse:
		t.fact(v1alpha1.EventOrderClosed, paid.Reason)
	case paid.Status == metav1.ConditionTrue && paid.Reason == v1alpha1.ReasonPaidLate:
		t.fact(v1alpha1.EventOrderPaidLate, paid.Reason)
		t.allowed = []v1alpha1.EventType{v1alpha1.EventOrderClosed} // it ended before, whether or not that was ever stored
	case paid.Status == metav1.ConditionTrue:
		t.fact(v1alpha1.EventOrderPaid, paid.Reason)
	}
}

func (t *told) readShipment(shipment *v1alpha1.Shipment) {
	if uploaded := condition(shipment.Status.Conditions, v1alpha1.ConditionUploaded); uploaded.Status == metav1.ConditionTrue {
		t.fact(v1alpha1.EventShipmentUploaded, uploaded.Reason)
	}
}

func (t *told) readStatement(statement *v1alpha1.Statement) {
	if balanced := condition(statement.Status.Conditions, v1alpha1.ConditionBalanced); balanced.Status == metav1.ConditionFalse {
		t.fact(v1alpha1.EventStatementDiffers, balanced.Reason)
	}
}

func (t *told) readRefund(refund *v1alpha1.Refund) {
	t.fact(v1alpha1.EventRefundRequested, v1alpha1.ReasonPending)
	switch succeeded := condition(refund.Status.Conditions, v1alpha1.ConditionSucceeded); succeeded.Status {
	case metav1.ConditionTrue:
		t.fact(v1alpha1.EventRefundSucceeded, succeeded.Reason)
	case metav1.ConditionFalse:
		t.fact(v1alpha1.EventRefundFailed, succeeded.Reason)
	}
}
