package controllers

import (
	"context"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/types"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"
	"sigs.k8s.io/controller-runtime/pkg/source"

	"github.com/wechatpay-operator/wechatpay-operator/api/v1alpha1"
	"github.com/wechatpay-operator/wechatpay-operator/internal/account"
	"github.com/wechatpay-operator/wechatpay-operator/internal/hosts"
)

// +kubebuilder:rbac:groups=wechatpay-operator.io,resources=eventsinks,verbs=get;list;watch
// +kubebuilder:rbac:groups=wechatpay-operator.io,resources=eventsinks/status,verbs=update

// EventSinkReconciler passes the EventSinks to the Dispatcher, and writes their delivery progress.
type EventSinkReconciler struct {
	Base
	// Hosts are those that EventSinks may name.
	Hosts hosts.List
}

// SetupWithManager registers the reconciler with the manager. It runs on the leader.
func (r *EventSinkReconciler) SetupWithManager(mgr ctrl.Manager) error {
	r.refusals = &refusals{}
	return ctrl.NewControllerManagedBy(mgr).
		Named("eventsink").
		For(&v1alpha1.EventSink{}).
		WatchesRawSource(source.Func(r.listen)).
		WithOptions(r.controllerOptions()).
		Complete(r)
}

// listen reconciles an EventSink when its deliveries changed its state.
func (r *EventSinkReconciler) listen(_ context.Context, queue queueOfRequests) error {
	r.Events.ListenToStatus(func(sink types.NamespacedName, after time.Duration) {
		queue.AddAfter(reconcile.Request{NamespacedName: sink}, after)
	})
	return nil
}

// Reconcile reads the Secret of an EventSink, which no watch reports, and shows how far it is.
func (r *EventSinkReconciler) Reconcile(ctx context.Context, request ctrl.Request) (ctrl.Result, error) {
	sink := &v1alpha1.EventSink{}
	err := r.Client.Get(ctx, request.NamespacedName, sink)
	if apierrors.IsNotFound(err) || err == nil && isDeleted(sink) {
		r.Events.Forget(request.NamespacedName)
		r.refusals.forget(sink.UID)
		return ctrl.Result{}, nil
	}
	if err != nil {
		return ctrl.Result{}, err
	}
	return run(ctx, sink, r.serve)
}

// serve delivers to an EventSink with its current spec and Secret.
func (r *EventSinkReconciler) serve(ctx context.Context, sink *v1alpha1.EventSink) progress {
	settings, err := r.settings(ctx, sink)
	problem, isProblem := account.AsProblem(err)
	if err != nil && !isProblem {
		return failed(err)
	}
	if err := r.Events.Serve(ctx, sink, settings); err != nil {
		return failed(err)
	}
	return r.show(ctx, sink, problem)
}
