package controllers

import (
	"context"
	"time"

	"k8s.io/apimachinery/pkg/types"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/builder"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/event"
	"sigs.k8s.io/controller-runtime/pkg/handler"
	"sigs.k8s.io/controller-runtime/pkg/predicate"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"

	"github.com/wechatpay-operator/wechatpay-operator/api/v1alpha1"
	"github.com/wechatpay-operator/wechatpay-operator/internal/index"
	"github.com/wechatpay-operator/wechatpay-operator/internal/lifecycle"
	"github.com/wechatpay-operator/wechatpay-operator/internal/miniprogram"
)

// +kubebuilder:rbac:groups=wechatpay-operator.io,resources=shipments,verbs=get;list;watch
// +kubebuilder:rbac:groups=wechatpay-operator.io,resources=shipments/status,verbs=update

// ShipmentReconciler uploads Shipments of paid Orders. An upload is made once, or repeated the same.
type ShipmentReconciler struct {
	Base
	MiniPrograms *miniprogram.Registry

	retries *retries
	// due holds when a Shipment is tried next after a failure, whatever starts a reconcile until then.
	due *dueTimes
	// firstAnswers holds when WeChat first said that an order is not shippable.
	firstAnswers *dueTimes
}

// shipment is the state of one reconcile of a Shipment, which the steps share.
type shipment struct {
	*v1alpha1.Shipment
	order       *v1alpha1.Order
	merchant    *v1alpha1.Merchant
	miniProgram *v1alpha1.MiniProgram
	account     *miniprogram.Account
	// others are the other Shipments of the Order.
	others []v1alpha1.Shipment
	// last is the Shipment before this one that was uploaded as the last one of the Order; empty if none
	// was.
	last string
	// releaseSlot frees the slot for calls.
	releaseSlot func()
}

// SetupWithManager registers the reconciler with the manager. It runs on the leader.
func (r *ShipmentReconciler) SetupWithManager(mgr ctrl.Manager) error {
	r.refusals, r.retries, r.written = &refusals{}, newRetries(r.Timing), newOwnWrites(r.Clock)
	r.due, r.firstAnswers = newDueTimes(), newDueTimes()
	options := r.controllerOptions()
	options.MaxConcurrentReconciles = workersForMiniPrograms
	return ctrl.NewControllerManagedBy(mgr).
		Named("shipment").
		For(&v1alpha1.Shipment{}).
		Watches(&v1alpha1.Shipment{}, handler.EnqueueRequestsFromMapFunc(r.shipmentsOfSameOrder)).
		Watches(&v1alpha1.Order{}, handler.EnqueueRequestsFromMapFunc(r.shipmentsOfOrder)).
		Watches(&v1alpha1.MiniProgram{}, handler.EnqueueRequestsFromMapFunc(r.shipmentsWaiting), builder.WithPredicates(miniProgramChanged)).
		WithOptions(options).
		Complete(r)
}

// Reconcile runs the steps of a Shipment.
func (r *ShipmentReconciler) Reconcile(ctx context.Context, request ctrl.Request) (ctrl.Result, error) {
	scope := &shipment{Shipment: &v1alpha1.Shipment{}, releaseSlot: func() {}}
	if err := r.Client.Get(ctx, request.NamespacedName, scope.Shipment); err != nil {
		return ctrl.Result{}, client.IgnoreNotFound(err)
	}
	if r.written.newerThan(scope.Shipment) {
		return ctrl.Result{RequeueAfter: staleCacheRetry}, nil
	}
	if isDeleted(scope) || lifecycle.ShipmentFinal(scope.Shipment) {
		r.forget(scope.UID)
		return ctrl.Result{}, nil
	}
	defer func() { scope.releaseSlot() }()
	return run(ctx, scope, r.findOrder, r.awaitPayment, r.findMerchant, r.findMiniProgram, r.awaitRetry, r.takeSlot, r.openMiniProgram, r.awaitTurn, r.upload)
}

func (r *ShipmentReconciler) forget(uid types.UID) {
	r.retries.forget(uid)
	r.due.clear(uid)
	r.firstAnswers.clear(uid)
	r.refusals.forget(uid)
}

// awaitRetry waits for the end of the pause after a failure.
func (r *ShipmentReconciler) awaitRetry(_ context.Context, s *shipment) progress {
	if due, known := r.due.get(s.UID); known {
		if wait := due.Sub(r.Clock.Now()); wait > 0 {
			return again(wait)
		}
	}
	return next()
}

// later tries again after a pause.
func (r *ShipmentReconciler) later(s *shipment, wait time.Duration) progress {
	r.due.set(s.UID, r.Clock.Now().Add(wait))
	return again(wait)
}

// shipmentsOfSameOrder returns the other Shipments of a Shipment's Order, which wait for their turn.
func (r *ShipmentReconciler) shipmentsOfSameOrder(ctx context.Context, object client.Object) []reconcile.Request {
	return r.waitingOf(ctx, object.GetNamespace(), client.MatchingFields{index.ShipmentOrder: object.(*v1alpha1.Shipment).Spec.OrderRef.Name})
}

func (r *ShipmentReconciler) shipmentsOfOrder(ctx context.Context, object client.Object) []reconcile.Request {
	return r.waitingOf(ctx, object.GetNamespace(), client.MatchingFields{index.ShipmentOrder: object.GetName()})
}

// miniProgramChanged passes on what can help a Shipment: another spec, or another state. Labels and
// times of a MiniProgram end nobody's pause.
var miniProgramChanged = predicate.Funcs{UpdateFunc: func(change event.UpdateEvent) bool {
	before, after := change.ObjectOld.(*v1alpha1.MiniProgram), change.ObjectNew.(*v1alpha1.MiniProgram)
	return before.Generation != after.Generation || (before.DeletionTimestamp == nil) != (after.DeletionTimestamp == nil) ||
		lifecycle.Condition(before.Status.Conditions, v1alpha1.ConditionReady).Reason != lifecycle.Condition(after.Status.Conditions, v1alpha1.ConditionReady).Reason
}}

// shipmentsWaiting returns the Shipments that are not uploaded and may use a MiniProgram. Their pauses
// end, because what they waited for may be corrected.
func (r *ShipmentReconciler) shipmentsWaiting(ctx context.Context, object client.Object) []reconcile.Request {
	namespace := object.GetNamespace()
	if object.(*v1alpha1.MiniProgram).Spec.AllowedNamespaces.From != v1alpha1.NamespacesFromSame {
		namespace = ""
	}
	return r.waitingOf(ctx, namespace, client.MatchingFields{index.ShipmentWaiting: index.Waiting})
}

func (r *ShipmentReconciler) waitingOf(ctx context.Context, namespace string, fields client.MatchingFields) []reconcile.Request {
	var shipments v1alpha1.ShipmentList
	if err := r.Client.List(ctx, &shipments, client.InNamespace(namespace), fields, index.WithoutOwnWrites, client.UnsafeDisableDeepCopy); err != nil {
		ctrl.LoggerFrom(ctx).Error(err, "Failed to list the Shipments that wait")
		return nil
	}
	var requests []reconcile.Request
	for i := range shipments.Items {
		waiting := &shipments.Items[i]
		if lifecycle.ShipmentFinal(waiting) {
			continue
		}
		if mayBeFixed(waiting) {
			r.due.clear(waiting.UID)
		}
		requests = append(requests, reconcile.Request{NamespacedName: client.ObjectKeyFromObject(waiting)})
	}
	return requests
}

// mayBeFixed reports whether a Shipment waits for something that people correct, so a change is
// tried at once. Waits for WeChat go on.
func mayBeFixed(waiting *v1alpha1.Shipment) bool {
	switch lifecycle.UploadedReason(waiting) {
	case v1alpha1.ReasonMiniProgramNotReady, v1alpha1.ReasonMiniProgramNotFound, v1alpha1.ReasonNotSent:
		return true
	default:
		return false
	}
}
