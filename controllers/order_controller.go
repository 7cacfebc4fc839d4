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

// OrderReconciler gets Orders paid, or closed.
type OrderReconciler struct {
	Base

	retries *retries
	// polls say when an Order is asked for next.
	polls *dueTimes
	// calls and closes say until when CreateOrder and CloseOrder rest after one that did not work; polled, which Orders wait for
	// their next poll after one that told nothing.
	calls, closes, polled *holdoffs
	// firstAnswers say when WeChat first said what would end an Order without naming its number.
	firstAnswers *dueTimes
	// gone are the Orders that are gone since WeChat was asked to make them.
	gone *goneOrders
	// prepaid are the Orders that WeChat gave a prepay for lately.
	prepaid *recent[prepayValue, prepayHolder]
}

// order is one reconcile of an Order: what the steps learn and hand on.
type order struct {
	*v1alpha1.Order
	merchant *v1alpha1.Merchant
	account  *account.Account
	payee    lifecycle.Payee
	// revoked is that the Order may not use its Merchant any more, although it began under a grant.
	revoked *account.Problem
	// later is when something is tried again that the steps after it did not wait for; zero when there is nothing.
	later time.Duration
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

func (o *order) merchantKey() types.NamespacedName {
	namespace, name := o.MerchantKey()
	return types.NamespacedName{Namespace: namespace, Name: name}
}

// SetupWithManager starts the reconciler with the manager, on the leader.
func (r *OrderReconciler) SetupWithManager(mgr ctrl.Manager) error {
	r.init()
	return ctrl.NewControllerManagedBy(mgr).
		Named("order").
		For(&v1alpha1.Order{}).
		Watches(&v1alpha1.Merchant{}, handler.EnqueueRequestsFromMapFunc(r.ordersWaitingFor)).
		Watches(&v1alpha1.Refund{}, handler.EnqueueRequestsFromMapFunc(orderOfRefund)).
		WatchesRawSource(r.whenCredentialsRestored(r.waitingFor)).
		WithOptions(r.waitingOptions()).
		Complete(r.working(account.OrderWorkers, r))
}

func (r *OrderReconciler) init() {
	r.retries, r.polls = newRetries(r.Timing), newDueTimes()
	r.calls, r.closes, r.polled = newHoldoffs(), newHoldoffs(), newHoldoffs()
	r.firstAnswers = newDueTimes()
	r.gone, r.refusals = newGoneOrders(r.Clock), &refusals{}
	r.written = newOwnWrites(r.Clock)
	r.prepaid = newRecent[prepayValue, prepayHolder](prepaidLately, r.Clock)
}

// Reconcile moves an Order on.
func (r *OrderReconciler) Reconcile(ctx context.Context, request ctrl.Request) (ctrl.Result, error) {
	scope := &order{Order: &v1alpha1.Order{}}
	err := r.Client.Get(ctx, request.NamespacedName, scope.Order)
	if ignoreNotFound(err) != nil {
		return ctrl.Result{}, err
	}
	closing := r.closeGone(ctx, request.NamespacedName, scope.UID)
	if apierrors.IsNotFound(err) {
		return ctrl.Result{RequeueAfter: closing.after}, nil
	}
	if r.written.newerThan(scope.Order) {
		return ctrl.Result{RequeueAfter: behindWait}, nil
	}
	result, err := run(ctx, scope, r.stepsFor(scope)...)
	end := soonest(progress{after: result.RequeueAfter}, progress{after: scope.later})
	return ctrl.Result{RequeueAfter: soonest(end, closing).after}, err
}

// stepsFor are the steps of an Order in its state, in the order in which they are taken.
func (r *OrderReconciler) stepsFor(o *order) []step[*order] {
	finished, deleted := lifecycle.IsFinished(o.Order), isDeleted(o)
	switch {
	case finished && deleted:
		return []step[*order]{r.abandonIfUnwritable, r.followLatePayment, r.sumRefunds, r.releaseIfSettled}
	case finished:
		return []step[*order]{r.followLatePayment, r.sumRefunds, r.deleteAfterTTL, r.waitForLateCheck, r.findMerchant, r.checkLatePayment}
	case deleted:
		return []step[*order]{r.abandonIfUnwritable, r.releaseIfSettled, r.findMerchant, r.claimNumber, r.askIfTooLate, r.closeIfDue}
	default:
		return []step[*order]{
			r.findMerchant, r.awaitNumber, r.claimNumber, r.holdBeforeFirstCall, r.askIfTooLate, r.closeIfDue, r.prepare, r.poll,
		}
	}
}

// record writes a change of the Order's status.
func (r *OrderReconciler) record(ctx context.Context, o *order, change func(*v1alpha1.Order)) error {
	return record(ctx, &r.Base, o.Order, change)
}

// forget drops what memory holds for an Order that needs nothing more.
func (r *OrderReconciler) forget(uid types.UID) {
	r.Claims.Calls.End(uid)
	r.retries.forget(uid)
	r.polls.clear(uid)
	r.calls.clear(uid)
	r.closes.clear(uid)
	r.firstAnswers.clear(uid)
	r.polled.clear(uid)
}

// ordersWaitingFor lists the Orders that a change of their Merchant may help: those that can't be paid yet, and those
// being deleted. Open ones go on as they are, so that a change of one Merchant is no storm.
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
