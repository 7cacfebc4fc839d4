package main

import (
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/wechatpay-operator/wechatpay-operator/api/v1alpha1"
)

// orderState is what a page is told of an Order.
type orderState string

// The states of an Order. The last four are ends, but for Closed and Expired, which a late payment turns into Paid.
const (
	orderPending         orderState = "Pending"         // can't be paid at this moment
	orderAwaitingPayment orderState = "AwaitingPayment" // can be paid
	orderPaid            orderState = "Paid"
	orderClosed          orderState = "Closed"
	orderExpired         orderState = "Expired"
	orderRejected        orderState = "Rejected"
)

// refundState is what a page is told of a Refund.
type refundState string

// The states of a Refund. The last three are ends.
const (
	refundAwaitingApproval refundState = "AwaitingApproval"
	refundProcessing       refundState = "Processing"
	refundSucceeded        refundState = "Succeeded"
	refundDenied           refundState = "Denied"
	refundFailed           refundState = "Failed"
)

func stateOf(order *v1alpha1.Order) orderState {
	paid := meta.FindStatusCondition(order.Status.Conditions, v1alpha1.ConditionPaid)
	switch {
	case paid == nil:
		return orderPending
	case paid.Status == metav1.ConditionTrue:
		return orderPaid
	case paid.Status == metav1.ConditionFalse && paid.Reason == v1alpha1.ReasonClosed:
		return orderClosed
	case paid.Status == metav1.ConditionFalse && paid.Reason == v1alpha1.ReasonExpired:
		return orderExpired
	case paid.Status == metav1.ConditionFalse:
		return orderRejected
	case paid.Reason == v1alpha1.ReasonAwaitingPayment && order.Spec.DesiredState != v1alpha1.DesiredStateClosed &&
		order.Status.Prepay != nil && meta.IsStatusConditionTrue(order.Status.Conditions, v1alpha1.ConditionPrepared):
		return orderAwaitingPayment
	}
	return orderPending
}

// isOpen reports whether the Order may still be paid. One that is being closed may: a payment can win the race.
func isOpen(order *v1alpha1.Order) bool {
	state := stateOf(order)
	return state == orderPending || state == orderAwaitingPayment
}

func stateOfRefund(refund *v1alpha1.Refund) refundState {
	approved := meta.FindStatusCondition(refund.Status.Conditions, v1alpha1.ConditionApproved)
	succeeded := meta.FindStatusCondition(refund.Status.Conditions, v1alpha1.ConditionSucceeded)
	switch {
	case succeeded != nil && succeeded.Status == metav1.ConditionTrue:
		return refundSucceeded
	case approved != nil && approved.Status == metav1.ConditionFalse:
		return refundDenied
	case succeeded != nil && succeeded.Status == metav1.ConditionFalse:
		return refundFailed
	case approved != nil && approved.Status == metav1.ConditionTrue:
		return refundProcessing
	}
	return refundAwaitingApproval
}

func (s refundState) isEnd() bool { return s != refundAwaitingApproval && s != refundProcessing }

// givesBack reports whether money was or may still be paid back by a Refund in this state.
func (s refundState) givesBack() bool { return s != refundDenied && s != refundFailed }
