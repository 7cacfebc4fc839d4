package controllers

import (
	"sync"
	"time"

	"k8s.io/apimachinery/pkg/types"
)

// holdoffs delays the repetition of failed calls, whatever starts a reconcile until then. A delay
// ends at once when the Merchant's credentials change, since they may have caused the failure.
type holdoffs struct {
	mutex sync.Mutex
	kept  map[types.UID]holdoff
}

type holdoff struct {
	until       time.Time
	credentials string
	// object is what waits, and merchant its Merchant.
	object, merchant types.NamespacedName
}

// caller is an object that calls WeChat with certain credentials.
type caller interface {
	GetUID() types.UID
	GetNamespace() string
	GetName() string
	// credentials returns the version of the Merchant's credentials, or "" if there are none that
	// can be used.
	credentials() string
	merchantKey() types.NamespacedName
}

func newHoldoffs() *holdoffs { return &holdoffs{kept: map[types.UID]holdoff{}} }

func (p *holdoffs) until(c caller, until time.Time) {
	p.mutex.Lock()
	defer p.mutex.Unlock()
	p.kept[c.GetUID()] = holdoff{
		until: until, credentials: c.credentials(),
		object: types.NamespacedName{Namespace: c.GetNamespace(), Name: c.GetName()}, merchant: c.merchantKey(),
	}
}

// wait returns the remaining delay, or zero.
func (p *holdoffs) wait(c caller, now time.Time) time.Duration {
	p.mutex.Lock()
	defer p.mutex.Unlock()
	kept, ok := p.kept[c.GetUID()]
	if !ok || kept.credentials != c.credentials() {
		return 0
	}
	return max(kept.until.Sub(now), 0)
}

func (p *holdoffs) clear(uid types.UID) {
	p.mutex.Lock()
	defer p.mutex.Unlock()
	delete(p.kept, uid)
}

// end ends the delays of all objects of a Merchant, and returns those objects.
func (p *holdoffs) end(merchant types.NamespacedName) map[types.UID]types.NamespacedName {
	p.mutex.Lock()
	defer p.mutex.Unlock()
	ended := map[types.UID]types.NamespacedName{}
	for uid, kept := range p.kept {
		if kept.merchant == merchant {
			ended[uid] = kept.object
			delete(p.kept, uid)
		}
	}
	return ended
}
