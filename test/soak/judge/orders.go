package judge

import (
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/wechatpay-operator/wechatpay-operator/api/v1alpha1"
	"github.com/wechatpay-operator/wechatpay-operator/internal/wechatpay/simulator"
)

// orders compares every requested Order with WeChat Pay's ledger.
func (j *judge) orders() {
	for number, requested := range j.Orders {
		recorded := j.Ledger.Order(number.MchID, number.Number)
		if recorded != nil && recorded.Payment != nil {
			j.lookAt(PaymentRecorded)
		}
		j.lookAt(NothingLost)
		now := j.past.order(key(requested.Order))
		if now == nil {
			j.orderGone(number, requested, recorded)
			continue
		}
		j.orderHere(number, now, recorded)
	}
}

// orderGone checks a deleted Order: the deletion was requested and left nothing open. A payment
// that was possible while the object existed must have been recorded before.
func (j *judge) orderGone(number Number, requested *AskedOrder, recorded *simulator.Order) {
	name := key(requested.Order)
	switch {
	case !requested.Deleted && j.past.last[name] == nil:
		j.notYet(NothingLost, number, "its Order was never stored")
	case !requested.Deleted:
		j.find(NothingLost, number, "its Order is gone, and nobody deleted it")
	case recorded == nil:
	case recorded.State == simulator.StateNotPay:
		j.find(NothingLost, number, "its Order is gone, and it can still be paid")
	case recorded.Payment != nil && !recorded.Payment.Forced && !j.wasRecorded(name, recorded):
		j.find(PaymentRecorded, number, "its Order is gone and never showed the payment")
	}
}

func (j *judge) wasRecorded(name string, recorded *simulator.Order) bool {
	_, shown := j.past.firstPaid[transactionOf{name, recorded.Payment.TransactionID}]
	return shown
}

func (j *judge) orderHere(number Number, order *v1alpha1.Order, recorded *simulator.Order) {
	j.lookAt(NothingInvented, Converged)
	paid := condition(order.Status.Conditions, v1alpha1.ConditionPaid)
	switch {
	case recorded != nil && recorded.Payment != nil:
		j.paidOrder(number, order, recorded)
	case isPaid(order):
		j.find(NothingInvented, number, "it is shown as paid and is not")
	case order.DeletionTimestamp != nil:
		j.notYet(Converged, number, "it is deleted and does not go")
	case recorded != nil && recorded.State == simulator.StateNotPay && paid.Status == metav1.ConditionFalse:
		j.find(NothingInvented, number, "it is shown as %s and can still be paid", paid.Reason)
	case paid.Status == metav1.ConditionFalse && (paid.Reason == v1alpha1.ReasonClosed || paid.Reason == v1alpha1.ReasonExpired):
	case paid.Status == metav1.ConditionFalse:
		j.find(Converged, number, "it ended as %s, for which there was no cause", paid.Reason)
	case recorded == nil, recorded.State == simulator.StateClosed:
		j.notYet(Converged, number, "it is not shown as closed")
	case order.Spec.DesiredState == v1alpha1.DesiredStateClosed, !j.now.Before(order.Deadline()):
		j.notYet(Converged, number, "it is to be closed and can still be paid")
	case condition(order.Status.Conditions, v1alpha1.ConditionPrepared).Status != metav1.ConditionTrue:
		j.notYet(Converged, number, "it is not shown as prepared")
	}
}

func (j *judge) paidOrder(number Number, order *v1alpha1.Order, recorded *simulator.Order) {
	var refunded int64
	if order.Status.Refunded != nil {
		refunded = order.Status.Refunded.Total
	}
	switch {
	case !isPaid(order):
		j.notYet(PaymentRecorded, number, "it is paid and not shown so")
	case transactionID(order) != recorded.Payment.TransactionID || order.Status.Transaction.Total != recorded.Payment.TotalFee:
		j.find(NothingInvented, number, "it shows another payment")
	case order.DeletionTimestamp != nil && !j.waitsForApproval(order):
		j.notYet(Converged, number, "it is deleted and does not go")
	case refunded > recorded.Sums.Refunded:
		j.find(NothingInvented, number, "it shows %d as refunded, WeChat %d", refunded, recorded.Sums.Refunded)
	case refunded != recorded.Sums.Refunded && !j.hasForgotten(number):
		j.notYet(Converged, number, "it shows %d as refunded, WeChat %d", refunded, recorded.Sums.Refunded)
	}
}

// waitsForApproval reports whether an undecided Refund blocks the deletion of an Order.
func (j *judge) waitsForApproval(order *v1alpha1.Order) bool {
	for _, object := range j.past.now {
		refund, isRefund := object.(*v1alpha1.Refund)
		if isRefund && refund.Namespace == order.Namespace && refund.Spec.OrderRef.Name == order.Name && isUndecided(refund) {
			return true
		}
	}
	return false
}

// hasForgotten reports whether the Order can't know all of its refunds: it, or one of its Refunds,
// was deleted and created again.
func (j *judge) hasForgotten(number Number) bool {
	if j.Orders[number].Deleted {
		return true
	}
	for _, refund := range j.Refunds {
		if refund.Order == number && refund.Deleted {
			return true
		}
	}
	return false
}
