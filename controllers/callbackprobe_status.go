package controllers

import (
	"context"
	"time"

	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	"github.com/wechatpay-operator/wechatpay-operator/api/v1alpha1"
	"github.com/wechatpay-operator/wechatpay-operator/internal/callbackprobe/sender"
	"github.com/wechatpay-operator/wechatpay-operator/internal/metrics"
)

// tell shows a finding, writes an event when callbacks stop arriving or arrive again, and plans the next look; zero is none.
func (r *CallbackProbeReconciler) tell(ctx context.Context, m *v1alpha1.Merchant, finding sender.Finding, after time.Duration) progress {
	var before metav1.Condition
	if shown := conditionOf(m, v1alpha1.ConditionCallbacksReachable); shown != nil {
		before = *shown
	}
	status := statusOfFinding(finding)
	err := r.recordCallbacksReachable(ctx, m, metav1.Condition{Status: status, Reason: finding.Reason, Message: finding.Message})
	if err != nil {
		return stoppedBy(err)
	}
	switch {
	case status == metav1.ConditionFalse && before.Reason != finding.Reason:
		r.warn(m, finding.Reason, "CheckCallbacks", "%s", finding.Message)
	case status == metav1.ConditionTrue && before.Status == metav1.ConditionFalse:
		r.note(m, finding.Reason, "CheckCallbacks", "%s", finding.Message)
	}
	return progress{stop: true, after: after}
}

// tellMeanwhile shows, while a Merchant waits for its check, that it does, or that what is shown holds for its new spec too.
func (r *CallbackProbeReconciler) tellMeanwhile(ctx context.Context, m *v1alpha1.Merchant, known bool, wait time.Duration) progress {
	shown := conditionOf(m, v1alpha1.ConditionCallbacksReachable)
	switch {
	case shown == nil:
		return r.tell(ctx, m, sender.Finding{Reason: v1alpha1.ReasonPending, Message: "Whether callbacks arrive is checked in its turn"}, wait)
	case known && shown.ObservedGeneration != m.Generation:
		if err := r.recordCallbacksReachable(ctx, m, *shown); err != nil {
			return stoppedBy(err)
		}
	}
	return again(wait)
}

func (r *CallbackProbeReconciler) recordCallbacksReachable(ctx context.Context, m *v1alpha1.Merchant, condition metav1.Condition) error {
	condition.Type = v1alpha1.ConditionCallbacksReachable
	condition.ObservedGeneration = m.Generation
	condition.LastTransitionTime = metav1.NewTime(r.Clock.Now())
	return record(ctx, &r.Base, m, func(m *v1alpha1.Merchant) {
		meta.SetStatusCondition(&m.Status.Conditions, condition)
	})
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

func conditionOf(m *v1alpha1.Merchant, kind string) *metav1.Condition {
	return meta.FindStatusCondition(m.Status.Conditions, kind)
}

func isTrue(condition *metav1.Condition) bool {
	return condition != nil && condition.Status == metav1.ConditionTrue
}

// measureCallbacksReachable keeps the metric equal to the condition.
func measureCallbacksReachable(m *v1alpha1.Merchant) {
	switch shown := conditionOf(m, v1alpha1.ConditionCallbacksReachable); {
	case isTrue(shown):
		metrics.CallbacksReachable.WithLabelValues(m.Namespace, m.Name).Set(1)
	case shown != nil && shown.Status == metav1.ConditionFalse:
		metrics.CallbacksReachable.WithLabelValues(m.Namespace, m.Name).Set(0)
	default:
		metrics.CallbacksReachable.DeleteLabelValues(m.Namespace, m.Name)
	}
}

func forgetCallbacksReachable(key types.NamespacedName) {
	metrics.CallbacksReachable.DeleteLabelValues(key.Namespace, key.Name)
}
