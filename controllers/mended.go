package controllers

import (
	"context"
	"maps"

	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/util/workqueue"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"
	"sigs.k8s.io/controller-runtime/pkg/source"
)

// whenCredentialsRestored is a source of requests: all that waits for a Merchant after something did not work, whatever its wait, as soon as
// the Merchant's credentials are others than before or are taken again. A wait may be minutes or, between two polls, hours long,
// and it was chosen for what is mended now.
func (b *Base) whenCredentialsRestored(waiting func(merchant types.NamespacedName) map[types.UID]types.NamespacedName) source.Func {
	return func(_ context.Context, queue workqueue.TypedRateLimitingInterface[reconcile.Request]) error {
		b.Registry.OnCredentialsRestored(func(merchant types.NamespacedName) {
			for _, object := range waiting(merchant) {
				queue.Add(reconcile.Request{NamespacedName: object})
			}
		})
		return nil
	}
}

// waitingFor ends the waits of the Orders of a Merchant, and says which they are.
func (r *OrderReconciler) waitingFor(merchant types.NamespacedName) map[types.UID]types.NamespacedName {
	waiting := r.calls.end(merchant)
	maps.Copy(waiting, r.closes.end(merchant))
	maps.Copy(waiting, endPolls(r.polled, r.polls, &r.Base, merchant))
	for uid := range waiting {
		r.retries.forget(uid)
	}
	return waiting
}

// waitingFor ends the waits of the Refunds of a Merchant, and says which they are.
func (r *RefundReconciler) waitingFor(merchant types.NamespacedName) map[types.UID]types.NamespacedName {
	waiting := r.calls.end(merchant)
	maps.Copy(waiting, endPolls(r.polled, r.polls, &r.Base, merchant))
	for uid := range waiting {
		r.retries.forget(uid)
	}
	return waiting
}

// endPolls makes the polls due now that told nothing when they were last made.
func endPolls(polled *holdoffs, polls *dueTimes, b *Base, merchant types.NamespacedName) map[types.UID]types.NamespacedName {
	ended := polled.end(merchant)
	for uid := range ended {
		polls.set(uid, b.Clock.Now())
	}
	return ended
}
