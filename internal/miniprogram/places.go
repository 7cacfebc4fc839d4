package miniprogram

import (
	"context"
	"slices"
	"sync"
	"time"
)

// places limits the calls under way of the MiniPrograms of each namespace, so that hosts which do not
// answer keep nobody else waiting. The namespaces that use a MiniProgram share its places: one may
// take a place while it holds fewer than are free, so that one alone holds half of them, and the
// next one finds a place at once, however many Shipments the first has.
type places struct {
	mutex   sync.Mutex
	lenders map[string]*lender
	// patience is how long a call waits for a place.
	patience time.Duration
}

// perLender is how many calls of a namespace's MiniPrograms may be under way.
const perLender = 8

// placePatience is short: a worker waits meanwhile. A call that finds no place is tried again.
const placePatience = time.Second

// lender is a namespace whose MiniPrograms are called.
type lender struct {
	free int
	// held are the places by the namespace that the calls are for.
	held map[string]int
	// waiting is one call of each namespace that found no place, in the order of their coming.
	waiting []*placeWaiter
}

type placeWaiter struct {
	namespace string
	entered   chan struct{}
}

func newPlaces() *places { return &places{lenders: map[string]*lender{}, patience: placePatience} }

func (l *lender) hasPlace(namespace string) bool { return l.held[namespace] < l.free }

func (l *lender) take(namespace string) {
	l.free--
	l.held[namespace]++
}

// enter takes a place of a namespace's MiniPrograms for a call that another namespace, or the same
// one, needs. It waits for a moment if there is none. Only one call of each namespace waits; for the
// others, and after that moment, it returns false. leave gives the place back.
func (p *places) enter(ctx context.Context, of, namespace string) (leave func(), entered bool) {
	p.mutex.Lock()
	l := p.lenders[of]
	if l == nil {
		l = &lender{free: perLender, held: map[string]int{}}
		p.lenders[of] = l
	}
	leave = func() { p.leave(of, namespace) }
	waits := slices.ContainsFunc(l.waiting, func(w *placeWaiter) bool { return w.namespace == namespace })
	switch {
	case !waits && l.hasPlace(namespace):
		l.take(namespace)
		p.mutex.Unlock()
		return leave, true
	case waits:
		p.mutex.Unlock()
		return nil, false
	}
	w := &placeWaiter{namespace: namespace, entered: make(chan struct{})}
	l.waiting = append(l.waiting, w)
	p.mutex.Unlock()
	ctx, cancel := context.WithTimeout(ctx, p.patience)
	defer cancel()
	select {
	case <-w.entered:
		return leave, true
	case <-ctx.Done():
		return leave, p.gaveUp(l, w)
	}
}

// gaveUp ends a wait, and reports whether a place was given at the same moment.
func (p *places) gaveUp(l *lender, w *placeWaiter) (entered bool) {
	p.mutex.Lock()
	defer p.mutex.Unlock()
	at := slices.Index(l.waiting, w)
	if at < 0 {
		return true
	}
	l.waiting = slices.Delete(l.waiting, at, at+1)
	return false
}

// leave gives a place back, and free ones to those that wait.
func (p *places) leave(of, namespace string) {
	p.mutex.Lock()
	defer p.mutex.Unlock()
	l := p.lenders[of]
	l.free++
	if l.held[namespace]--; l.held[namespace] == 0 {
		delete(l.held, namespace)
	}
	l.waiting = slices.DeleteFunc(l.waiting, func(w *placeWaiter) bool {
		if !l.hasPlace(w.namespace) {
			return false
		}
		l.take(w.namespace)
		close(w.entered)
		return true
	})
	if l.free == perLender {
		delete(p.lenders, of)
	}
}
