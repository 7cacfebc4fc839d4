package controllers

import (
	"context"
	"sync"
	"time"

	"golang.org/x/time/rate"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/types"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/wechatpay-operator/wechatpay-operator/api/v1alpha1"
	"github.com/wechatpay-operator/wechatpay-operator/internal/account"
	"github.com/wechatpay-operator/wechatpay-operator/internal/callbackprobe"
	"github.com/wechatpay-operator/wechatpay-operator/internal/callbackprobe/sender"
)

// CallbackProbeReconciler tells whether callbacks can arrive: it sends test callbacks to the address that WeChat is given, which have to
// come in at a replica of this operator. It never stands in the way of a payment: Ready is another reconciler's, and no Order asks.
type CallbackProbeReconciler struct {
	Base
	// Sender sends the test callbacks; nil turns them off.
	Sender *sender.Sender

	// turns bound the test callbacks of all Merchants together. Who writes Merchants chooses where they go, and shall not be able
	// to make the operator a source of traffic.
	turns *rate.Limiter

	mutex  sync.Mutex
	checks map[types.NamespacedName]callbackCheck
}

// The turns: one test callback a second, and a few at once.
const (
	probesPerSecond = 1
	probesAtOnce    = 5
)

// SetupWithManager starts the reconciler with the manager, on the leader.
func (r *CallbackProbeReconciler) SetupWithManager(mgr ctrl.Manager) error {
	r.init()
	return ctrl.NewControllerManagedBy(mgr).
		Named("merchant-callbacks").
		For(&v1alpha1.Merchant{}).
		WithOptions(r.controllerOptions()).
		Complete(r)
}

func (r *CallbackProbeReconciler) init() {
	r.turns = rate.NewLimiter(probesPerSecond, probesAtOnce)
	r.checks = map[types.NamespacedName]callbackCheck{}
}

// Reconcile sends a test callback when one is due, and shows what became of it.
func (r *CallbackProbeReconciler) Reconcile(ctx context.Context, request ctrl.Request) (ctrl.Result, error) {
	m := &v1alpha1.Merchant{}
	if err := r.Client.Get(ctx, request.NamespacedName, m); err != nil {
		if apierrors.IsNotFound(err) {
			r.forget(request.NamespacedName)
		}
		return ctrl.Result{}, ignoreNotFound(err)
	}
	measureCallbacksReachable(m)
	return run(ctx, m, r.awaitReady, r.excuse, r.check)
}

// awaitReady leaves a Merchant alone until something is known of its key, and when it is being deleted.
func (r *CallbackProbeReconciler) awaitReady(_ context.Context, m *v1alpha1.Merchant) progress {
	if isDeleted(m) || conditionOf(m, v1alpha1.ConditionReady) == nil {
		return done()
	}
	return next()
}

// excuse says why a Merchant is not checked at all.
func (r *CallbackProbeReconciler) excuse(_ context.Context, m *v1alpha1.Merchant) progress {
	if r.Sender == nil {
		return r.tell(m, sender.Finding{Reason: v1alpha1.ReasonNotChecked,
			Message: "Whether callbacks arrive is not checked: the operator runs with --check-callbacks=false"}, 0)
	}
	return next()
}

// check sends a test callback if it is time.
func (r *CallbackProbeReconciler) check(ctx context.Context, m *v1alpha1.Merchant) progress {
	handle, err := r.Registry.Get(ctx, m)
	if err != nil {
		if _, ok := account.AsProblem(err); !ok {
			return failed(err)
		}
		return r.tell(m, sender.Finding{Reason: v1alpha1.ReasonPending,
			Message: "Whether callbacks arrive is checked as soon as the Merchant can be used: see the condition Ready"}, r.Timing.CallbackRetryFirst)
	}
	if handle.NotPublic != "" {
		return r.tell(m, sender.NotChecked(handle.PaymentNotifyURL, handle.NotPublic), 0)
	}
	if wait, known := r.wait(m, handle.PaymentNotifyURL); wait > 0 {
		return r.tellMeanwhile(m, known, wait)
	}
	finding := r.Sender.Probe(ctx, handle.PaymentNotifyURL, handle.CallbackCheck, callbackprobe.Target{
		Namespace: m.Namespace, Name: m.Name, UID: string(m.UID), Kind: "payment",
	})
	if ctx.Err() != nil {
		return failed(ctx.Err()) // cut off by us, which tells nothing
	}
	after, first := r.plan(m, finding)
	if shown := conditionOf(m, v1alpha1.ConditionCallbacksReachable); first && isTrue(shown) && shown.ObservedGeneration == m.Generation {
		return again(after) // a rollout on the way takes a moment; it is told if it lasts
	}
	return r.tell(m, finding, after)
}

// callbackCheck is what this process knows of the checks of a Merchant. A restart begins anew, in turns.
type callbackCheck struct {
	uid     types.UID
	address string
	// known says whether this address was checked, and ended when the last check of any ended.
	known bool
	ended time.Time
	// due is when the next one is, and turn whether it has its turn then.
	due  time.Time
	turn bool
	// failures in a row.
	failures int
}

// wait says how long it is to the next check of an address, and whether a former check of it is known. When it returns zero, the
// check must be made, and the next one planned.
func (r *CallbackProbeReconciler) wait(m *v1alpha1.Merchant, address string) (wait time.Duration, known bool) {
	r.mutex.Lock()
	defer r.mutex.Unlock()
	now, key := r.Clock.Now(), client.ObjectKeyFromObject(m)
	last := r.checks[key]
	if last.uid != m.UID {
		last = callbackCheck{uid: m.UID, address: address, due: now}
	}
	if last.address != address {
		last.address, last.failures, last.known = address, 0, false
		if !last.turn {
			last.due = last.ended.Add(r.Timing.CallbackRetryFirst) // soon, but a spec that changes all the time brings no more checks
		}
	}
	if !last.turn && !last.due.After(now) {
		last.due, last.turn = now.Add(r.turns.ReserveN(now, 1).DelayFrom(now)), true
	}
	r.checks[key] = last
	return last.due.Sub(now), last.known
}

// plan sets the next check after one that was made, and says whether it is the first that failed.
func (r *CallbackProbeReconciler) plan(m *v1alpha1.Merchant, finding sender.Finding) (after time.Duration, first bool) {
	r.mutex.Lock()
	defer r.mutex.Unlock()
	now, key := r.Clock.Now(), client.ObjectKeyFromObject(m)
	last := r.checks[key]
	last.failures++
	if finding.Reason == v1alpha1.ReasonReachable {
		last.failures = 0
	}
	after = r.Timing.callbackCheckAfter(last.failures)
	last.known, last.ended, last.due, last.turn = true, now, now.Add(after), false
	r.checks[key] = last
	return after, last.failures == 1
}

func (r *CallbackProbeReconciler) forget(key types.NamespacedName) {
	forgetCallbacksReachable(key)
	r.mutex.Lock()
	defer r.mutex.Unlock()
	r.Callbacks.forget(key)
	delete(r.checks, key)
}
