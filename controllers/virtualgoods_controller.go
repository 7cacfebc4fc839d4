package controllers

import (
	"context"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/builder"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/handler"
	"sigs.k8s.io/controller-runtime/pkg/predicate"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"

	"github.com/wechatpay-operator/wechatpay-operator/api/v1alpha1"
	"github.com/wechatpay-operator/wechatpay-operator/internal/account"
	"github.com/wechatpay-operator/wechatpay-operator/internal/index"
	"github.com/wechatpay-operator/wechatpay-operator/internal/lifecycle"
	"github.com/wechatpay-operator/wechatpay-operator/internal/miniprogram"
)

// +kubebuilder:rbac:groups=wechatpay-operator.io,resources=shipments,verbs=create;delete

// VirtualGoodsReconciler creates the Shipments of Orders whose MiniProgram has virtualGoods: Ship.
// It is a separate controller, so payments do not wait for it. It creates a Shipment with the
// Order's name, so the upload is visible and retried like any other.
type VirtualGoodsReconciler struct {
	Base
}

// SetupWithManager registers the reconciler with the manager. It runs on the leader.
func (r *VirtualGoodsReconciler) SetupWithManager(mgr ctrl.Manager) error {
	return ctrl.NewControllerManagedBy(mgr).
		Named("virtualgoods").
		For(&v1alpha1.Order{}, builder.WithPredicates(predicate.NewPredicateFuncs(isDeliverable))).
		Watches(&v1alpha1.MiniProgram{}, handler.EnqueueRequestsFromMapFunc(r.deliverableOrders), builder.WithPredicates(predicate.GenerationChangedPredicate{})).
		WithOptions(r.controllerOptions()).
		Complete(r)
}

// isDeliverable reports whether an Order may be delivered automatically: it is paid in a mini
// program. A payment that is late, older than the object or under other parameters is for people to
// look at before anything is delivered.
func isDeliverable(object client.Object) bool {
	order, isOrder := object.(*v1alpha1.Order)
	return isOrder && order.DeletionTimestamp == nil && order.Spec.TradeType == v1alpha1.TradeTypeJSAPI &&
		lifecycle.IsPaid(order) && lifecycle.PaidReason(order) == v1alpha1.ReasonPaid
}

// deliverableOrders returns all Orders that a MiniProgram with virtualGoods: Ship may concern.
func (r *VirtualGoodsReconciler) deliverableOrders(ctx context.Context, object client.Object) []reconcile.Request {
	if object.(*v1alpha1.MiniProgram).Spec.VirtualGoods != v1alpha1.VirtualGoodsShip {
		return nil
	}
	namespace := object.GetNamespace()
	if object.(*v1alpha1.MiniProgram).Spec.AllowedNamespaces.From != v1alpha1.NamespacesFromSame {
		namespace = "" // Orders of other namespaces, with a Merchant of this one
	}
	var orders v1alpha1.OrderList
	if err := r.Client.List(ctx, &orders, client.InNamespace(namespace), index.WithoutOwnWrites, client.UnsafeDisableDeepCopy); err != nil {
		ctrl.LoggerFrom(ctx).Error(err, "Failed to list the Orders of virtual goods")
		return nil
	}
	var requests []reconcile.Request
	for i := range orders.Items {
		merchantNamespace, _ := orders.Items[i].MerchantKey()
		if isDeliverable(&orders.Items[i]) && (orders.Items[i].Namespace == object.GetNamespace() || merchantNamespace == object.GetNamespace()) {
			requests = append(requests, reconcile.Request{NamespacedName: client.ObjectKeyFromObject(&orders.Items[i])})
		}
	}
	return requests
}

// Reconcile creates the Shipment of an Order that has none.
func (r *VirtualGoodsReconciler) Reconcile(ctx context.Context, request ctrl.Request) (ctrl.Result, error) {
	order := &v1alpha1.Order{}
	if err := r.Client.Get(ctx, request.NamespacedName, order); err != nil {
		return ctrl.Result{}, client.IgnoreNotFound(err)
	}
	due, err := r.awaitsVirtualShipment(ctx, order)
	if err != nil || !due {
		return ctrl.Result{}, err
	}
	err = r.Client.Create(ctx, virtualShipment(order))
	if isRefused(err) {
		r.warn(order, v1alpha1.ReasonWriteRefused, "Ship", "The cluster refuses the Shipment that reports the Order as delivered: %v. The operator tries again automatically", err)
		return ctrl.Result{RequeueAfter: failurePause}, nil
	}
	if apierrors.IsAlreadyExists(err) {
		return ctrl.Result{}, r.nameTaken(ctx, order)
	}
	return ctrl.Result{}, err
}

// nameTaken warns about a Shipment that has the name of an Order and is about another one, so this
// Order can't be reported as delivered.
func (r *VirtualGoodsReconciler) nameTaken(ctx context.Context, order *v1alpha1.Order) error {
	existing := &v1alpha1.Shipment{}
	if err := r.APIReader.Get(ctx, client.ObjectKeyFromObject(order), existing); err != nil {
		return client.IgnoreNotFound(err)
	}
	if existing.Spec.OrderRef.Name != order.Name {
		r.warn(order, "ShipmentNameTaken", "Ship", "The Order is not reported as delivered: there is a Shipment of its name, which is about the Order %s. Create a Shipment with another name for it", existing.Spec.OrderRef.Name)
	}
	return nil
}

// awaitsVirtualShipment reports whether an Order is to be reported as delivered automatically, and
// has no Shipment yet.
func (b *Base) awaitsVirtualShipment(ctx context.Context, order *v1alpha1.Order) (bool, error) {
	if !isDeliverable(order) {
		return false, nil
	}
	merchant, err := account.OfParticipant(ctx, b.Client, order)
	if _, isProblem := account.AsProblem(err); isProblem {
		return false, nil
	}
	if err != nil {
		return false, err
	}
	found, err := miniprogram.FindForOrder(ctx, b.Client, order, merchant)
	if err != nil || found == nil || found.Spec.VirtualGoods != v1alpha1.VirtualGoodsShip {
		return false, err
	}
	shipments, err := b.shipmentsOf(ctx, order)
	return len(shipments) == 0, err
}

// longestItems is the longest description of a parcel, in characters.
const longestItems = 120

// virtualShipment reports an Order as delivered. It is owned by the Order, with which it goes.
func virtualShipment(order *v1alpha1.Order) *v1alpha1.Shipment {
	items := []rune(order.Spec.Description)
	return &v1alpha1.Shipment{
		ObjectMeta: metav1.ObjectMeta{
			Namespace: order.Namespace, Name: order.Name,
			OwnerReferences: []metav1.OwnerReference{{APIVersion: v1alpha1.GroupVersion.String(), Kind: "Order", Name: order.Name, UID: order.UID}},
		},
		Spec: v1alpha1.ShipmentSpec{
			OrderRef: v1alpha1.OrderReference{Name: order.Name}, Logistics: v1alpha1.LogisticsVirtual,
			Parcels: []v1alpha1.Parcel{{Items: string(items[:min(len(items), longestItems)])}}, Complete: new(true),
		},
	}
}
