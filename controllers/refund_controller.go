package controllers

import (
	"context"
	"sync"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/klog/v2"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/handler"
	"sigs.k8s.io/controller-runtime/pkg/manager"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"
	"sigs.k8s.io/controller-runtime/pkg/source"

	"github.com/wechatpay-operator/wechatpay-operator/api/v1alpha1"
	"github.com/wechatpay-operator/wechatpay-operator/internal/account"
	"github.com/wechatpay-operator/wechatpay-operator/internal/index"
	"github.com/wechatpay-operator/wechatpay-operator/internal/lifecycle"
	"github.com/wechatpay-operator/wechatpay-operator/internal/wechatpay"
)

// +kubebuilder:rbac:groups=wechatpay-operator.io,resources=refunds,verbs=get;list;watch;patch
// +kubebuilder:rbac:groups=wechatpay-operator.io,resources=refunds/status,verbs=update
// +kubebuilder:rbac:groups=wechatpay-operator.io,resources=refunds/finalizers,verbs=update

// RefundReconciler sends approved Refunds and follows them.
type RefundReconciler struct {
	Base

	retries *retries
	// nextPolls holds when an accepted Refund is queried next.
	nextPolls *dueTimes
	// callHoldoffs holds until when the refund request and the queries before it are delayed after a
	// failure, and failedPolls the Refunds that wait for their next poll after a failed one.
	callHoldoffs, failedPolls *holdoffs
	// contradictions holds since when WeChat reports another refund with a Refund's number.
	contradictions *dueTimes
	// sendAfter holds the time before which a Refund is not sent, because the finalizer was just
	// added.
	sendAfter *dueTimes
	// missed are the Refunds that a bill lists as accepted, until they are queried.
	missed *dueTimes
	// sent are the Refunds with a recent refund request.
	sent *recent[types.NamespacedName, *sentRefund]
	// spacing keeps refund requests of one Order apart.
	spacing *refundSpacing
	leads   sync.Once
}

// refund is the state of one reconcile of a Refund, which the steps share.
type refund struct {
	*v1alpha1.Refund
	order    *v1alpha1.Order
	merchant *v1alpha1.Merchant
	account  *account.Account
	appID    string
	// finalizerError is why the finalizer can't be added.
	finalizerError error
}

func (f *refund) credentials() string { return f.account.Version }

func (f *refund) ref() wechatpay.RefundRef {
	return wechatpay.RefundRef{OutRefundNo: f.Number(), AppID: f.appID}
}

func (f *refund) merchantKey() types.NamespacedName { return client.ObjectKeyFromObject(f.merchant) }

// SetupWithManager registers the reconciler with the manager. It runs on the leader.
func (r *RefundReconciler) SetupWithManager(mgr ctrl.Manager) error {
	r.init()
	// Runs on the leader only, from the moment it is elected.
	if err := mgr.Add(manager.RunnableFunc(func(context.Context) error { r.begin(); return nil })); err != nil {
		return err
	}
	return ctrl.NewControllerManagedBy(mgr).
		Named("refund").
		For(&v1alpha1.Refund{}).
		Watches(&v1alpha1.Order{}, handler.EnqueueRequestsFromMapFunc(r.refundsWaitingForOrder)).
		Watches(&v1alpha1.Merchant{}, handler.EnqueueRequestsFromMapFunc(r.refundsWaitingForMerchant)).
		WatchesRawSource(r.whenCredentialsRestored(r.endWaits)).
		WatchesRawSource(notifications(listenToEvents[*v1alpha1.Refund](&r.Base))).
		WatchesRawSource(source.Func(r.listenToGuard)).
		WatchesRawSource(notifications(r.listenToStatements)).
		WithOptions(r.waitingOptions()).
		Complete(r.limitWorkers(account.RefundWorkers, r))
}

func (r *RefundReconciler) init() {
	r.retries, r.nextPolls, r.callHoldoffs, r.failedPolls = newRetries(r.Timing), newDueTimes(), newHoldoffs(), newHoldoffs()
	r.contradictions, r.sendAfter, r.missed = newDueTimes(), newDueTimes(), newDueTimes()
	r.sent, r.refusals = newRecent[types.NamespacedName, *sentRefund](deletionWindow, r.Clock), &refusals{}
	r.written = newOwnWrites(r.Clock)
	r.spacing = newRefundSpacing(r.Timing.RefundSpacing, r.Clock)
}

// begin records when this process became the leader; only the first call counts.
func (r *RefundReconciler) begin() {
	r.leads.Do(func() {
		r.spacing.begin()
		r.Registry.OnStartedLeading()
	})
}

// Reconcile runs the steps of a Refund.
func (r *RefundReconciler) Reconcile(ctx context.Context, request ctrl.Request) (ctrl.Result, error) {
	r.begin()
	scope := &refund{Refund: &v1alpha1.Refund{}}
	err := r.Client.Get(ctx, request.NamespacedName, scope.Refund)
	if client.IgnoreNotFound(err) != nil {
		return ctrl.Result{}, err
	}
	r.reportDeleted(ctx, request.NamespacedName, scope.UID)
	if apierrors.IsNotFound(err) {
		return ctrl.Result{}, nil
	}
	if r.written.newerThan(scope.Refund) {
		return ctrl.Result{RequeueAfter: staleCacheRetry}, nil
	}
	// Each step goes on to the next one if it does not concern the Refund's state.
	return run(ctx, scope,
		// The end of a Refund, and decisions that must be verified when they are first seen.
		r.releaseIfFinal,
		r.abandonIfUnwritable,
		r.verifyApprovalWhenSeen,
		r.verifyAbnormalWhenSeen,

		// What every call needs.
		r.findOrder,
		r.findMerchant,
		r.awaitPaidOrder,
		r.claimNumber,
		r.addFinalizerWhenSeen,

		// A Refund that WeChat has accepted.
		r.resolveAbnormal,
		r.follow,

		// One that WeChat may have, or that is being deleted.
		r.queryContradiction,
		r.withdrawIfDeleted,
		r.queryLostAnswer,

		// The decision.
		r.queryBeforeDecision,
		r.requireGuard,
		r.decide,

		// The request.
		r.checkCertificate,
		r.requireFinalizer,
		r.awaitEarlierDeletion,
		r.takeTurn,
		r.send,
	)
}

// record writes a change of the Refund's status. The first time that a Refund is sent without
// approval, it writes an event.
func (r *RefundReconciler) record(ctx context.Context, f *refund, change func(*v1alpha1.Refund)) error {
	if f.merchant != nil {
		ctx = withLogValues(ctx, "merchant", klog.KObj(f.merchant), "outTradeNo", f.order.Number())
	}
	before := lifecycle.ApprovedReason(f.Refund)
	err := record(ctx, &r.Base, f.Refund, change)
	if err == nil && before != v1alpha1.ReasonAutomatic && lifecycle.ApprovedReason(f.Refund) == v1alpha1.ReasonAutomatic {
		r.reportAutomatic(f)
	}
	return err
}

func (r *RefundReconciler) forget(uid types.UID) {
	r.Claims.Calls.End(uid)
	r.retries.forget(uid)
	r.nextPolls.clear(uid)
	r.callHoldoffs.clear(uid)
	r.failedPolls.clear(uid)
	r.contradictions.clear(uid)
	r.sendAfter.clear(uid)
	r.missed.clear(uid)
}

// retryAfter delays the next call, whatever else starts a reconcile until then.
func (r *RefundReconciler) retryAfter(f *refund, wait time.Duration) progress {
	r.callHoldoffs.until(f, r.Clock.Now().Add(wait))
	return again(wait)
}

// refundsWaitingForOrder returns the Refunds that a change of their Order may help.
func (r *RefundReconciler) refundsWaitingForOrder(ctx context.Context, object client.Object) []reconcile.Request {
	refunds, err := r.refundsOf(ctx, r.Client, object.GetNamespace(), object.GetName())
	if err != nil {
		ctrl.LoggerFrom(ctx).Error(err, "Failed to list the Refunds of an Order", "order", client.ObjectKeyFromObject(object))
		return nil
	}
	var requests []reconcile.Request
	for i := range refunds {
		if index.WaitsForAcceptance(&refunds[i]) {
			requests = append(requests, reconcile.Request{NamespacedName: client.ObjectKeyFromObject(&refunds[i])})
		}
	}
	return requests
}

// refundsWaitingForMerchant returns the Refunds that WeChat has not accepted yet: a corrected
// Secret or another policy may help.
func (r *RefundReconciler) refundsWaitingForMerchant(ctx context.Context, object client.Object) []reconcile.Request {
	failed := func(err error) []reconcile.Request {
		ctrl.LoggerFrom(ctx).Error(err, "Failed to list the Refunds that wait for a Merchant", "merchant", client.ObjectKeyFromObject(object))
		return nil
	}
	refunds, err := waitingRefunds(ctx, r.Client)
	if err != nil {
		return failed(err)
	}
	var requests []reconcile.Request
	for i := range refunds {
		refund, order := &refunds[i], &v1alpha1.Order{}
		if err := r.Client.Get(ctx, types.NamespacedName{Namespace: refund.Namespace, Name: refund.Spec.OrderRef.Name}, order); client.IgnoreNotFound(err) != nil {
			return failed(err)
		} else if err == nil && index.MerchantOf(order) == object.GetNamespace()+"/"+object.GetName() {
			requests = append(requests, reconcile.Request{NamespacedName: client.ObjectKeyFromObject(refund)})
		}
	}
	return requests
}

// waitingRefunds lists the Refunds that WeChat has not accepted yet, which belong to the cache.
func waitingRefunds(ctx context.Context, cached client.Reader, options ...client.ListOption) ([]v1alpha1.Refund, error) {
	var refunds v1alpha1.RefundList
	options = append(options, client.MatchingFields{index.RefundWaiting: index.Waiting}, index.WithoutOwnWrites, client.UnsafeDisableDeepCopy)
	err := cached.List(ctx, &refunds, options...)
	return refunds.Items, err
}
