package controllers

import (
	"context"
	"math/rand/v2"
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

// MiniProgramReconciler shows whether WeChat accepts the credentials of MiniPrograms.
type MiniProgramReconciler struct {
	Base
	MiniPrograms *miniprogram.Registry

	retries *retries
	checked memory[checkedMiniProgram]
}

// checkedMiniProgram is when a MiniProgram is asked about again, and with which credentials that was
// decided.
type checkedMiniProgram struct {
	version string
	next    time.Time
}

// slotPause is when a call is tried again for which no slot was free.
const slotPause = time.Second

// workersForMiniPrograms is how many reconciles of each kind run at a time. They wait for WeChat most
// of the time, and each namespace has a few slots only.
const workersForMiniPrograms = 128

// SetupWithManager registers the reconciler with the manager. It runs on the leader.
func (r *MiniProgramReconciler) SetupWithManager(mgr ctrl.Manager) error {
	r.refusals, r.retries = &refusals{}, newRetries(r.Timing)
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
	release, acquired := r.MiniPrograms.AcquireSlot(ctx, m.Namespace, m.Namespace)
	if !acquired {
		return again(slotPause + rand.N(slotPause))
	}
	defer release()
	acc, err := r.MiniPrograms.Get(ctx, m)
	if problem, isProblem := account.AsProblem(err); isProblem {
		*r.checked.of(m) = checkedMiniProgram{}
		return r.show(ctx, m, notReady(problem.Reason, problem.Message), r.Timing.SecretsCheck)
	}
	if err != nil {
		return failed(err)
	}
	if last := r.checked.of(m); last.version == acc.Version && r.Clock.Now().Before(last.next) {
		return again(min(last.next.Sub(r.Clock.Now()), r.Timing.SecretsCheck))
	}
	managed, err := tradeManaged(ctx, acc)
	wait := r.waitAfter(m, err)
	*r.checked.of(m) = checkedMiniProgram{version: acc.Version, next: r.Clock.Now().Add(wait)}
	return r.show(ctx, m, readiness(m, managed, err), min(wait, r.Timing.SecretsCheck))
}

// tradeManaged asks WeChat for an access token, unless one is known to be good, and with it whether
// the trade is managed.
func tradeManaged(ctx context.Context, acc *miniprogram.Account) (bool, error) {
	if err := acc.Token(ctx); err != nil {
		return false, err
	}
	return acc.IsTradeManaged(ctx)
}

func (r *MiniProgramReconciler) forget(key types.NamespacedName) {
	if uid, known := r.checked.forget(key); known {
		r.MiniPrograms.Forget(uid)
		r.retries.forget(uid)
		r.refusals.forget(uid)
	}
}
