package controllers

import (
	"context"
	"time"

	"golang.org/x/time/rate"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/wechatpay-operator/wechatpay-operator/api/v1alpha1"
	"github.com/wechatpay-operator/wechatpay-operator/internal/account"
	"github.com/wechatpay-operator/wechatpay-operator/internal/callbackprobe"
	"github.com/wechatpay-operator/wechatpay-operator/internal/callbackprobe/sender"
	"github.com/wechatpay-operator/wechatpay-operator/internal/metrics"
)

// CallbackProbeReconciler checks whether callbacks can arrive: it sends test callbacks to the
// address that WeChat is given, which must reach a replica of this operator. It never delays a
// payment: it does not change the condition Ready, and no Order depends on it.
type CallbackProbeReconciler struct {
	Base
	// Sender sends the test callbacks; nil disables them.
	Sender *sender.Sender

	// limiter limits the test callbacks of all Merchants together. Whoever writes a Merchant
	// chooses their target, and must not be able to use the operator as a source of traffic.
	limiter *rate.Limiter

	checks memory[callbackCheck]
}

// One test callback a second, with bursts of five.
const (
	probesPerSecond = 1
	probesAtOnce    = 5
)

// SetupWithManager registers the reconciler with the manager. It runs on the leader.
func (r *CallbackProbeReconciler) SetupWithManager(mgr ctrl.Manager) error {
	r.init()
	return ctrl.NewControllerManagedBy(mgr).
		Named("merchant-callbacks").
		For(&v1alpha1.Merchant{}).
		WithOptions(r.controllerOptions()).
		Complete(r)
}

func (r *CallbackProbeReconciler) init() { r.limiter = rate.NewLimiter(probesPerSecond, probesAtOnce) }

// Reconcile sends a test callback if one is due, and publishes its result.
func (r *CallbackProbeReconciler) Reconcile(ctx context.Context, request ctrl.Request) (ctrl.Result, error) {
	m := &v1alpha1.Merchant{}
	if err := r.Client.Get(ctx, request.NamespacedName, m); err != nil {
		if apierrors.IsNotFound(err) {
			r.forget(request.NamespacedName)
		}
		return ctrl.Result{}, client.IgnoreNotFound(err)
	}
	measureCallbacksReachable(m)
	return run(ctx, m, r.awaitReady, r.checkEnabled, r.check)
}

// awaitReady skips a Merchant that is being deleted, or that has no condition Ready yet.
func (r *CallbackProbeReconciler) awaitReady(_ context.Context, m *v1alpha1.Merchant) progress {
	if isDeleted(m) || conditionOf(m, v1alpha1.ConditionReady).Status == "" {
		return done()
	}
	return next()
}

// checkEnabled stops if test callbacks are disabled.
func (r *CallbackProbeReconciler) checkEnabled(_ context.Context, m *v1alpha1.Merchant) progress {
	if r.Sender == nil {
		return r.showFinding(m, sender.Finding{Reason: v1alpha1.ReasonNotChecked,
			Message: "Whether callbacks arrive is not checked: the operator runs with --check-callbacks=false"}, 0)
	}
	return next()
}

// check sends a test callback if it is due.
func (r *CallbackProbeReconciler) check(ctx context.Context, m *v1alpha1.Merchant) progress {
	acc, err := r.Registry.Get(ctx, m)
	if err != nil {
		if _, ok := account.AsProblem(err); !ok {
			return failed(err)
		}
		return r.showFinding(m, sender.Finding{Reason: v1alpha1.ReasonPending,
			Message: "Whether callbacks arrive is checked as soon as the Merchant can be used: see the condition Ready"}, r.Timing.CallbackRetryFirst)
	}
	if acc.NotPublic != "" {
		return r.showFinding(m, sender.NotChecked(acc.PaymentNotifyURL, acc.NotPublic), 0)
	}
	if wait, known := r.wait(m, acc.PaymentNotifyURL); wait > 0 {
		return r.showWaiting(m, known, wait)
	}
	finding := r.Sender.Probe(ctx, acc.PaymentNotifyURL, acc.ProbeKeys, callbackprobe.Target{
		Namespace: m.Namespace, Name: m.Name, UID: string(m.UID), Kind: "payment",
	})
	if ctx.Err() != nil {
		return failed(ctx.Err()) // cancelled by the operator, so there is no result
	}
	after, first := r.plan(m, finding)
	if shown := conditionOf(m, v1alpha1.ConditionCallbacksReachable); first && shown.Status == metav1.ConditionTrue && shown.ObservedGeneration == m.Generation {
		return again(after) // a rollout takes a moment; it is reported if it lasts
	}
	return r.showFinding(m, finding, after)
}

// callbackCheck is what this process knows about the checks of a Merchant. After a restart all are
// scheduled anew.
type callbackCheck struct {
	address string
	// known reports whether this address was checked. ended is when the last check of any address
	// ended.
	known bool
	ended time.Time
	// due is when the next check is due. scheduled reports whether the limiter has assigned that
	// time.
	due       time.Time
	scheduled bool
	// failures in a row.
	failures int
	// finding is that of the last check of this address.
	finding sender.Finding
}

// wait returns the time until the next check of an address, and whether it was checked before. If
// it returns zero, the caller must make the check and call plan.
func (r *CallbackProbeReconciler) wait(m *v1alpha1.Merchant, address string) (wait time.Duration, known bool) {
	now, last := r.Clock.Now(), r.checks.of(m)
	if last.address != address {
		last.address, last.failures, last.known = address, 0, false
		if !last.scheduled {
			last.due = last.ended.Add(r.Timing.CallbackRetryFirst) // at once at first, and soon, but a spec that changes often causes no more checks
		}
	}
	if !last.scheduled && !last.due.After(now) {
		last.due, last.scheduled = now.Add(r.limiter.ReserveN(now, 1).DelayFrom(now)), true
	}
	return last.due.Sub(now), last.known
}

// plan schedules the next check after one that was made, and reports whether that was the first
// failure.
func (r *CallbackProbeReconciler) plan(m *v1alpha1.Merchant, finding sender.Finding) (after time.Duration, first bool) {
	now, last := r.Clock.Now(), r.checks.of(m)
	last.failures++
	if finding.Reason == v1alpha1.ReasonReachable {
		last.failures = 0
	}
	after = r.Timing.callbackCheckAfter(last.failures)
	last.known, last.ended, last.due, last.scheduled = true, now, now.Add(after), false
	last.finding = finding
	return after, last.failures == 1
}

func (r *CallbackProbeReconciler) forget(key types.NamespacedName) {
	metrics.CallbacksReachable.DeleteLabelValues(key.Namespace, key.Name)
	r.Callbacks.forget(key)
	r.checks.forget(key)
}
