package controllers

import (
	"context"
	"math/rand/v2"
	"sync"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/types"
	ctrl "sigs.k8s.io/controller-runtime"

	"github.com/wechatpay-operator/wechatpay-operator/api/v1alpha1"
	"github.com/wechatpay-operator/wechatpay-operator/internal/account"
	"github.com/wechatpay-operator/wechatpay-operator/internal/miniprogram"
)

// +kubebuilder:rbac:groups=wechatpay-operator.io,resources=miniprograms,verbs=get;list;watch
// +kubebuilder:rbac:groups=wechatpay-operator.io,resources=miniprograms/status,verbs=update

// MiniProgramReconciler shows whether WeChat takes the credentials of MiniPrograms.
type MiniProgramReconciler struct {
	Base
	MiniPrograms *miniprogram.Registry

	retries *retries
	mutex   sync.Mutex
	checked map[types.NamespacedName]checkedMiniProgram
}

// checkedMiniProgram is when a MiniProgram is asked about again, and with which credentials that was
// decided.
type checkedMiniProgram struct {
	uid     types.UID
	version string
	next    time.Time
}

// placePause is when a call is tried again for which no place was free.
const placePause = time.Second

// workersForMiniPrograms is how many reconciles of each kind run at a time. They wait for WeChat most
// of the time, and each namespace has a few places only.
const workersForMiniPrograms = 128

// SetupWithManager registers the reconciler with the manager. It runs on the leader.
func (r *MiniProgramReconciler) SetupWithManager(mgr ctrl.Manager) error {
	r.refusals, r.retries = &refusals{}, newRetries(r.Timing)
	r.checked = map[types.NamespacedName]checkedMiniProgram{}
	options := r.controllerOptions()
	options.MaxConcurrentReconciles = workersForMiniPrograms
	return ctrl.NewControllerManagedBy(mgr).
		Named("miniprogram").
		For(&v1alpha1.MiniProgram{}).
		WithOptions(options).
		Complete(r)
}

// Reconcile reads the Secret of a MiniProgram, which no watch reports, and asks WeChat when it
// changed and from time to time.
func (r *MiniProgramReconciler) Reconcile(ctx context.Context, request ctrl.Request) (ctrl.Result, error) {
	m := &v1alpha1.MiniProgram{}
	err := r.Client.Get(ctx, request.NamespacedName, m)
	if apierrors.IsNotFound(err) || err == nil && isDeleted(m) {
		r.forget(request.NamespacedName)
		return ctrl.Result{}, nil
	}
	if err != nil {
		return ctrl.Result{}, err
	}
	return run(ctx, m, r.check)
}

func (r *MiniProgramReconciler) check(ctx context.Context, m *v1alpha1.MiniProgram) progress {
	leave, entered := r.MiniPrograms.AcquireSlot(ctx, m.Namespace, m.Namespace)
	if !entered {
		return again(placePause + rand.N(placePause))
	}
	defer leave()
	handle, err := r.MiniPrograms.Get(ctx, m)
	if problem, isProblem := account.AsProblem(err); isProblem {
		r.plan(m, "", r.Clock.Now())
		return r.show(ctx, m, notReady(problem.Reason, problem.Message), r.Timing.SecretsCheck)
	}
	if err != nil {
		return failed(err)
	}
	if wait := r.untilCheck(m, handle.Version); wait > 0 {
		return again(min(wait, r.Timing.SecretsCheck))
	}
	managed, err := tradeManaged(ctx, handle)
	wait := r.waitAfter(m, err)
	r.plan(m, handle.Version, r.Clock.Now().Add(wait))
	return r.show(ctx, m, readiness(m, managed, err), min(wait, r.Timing.SecretsCheck))
}

// tradeManaged asks WeChat for an access token, unless one is known to be good, and with it whether
// the trade is managed.
func tradeManaged(ctx context.Context, handle *miniprogram.Account) (bool, error) {
	if err := handle.Token(ctx); err != nil {
		return false, err
	}
	return handle.IsTradeManaged(ctx)
}

// untilCheck returns the time until WeChat is asked again; zero if it is due, as it is when the
// credentials changed.
func (r *MiniProgramReconciler) untilCheck(m *v1alpha1.MiniProgram, version string) time.Duration {
	r.mutex.Lock()
	defer r.mutex.Unlock()
	known := r.checked[keyOf(m)]
	if known.uid != m.UID || known.version != version {
		return 0
	}
	return max(known.next.Sub(r.Clock.Now()), 0)
}

func (r *MiniProgramReconciler) plan(m *v1alpha1.MiniProgram, version string, next time.Time) {
	r.mutex.Lock()
	defer r.mutex.Unlock()
	r.checked[keyOf(m)] = checkedMiniProgram{uid: m.UID, version: version, next: next}
}

func (r *MiniProgramReconciler) forget(key types.NamespacedName) {
	r.mutex.Lock()
	defer r.mutex.Unlock()
	if known, found := r.checked[key]; found {
		r.MiniPrograms.Forget(known.uid)
		r.retries.forget(known.uid)
		r.refusals.forget(known.uid)
		delete(r.checked, key)
	}
}

func keyOf(m *v1alpha1.MiniProgram) types.NamespacedName {
	return types.NamespacedName{Namespace: m.Namespace, Name: m.Name}
}
