package controllers

import (
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/wechatpay-operator/wechatpay-operator/api/v1alpha1"
	"github.com/wechatpay-operator/wechatpay-operator/internal/callbackprobe/sender"
	"github.com/wechatpay-operator/wechatpay-operator/internal/lifecycle"
	"github.com/wechatpay-operator/wechatpay-operator/internal/metrics"
)

// showFinding publishes a finding and schedules the next check; zero means none.
func (r *CallbackProbeReconciler) showFinding(m *v1alpha1.Merchant, finding sender.Finding, after time.Duration) progress {
	r.Callbacks.put(m, metav1.Condition{Status: statusOfFinding(finding), Reason: finding.Reason, Message: finding.Message})
	return progress{stop: true, after: after}
}

// showWaiting publishes, while a check is due later, that it is pending or that the previous result
// is valid for the new spec.
func (r *CallbackProbeReconciler) showWaiting(m *v1alpha1.Merchant, known bool, wait time.Duration) progress {
	shown := conditionOf(m, v1alpha1.ConditionCallbacksReachable)
	switch {
	case shown.Status == "":
		return r.showFinding(m, sender.Finding{Reason: v1alpha1.ReasonPending, Message: "Whether callbacks arrive is checked in its turn"}, wait)
	case known && shown.Reason == v1alpha1.ReasonPending:
		return r.showFinding(m, r.checks.of(m).finding, wait) // the Merchant could not be used for a while
	case known && shown.ObservedGeneration != m.Generation:
		r.Callbacks.put(m, shown)
	}
	return again(wait)
}

func statusOfFinding(finding sender.Finding) metav1.ConditionStatus {
	switch finding.Reason {
	case v1alpha1.ReasonReachable:
		return metav1.ConditionTrue
	case v1alpha1.ReasonPending, v1alpha1.ReasonNotChecked:
		return metav1.ConditionUnknown
	default:
		return metav1.ConditionFalse
	}
}

// conditionOf returns a Merchant's condition, which is empty if it was never set.
func conditionOf(m *v1alpha1.Merchant, kind string) metav1.Condition {
	return lifecycle.Condition(m.Status.Conditions, kind)
}

// measureCallbacksReachable sets the metric from the condition.
func measureCallbacksReachable(m *v1alpha1.Merchant) {
	switch conditionOf(m, v1alpha1.ConditionCallbacksReachable).Status {
	case metav1.ConditionTrue:
		metrics.CallbacksReachable.WithLabelValues(m.Namespace, m.Name).Set(1)
	case metav1.ConditionFalse:
		metrics.CallbacksReachable.WithLabelValues(m.Namespace, m.Name).Set(0)
	default:
		metrics.CallbacksReachable.DeleteLabelValues(m.Namespace, m.Name)
	}
}
