package controllers

import (
	"time"

	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/util/resourceversion"
	"k8s.io/utils/clock"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

// With one cache for a kind the client waits for its own writes before it reads. With several, one for each namespace that is watched,
// it can't, and a reconcile would see an Order without the prepay that was recorded a moment ago, and ask WeChat for another.

// behindFor is how long a cache may lag behind our own writes. The watch event of a write starts the next reconcile, so that behindWait,
// after which it looks again, is for the case that it does not come; a watch that hangs must not keep the workers busy.
const (
	behindFor  = time.Minute
	behindWait = time.Second
)

// ownWrites are the versions that this process has written lately.
type ownWrites struct {
	versions *recent[types.UID, string]
}

func newOwnWrites(clock clock.PassiveClock) *ownWrites {
	return &ownWrites{newRecent[types.UID, string](behindFor, clock)}
}

func (w *ownWrites) note(object client.Object) {
	if w != nil {
		w.versions.set(object.GetUID(), object.GetResourceVersion())
	}
}

// newerThan says whether this process has written an object since the version that it was read in. A version that can't be compared is
// taken as it is.
func (w *ownWrites) newerThan(object client.Object) bool {
	written, known := w.versions.get(object.GetUID())
	if !known {
		return false
	}
	order, err := resourceversion.CompareResourceVersion(object.GetResourceVersion(), written)
	return err == nil && order < 0
}
