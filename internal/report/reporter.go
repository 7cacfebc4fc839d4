// Package report publishes the result of a stored change: events for what needs attention, metrics,
// and one log line per state change. The callback server and the reconcilers share it.
package report

import (
	"github.com/go-logr/logr"
	"k8s.io/client-go/tools/events"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/wechatpay-operator/wechatpay-operator/api/v1alpha1"
	"github.com/wechatpay-operator/wechatpay-operator/internal/lifecycle"
	"github.com/wechatpay-operator/wechatpay-operator/internal/metrics"
)

// Reporter publishes events, metrics and log lines.
type Reporter struct {
	// Recorder writes events.
	Recorder events.EventRecorder
	// Log carries the context of this change, such as operation and outcome.
	Log logr.Logger
	// By is how payments become known: metrics.ByCallback or metrics.ByQuery.
	By string
}

// Payment reports the verdict on a payment. StatusChanged logs the change of the Order.
func (t Reporter) Payment(order *v1alpha1.Order, merchant *v1alpha1.Merchant, verdict lifecycle.Verdict, message string) {
	switch verdict {
	case lifecycle.Recorded:
		t.paid(order, merchant)
	case lifecycle.Mismatch:
		metrics.AmountMismatches.Inc()
		t.Log.Info("Refused a payment that differs from its Order", append(valuesOf(order), "difference", masked(order, message))...)
		t.Recorder.Eventf(order, nil, "Warning", v1alpha1.ReasonAmountMismatch, "Settle", "%s", message)
	case lifecycle.Conflict:
		metrics.SecondPayments.Inc()
		t.Log.Info("Refused a second payment of a paid Order", append(valuesOf(order), "difference", masked(order, message))...)
		t.Recorder.Eventf(order, nil, "Warning", "SecondPayment", "Settle", "%s", message)
	}
}

func (t Reporter) paid(order *v1alpha1.Order, merchant *v1alpha1.Merchant) {
	reason := lifecycle.PaidReason(order)
	if reason != v1alpha1.ReasonPaidEarlier {
		metrics.OrdersPaid.WithLabelValues(t.By).Inc()
	}
	if reason != v1alpha1.ReasonPaidLate {
		return
	}
	metrics.PaidLate.Inc()
	if merchant.Spec.LatePayment == v1alpha1.LatePaymentHold {
		t.Recorder.Eventf(order, nil, "Warning", v1alpha1.ReasonPaidLate, "Settle",
			"Order %s was paid (%d, minor units) after it was closed; the Merchant's latePayment is Hold, so somebody has to deliver or refund", order.Number(), order.Status.Transaction.Total)
	}
}

// Refund warns of a Refund that needs attention, once per reason.
func (t Reporter) Refund(refund *v1alpha1.Refund, before string) {
	reason := lifecycle.SucceededReason(refund)
	if reason == before {
		return
	}
	switch reason {
	case v1alpha1.ReasonAbnormal, v1alpha1.ReasonClosed, v1alpha1.ReasonNumberInUse, v1alpha1.ReasonMismatch, v1alpha1.ReasonUnknownState:
		t.Recorder.Eventf(refund, nil, "Warning", reason, "Refund", "%s", lifecycle.Condition(refund.Status.Conditions, v1alpha1.ConditionSucceeded).Message)
	}
}

// FinalizerAbandoned reports that an object is deleted although its order or refund has not ended
// at WeChat Pay. kind is the object's kind.
func (t Reporter) FinalizerAbandoned(object client.Object, kind, format string, arguments ...any) {
	metrics.FinalizersReleased.WithLabelValues(kind).Inc()
	t.Recorder.Eventf(object, nil, "Warning", "FinalizerAbandoned", "Delete", format, arguments...)
	t.Log.Info("Removed the finalizer of an object that is not settled at WeChat Pay", append(valuesOf(object), "kind", kind)...)
}
