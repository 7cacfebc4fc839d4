package controllers

import (
	"context"
	"errors"
	"fmt"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/klog/v2"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/handler"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"
	"sigs.k8s.io/controller-runtime/pkg/source"

	"github.com/wechatpay-operator/wechatpay-operator/api/v1alpha1"
	"github.com/wechatpay-operator/wechatpay-operator/internal/account"
	"github.com/wechatpay-operator/wechatpay-operator/internal/index"
	"github.com/wechatpay-operator/wechatpay-operator/internal/lifecycle"
	"github.com/wechatpay-operator/wechatpay-operator/internal/wechatpay"
	"github.com/wechatpay-operator/wechatpay-operator/internal/wechatpay/protocols"
)

// +kubebuilder:rbac:groups=wechatpay-operator.io,resources=merchants,verbs=get;list;watch;patch
// +kubebuilder:rbac:groups=wechatpay-operator.io,resources=merchants/status,verbs=update
// +kubebuilder:rbac:groups=wechatpay-operator.io,resources=merchants/finalizers,verbs=update

// MerchantReconciler determines whether a Merchant can be used.
type MerchantReconciler struct {
	Base
	// CallbacksElsewhere reports that another process takes the callbacks, which has no right to
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

// probe is the result of the last query with a Merchant's key.
type probe struct {
	// version of the credentials that were probed.
	version  string
	at       time.Time
	accepted bool
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

// deletedMerchantOf returns the Merchant of an Order if it is being deleted, since it may wait for
// this Order.
func (r *MerchantReconciler) deletedMerchantOf(ctx context.Context, object client.Object) []reconcile.Request {
	key, found := merchantKeyOf(object.(*v1alpha1.Order)), &v1alpha1.Merchant{}
	if err := r.Client.Get(ctx, key, found); err != nil || !isDeleted(found) {
		return nil
	}
	return []reconcile.Request{{NamespacedName: key}}
}

// Reconcile reads a Merchant's Secrets, and probes the key when they have changed.
func (r *MerchantReconciler) Reconcile(ctx context.Context, request ctrl.Request) (ctrl.Result, error) {
	m := &v1alpha1.Merchant{}
	if err := r.Client.Get(ctx, request.NamespacedName, m); err != nil {
		if apierrors.IsNotFound(err) {
			r.refusals.forget(r.forget(request.NamespacedName))
		}
		return ctrl.Result{}, client.IgnoreNotFound(err)
	}
	return run(ctx, m, r.holdWhileUsed, r.releaseIfUnused, r.check)
}

func (r *MerchantReconciler) holdWhileUsed(ctx context.Context, m *v1alpha1.Merchant) progress {
	if isDeleted(m) {
		return next()
	}
	if err := r.hold(ctx, m); err != nil && !isRefused(err) {
		return stop(client.IgnoreNotFound(err))
	}
	return next() // also without finalizer: Orders have their own, and the condition shows it
}

// releaseIfUnused removes the finalizer of a deleted Merchant when no unfinished Order or Refund
// needs its credentials any more.
func (r *MerchantReconciler) releaseIfUnused(ctx context.Context, m *v1alpha1.Merchant) progress {
	if !isDeleted(m) {
		return next()
	}
	if !isHeld(m) {
		r.forget(client.ObjectKeyFromObject(m))
		return done()
	}
	users, err := r.countUsers(ctx, m)
	if err != nil {
		return failed(err)
	}
	if users == 0 {
		r.forget(client.ObjectKeyFromObject(m))
		return r.finishDeletion(ctx, m)
	}
	r.known.of(m).users = users
	waited := r.Clock.Since(m.DeletionTimestamp.Time)
	if problem := r.unusable(ctx, m); problem != nil && waited >= r.Timing.AbandonAfter {
		r.reportAbandoned(ctx, m, "Removed the finalizer although %d unfinished Orders and Refunds refer to it: %s", users, problem.Message)
		r.forget(client.ObjectKeyFromObject(m))
		return r.finishDeletion(ctx, m)
	}
	return next()
}

// unusable returns why no Order or Refund can make calls with the Merchant's credentials, or nil if
// they can or it is not known.
func (r *MerchantReconciler) unusable(ctx context.Context, m *v1alpha1.Merchant) *account.Problem {
	handle, err := r.Registry.Get(ctx, m)
	if err != nil {
		problem, _ := account.AsProblem(err)
		return problem
	}
	if problem := rejectedKey(m, handle); problem != nil {
		return problem
	}
	return noCalls(m, handle)
}

// countUsers counts the Orders and Refunds that may still need a call. Those that were never
// started do not: they have no finalizer, were created too late, or may not use the Merchant.
func (r *MerchantReconciler) countUsers(ctx context.Context, m *v1alpha1.Merchant) (int, error) {
	var orders v1alpha1.OrderList
	if err := r.Client.List(ctx, &orders, client.MatchingFields{index.OrderMerchant: m.Namespace + "/" + m.Name}); err != nil {
		return 0, err
	}
	users := 0
	for i := range orders.Items {
		order := &orders.Items[i]
		if isHeld(order) && !lifecycle.IsFinished(order) && !createdTooLate(order, m) {
			uses, err := r.uses(ctx, order)
			if err != nil {
				return 0, err
			}
			if uses {
				users++
			}
		}
		if !lifecycle.IsPaid(order) {
			continue
		}
		refunds, err := r.refundsOf(ctx, r.Client, order.Namespace, order.Name)
		if err != nil {
			return 0, err
		}
		for j := range refunds {
			if !lifecycle.RefundFinal(&refunds[j]) && !isDeletedAndFree(&refunds[j]) {
				users++
			}
		}
	}
	return users, nil
}

// uses reports whether an Order may use the Merchant that it names. An Order that may not use it
// must not block its deletion.
func (r *MerchantReconciler) uses(ctx context.Context, order *v1alpha1.Order) (bool, error) {
	if lifecycle.Started(order) {
		return true, nil
	}
	_, err := account.ForOrder(ctx, r.Client, order)
	if problem, ok := account.AsProblem(err); ok {
		return problem.Reason != v1alpha1.ReasonNotPermitted, nil
	}
	return err == nil, err
}

// forget removes the entry of a Merchant that is deleted or being deleted, and returns its UID.
func (r *MerchantReconciler) forget(key types.NamespacedName) types.UID {
	uid, known := r.known.forget(key)
	if known {
		r.Registry.Forget(uid)
	}
	return uid
}

// check determines whether the Merchant is ready, writes its status, and schedules the next read of
// its Secrets.
func (r *MerchantReconciler) check(ctx context.Context, m *v1alpha1.Merchant) progress {
	handle, err := r.Registry.ForProbe(ctx, m)
	if err != nil {
		problem, ok := account.AsProblem(err)
		if !ok {
			return failed(err)
		}
		return r.show(ctx, m, nil, metav1.ConditionFalse, problem.Reason, problem.Message)
	}
	r.probeIfPaused(ctx, m, handle)
	status, reason, message := r.checkCredentials(ctx, m, handle)
	if skewed, explained := clockSkewed(handle, status == metav1.ConditionTrue); skewed {
		status, reason, message = metav1.ConditionFalse, v1alpha1.ReasonClockSkewed, explained
	}
	// After the probe: a key that WeChat rejects proves nothing, whatever the callback address is.
	if problem := handle.NotifyProblem; problem != nil && status != metav1.ConditionFalse {
		status, reason, message = metav1.ConditionFalse, problem.Reason, problem.Message
	}
	r.warnOfExpiry(m, handle)
	if r.isMended(m, handle, status) {
		handle.EndWaits()
	}
	return r.show(ctx, m, handle, status, reason, message)
}

// isMended reports whether something was mended that made calls fail without the credentials being
// rejected: the clock, or a sub merchant's grant. What waits because of it goes on at once.
func (r *MerchantReconciler) isMended(m *v1alpha1.Merchant, handle *account.Account, status metav1.ConditionStatus) bool {
	granted := conditionOf(m, v1alpha1.ConditionRefundsAllowed).Status == metav1.ConditionFalse && handle.RefundRight() == account.RefundRightGranted
	return granted || status == metav1.ConditionTrue && readyReason(m) == v1alpha1.ReasonClockSkewed
}

// checkCredentials reports whether the key, the certificate and what WeChat's answers are verified
// with are in order.
func (r *MerchantReconciler) checkCredentials(ctx context.Context, m *v1alpha1.Merchant, handle *account.Account) (metav1.ConditionStatus, string, string) {
	if problem := noCalls(m, handle); problem != nil {
		return metav1.ConditionFalse, problem.Reason, problem.Message
	}
	status, reason, message := r.checkKey(ctx, m, handle)
	if status != metav1.ConditionTrue {
		return status, reason, message
	}
	if problem := handle.CertificateProblem; problem != nil && handle.LacksCertificateFor(wechatpay.OperationCreateRefund) {
		return metav1.ConditionFalse, problem.Reason, problem.Message
	}
	if refusal, rejected := certificateRejected(m, handle); rejected {
		return metav1.ConditionFalse, v1alpha1.ReasonCertificateRejected, refusal
	}
	if handle.HasKeyMismatch() {
		return metav1.ConditionFalse, protocols.CredentialsOf(handle.Protocol, m).InvalidKey, keyMismatchMessage(m, handle, callbacksUnopened)
	}
	return status, reason, message
}

// checkKey reports whether WeChat accepts the key. It probes when the credentials have changed,
// when an ordinary call was rejected because of them, and periodically while they are rejected;
// otherwise it returns the last result.
func (r *MerchantReconciler) checkKey(ctx context.Context, m *v1alpha1.Merchant, handle *account.Account) (metav1.ConditionStatus, string, string) {
	now := r.Clock.Now()
	last := r.known.of(m).probe
	current := last != nil && last.version == handle.Version
	if current && last.accepted && handle.Proven() && !handle.CredentialsSuspect() {
		return metav1.ConditionTrue, v1alpha1.ReasonReady, r.readyMessage(m, handle, now)
	}
	if current && !last.accepted && now.Sub(last.at) < r.rejectedProbeInterval(handle) {
		handle.Reject() // a rejected key that was set again
		if status, reason, message := readyCondition(m); reason == v1alpha1.ReasonCredentialsRejected {
			return status, reason, message
		}
		return metav1.ConditionFalse, v1alpha1.ReasonCredentialsRejected, fmt.Sprintf(
			"WeChat Pay rejected the %s in Secret %s/%s when it was last tried; it is tried again every %s", credentialName(handle), m.Namespace, credentialSecret(m, handle), r.Timing.ProbeRejected)
	}
	err := r.probe(ctx, m, handle)
	switch {
	case err == nil:
		handle.CredentialsProven()
		r.known.of(m).probe = &probe{version: handle.Version, at: now, accepted: true}
		return metav1.ConditionTrue, v1alpha1.ReasonReady, r.readyMessage(m, handle, now)
	case wechatpay.MeaningOf(err) == wechatpay.CredentialsRejected && !clockBreaksCalls(handle):
		handle.Reject()
		r.known.of(m).probe = &probe{version: handle.Version, at: now}
		return metav1.ConditionFalse, v1alpha1.ReasonCredentialsRejected, rejectedMessage(m, handle, err, r.Timing.ProbeRejected)
	default:
		r.logConcealed(ctx, m, err)
		if reason, message := notVerified(m, handle, err); reason != "" {
			return metav1.ConditionFalse, reason, message
		}
		return unreachable(m, handle, err)
	}
}

// logConcealed logs for the operator's administrators what the Merchant's status does not show: the
// problem of a host that never gave a verified answer. It logs the same problem once.
func (r *MerchantReconciler) logConcealed(ctx context.Context, m *v1alpha1.Merchant, err error) {
	concealed, ok := errors.AsType[*wechatpay.ConcealedError](err)
	if !ok {
		return
	}
	problem, known := concealed.Cause.Error(), r.known.of(m)
	if known.loggedProblem != problem {
		known.loggedProblem = problem
		r.log(ctx).Info("The endpoint of a Merchant has not given an answer yet that could be verified", "merchant", klog.KObj(m), "problem", problem)
	}
}

// rejectedProbeInterval returns how long a rejected key is not probed again. A callback signed with
// it suggests that WeChat has the key by now.
func (r *MerchantReconciler) rejectedProbeInterval(handle *account.Account) time.Duration {
	if handle.HasUnprovenCallback() {
		return min(r.Timing.SecretsCheck, r.Timing.ProbeRejected)
	}
	return r.Timing.ProbeRejected
}

// unreachable leaves Ready unchanged: an unreachable WeChat says nothing about the key. This holds
// only for a key that was accepted or rejected at this endpoint; about any other nothing is known.
func unreachable(m *v1alpha1.Merchant, handle *account.Account, err error) (metav1.ConditionStatus, string, string) {
	unchanged := m.Status.KeysEndpoint == "" || handle.KeyProven(m)
	switch status, reason, message := readyCondition(m); {
	case reason == v1alpha1.ReasonCredentialsRejected,
		unchanged && (reason == v1alpha1.ReasonReady || reason == v1alpha1.ReasonCertificateRejected):
		return status, reason, message
	}
	message := fmt.Sprintf("Whether WeChat Pay accepts the key is not known yet; it is checked again automatically. %v", err)
	if wechatpay.MeaningOf(err) == wechatpay.NeedsAttention {
		message += ". Compare spec.mchID, spec.appID and spec.partner with the merchant platform: a service provider's number needs spec.partner, and no other number may have it"
	}
	return metav1.ConditionUnknown, v1alpha1.ReasonWeChatUnreachable, message
}

// probeNumber can't be the number of an order: names of Orders have no capital letters, and no shop
// has a reason to choose it.
const probeNumber = "WECHATPAY-OPERATOR-PROBE"

// probe queries an order that can't exist. Any signed answer proves the key, and in some protocols an
// unsigned one does.
func (r *MerchantReconciler) probe(ctx context.Context, m *v1alpha1.Merchant, handle *account.Account) error {
	_, err := handle.QueryOrder(ctx, wechatpay.OrderRef{OutTradeNo: probeNumber, AppID: m.Spec.AppID})
	if handle.AcceptedUnsigned(err) {
		return nil
	}
	if wechatpay.OutcomeOf(err) == wechatpay.Failed && wechatpay.MeaningOf(err) != wechatpay.CredentialsRejected && wechatpay.MeaningOf(err) != wechatpay.SlowDown {
		return nil
	}
	return err
}
