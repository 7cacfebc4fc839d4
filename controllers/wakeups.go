package controllers

import (
	"sync"

	"k8s.io/apimachinery/pkg/types"

	"github.com/wechatpay-operator/wechatpay-operator/internal/statement"
)

// Wakeups passes objects that a bill lists as paid or accepted, and their status does not, to the reconcilers, which
// query WeChat: a bill alone proves nothing.
type Wakeups struct {
	mutex           sync.Mutex
	orders, refunds func([]statement.Object)
}

// wake has objects queried now.
func (w *Wakeups) wake(found *statement.Finding) {
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
func (r *OrderReconciler) listenToStatements(changed func(types.NamespacedName)) {
	r.queryMissed(&r.Wakeups.orders, r.nextPolls, changed)
}

// listenToStatements queries the Refunds that a bill has as accepted, also while they await a decision.
func (r *RefundReconciler) listenToStatements(changed func(types.NamespacedName)) {
	r.queryMissed(&r.Wakeups.refunds, r.missed, changed)
}

// queryMissed sets the listener that makes the query of what was missed due now, and starts its reconcile.
func (b *Base) queryMissed(listener *func([]statement.Object), due *dueTimes, changed func(types.NamespacedName)) {
	b.Wakeups.mutex.Lock()
	defer b.Wakeups.mutex.Unlock()
	*listener = func(missed []statement.Object) {
		for _, object := range missed {
			due.set(object.UID, b.Clock.Now())
			changed(object.NamespacedName)
		}
	}
}
