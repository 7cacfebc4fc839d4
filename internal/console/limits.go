package console

import (
	"crypto/sha256"
	"sync"
)

// Limits bound the concurrent requests, so that one caller, or one broken page, does not use up the console or the API
// server.
type Limits struct {
	WatchesPerCaller, RequestsPerCaller int
	Watches, Requests                   int
}

// slots counts the concurrent requests. Callers are distinguished by a hash of their token.
type slots struct {
	limits Limits

	mutex sync.Mutex
	taken map[slot]int
}

type slot struct {
	watch  bool
	caller [sha256.Size]byte // zero: all callers together
}

func newSlots(l Limits) *slots {
	return &slots{limits: l, taken: map[slot]int{}}
}

// take reserves a slot until the returned function is called. It returns nil if none is free.
func (p *slots) take(token string, watch bool) (release func()) {
	own, all := slot{watch, sha256.Sum256([]byte(token))}, slot{watch: watch}
	each, most := p.limits.RequestsPerCaller, p.limits.Requests
	if watch {
		each, most = p.limits.WatchesPerCaller, p.limits.Watches
	}
	p.mutex.Lock()
	defer p.mutex.Unlock()
	if p.taken[own] >= each || p.taken[all] >= most {
		return nil
	}
	p.taken[own]++
	p.taken[all]++
	return func() {
		p.mutex.Lock()
		defer p.mutex.Unlock()
		p.taken[all]--
		if p.taken[own]--; p.taken[own] == 0 {
			delete(p.taken, own)
		}
	}
}
