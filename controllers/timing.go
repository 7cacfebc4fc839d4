package controllers

import (
	"time"

	"k8s.io/apimachinery/pkg/util/wait"

	"github.com/wechatpay-operator/wechatpay-operator/internal/lifecycle"
)

// Timing holds every interval that the reconcilers keep. Tests shorten them; everybody else takes DefaultTiming.
type Timing struct {
	// OrderPoll says at which ages after its prepay an open Order is asked for, in case its callback got lost.
	OrderPoll lifecycle.Schedule
	// LateCheck says at which times after it was closed an unpaid Order is asked for once more.
	LateCheck lifecycle.Schedule
	// RefundPoll says at which ages after acceptance a Refund is asked for.
	RefundPoll lifecycle.Schedule

	// MinimumLeft is what WeChat wants to be left of an Order's time when CreateOrder arrives (chapter 9_1: five minutes).
	MinimumLeft time.Duration
	// PrepayLifetime is after how long a prepay is refreshed.
	PrepayLifetime time.Duration
	// RefundSpacing is the least time between refund requests of one Order (chapter 9_4: one minute).
	RefundSpacing time.Duration
	// NotExistGrace is how long after a lost answer WeChat's "does not exist" is not believed yet.
	NotExistGrace time.Duration
	// SecondAnswer is the least time between two answers that end an Order together although neither names it.
	SecondAnswer time.Duration

	// RetryFirst and RetryMost bound the growing wait after calls that may work when simply repeated.
	RetryFirst, RetryMost time.Duration
	// RetrySlowly is the wait after calls that somebody has to set right first.
	RetrySlowly time.Duration
	// CloseRetry is the wait after WeChat refused to close an Order.
	CloseRetry time.Duration

	// HoldSettles is how long after the finalizer was added a Refund is not sent yet: a deletion that began before it ends within.
	HoldSettles time.Duration

	// SecretsCheck is how often a Merchant's Secrets are looked at again.
	SecretsCheck time.Duration
	// ProbeRejected is how often a key that WeChat rejected is tried again.
	ProbeRejected time.Duration

	// GuardCheck is how often the policy on approvals is tried while it is in force, and GuardRetry while it is not.
	GuardCheck, GuardRetry time.Duration

	// CallbackCheck is how long it is from a test callback that came in to the next one. CallbackRetryFirst and CallbackRetryMost
	// bound the growing wait after one that did not; the former is also the least time between any two for a Merchant.
	CallbackCheck, CallbackRetryFirst, CallbackRetryMost time.Duration

	// AbandonAfter is how long a deleted object waits for credentials that are gone, and AbandonAtLast for WeChat to answer.
	AbandonAfter, AbandonAtLast time.Duration
}

// DefaultTiming is the timing of production.
func DefaultTiming() Timing {
	return Timing{
		OrderPoll: lifecycle.Schedule{Repeat: true, Ages: []time.Duration{
			30 * time.Second, time.Minute, 2 * time.Minute, 4 * time.Minute, 8 * time.Minute, 15 * time.Minute,
			30 * time.Minute, time.Hour, 2 * time.Hour, 4 * time.Hour, 8 * time.Hour,
		}},
		LateCheck: lifecycle.Schedule{Ages: []time.Duration{time.Minute, 5 * time.Minute, time.Hour, 24 * time.Hour}},
		RefundPoll: lifecycle.Schedule{Repeat: true, Ages: []time.Duration{
			time.Minute, 2 * time.Minute, 3 * time.Minute, 5 * time.Minute, 10 * time.Minute, 20 * time.Minute, 40 * time.Minute,
			70 * time.Minute, 130 * time.Minute,
		}},
		MinimumLeft:    5 * time.Minute,
		PrepayLifetime: lifecycle.PrepayLifetime,
		RefundSpacing:  time.Minute,
		NotExistGrace:  time.Minute,
		SecondAnswer:   time.Minute,
		RetryFirst:     2 * time.Second,
		RetryMost:      5 * time.Minute,
		RetrySlowly:    5 * time.Minute,
		CloseRetry:     30 * time.Second,
		HoldSettles:    time.Second,
		SecretsCheck:   30 * time.Second,
		ProbeRejected:  5 * time.Minute,
		GuardCheck:     5 * time.Minute,
		GuardRetry:     30 * time.Second,
		CallbackCheck:  6 * time.Hour, CallbackRetryFirst: time.Minute, CallbackRetryMost: 30 * time.Minute,
		AbandonAfter:  10 * time.Minute,
		AbandonAtLast: 24 * time.Hour,
	}
}

// callbackCheckAfter is how long it is to the next test callback after so many in a row that did not come in. It is never shorter
// than CallbackRetryFirst, and spread, so that the Merchants of one address do not stay in step.
func (t Timing) callbackCheckAfter(failures int) time.Duration {
	if failures == 0 {
		return wait.Jitter(t.CallbackCheck, 0.1)
	}
	after := t.CallbackRetryFirst
	for ; failures > 1 && after < t.CallbackRetryMost; failures-- {
		after *= 2
	}
	return wait.Jitter(min(after, t.CallbackRetryMost), 0.1)
}
