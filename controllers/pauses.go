package controllers

import (
	"sync"
	"time"

	"k8s.io/apimachinery/pkg/types"
)

// pauses keep calls that did not work from being made again too early, whatever starts a reconcile until then. A pause ends
// at once when the Merchant's credentials change: they may have been what was wrong.
type pauses struct {
	mutex sync.Mutex
	kept  map[types.UID]pause
}

type pause struct {
	until       time.Time
	credentials string
}

// caller is an object that calls WeChat with some credentials.
type caller interface {
	GetUID() types.UID
	credentials() string
}

func newPauses() *pauses { return &pauses{kept: map[types.UID]pause{}} }

func (p *pauses) until(c caller, until time.Time) {
	p.mutex.Lock()
	defer p.mutex.Unlock()
	p.kept[c.GetUID()] = pause{until: until, credentials: c.credentials()}
}

// wait is how long the pause lasts from now on; zero when there is none.
func (p *pauses) wait(c caller, now time.Time) time.Duration {
	p.mutex.Lock()
	defer p.mutex.Unlock()
	kept, ok := p.kept[c.GetUID()]
	if !ok || kept.credentials != c.credentials() {
		return 0
	}
	return max(kept.until.Sub(now), 0)
}

func (p *pauses) clear(uid types.UID) {
	p.mutex.Lock()
	defer p.mutex.Unlock()
	delete(p.kept, uid)
}
