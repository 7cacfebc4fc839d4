package events

import (
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/wechatpay-operator/wechatpay-operator/api/v1alpha1"
	"github.com/wechatpay-operator/wechatpay-operator/internal/lifecycle"
)

// Event is a fact about an object. Which object it is follows from where the Event comes from.
type Event struct {
	Type v1alpha1.EventType
	UID  types.UID
	// State is the reason of the condition that the event is about.
	State string
	// Time is when it happened, by WeChat's clock where WeChat states it.
	Time time.Time
	// Recorded is when it became a fact in the object, in whole seconds. WeChat's time can be hours
	// before, so that the order of delivery is by this one.
	Recorded time.Time
}

// ID is the same whenever the event is sent. Receivers recognize repetitions by it.
func (e Event) ID() string { return string(e.UID) + "/" + string(e.Type) }

// Of returns the events that follow from an object as it is stored, in the order in which they
// happened. It returns none for kinds without events.
func Of(object client.Object) []Event {
	switch object := object.(type) {
	case *v1alpha1.Order:
		return ofOrder(object)
	case *v1alpha1.Refund:
		return ofRefund(object)
	case *v1alpha1.Shipment:
		return ofShipment(object)
	case *v1alpha1.Statement:
		return ofStatement(object)
	default:
		return nil
	}
}

func ofOrder(order *v1alpha1.Order) []Event {
	paid := lifecycle.Condition(order.Status.Conditions, v1alpha1.ConditionPaid)
	event := Event{UID: order.UID, State: paid.Reason, Time: paid.LastTransitionTime.Time, Recorded: paid.LastTransitionTime.Time}
	switch paid.Status {
	case metav1.ConditionFalse:
		event.Type = v1alpha1.EventOrderClosed
		return []Event{event}
	case metav1.ConditionTrue:
		if transaction := order.Status.Transaction; transaction != nil && transaction.PaidTime != nil {
			event.Time = transaction.PaidTime.Time
		}
		if paid.Reason == v1alpha1.ReasonPaidLate {
			event.Type = v1alpha1.EventOrderPaidLate
			return []Event{closedBefore(order, event), event}
		}
		event.Type = v1alpha1.EventOrderPaid
		return []Event{event}
	default:
		return nil
	}
}

// closedBefore returns the end of an Order that was paid after it. When that end was recorded is not
// stored any more: it counts as recorded with the payment, so that it is not lost if the operator
// was not running in between. Then it may be sent once more.
func closedBefore(order *v1alpha1.Order, paidLate Event) Event {
	closed := Event{
		Type: v1alpha1.EventOrderClosed, UID: order.UID, State: v1alpha1.ReasonClosed,
		Time: paidLate.Recorded, Recorded: paidLate.Recorded,
	}
	prepared := lifecycle.Condition(order.Status.Conditions, v1alpha1.ConditionPrepared)
	switch prepared.Reason {
	case v1alpha1.ReasonClosed, v1alpha1.ReasonExpired, v1alpha1.ReasonRejected, v1alpha1.ReasonNumberInUse:
		closed.State, closed.Time = prepared.Reason, prepared.LastTransitionTime.Time
	}
	return closed
}

func ofShipment(shipment *v1alpha1.Shipment) []Event {
	uploaded := lifecycle.Condition(shipment.Status.Conditions, v1alpha1.ConditionUploaded)
	if uploaded.Status != metav1.ConditionTrue {
		return nil
	}
	at := uploaded.LastTransitionTime.Time
	return []Event{{Type: v1alpha1.EventShipmentUploaded, UID: shipment.UID, State: uploaded.Reason, Time: at, Recorded: at}}
}

func ofStatement(statement *v1alpha1.Statement) []Event {
	balanced := lifecycle.Condition(statement.Status.Conditions, v1alpha1.ConditionBalanced)
	if balanced.Reason != v1alpha1.ReasonDiffers {
		return nil
	}
	at := balanced.LastTransitionTime.Time
	return []Event{{Type: v1alpha1.EventStatementDiffers, UID: statement.UID, State: balanced.Reason, Time: at, Recorded: at}}
}

func ofRefund(refund *v1alpha1.Refund) []Event {
	created := refund.CreationTimestamp.Time
	requested := Event{Type: v1alpha1.EventRefundRequested, UID: refund.UID, State: v1alpha1.ReasonPending, Time: created, Recorded: created}
	succeeded := lifecycle.Condition(refund.Status.Conditions, v1alpha1.ConditionSucceeded)
	end := Event{UID: refund.UID, State: succeeded.Reason, Time: succeeded.LastTransitionTime.Time, Recorded: succeeded.LastTransitionTime.Time}
	switch succeeded.Status {
	case metav1.ConditionTrue:
		end.Type = v1alpha1.EventRefundSucceeded
		if refund.Status.SucceededTime != nil {
			end.Time = refund.Status.SucceededTime.Time
		}
	case metav1.ConditionFalse:
		end.Type = v1alpha1.EventRefundFailed
	default:
		return []Event{requested}
	}
	return []Event{requested, end}
}
