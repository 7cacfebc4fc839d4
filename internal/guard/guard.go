// Package guard finds out whether the policy is in force that keeps approvals of Refunds to those who have the right to approve.
// Nothing in an approved Refund tells who approved it, so without that policy an approval is worth nothing.
package guard

import (
	"context"
	"sync"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/utils/clock"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/wechatpay-operator/wechatpay-operator/api/v1alpha1"
	"github.com/wechatpay-operator/wechatpay-operator/internal/metrics"
)

// forgetAfter is after how many checks that were due and told nothing a policy does not count as in force any more.
const forgetAfter = 3

// State is what is known of the policy in a namespace.
type State string

const (
	// NotKnown: it could not be tried yet, or whether the policy was what refused is not sure.
	NotKnown State = "NotKnown"
	// InForce: the policy refused what it must refuse.
	InForce State = "InForce"
	// Missing: what the policy must refuse was let through.
	Missing State = "Missing"
)

// Finding is what a try told.
type Finding struct {
	State State
	// Why is what the API server said, where State is NotKnown.
	Why string
}

// Intervals are how often it is tried.
type Intervals struct {
	// Check is from one try to the next while the policy is in force, and Retry while it is not, or not known.
	Check, Retry time.Duration
}

// Guard tries the policy by dry runs of what it must refuse. It is tried in each namespace that somebody asks about, and no
// other, since a binding can leave namespaces out. What is known is kept by this process, the leader.
type Guard struct {
	writer    client.Client
	waiting   func(ctx context.Context, namespace string) []*v1alpha1.Refund
	clock     clock.PassiveClock
	intervals Intervals

	mutex     sync.Mutex
	places    map[string]*place
	listeners []func(namespace string)
}

// place is what is known of one namespace. Tries that are due are one at a time; the rest is guarded by the Guard's mutex.
type place struct {
	trying sync.Mutex

	// known is from the try that began at begun; one that told nothing since began at puzzled.
	known   Finding
	begun   time.Time
	puzzled time.Time
	asked   time.Time
}

// New returns a Guard that knows nothing yet. Its writer is the operator itself: the policy has to refuse it. Waiting returns some
// Refunds of a namespace that nobody has decided on, to try it on.
func New(writer client.Client, waiting func(ctx context.Context, namespace string) []*v1alpha1.Refund, clock clock.PassiveClock, intervals Intervals) *Guard {
	return &Guard{writer: writer, waiting: waiting, clock: clock, intervals: intervals, places: map[string]*place{}}
}

// Listen has a function called whenever the state of a namespace changes. It is called on its own.
func (g *Guard) Listen(changed func(namespace string)) {
	g.mutex.Lock()
	defer g.mutex.Unlock()
	g.listeners = append(g.listeners, changed)
}

// Look returns what is known of a namespace, and tries it first when that is nothing, or too old.
func (g *Guard) Look(ctx context.Context, namespace string) Finding {
	p := g.place(namespace)
	g.tryIfDue(ctx, namespace, p)
	g.mutex.Lock()
	defer g.mutex.Unlock()
	return p.known
}

// LookNow returns what was known of a Refund's namespace and what is so now, by a try with what that Refund has, so that it tells of
// the time after the caller has seen it. Where the policy is known to be missing it is not tried, since what the caller has seen may
// have been made while it was. What it tells of one Refund is kept of the namespace only if the policy is missing.
func (g *Guard) LookNow(ctx context.Context, refund *v1alpha1.Refund) (before, now Finding) {
	p := g.place(refund.Namespace)
	g.mutex.Lock()
	before = p.known
	g.mutex.Unlock()
	if before.State == Missing {
		return before, before
	}
	begun := g.clock.Now()
	now, _ = try(ctx, g.writer, refund.Namespace, refund)
	if now.State == Missing {
		g.keep(refund.Namespace, p, now, begun)
	}
	return before, now
}

// Start tries all namespaces that were asked about lately, until the context ends. Who reconciles runs it, and nobody else.
func (g *Guard) Start(ctx context.Context) error {
	ticker := time.NewTicker(g.intervals.Retry)
	defer ticker.Stop()
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-ticker.C:
			for namespace, p := range g.watched() {
				g.tryIfDue(ctx, namespace, p)
			}
		}
	}
}

func (g *Guard) place(namespace string) *place {
	g.mutex.Lock()
	defer g.mutex.Unlock()
	p := g.places[namespace]
	if p == nil {
		p = &place{known: Finding{State: NotKnown, Why: "it was not tried yet"}}
		g.places[namespace] = p
	}
	p.asked = g.clock.Now()
	return p
}

// watched are the namespaces that somebody asked about since two checks ago; the others are forgotten.
func (g *Guard) watched() map[string]*place {
	g.mutex.Lock()
	defer g.mutex.Unlock()
	watched := map[string]*place{}
	for namespace, p := range g.places {
		if g.clock.Since(p.asked) > 2*g.intervals.Check {
			g.forget(namespace)
			continue
		}
		watched[namespace] = p
	}
	return watched
}

func (g *Guard) forget(namespace string) {
	delete(g.places, namespace)
	metrics.RefundsGuarded.DeleteLabelValues(namespace)
}

// tryIfDue tries a namespace when what is known of it is too old. Of callers at the same time one tries.
func (g *Guard) tryIfDue(ctx context.Context, namespace string, p *place) {
	p.trying.Lock()
	defer p.trying.Unlock()
	if g.isDue(p) {
		g.try(ctx, namespace, p)
	}
}

func (g *Guard) isDue(p *place) bool {
	g.mutex.Lock()
	defer g.mutex.Unlock()
	interval := g.intervals.Retry
	if p.known.State == InForce {
		interval = g.intervals.Check
	}
	isOld := p.known.State == NotKnown || g.clock.Since(p.begun) >= interval
	return isOld && (p.puzzled.IsZero() || g.clock.Since(p.puzzled) >= g.intervals.Retry/6)
}

// try tries a namespace, by what any Refund may have and by what those have that wait, and keeps what that tells.
func (g *Guard) try(ctx context.Context, namespace string, p *place) {
	begun := g.clock.Now()
	found, err := try(ctx, g.writer, namespace, append([]*v1alpha1.Refund{ordinary}, g.waiting(ctx, namespace)...)...)
	if apierrors.IsNotFound(err) { // the namespace is gone
		g.mutex.Lock()
		defer g.mutex.Unlock()
		g.forget(namespace)
		return
	}
	g.keep(namespace, p, found, begun)
}

// keep keeps what a try told, and tells the others when that is another state. A try that told nothing leaves what is known.
func (g *Guard) keep(namespace string, p *place, found Finding, begun time.Time) {
	g.mutex.Lock()
	defer g.mutex.Unlock()
	before := p.known.State
	if found.State == InForce && before == Missing && p.begun.After(begun) {
		return // what began later tells more
	}
	if found.State == NotKnown {
		p.puzzled = begun
		if before == NotKnown || before == InForce && begun.Sub(p.begun) >= forgetAfter*g.intervals.Check {
			p.known = found
		}
	} else {
		p.known, p.begun, p.puzzled = found, begun, time.Time{}
	}
	show(namespace, p.known.State)
	if p.known.State != before {
		for _, tell := range g.listeners {
			go tell(namespace) // it asks a cache, which nobody who tries waits for
		}
	}
}

// show keeps the metric. What is not known guards nothing either.
func show(namespace string, state State) {
	guarded := 0.0
	if state == InForce {
		guarded = 1
	}
	metrics.RefundsGuarded.WithLabelValues(namespace).Set(guarded)
}
