package controllers

import (
	"context"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/handler"
	"sigs.k8s.io/controller-runtime/pkg/source"

	"github.com/wechatpay-operator/wechatpay-operator/api/v1alpha1"
	"github.com/wechatpay-operator/wechatpay-operator/internal/account"
)

// +kubebuilder:rbac:groups=wechatpay-operator.io,resources=merchants,verbs=get;list;watch;patch
// +kubebuilder:rbac:groups=wechatpay-operator.io,resources=merchants/status,verbs=update
// +kubebuilder:rbac:groups=wechatpay-operator.io,resources=merchants/finalizers,verbs=update

// MerchantReconciler determines whether a Merchant can be used.
type MerchantReconciler struct {
	Base
	// CallbacksElsewhere reports that another process receives the callbacks, which has no right to
	// private keys.
	CallbacksElsewhere bool

	known memory[knownMerchant]
}

// knownMerchant is what this process remembers about a Merchant while it exists.
type knownMerchant struct {
	// probe is the last one, or nil.
	probe *probe
	// warned is the last warning about the certificate's expiry, in days before it.
	warned int
	// loggedProblem is the last logged problem of an endpoint that has not been verified.
	loggedProblem string
	// users are the unfinished Orders and Refunds that its deletion waits for.
	users int
}

// SetupWithManager registers the reconciler with the manager. It runs on the leader.
func (r *MerchantReconciler) SetupWithManager(mgr ctrl.Manager) error {
	r.init()
	return ctrl.NewControllerManagedBy(mgr).
		Named("merchant").
		For(&v1alpha1.Merchant{}).
		Watches(&v1alpha1.Order{}, handler.EnqueueRequestsFromMapFunc(r.deletedMerchantOf)).
		WatchesRawSource(notifications(r.Registry.Listen)). // calls are paused or resumed, or show something new about the credentials
		WatchesRawSource(source.Func(r.listenToGuard)).
		WatchesRawSource(notifications(r.Callbacks.listen)).
		WithOptions(r.waitingOptions()).
		Complete(r.limitWorkers(account.MerchantWorkers, r))
}

func (r *MerchantReconciler) init() { r.refusals = &refusals{} }

// Reconcile reads a Merchant's Secrets, and probes the key when they have changed.
func (r *MerchantReconciler) Reconcile(ctx context.Context, request ctrl.Request) (ctrl.Result, error) {
	m := &v1alpha1.Merchant{}
	if err := r.Client.Get(ctx, request.NamespacedName, m); err != nil {
		if apierrors.IsNotFound(err) {
			r.refusals.forget(r.forget(request.NamespacedName))
		}
		return ctrl.Result{}, client.IgnoreNotFound(err)
	}
	return run(ctx, m, r.addFinalizerUnlessDeleted, r.releaseIfUnused, r.check)
}

// check determines whether the Merchant is ready, writes its status, and schedules the next read of
// its Secrets.
func (r *MerchantReconciler) check(ctx context.Context, m *v1alpha1.Merchant) progress {
	acc, err := r.Registry.ForProbe(ctx, m)
	if err != nil {
		problem, ok := account.AsProblem(err)
		if !ok {
			return failed(err)
		}
		return r.show(ctx, m, nil, metav1.ConditionFalse, problem.Reason, problem.Message)
	}
	r.probeIfPaused(ctx, m, acc)
	status, reason, message := r.checkCredentials(ctx, m, acc)
	if skewed, explained := clockSkewed(acc, status == metav1.ConditionTrue); skewed {
		status, reason, message = metav1.ConditionFalse, v1alpha1.ReasonClockSkewed, explained
	}
	// After the probe: a key that WeChat rejects proves nothing, whatever the callback address is.
	if problem := acc.NotifyProblem; problem != nil && status != metav1.ConditionFalse {
		status, reason, message = metav1.ConditionFalse, problem.Reason, problem.Message
	}
	r.warnOfExpiry(m, acc)
	if r.isFixed(m, acc, status) {
		acc.EndWaits()
	}
	return r.show(ctx, m, acc, status, reason, message)
}

// isFixed reports whether the clock was corrected or a sub merchant's grant restored, without which
// calls fail although the credentials are accepted. Objects that wait for it are then reconciled at
// once.
func (r *MerchantReconciler) isFixed(m *v1alpha1.Merchant, acc *account.Account, status metav1.ConditionStatus) bool {
	granted := conditionOf(m, v1alpha1.ConditionRefundsAllowed).Status == metav1.ConditionFalse && acc.RefundRight() == account.RefundRightGranted
	return granted || status == metav1.ConditionTrue && readyReason(m) == v1alpha1.ReasonClockSkewed
}

// forget removes the entry of a Merchant that is deleted or being deleted, and returns its UID.
func (r *MerchantReconciler) forget(key types.NamespacedName) types.UID {
	uid, known := r.known.forget(key)
	if known {
		r.Registry.Forget(uid)
	}
	return uid
}
