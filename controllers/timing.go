package controllers

import (
	"time"

	"k8s.io/apimachinery/pkg/util/wait"

	"github.com/wechatpay-operator/wechatpay-operator/internal/bills"
	"github.com/wechatpay-operator/wechatpay-operator/internal/events"
	"github.com/wechatpay-operator/wechatpay-operator/internal/lifecycle"
)

// Timing holds all intervals of the reconcilers. Tests shorten them; production uses DefaultTiming.
type Timing struct {
	// OrderPoll holds the ages after its prepay at which an open Order is queried, in case its
	// callback got lost.
	OrderPoll lifecycle.Schedule
	// LateCheck holds the times after closing at which an unpaid Order is queried once more.
	LateCheck lifecycle.Schedule
	// RefundPoll holds the ages after acceptance at which a Refund is queried.
	RefundPoll lifecycle.Schedule

	// MinimumLeft is the time to pay that WeChat requires when CreateOrder arrives (chapter 9_1:
	// five minutes).
	MinimumLeft time.Duration
	// PrepayLifetime is the age at which a prepay is refreshed.
	PrepayLifetime time.Duration
	// RefundSpacing is the minimum time between refund requests of one Order (chapter 9_4: one
	// minute).
	RefundSpacing time.Duration
	// NotExistGrace is how long after a lost answer WeChat's "does not exist" is not trusted.
	NotExistGrace time.Duration
	// SecondAnswer is the minimum time between two answers that together end an Order although
	// neither names it.
	SecondAnswer time.Duration

	// RetryFirst and RetryMost limit the backoff after calls whose repetition may succeed.
	RetryFirst, RetryMost time.Duration
	// RetrySlowly is the wait after calls for which a person has to correct something first.
	RetrySlowly time.Duration
	// RetryRight is the wait after a refund request for which the sub merchant has not granted the
	// right: somebody else's decision, and each failing request counts against the service provider.
	RetryRight time.Duration
	// CloseRetry is the wait after WeChat refused to close an Order.
	CloseRetry time.Duration

	// DeletionSettles is how long after adding the finalizer a Refund is not sent: a deletion that
	// began before ends within it.
	DeletionSettles time.Duration

	// SecretsCheck is the interval at which a Merchant's Secrets are read.
	SecretsCheck time.Duration
	// ProbeRejected is the interval at which a rejected key is probed.
	ProbeRejected time.Duration

	// GuardCheck is the interval at which the policy on approvals is checked while it is in force,
	// and GuardRetry while it is not.
	GuardCheck, GuardRetry time.Duration

	// CallbackCheck is the interval after a test callback that arrived. CallbackRetryFirst and
	// CallbackRetryMost limit the backoff after one that did not; the former is also the minimum
	// between any two for a Merchant.
	CallbackCheck, CallbackRetryFirst, CallbackRetryMost time.Duration

	// AbandonAfter is how long a deleted object waits for missing credentials, and AbandonAtLast
	// for WeChat to answer.
	AbandonAfter, AbandonAtLast time.Duration

	// MiniProgramCheck is the interval at which a MiniProgram that is Ready is checked again.
	MiniProgramCheck time.Duration
	// ShippingUnknown is for how long after a payment it is usual that order shipping management does
	// not know it; from then on it is asked rarely.
	ShippingUnknown time.Duration
	// ShipmentsKeepOrder is how long after its TTL an Order waits for Shipments of it that are not
	// uploaded.
	ShipmentsKeepOrder time.Duration

	// Bills holds the intervals of Statements.
	Bills BillTiming

	// Events holds the intervals of deliveries to EventSinks.
	Events events.Timing
}

// DefaultTiming returns the timing of production.
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
		MinimumLeft:     5 * time.Minute,
		PrepayLifetime:  lifecycle.PrepayLifetime,
		RefundSpacing:   time.Minute,
		NotExistGrace:   time.Minute,
		SecondAnswer:    time.Minute,
		RetryFirst:      2 * time.Second,
		RetryMost:       5 * time.Minute,
		RetrySlowly:     5 * time.Minute,
		RetryRight:      time.Hour,
		CloseRetry:      30 * time.Second,
		DeletionSettles: time.Second,
		SecretsCheck:    30 * time.Second,
		ProbeRejected:   5 * time.Minute,
		GuardCheck:      5 * time.Minute,
		GuardRetry:      30 * time.Second,
		CallbackCheck:   6 * time.Hour, CallbackRetryFirst: time.Minute, CallbackRetryMost: 30 * time.Minute,
		MiniProgramCheck: time.Hour, ShippingUnknown: 10 * time.Minute, ShipmentsKeepOrder: 24 * time.Hour,
		AbandonAfter:  10 * time.Minute,
		AbandonAtLast: 24 * time.Hour,
		Bills: BillTiming{
			Policy: bills.WeChatPolicy, Spread: 10 * time.Minute, RetryFirst: time.Minute, RetryMost: time.Hour, RetrySlowly: 6 * time.Hour,
			RepairFirst: time.Minute, RepairMost: 30 * time.Minute, Again: 24 * time.Hour, AgainFor: 7 * 24 * time.Hour, Look: time.Hour, Busy: 5 * time.Second,
		},
		Events: events.DefaultTiming(),
	}
}

// BillTiming holds the intervals of Statements.
type BillTiming struct {
	// Policy determines when WeChat has a bill.
	Policy bills.Policy
	// Spread is how long after a bill is available it is downloaded at the latest, so that not all merchants download
	// in the same second.
	Spread time.Duration
	// RetryFirst and RetryMost limit the backoff after a download that failed, and RetrySlowly is the wait where a person has to
	// correct something at WeChat.
	RetryFirst, RetryMost, RetrySlowly time.Duration
	// RepairFirst and RepairMost limit the backoff after the query of missed objects, until the bill is compared
	// again.
	RepairFirst, RepairMost time.Duration
	// Again is how often a Statement that differs is compared again, and AgainFor for how long after its bill was
	// available.
	Again, AgainFor time.Duration
	// Look is how often a Statement that waits checks the time, because timers stop while a machine sleeps.
	Look time.Duration
	// Busy is the wait while other Statements of the namespace are compared.
	Busy time.Duration
}

// callbackCheckAfter returns the time until the next test callback after a number of failures in a
// row. It is at least CallbackRetryFirst, with jitter, so that the Merchants of one address are not
// checked in step.
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
