package controllers

import (
	"testing"
	"time"

	clocktesting "k8s.io/utils/clock/testing"
)

func TestSpacingKeepsRequestsOfOneOrderApart(t *testing.T) {
	t.Parallel()
	const first, second = "first", "second"
	elected := time.Date(2026, 11, 21, 12, 0, 0, 0, time.UTC)
	before, after := elected.Add(-time.Hour), elected.Add(time.Second)
	type step struct {
		at      time.Duration // after the election
		order   string
		created time.Time
		// moved: the request that was taken ends at this time.
		moved bool
		wait  time.Duration
	}
	for name, steps := range map[string][]step{
		"one Order, a minute apart":       {{at: 90 * time.Second, order: first, created: before}, {at: 120 * time.Second, order: first, created: before, wait: 30 * time.Second}, {at: 150 * time.Second, order: first, created: before}},
		"whatever Refund of it":           {{at: 90 * time.Second, order: first, created: before}, {at: 100 * time.Second, order: first, created: after, wait: 50 * time.Second}},
		"Orders do not wait for another":  {{at: 90 * time.Second, order: first, created: before}, {at: 90 * time.Second, order: second, created: before}},
		"from the end of the request on":  {{at: 90 * time.Second, order: first, created: before}, {at: 110 * time.Second, order: first, moved: true}, {at: 150 * time.Second, order: first, created: before, wait: 20 * time.Second}},
		"a new leader does not know":      {{at: 10 * time.Second, order: first, created: before, wait: 50 * time.Second}, {at: 60 * time.Second, order: first, created: before}},
		"an earlier leader can't have it": {{at: 10 * time.Second, order: first, created: after}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			clock := clocktesting.NewFakePassiveClock(elected)
			p := newRefundSpacing(time.Minute, clock)
			p.begin()
			for i, s := range steps {
				clock.SetTime(elected.Add(s.at))
				p.begin() // as in every reconcile; only the first call counts
				if s.moved {
					p.callEnded(s.order)
					continue
				}
				if _, taken, wait := p.take(s.order, s.created); taken != (s.wait == 0) || wait != s.wait {
					t.Errorf("step %d: taken %t, wait %s; want a wait of %s", i, taken, wait, s.wait)
				}
			}
		})
	}
}
