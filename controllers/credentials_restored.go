package controllers

import (
	"maps"

	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/source"
)

// whenCredentialsRestored is a source of requests: as soon as a Merchant's credentials change or
// are accepted again, all objects that wait after a failure are reconciled. Such a wait may last
// minutes or, between two polls, hours, and its cause may be gone.
func (b *Base) whenCredentialsRestored(waiting func(merchant types.NamespacedName) map[types.UID]types.NamespacedName) source.Func {
	return notifications(func(changed func(types.NamespacedName)) {
		b.Registry.OnCredentialsRestored(func(merchant types.NamespacedName) {
			for _, object := range waiting(merchant) {
				changed(object)
			}
		})
	})
}

// endWaits ends the waits of a Merchant's Orders and returns those Orders.
func (r *OrderReconciler) endWaits(merchant types.NamespacedName) map[types.UID]types.NamespacedName {
	waiting := r.callHoldoffs.end(merchant)
	maps.Copy(waiting, r.closeHoldoffs.end(merchant))
	maps.Copy(waiting, endPolls(r.failedPolls, r.nextPolls, &r.Base, merchant))
	for uid := range waiting {
		r.retries.forget(uid)
	}
	return waiting
}

// endWaits ends the waits of a Merchant's Refunds and returns those Refunds.
func (r *RefundReconciler) endWaits(merchant types.NamespacedName) map[types.UID]types.NamespacedName {
	waiting := r.callHoldoffs.end(merchant)
	maps.Copy(waiting, endPolls(r.failedPolls, r.nextPolls, &r.Base, merchant))
	for uid := range waiting {
		r.retries.forget(uid)
	}
	return waiting
}

// endPolls makes the polls due now that failed the last time.
func endPolls(polled *holdoffs, polls *dueTimes, b *Base, merchant types.NamespacedName) map[types.UID]types.NamespacedName {
	ended := polled.end(merchant)
	for uid := range ended {
		polls.set(uid, b.Clock.Now())
	}
	return ended
}
