package controllers

import (
	"context"
	"time"

	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/wechatpay-operator/wechatpay-operator/api/v1alpha1"
	"github.com/wechatpay-operator/wechatpay-operator/internal/ledger"
)

// Ledger records what happened before the objects go.
type Ledger interface {
	// IsRecorded reports whether everything that an object states is in the ledger. If not, the
	// functions passed to Listen are called once it is.
	IsRecorded(ctx context.Context, object client.Object) (bool, error)
	Listen(func(client.Object))
	State() ledger.State
}

// awaitLedger delays the end of objects until the ledger has what they state. A deletion by a user
// waits at most ten minutes, as for EventSinks; after that the row is still written, unless the
// operator restarts first. For a TTL, since is zero: it waits without limit.
func (b *Base) awaitLedger(ctx context.Context, since time.Time, objects ...client.Object) progress {
	if b.Ledger == nil || !since.IsZero() && b.Clock.Since(since) > b.Timing.Events.ObjectWaits {
		return next()
	}
	for _, object := range objects {
		recorded, err := b.Ledger.IsRecorded(ctx, object)
		switch {
		case err != nil:
			return failed(err)
		case recorded:
		case since.IsZero():
			return done() // the ledger tells when it is recorded
		default:
			return again(since.Add(b.Timing.Events.ObjectWaits).Sub(b.Clock.Now()) + time.Second)
		}
	}
	return next()
}

// withDependents returns an Order with its Refunds and Shipments, whose ledger rows need the Order.
func (b *Base) withDependents(ctx context.Context, order *v1alpha1.Order) ([]client.Object, error) {
	objects := []client.Object{order}
	if b.Ledger == nil {
		return objects, nil
	}
	refunds, err := b.refundsOf(ctx, b.Client, order.Namespace, order.Name)
	if err != nil {
		return nil, err
	}
	for i := range refunds {
		objects = append(objects, &refunds[i])
	}
	shipments, err := b.shipmentsOf(ctx, order)
	for i := range shipments {
		objects = append(objects, &shipments[i])
	}
	return objects, err
}

// listenToLedger reconciles an object when what it waited for is recorded. Of a Refund or a Shipment
// that is its Order.
func (r *OrderReconciler) listenToLedger(changed func(types.NamespacedName)) {
	if r.Ledger == nil {
		return
	}
	r.Ledger.Listen(func(object client.Object) {
		key := client.ObjectKeyFromObject(object)
		switch object := object.(type) {
		case *v1alpha1.Refund:
			key.Name = object.Spec.OrderRef.Name
		case *v1alpha1.Shipment:
			key.Name = object.Spec.OrderRef.Name
		}
		changed(key)
	})
}
