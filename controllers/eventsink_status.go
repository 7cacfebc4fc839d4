package controllers

import (
	"context"
	"fmt"
	"math"
	"time"

	"k8s.io/apimachinery/pkg/api/equality"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/wechatpay-operator/wechatpay-operator/api/v1alpha1"
	"github.com/wechatpay-operator/wechatpay-operator/internal/account"
	"github.com/wechatpay-operator/wechatpay-operator/internal/events"
	"github.com/wechatpay-operator/wechatpay-operator/internal/lifecycle"
	"github.com/wechatpay-operator/wechatpay-operator/internal/metrics"
	"github.com/wechatpay-operator/wechatpay-operator/internal/text"
)

// mostError is the longest status.lastError.
const mostError = 1024

// show writes how far an EventSink is, at most every few seconds, and schedules the next read of its
// Secret.
func (r *EventSinkReconciler) show(ctx context.Context, sink *v1alpha1.EventSink, problem *account.Problem) progress {
	state, served := r.Events.Snapshot(client.ObjectKeyFromObject(sink))
	if !served {
		return done() // the operator stops
	}
	r.measure(sink, state)
	condition := delivering(sink, state, problem)
	change := func(sink *v1alpha1.EventSink) { setEventSink(sink, state, condition, r.Clock.Now()) }
	changed := sink.DeepCopy()
	if change(changed); equality.Semantic.DeepEqual(changed.Status, sink.Status) {
		return again(r.Timing.SecretsCheck)
	}
	if wait := state.Written.Add(r.Timing.Events.StatusInterval).Sub(r.Clock.Now()); wait > 0 {
		return again(wait)
	}
	before := lifecycle.Condition(sink.Status.Conditions, v1alpha1.ConditionDelivering).Reason
	if err := record(ctx, &r.Base, sink, change); err != nil {
		return stoppedBy(err)
	}
	r.Events.Wrote(client.ObjectKeyFromObject(sink))
	if condition.Status == metav1.ConditionFalse && condition.Reason != before && condition.Reason != v1alpha1.ReasonEventsGivenUp {
		r.warn(sink, condition.Reason, "Deliver", "%s", condition.Message)
	}
	return again(r.Timing.SecretsCheck)
}

func (r *EventSinkReconciler) measure(sink *v1alpha1.EventSink, state events.Snapshot) {
	metrics.EventsPending.WithLabelValues(sink.Namespace, sink.Name).Set(float64(state.Pending))
	age := time.Duration(0)
	if !state.Oldest.IsZero() {
		age = max(r.Clock.Since(state.Oldest), 0)
	}
	metrics.OldestEventAge.WithLabelValues(sink.Namespace, sink.Name).Set(age.Seconds())
}

func setEventSink(sink *v1alpha1.EventSink, state events.Snapshot, condition metav1.Condition, now time.Time) {
	condition.ObservedGeneration, condition.LastTransitionTime = sink.Generation, metav1.NewTime(now)
	meta.SetStatusCondition(&sink.Status.Conditions, condition)
	if state.Since.After(sink.CreationTimestamp.Time) {
		sink.Status.DeliveredTime = new(metav1.NewTime(state.Since))
	}
	sink.Status.Pending = new(int32(min(state.Pending, math.MaxInt32)))
	sink.Status.OldestPendingTime = nil
	if !state.Oldest.IsZero() {
		sink.Status.OldestPendingTime = new(metav1.NewTime(state.Oldest))
	}
	sink.Status.GivenUp = new(state.GivenUp)
	sink.Status.LastError = text.AtMost(mostError, state.LastError)
}

// delivering returns the condition. Its message has no number that changes while the state stays.
func delivering(sink *v1alpha1.EventSink, state events.Snapshot, problem *account.Problem) metav1.Condition {
	is := func(status metav1.ConditionStatus, reason, message string) metav1.Condition {
		return metav1.Condition{Type: v1alpha1.ConditionDelivering, Status: status, Reason: reason, Message: text.AtMost(mostError, message)}
	}
	before := lifecycle.Condition(sink.Status.Conditions, v1alpha1.ConditionDelivering)
	switch {
	case problem != nil:
		return is(metav1.ConditionFalse, problem.Reason, problem.Message)
	case state.Retrying > 0:
		return is(metav1.ConditionFalse, v1alpha1.ReasonDeliveryFailed, fmt.Sprintf(
			"The receiver at %s does not accept an event: %s. It is sent again with growing waits for 24 hours; correct the receiver, or spec.url", sink.Spec.URL, state.LastError))
	case state.Lost:
		return is(metav1.ConditionFalse, v1alpha1.ReasonEventsGivenUp,
			"Events were given up, and none was delivered since; the events of this object say which. Read the Orders and Refunds to learn what the receiver has missed")
	case state.Taken:
		return is(metav1.ConditionTrue, v1alpha1.ReasonDelivering, "The receiver accepts the events")
	case before.Reason == v1alpha1.ReasonDelivering, before.Reason == v1alpha1.ReasonEventsGivenUp,
		before.Reason == v1alpha1.ReasonDeliveryFailed && state.Pending > 0:
		return before // what this process has not seen change
	default:
		return is(metav1.ConditionUnknown, v1alpha1.ReasonPending, "No event has been sent yet")
	}
}
