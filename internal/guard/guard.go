// Package guard checks whether the approval policy is in force, which restricts approvals of
// Refunds to users with the verb approve. An approved Refund does not show who approved it, so
// without that policy an approval is worth nothing.
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

// maxInconclusive is the number of due checks without a result after which a policy no longer
// counts as in force.
const maxInconclusive = 3

// State is the state of the policy in a namespace.
type State string

const (
	// NotKnown: the policy could not be checked yet, or it is unclear whether it caused the
	// refusal.
	NotKnown State = "NotKnown"
	// InForce: the policy refused what it must refuse.
	InForce State = "InForce"
	// Missing: the API server accepted what the policy must refuse.
	Missing State = "Missing"
)

// Finding is the result of a check.
type Finding struct {
	State State
	// Why is the API server's error if State is NotKnown.
	Why string
}

// Intervals are the intervals between checks.
type Intervals struct {
	// Check applies while the policy is in force, Retry while it is missing or not known.
	Check, Retry time.Duration
}

// Guard checks the policy by dry runs of requests that it must refuse. It checks each namespace for
// which Look is called, and no other, because a binding can exclude namespaces. The results are
// kept in memory by the leader.
type Guard struct {
	writer    client.Client
	waiting   func(ctx context.Context, namespace string) []*v1alpha1.Refund
	clock     clock.PassiveClock
	intervals Intervals

	mutex      sync.Mutex
	namespaces map[string]*namespaceState
	listeners  []func(namespace string)
}

// namespaceState is the state of one namespace. trying serializes due checks; the Guard's mutex
// protects the other fields.
type namespaceState struct {
	trying sync.Mutex

	// finding is the result of the check that began at begun; a later check without a result began
	// at inconclusiveAt. usedAt is when Look or LookNow was last called.
	finding        Finding
	begun          time.Time
	inconclusiveAt time.Time
	usedAt         time.Time
}

// New returns a Guard without results. writer must use the operator's own identity, which the
// policy has to refuse. waiting returns some undecided Refunds of a namespace, to include in the
// checks.
func New(writer client.Client, waiting func(ctx context.Context, namespace string) []*v1alpha1.Refund, clock clock.PassiveClock, intervals Intervals) *Guard {
	return &Guard{writer: writer, waiting: waiting, clock: clock, intervals: intervals, namespaces: map[string]*namespaceState{}}
}

// Listen registers a function that is called in its own goroutine whenever the state of a namespace
// changes.
func (g *Guard) Listen(changed func(namespace string)) {
	g.mutex.Lock()
	defer g.mutex.Unlock()
	g.listeners = append(g.listeners, changed)
}

// Look returns the state of a namespace. It checks first if the state is unknown or too old.
func (g *Guard) Look(ctx context.Context, namespace string) Finding {
	p := g.stateOf(namespace)
	g.tryIfDue(ctx, namespace, p)
	g.mutex.Lock()
	defer g.mutex.Unlock()
	return p.finding
}

// LookNow returns the previous state of a Refund's namespace and the current one, from a check with
// that Refund's labels and amount, so that the result is newer than the Refund that the caller
// read. It does not check while the policy is known to be missing, because the Refund may have been
// changed during that time. The result for a single Refund is kept for the namespace only if the
// policy is missing.
func (g *Guard) LookNow(ctx context.Context, refund *v1alpha1.Refund) (before, now Finding) {
	p := g.stateOf(refund.Namespace)
	g.mutex.Lock()
	before = p.finding
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

// Start checks all recently used namespaces until the context ends. Only the leader runs it.
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

func (g *Guard) stateOf(namespace string) *namespaceState {
	g.mutex.Lock()
	defer g.mutex.Unlock()
	p := g.namespaces[namespace]
	if p == nil {
		p = &namespaceState{finding: Finding{State: NotKnown, Why: "the policy has not been checked yet"}}
		g.namespaces[namespace] = p
	}
	p.usedAt = g.clock.Now()
	return p
}

// watched returns the namespaces used within the last two check intervals, and drops the others.
func (g *Guard) watched() map[string]*namespaceState {
	g.mutex.Lock()
	defer g.mutex.Unlock()
	watched := map[string]*namespaceState{}
	for namespace, p := range g.namespaces {
		if g.clock.Since(p.usedAt) > 2*g.intervals.Check {
			g.forget(namespace)
			continue
		}
		watched[namespace] = p
	}
	return watched
}

func (g *Guard) forget(namespace string) {
	delete(g.namespaces, namespace)
	metrics.RefundsGuarded.DeleteLabelValues(namespace)
}

// tryIfDue checks a namespace if its state is too old. Concurrent callers run one check.
func (g *Guard) tryIfDue(ctx context.Context, namespace string, p *namespaceState) {
	p.trying.Lock()
	defer p.trying.Unlock()
	if g.isDue(p) {
		g.try(ctx, namespace, p)
	}
}

func (g *Guard) isDue(p *namespaceState) bool {
	g.mutex.Lock()
	defer g.mutex.Unlock()
	interval := g.intervals.Retry
	if p.finding.State == InForce {
		interval = g.intervals.Check
	}
	isOld := p.finding.State == NotKnown || g.clock.Since(p.begun) >= interval
	return isOld && (p.inconclusiveAt.IsZero() || g.clock.Since(p.inconclusiveAt) >= g.intervals.Retry/6)
}

// try checks a namespace with a plain Refund and with the waiting Refunds, and keeps the result.
func (g *Guard) try(ctx context.Context, namespace string, p *namespaceState) {
	begun := g.clock.Now()
	found, err := try(ctx, g.writer, namespace, append([]*v1alpha1.Refund{plainRefund}, g.waiting(ctx, namespace)...)...)
	if apierrors.IsNotFound(err) { // the namespace is gone
		g.mutex.Lock()
		defer g.mutex.Unlock()
		g.forget(namespace)
		return
	}
	g.keep(namespace, p, found, begun)
}

// keep stores the result of a check and notifies the listeners if the state changed. An
// inconclusive check leaves the state unchanged at first.
func (g *Guard) keep(namespace string, p *namespaceState, found Finding, begun time.Time) {
	g.mutex.Lock()
	defer g.mutex.Unlock()
	before := p.finding.State
	if found.State == InForce && before == Missing && p.begun.After(begun) {
		return // the later check takes precedence
	}
	if found.State == NotKnown {
		p.inconclusiveAt = begun
		if before == NotKnown || before == InForce && begun.Sub(p.begun) >= maxInconclusive*g.intervals.Check {
			p.finding = found
		}
	} else {
		p.finding, p.begun, p.inconclusiveAt = found, begun, time.Time{}
	}
	show(namespace, p.finding.State)
	if p.finding.State != before {
		for _, notify := range g.listeners {
			go notify(namespace) // it queries a cache, which checks must not wait for
		}
	}
}

// show sets the metric. An unknown state counts as not guarded.
func show(namespace string, state State) {
	guarded := 0.0
	if state == InForce {
		guarded = 1
	}
	metrics.RefundsGuarded.WithLabelValues(namespace).Set(guarded)
}
