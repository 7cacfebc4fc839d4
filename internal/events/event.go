package events

import (
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/wechatpay-operator/wechatpay-operator/api/v1alpha1"
	"github.com/wechatpay-operator/wechatpay-operator/internal/lifecycle"
)

// Event is a fact about an object. The caller knows which object.
type Event struct {
	Type v1alpha1.EventType
	UID  types.UID
	// State is the reason of the condition that the event is about.
	State string
	// Time is when it happened, by WeChat's clock if WeChat states it.
	Time time.Time
	// Recorded is when the object's status got the fact, in whole seconds. Events are delivered in this order, because
	// WeChat's time can be hours earlier.
	Recorded time.Time
}

// ID is the same whenever the event is sent. Receivers use it to recognize repetitions.
func (e Event) ID() string { return string(e.UID) + "/" + string(e.Type) }

// Of returns the events that follow from an object's stored status, in the order in which they happened. It returns
// none for kinds without events.
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

// about returns the event that follows from a condition.
func about(condition metav1.Condition, of client.Object, kind v1alpha1.EventType) Event {
	at := condition.LastTransitionTime.Time
	return Event{Type: kind, UID: of.GetUID(), State: condition.Reason, Time: at, Recorded: at}
}

func ofOrder(order *v1alpha1.Order) []Event {
	condition := lifecycle.Condition(order.Status.Conditions, v1alpha1.ConditionPaid)
	switch condition.Status {
	case metav1.ConditionFalse:
		return []Event{about(condition, order, v1alpha1.EventOrderClosed)}
	case metav1.ConditionTrue:
		paid := about(condition, order, v1alpha1.EventOrderPaid)
		if transaction := order.Status.Transaction; transaction != nil && transaction.PaidTime != nil {
			paid.Time = transaction.PaidTime.Time
		}
		if condition.Reason == v1alpha1.ReasonPaidLate {
			paid.Type = v1alpha1.EventOrderPaidLate
			return []Event{closedBefore(order, paid), paid}
		}
		return []Event{paid}
	default:
		return nil
	}
}

// closedBefore returns the event of an Order that was closed and paid afterwards. The time at which the Order was
// closed is no longer stored, so the event counts as recorded with the payment. Then it is not lost if the operator was
// not running in between. It may be sent a second time.
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
	return []Event{about(uploaded, shipment, v1alpha1.EventShipmentUploaded)}
}

func ofStatement(statement *v1alpha1.Statement) []Event {
	balanced := lifecycle.Condition(statement.Status.Conditions, v1alpha1.ConditionBalanced)
	if balanced.Reason != v1alpha1.ReasonDiffers {
		return nil
	}
	return []Event{about(balanced, statement, v1alpha1.EventStatementDiffers)}
}

func ofRefund(refund *v1alpha1.Refund) []Event {
	created := refund.CreationTimestamp.Time
	requested := Event{Type: v1alpha1.EventRefundRequested, UID: refund.UID, State: v1alpha1.ReasonPending, Time: created, Recorded: created}
	condition := lifecycle.Condition(refund.Status.Conditions, v1alpha1.ConditionSucceeded)
	switch condition.Status {
	case metav1.ConditionTrue:
		succeeded := about(condition, refund, v1alpha1.EventRefundSucceeded)
		if refund.Status.SucceededTime != nil {
			succeeded.Time = refund.Status.SucceededTime.Time
		}
		return []Event{requested, succeeded}
	case metav1.ConditionFalse:
		return []Event{requested, about(condition, refund, v1alpha1.EventRefundFailed)}
	default:
		return []Event{requested}
	}
}
