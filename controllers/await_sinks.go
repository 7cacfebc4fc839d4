package controllers

import (
	"context"
	"time"

	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

// awaitSinks delays the end of an object until the EventSinks of its namespace have taken its
// events, ten minutes at most: the object is where the events are stored. since is when it could
// have ended otherwise.
func (b *Base) awaitSinks(ctx context.Context, object client.Object, since time.Time) progress {
	if b.Events == nil {
		return next()
	}
	wait, err := b.Events.Wait(ctx, object, since)
	switch {
	case err != nil:
		return failed(err)
	case wait > 0:
		return again(wait)
	default:
		return next()
	}
}

// listenToEvents reconciles an object when the sinks that it waited for have taken its events.
func listenToEvents[T client.Object](b *Base) func(changed func(types.NamespacedName)) {
	return func(changed func(types.NamespacedName)) {
		if b.Events == nil {
			return
		}
		b.Events.ListenToObjects(func(object client.Object) {
			if _, isKind := object.(T); isKind {
				changed(client.ObjectKeyFromObject(object))
			}
		})
	}
}
