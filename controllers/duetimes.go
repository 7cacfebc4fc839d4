package controllers

import (
	"sync"
	"time"

	"k8s.io/apimachinery/pkg/types"
)

// dueTimes remember when something is due for an object, so that a reconcile for another reason does not do it early. They
// are memory only: after a restart everything is set anew, spread by its schedule's jitter.
type dueTimes struct {
	mutex sync.Mutex
	at    map[types.UID]time.Time
}

func newDueTimes() *dueTimes { return &dueTimes{at: map[types.UID]time.Time{}} }

// get returns when the object is due. Unset means it was never set in this process.
func (a *dueTimes) get(uid types.UID) (time.Time, bool) {
	a.mutex.Lock()
	defer a.mutex.Unlock()
	at, ok := a.at[uid]
	return at, ok
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
