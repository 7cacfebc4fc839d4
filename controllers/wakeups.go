package controllers

import (
	"context"
	"sync"

	"k8s.io/client-go/util/workqueue"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"

	"github.com/wechatpay-operator/wechatpay-operator/internal/statement"
)

// Wakeups pass on what a bill says was missed to the reconcilers that ask WeChat about it. A bill is no proof: only the answer is.
type Wakeups struct {
	mutex           sync.Mutex
	orders, refunds func([]statement.Object)
}

// wake has objects queried now.
func (w *Wakeups) wake(found *statement.Finding) {
	if w == nil {
		return
	}
	w.mutex.Lock()
	orders, refunds := w.orders, w.refunds
	w.mutex.Unlock()
	if orders != nil {
		orders(found.Orders)
	}
	if refunds != nil {
		refunds(found.Refunds)
	}
}

// listenToStatements queries the Orders now that a bill has as paid, as if their poll was due.
func (r *OrderReconciler) listenToStatements(_ context.Context, queue workqueue.TypedRateLimitingInterface[reconcile.Request]) error {
	if r.Wakeups == nil {
		return nil
	}
	r.Wakeups.mutex.Lock()
	defer r.Wakeups.mutex.Unlock()
	r.Wakeups.orders = func(missed []statement.Object) {
		for _, object := range missed {
			r.polls.set(object.UID, r.Clock.Now())
			queue.Add(reconcile.Request{NamespacedName: object.NamespacedName})
		}
	}
	return nil
}

// listenToStatements queries the Refunds that a bill has as accepted, also while they await a decision.
func (r *RefundReconciler) listenToStatements(_ context.Context, queue workqueue.TypedRateLimitingInterface[reconcile.Request]) error {
	if r.Wakeups == nil {
		return nil
	}
	r.Wakeups.mutex.Lock()
	defer r.Wakeups.mutex.Unlock()
	r.Wakeups.refunds = func(missed []statement.Object) {
		for _, object := range missed {
			r.woken.set(object.UID, r.Clock.Now())
			queue.Add(reconcile.Request{NamespacedName: object.NamespacedName})
		}
	}
	return nil
}
