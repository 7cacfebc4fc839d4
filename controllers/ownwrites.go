package controllers

import (
	"time"

	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/util/resourceversion"
	"k8s.io/utils/clock"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

// With one cache per kind, the client waits for its own writes before it reads. With several, one
// per watched namespace, it can't: a reconcile could read an Order without the prepay that was just
// recorded, and request another one.

// ownWriteTTL is how long the cache may lag behind the operator's own writes. The watch event of a
// write starts the next reconcile, so staleCacheRetry matters only if that event is lost; a watch
// that hangs must not keep the workers busy.
const (
	ownWriteTTL     = time.Minute
	staleCacheRetry = time.Second
)

// ownWrites are the resource versions that this process has written recently.
type ownWrites struct {
	versions *recent[types.UID, string]
}

func newOwnWrites(clock clock.PassiveClock) *ownWrites {
	return &ownWrites{newRecent[types.UID, string](ownWriteTTL, clock)}
}

func (w *ownWrites) note(object client.Object) {
	if w != nil {
		w.versions.set(object.GetUID(), object.GetResourceVersion())
	}
}

// newerThan reports whether this process has written an object after the version that was read. A
// version that can't be compared is accepted.
func (w *ownWrites) newerThan(object client.Object) bool {
	written, known := w.versions.get(object.GetUID())
	if !known {
		return false
	}
	order, err := resourceversion.CompareResourceVersion(object.GetResourceVersion(), written)
	return err == nil && order < 0
}
