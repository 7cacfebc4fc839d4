package controllers

import (
	"context"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/types"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/handler"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"

	"github.com/wechatpay-operator/wechatpay-operator/api/v1alpha1"
	"github.com/wechatpay-operator/wechatpay-operator/internal/account"
	"github.com/wechatpay-operator/wechatpay-operator/internal/index"
	"github.com/wechatpay-operator/wechatpay-operator/internal/lifecycle"
	"github.com/wechatpay-operator/wechatpay-operator/internal/wechatpay"
)

// +kubebuilder:rbac:groups=wechatpay-operator.io,resources=orders,verbs=get;list;watch;patch;delete
// +kubebuilder:rbac:groups=wechatpay-operator.io,resources=orders/status,verbs=update
// +kubebuilder:rbac:groups=wechatpay-operator.io,resources=orders/finalizers,verbs=update
// +kubebuilder:rbac:groups=wechatpay-operator.io,resources=refunds,verbs=get;list;watch;create
// +kubebuilder:rbac:groups=wechatpay-operator.io,resources=merchants,verbs=get;list;watch
// +kubebuilder:rbac:groups="",resources=namespaces,verbs=get;list;watch
// +kubebuilder:rbac:groups="",resources=secrets,verbs=get
// +kubebuilder:rbac:groups=events.k8s.io,resources=events,verbs=create;patch

// OrderReconciler prepares, follows and closes Orders.
type OrderReconciler struct {
	Base

	retries *retries
	// nextPolls holds when an Order is queried next.
	nextPolls *dueTimes
	// callHoldoffs and closeHoldoffs hold until when CreateOrder and CloseOrder are delayed after a
	// failure, and failedPolls the Orders that wait for their next poll after a failed one.
	callHoldoffs, closeHoldoffs, failedPolls *holdoffs
	// firstAnswers holds when WeChat first gave an answer that would end an Order but does not name
	// its number.
	firstAnswers *dueTimes
	// deleted are the Orders that were deleted during a CreateOrder call.
	deleted *deletedOrders
	// prepaid are the Orders for which WeChat recently returned a prepay.
	prepaid *recent[prepayValue, prepayHolder]
}

// order is the state of one reconcile of an Order, which the steps share.
type order struct {
	*v1alpha1.Order
	merchant *v1alpha1.Merchant
	account  *account.Account
	payee    lifecycle.Payee
	// revoked is set if the Order may no longer use its Merchant, although it was started with a
	// grant.
	revoked *account.Problem
	// requeueAfter is when something is retried that later steps did not wait for, or zero.
	requeueAfter time.Duration
}

func (o *order) ref() wechatpay.OrderRef {
	return wechatpay.OrderRef{OutTradeNo: o.Number(), AppID: o.payee.AppID}
}

func (o *order) credentials() string {
	if o.account == nil {
		return ""
	}
	return o.account.Version
}

func (o *order) merchantKey() types.NamespacedName { return merchantKeyOf(o.Order) }

func merchantKeyOf(order *v1alpha1.Order) types.NamespacedName {
	namespace, name := order.MerchantKey()
	return types.NamespacedName{Namespace: namespace, Name: name}
}

// SetupWithManager registers the reconciler with the manager. It runs on the leader.
func (r *OrderReconciler) SetupWithManager(mgr ctrl.Manager) error {
	r.init()
	return ctrl.NewControllerManagedBy(mgr).
		Named("order").
		For(&v1alpha1.Order{}).
		Watches(&v1alpha1.Merchant{}, handler.EnqueueRequestsFromMapFunc(r.ordersWaitingFor)).
		Watches(&v1alpha1.Refund{}, handler.EnqueueRequestsFromMapFunc(orderOfRefund)).
		WatchesRawSource(r.whenCredentialsRestored(r.endWaits)).
		WatchesRawSource(notifications(listenToEvents[*v1alpha1.Order](&r.Base))).
		WatchesRawSource(notifications(r.listenToLedger)).
		WatchesRawSource(notifications(r.listenToStatements)).
		WithOptions(r.waitingOptions()).
		Complete(r.limitWorkers(account.OrderWorkers, r))
}

func (r *OrderReconciler) init() {
	r.retries, r.nextPolls = newRetries(r.Timing), newDueTimes()
	r.callHoldoffs, r.closeHoldoffs, r.failedPolls = newHoldoffs(), newHoldoffs(), newHoldoffs()
	r.firstAnswers = newDueTimes()
	r.deleted, r.refusals = newDeletedOrders(r.Clock), &refusals{}
	r.written = newOwnWrites(r.Clock)
	r.prepaid = newRecent[prepayValue, prepayHolder](prepayTTL, r.Clock)
}

// Reconcile runs the steps of an Order.
func (r *OrderReconciler) Reconcile(ctx context.Context, request ctrl.Request) (ctrl.Result, error) {
	scope := &order{Order: &v1alpha1.Order{}}
	err := r.Client.Get(ctx, request.NamespacedName, scope.Order)
	if client.IgnoreNotFound(err) != nil {
		return ctrl.Result{}, err
	}
	closing := r.closeDeleted(ctx, request.NamespacedName, scope.UID)
	if apierrors.IsNotFound(err) {
		return ctrl.Result{RequeueAfter: closing.after}, nil
	}
	if r.written.newerThan(scope.Order) {
		return ctrl.Result{RequeueAfter: staleCacheRetry}, nil
	}
	result, err := run(ctx, scope, r.stepsFor(scope)...)
	end := soonest(progress{after: result.RequeueAfter}, progress{after: scope.requeueAfter})
	return ctrl.Result{RequeueAfter: soonest(end, closing).after}, err
}

// stepsFor returns the steps of an Order in its state, in their order.
func (r *OrderReconciler) stepsFor(o *order) []step[*order] {
	finished, deleted := lifecycle.IsFinished(o.Order), isDeleted(o)
	switch {
	case finished && deleted:
		return []step[*order]{r.abandonIfUnwritable, r.followLatePayment, r.sumRefunds, r.releaseIfSettled}
	case finished:
		return []step[*order]{r.followLatePayment, r.sumRefunds, r.deleteAfterTTL, r.waitForLateCheck, r.findMerchant, r.checkLatePayment}
	case deleted:
		return []step[*order]{r.abandonIfUnwritable, r.releaseIfSettled, r.findMerchant, r.checkSpec, r.claimNumber, r.queryIfTooLate, r.closeIfDue}
	default:
		return []step[*order]{
			r.findMerchant, r.awaitNumber, r.checkSpec, r.claimNumber, r.addFinalizerBeforeFirstCall, r.queryIfTooLate, r.closeIfDue,
			r.prepare, r.poll,
		}
	}
}

// record writes a change of the Order's status.
func (r *OrderReconciler) record(ctx context.Context, o *order, change func(*v1alpha1.Order)) error {
	return record(ctx, &r.Base, o.Order, change)
}

// forget removes what is in memory about an Order that needs nothing more.
func (r *OrderReconciler) forget(uid types.UID) {
	r.Claims.Calls.End(uid)
	r.retries.forget(uid)
	r.nextPolls.clear(uid)
	r.callHoldoffs.clear(uid)
	r.closeHoldoffs.clear(uid)
	r.firstAnswers.clear(uid)
	r.failedPolls.clear(uid)
}

// ordersWaitingFor returns the Orders that a change of their Merchant may help: those that can't be
// paid yet, and those being deleted. Open ones are not affected, so that a change of one Merchant
// does not reconcile all its Orders.
func (r *OrderReconciler) ordersWaitingFor(ctx context.Context, object client.Object) []reconcile.Request {
	var orders v1alpha1.OrderList
	if err := r.Client.List(ctx, &orders, client.MatchingFields{index.OrderWaiting: object.GetNamespace() + "/" + object.GetName()}, index.WithoutOwnWrites, client.UnsafeDisableDeepCopy); err != nil {
		ctrl.LoggerFrom(ctx).Error(err, "Failed to list the Orders that wait for a Merchant", "merchant", client.ObjectKeyFromObject(object))
		return nil
	}
	var requests []reconcile.Request
	for i := range orders.Items {
		requests = append(requests, reconcile.Request{NamespacedName: client.ObjectKeyFromObject(&orders.Items[i])})
	}
	return requests
}

func orderOfRefund(_ context.Context, object client.Object) []reconcile.Request {
	refund := object.(*v1alpha1.Refund)
	return []reconcile.Request{{NamespacedName: types.NamespacedName{Namespace: refund.Namespace, Name: refund.Spec.OrderRef.Name}}}
}
