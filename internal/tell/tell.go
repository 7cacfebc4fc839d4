// Package tell makes known what became of a payment, after it was stored: events for what needs a person's eye, metrics, and
// one log line for each change. The callback server and the reconcilers say the same.
package tell

import (
	"k8s.io/apimachinery/pkg/api/meta"
	"k8s.io/client-go/tools/events"
	ctrl "sigs.k8s.io/controller-runtime"

	"github.com/wechatpay-operator/wechatpay-operator/api/v1alpha1"
	"github.com/wechatpay-operator/wechatpay-operator/internal/metrics"
	"github.com/wechatpay-operator/wechatpay-operator/internal/settlement"
)

// Payment tells what a payment meant for an Order.
func Payment(recorder events.EventRecorder, order *v1alpha1.Order, merchant *v1alpha1.Merchant, verdict settlement.Verdict, message string) {
	log := ctrl.Log.WithName("payment").WithValues("order", order.Namespace+"/"+order.Name,
		"merchant", merchant.Namespace+"/"+merchant.Name, "outTradeNo", order.Number())
	switch verdict {
	case settlement.Recorded:
		log.Info("Recorded a payment", "reason", settlement.PaidReason(order), "transaction", order.Status.Transaction.ID)
		if settlement.PaidReason(order) == v1alpha1.ReasonPaidLate {
			late(recorder, order, merchant)
		}
	case settlement.Mismatch:
		metrics.AmountMismatches.Inc()
		log.Info("Refused a payment that differs from its Order", "difference", message)
		recorder.Eventf(order, nil, "Warning", v1alpha1.ReasonAmountMismatch, "Settle", "%s", message)
	case settlement.Conflict:
		log.Info("Refused a second payment of a paid Order", "difference", message)
		recorder.Eventf(order, nil, "Warning", "SecondPayment", "Settle", "%s", message)
	}
}

func late(recorder events.EventRecorder, order *v1alpha1.Order, merchant *v1alpha1.Merchant) {
	metrics.PaidLate.Inc()
	if merchant.Spec.LatePayment == v1alpha1.LatePaymentHold {
		recorder.Eventf(order, nil, "Warning", v1alpha1.ReasonPaidLate, "Settle",
			"Order %s was paid (%d, minor units) after it was closed; the Merchant's latePayment is Hold, so somebody has to deliver or refund", order.Number(), order.Status.Transaction.Total)
	}
}

// Refund warns of a refund that a person has to look at, when that is new.
func Refund(recorder events.EventRecorder, refund *v1alpha1.Refund, before string) {
	reason := settlement.SucceededReason(refund)
	if reason == before {
		return
	}
	ctrl.Log.WithName("refund").Info("Learnt the state of a refund", "refund", refund.Namespace+"/"+refund.Name,
		"outRefundNo", refund.Number(), "reason", reason)
	switch reason {
	case v1alpha1.ReasonAbnormal, v1alpha1.ReasonClosed, v1alpha1.ReasonNumberInUse:
		condition := meta.FindStatusCondition(refund.Status.Conditions, v1alpha1.ConditionSucceeded)
		recorder.Eventf(refund, nil, "Warning", reason, "Refund", "%s", condition.Message)
	}
}
