package judge

import (
	"strings"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/wechatpay-operator/wechatpay-operator/api/v1alpha1"
	"github.com/wechatpay-operator/wechatpay-operator/internal/wechatpay/simulator"
)

// refunds compares every requested Refund, and those of late payments, with WeChat Pay's ledger.
func (j *judge) refunds() {
	known := map[string]bool{}
	for number, requested := range j.Refunds {
		known[key(requested.Refund)] = true
		if requested.Twin != nil {
			known[key(requested.Twin.Refund)] = true
		}
		j.refund(number, requested)
	}
	for _, rival := range j.Rivals {
		if rival.Refund != nil {
			known[key(rival.Refund)] = true
		}
	}
	for name, object := range j.past.now {
		refund, isRefund := object.(*v1alpha1.Refund)
		if !isRefund || known[name] {
			continue
		}
		order, isLate := strings.CutSuffix(refund.Number(), lateSuffix)
		mchID := j.mchIDOf(refund)
		if requested := j.askedRefund(Number{mchID, refund.Number()}); isLate && requested != nil {
			j.refund(Number{mchID, refund.Number()}, requested)
			continue
		}
		j.find(NothingInvented, Number{mchID, order}, "%s was created by nobody", name)
	}
}

func (j *judge) mchIDOf(refund *v1alpha1.Refund) string {
	for number, requested := range j.Orders {
		if requested.Order.Namespace == refund.Namespace && requested.Order.Name == refund.Spec.OrderRef.Name {
			return number.MchID
		}
	}
	return ""
}

func (j *judge) refund(number Number, requested *AskedRefund) {
	recorded := j.Ledger.Refund(number.MchID, number.Number)
	now, _ := j.past.now[key(requested.Refund)].(*v1alpha1.Refund)
	j.lookAt(NothingLost)
	if now == nil {
		switch {
		case !requested.Deleted && j.past.last[key(requested.Refund)] == nil:
			j.notYet(NothingLost, number, "its Refund was never stored")
		case !requested.Deleted:
			j.find(NothingLost, number, "its Refund is gone, and nobody deleted it")
		case recorded != nil && recorded.Status == simulator.RefundProcessing:
			j.notYet(NothingLost, number, "its Refund is gone, and it is under way")
		}
		return
	}
	j.lookAt(NothingInvented, Converged, ApprovedIsPaidOut)
	succeeded := condition(now.Status.Conditions, v1alpha1.ConditionSucceeded)
	switch succeeded.Status {
	case metav1.ConditionTrue:
		if recorded == nil || recorded.Status != simulator.RefundSuccess || recorded.Payouts != 1 {
			j.find(NothingInvented, number, "it is shown as succeeded and is not")
		}
		if now.DeletionTimestamp != nil {
			j.notYet(Converged, number, "it is deleted and does not go")
		}
	case metav1.ConditionFalse:
		j.unpaidRefund(number, now, requested, recorded, succeeded.Reason)
	default:
		j.openRefund(number, now, requested, recorded)
	}
}

// unpaidRefund checks that there is a reason why no money was paid back.
func (j *judge) unpaidRefund(number Number, now *v1alpha1.Refund, requested *AskedRefund, recorded *simulator.Refund, reason string) {
	order := j.Ledger.Order(requested.Order.MchID, requested.Order.Number)
	switch {
	case recorded != nil && recorded.Status != simulator.RefundClosed:
		j.find(NothingInvented, number, "it is shown as %s, and WeChat has it", reason)
	case reason == v1alpha1.ReasonDenied && now.Spec.Approval == v1alpha1.ApprovalDenied:
	case reason == v1alpha1.ReasonClosed && recorded != nil:
	case reason == v1alpha1.ReasonExceedsPaid && order != nil && j.everTaken(requested.Order)+now.Spec.Amount > order.Sums.Paid:
	default:
		j.find(ApprovedIsPaidOut, number, "it ended as %s, for which there was no cause", reason)
	}
	if now.DeletionTimestamp != nil {
		j.notYet(Converged, number, "it is deleted and does not go")
	}
}

// everTaken sums the refunds ever accepted for an order, including those that WeChat Pay closed
// later.
func (j *judge) everTaken(order Number) int64 {
	var sum int64
	for _, refund := range j.Ledger.RefundsOf(order.MchID, order.Number) {
		sum += refund.RefundFee
	}
	return sum
}

// openRefund checks that a Refund waits only for a decision, or for an Order that is unpaid or does
// not exist.
func (j *judge) openRefund(number Number, now *v1alpha1.Refund, requested *AskedRefund, recorded *simulator.Refund) {
	order := j.Ledger.Order(requested.Order.MchID, requested.Order.Number)
	accepted := condition(now.Status.Conditions, v1alpha1.ConditionAccepted)
	allowed := j.isAutomatic(requested) || now.Spec.Approval == v1alpha1.ApprovalApproved
	orderIsGone := accepted.Reason == v1alpha1.ReasonOrderNotFound && j.past.order(orderKey(now)) == nil
	switch {
	case recorded != nil && requested.Deleted && orderIsGone: // applied again, and only the Order could tell the Merchant
	case recorded != nil:
		j.notYet(ApprovedIsPaidOut, number, "WeChat has it and it is not shown so")
	case now.DeletionTimestamp != nil:
		j.notYet(Converged, number, "it is deleted and does not go")
	case orderIsGone:
	case !allowed && now.Spec.Approval == "":
	case !allowed:
		j.notYet(Converged, number, "it is denied and not shown so")
	case accepted.Reason == v1alpha1.ReasonOrderNotPaid && (order == nil || order.Payment == nil):
	default:
		j.notYet(ApprovedIsPaidOut, number, "it is approved and not paid out")
	}
}

func isUndecided(refund *v1alpha1.Refund) bool {
	return refund.Spec.Approval == "" && condition(refund.Status.Conditions, v1alpha1.ConditionApproved).Reason == v1alpha1.ReasonAwaitingApproval
}
