package events

import (
	"context"
	"time"

	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/wechatpay-operator/wechatpay-operator/api/v1alpha1"
	"github.com/wechatpay-operator/wechatpay-operator/internal/index"
)

// rechecks is how often a waiting object is checked again during the longest wait, because the deletion of a sink does
// not wake it.
const rechecks = 20

// Wait returns for how long an object waits for the sinks of its namespace; zero means no longer. since is when the
// object could have been deleted. If the wait is over, the remaining events are given up.
func (d *Dispatcher) Wait(ctx context.Context, object client.Object, since time.Time) (time.Duration, error) {
	if len(Of(object)) == 0 {
		return 0, nil
	}
	d.setWaiting(object.GetUID(), true) // before the check, so that a delivery in between is noticed
	slow, latest, err := d.slowSinks(ctx, object)
	if err != nil {
		return 0, err
	}
	if latest.After(since) {
		since = latest
	}
	wait := since.Add(d.Timing.ObjectWaits).Sub(d.Clock.Now())
	if len(slow) > 0 && wait > 0 {
		return min(wait, d.Timing.ObjectWaits/rechecks), nil
	}
	d.setWaiting(object.GetUID(), false)
	for _, s := range slow {
		d.reportLost(s, s.giveUp(object))
	}
	return 0, nil
}

// slowSinks returns the sinks that have not accepted all events of an object, and when the latest of these events was
// recorded.
func (d *Dispatcher) slowSinks(ctx context.Context, object client.Object) (slow []*sink, latest time.Time, err error) {
	var list v1alpha1.EventSinkList
	if err := d.Client.List(ctx, &list, client.InNamespace(object.GetNamespace()), index.WithoutOwnWrites); err != nil {
		return nil, time.Time{}, err
	}
	for i := range list.Items {
		listed := &list.Items[i]
		if listed.DeletionTimestamp != nil {
			continue
		}
		s := d.find(client.ObjectKeyFromObject(listed))
		if s == nil || s.uid != listed.UID {
			s = newSink(listed, d.Timing, d.Clock.Now()) // its reconciler has not served it yet
		}
		left := s.undelivered(object)
		if len(left) == 0 {
			continue
		}
		slow = append(slow, s)
		for _, event := range left {
			if event.Recorded.After(latest) {
				latest = event.Recorded
			}
		}
	}
	return slow, latest, nil
}

func (d *Dispatcher) setWaiting(uid types.UID, waits bool) {
	d.mutex.Lock()
	defer d.mutex.Unlock()
	if !waits {
		delete(d.waiting, uid)
		return
	}
	if d.waiting == nil {
		d.waiting = map[types.UID]bool{}
	}
	d.waiting[uid] = true
}

// objectReleased calls the listeners if an object waited for a sink. The reconciler then checks the other sinks.
func (d *Dispatcher) objectReleased(object client.Object) {
	d.mutex.Lock()
	waited := d.waiting[object.GetUID()]
	delete(d.waiting, object.GetUID())
	listeners := d.released
	d.mutex.Unlock()
	if !waited {
		return
	}
	for _, listener := range listeners {
		listener(object)
	}
}
