package controllers

import (
	"sync"
	"time"

	"k8s.io/apimachinery/pkg/types"
)

// dueTimes records when something is due for an object, so that a reconcile with another cause does
// not do it early. It is in memory only: after a restart all times are set again, spread by their
// schedule's jitter.
type dueTimes struct {
	mutex sync.Mutex
	at    map[types.UID]time.Time
}

// neverDue marks what is never due again.
var neverDue = time.Unix(1<<40, 0)

func newDueTimes() *dueTimes { return &dueTimes{at: map[types.UID]time.Time{}} }

// get returns when the object is due, and false if that was not set in this process.
func (a *dueTimes) get(uid types.UID) (time.Time, bool) {
	a.mutex.Lock()
	defer a.mutex.Unlock()
	at, ok := a.at[uid]
	return at, ok
}

// setIfUnknown sets when the object is due, unless that was set in this process before, and returns it.
func (a *dueTimes) setIfUnknown(uid types.UID, at time.Time) time.Time {
	a.mutex.Lock()
	defer a.mutex.Unlock()
	if known, ok := a.at[uid]; ok {
		return known
	}
	a.at[uid] = at
	return at
}

func (a *dueTimes) set(uid types.UID, at time.Time) {
	a.mutex.Lock()
	defer a.mutex.Unlock()
	a.at[uid] = at
}

func (a *dueTimes) clear(uid types.UID) {
	a.mutex.Lock()
	defer a.mutex.Unlock()
	delete(a.at, uid)
}
