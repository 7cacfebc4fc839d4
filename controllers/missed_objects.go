package controllers

import (
	"sync"

	"k8s.io/apimachinery/pkg/types"

	"github.com/wechatpay-operator/wechatpay-operator/internal/statement"
)

// MissedObjects passes objects that a bill lists as paid or accepted, and their status does not, to the reconcilers,
// which query WeChat: a bill alone proves nothing.
type MissedObjects struct {
	mutex           sync.Mutex
	orders, refunds func([]statement.Object)
}

// queryNow starts the queries.
func (m *MissedObjects) queryNow(found *statement.Finding) {
	m.mutex.Lock()
	orders, refunds := m.orders, m.refunds
	m.mutex.Unlock()
	if orders != nil {
		orders(found.Orders)
	}
	if refunds != nil {
		refunds(found.Refunds)
	}
}

// listenToStatements queries the Orders now that a bill lists as paid, as if their poll were due.
func (r *OrderReconciler) listenToStatements(changed func(types.NamespacedName)) {
	r.queryMissed(&r.Missed.orders, r.nextPolls, changed)
}

// listenToStatements queries the Refunds that a bill lists as accepted, also while they await a
// decision.
func (r *RefundReconciler) listenToStatements(changed func(types.NamespacedName)) {
	r.queryMissed(&r.Missed.refunds, r.missed, changed)
}

// queryMissed sets the listener that makes the query of a missed object due now, and starts its reconcile.
func (b *Base) queryMissed(listener *func([]statement.Object), due *dueTimes, changed func(types.NamespacedName)) {
	b.Missed.mutex.Lock()
	defer b.Missed.mutex.Unlock()
	*listener = func(missed []statement.Object) {
		for _, object := range missed {
			due.set(object.UID, b.Clock.Now())
			changed(object.NamespacedName)
		}
	}
}
