package account

import (
	"cmp"
	"errors"
	"time"

	"golang.org/x/time/rate"

	"github.com/wechatpay-operator/wechatpay-operator/internal/metrics"
	"github.com/wechatpay-operator/wechatpay-operator/internal/wechatpay"
)

// Limits keep an account below what WeChat allows (600 orders, 150 refunds and 300 refund queries a
// second for a merchant number; order queries and closings are limited too, but no figure is
// published).
type Limits struct {
	// CreateOrder, QueryOrder, CloseOrder, CreateRefund and QueryRefund are calls per second.
	CreateOrder, QueryOrder, CloseOrder, CreateRefund, QueryRefund rate.Limit
	// Lookups are the refund queries per second for refunds that WeChat probably does not have:
	// WeChat counts a query for an unknown refund as an invalid request, and blocks the merchant
	// number at six of them a second.
	Lookups rate.Limit
	// FailingRefunds are the refund calls that may fail in any one second. WeChat blocks the
	// merchant at 6.
	FailingRefunds int
	// MaxInFlight are the calls in flight for one kind of workers. MaxUnprovenInFlight are how many of them
	// all Merchants whose key WeChat has not accepted yet may use together, and Concurrent how many
	// one account may use.
	MaxInFlight, MaxUnprovenInFlight, Concurrent int
	// MaxWait is how long a call waits for its turn before it is returned as NotSent.
	MaxWait time.Duration
	// BreakAfter is the number of consecutive failures after which calls pause, and BreakFor the
	// length of the pause.
	BreakAfter uint32
	BreakFor   time.Duration
}

func (l Limits) orDefaults() Limits {
	return Limits{
		CreateOrder: cmp.Or(l.CreateOrder, 500), QueryOrder: cmp.Or(l.QueryOrder, 200), CloseOrder: cmp.Or(l.CloseOrder, 200),
		CreateRefund: cmp.Or(l.CreateRefund, 100), QueryRefund: cmp.Or(l.QueryRefund, 200),
		Lookups: cmp.Or(l.Lookups, 2), FailingRefunds: cmp.Or(l.FailingRefunds, 5),
		MaxInFlight: cmp.Or(l.MaxInFlight, 256), MaxUnprovenInFlight: cmp.Or(l.MaxUnprovenInFlight, 64), Concurrent: cmp.Or(l.Concurrent, 48),
		MaxWait:    cmp.Or(l.MaxWait, 2*time.Second),
		BreakAfter: cmp.Or(l.BreakAfter, 5), BreakFor: cmp.Or(l.BreakFor, 30*time.Second),
	}
}

// ForWorkers derives the limits of calls in flight from the number of workers if they are not set:
// sixteen calls per worker. An account may have as many in flight as it keeps connections.
func (l Limits) ForWorkers(workers int) Limits {
	workers = max(workers, 1)
	l.MaxInFlight = cmp.Or(l.MaxInFlight, 16*workers)
	l.MaxUnprovenInFlight = cmp.Or(l.MaxUnprovenInFlight, 4*workers)
	l.Concurrent = cmp.Or(l.Concurrent, min(3*workers, 64))
	return l
}

// throttledError is returned if the operator's own limits did not admit a call. It says nothing
// about WeChat.
type throttledError struct {
	reason string
	// limit is the label value of the metric.
	limit string
	// retryAfter is when to retry; zero leaves that to the caller.
	retryAfter time.Duration
}

func (e *throttledError) Error() string { return e.reason }

// notSent counts the denial, and returns it as the error of a call.
func (e *throttledError) notSent(operation wechatpay.Operation) error {
	metrics.CallsDenied.WithLabelValues(string(operation), e.limit).Inc()
	return &wechatpay.Error{Operation: operation, Outcome: wechatpay.NotSent, Meaning: wechatpay.SlowDown, Err: e, RetryAfter: e.retryAfter}
}

func isThrottled(err error) bool {
	_, ours := errors.AsType[*throttledError](err)
	return ours
}
