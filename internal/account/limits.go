package account

import (
	"cmp"
	"errors"
	"time"

	"golang.org/x/time/rate"
)

// Limits keep an account below what WeChat allows (600 orders, 150 refunds and 300 refund queries
// a second for a merchant number; order queries and closings are limited too, but no figure is published).
type Limits struct {
	// UnifiedOrder, OrderQuery, CloseOrder, Refund and RefundQuery are calls a second.
	CreateOrder, QueryOrder, CloseOrder, CreateRefund, QueryRefund rate.Limit
	// Lookups are the refundqueries a second for refunds that WeChat probably does not have: an answer that it does not
	// counts as an invalid request there, and six of them a second block the merchant.
	Lookups rate.Limit
	// FailingRefunds are the refund calls that may fail in any one second. WeChat blocks the merchant at 6.
	FailingRefunds int
	// Places are the calls that may be under way at once for one kind of workers. UnprovenPlaces are how many of them there are
	// for all Merchants together whose key WeChat has not taken yet, and Concurrent how many an account may have.
	Places, UnprovenPlaces, Concurrent int
	// MaxWait is how long a call waits for its turn before it is given back as NotSent.
	MaxWait time.Duration
	// BreakAfter is after how many failures in a row calls pause, and BreakFor how long.
	BreakAfter uint32
	BreakFor   time.Duration
}

func (l Limits) orDefaults() Limits {
	return Limits{
		CreateOrder: cmp.Or(l.CreateOrder, 500), QueryOrder: cmp.Or(l.QueryOrder, 200), CloseOrder: cmp.Or(l.CloseOrder, 200),
		CreateRefund: cmp.Or(l.CreateRefund, 100), QueryRefund: cmp.Or(l.QueryRefund, 200),
		Lookups: cmp.Or(l.Lookups, 2), FailingRefunds: cmp.Or(l.FailingRefunds, 5),
		Places: cmp.Or(l.Places, 256), UnprovenPlaces: cmp.Or(l.UnprovenPlaces, 64), Concurrent: cmp.Or(l.Concurrent, 48),
		MaxWait:    cmp.Or(l.MaxWait, 2*time.Second),
		BreakAfter: cmp.Or(l.BreakAfter, 5), BreakFor: cmp.Or(l.BreakFor, 30*time.Second),
	}
}

// ForWorkers sizes the places by the number of workers, where they are not set: for each worker that works sixteen calls may wait
// for an answer. An account may have as many under way as it keeps connections.
func (l Limits) ForWorkers(workers int) Limits {
	workers = max(workers, 1)
	l.Places = cmp.Or(l.Places, 16*workers)
	l.UnprovenPlaces = cmp.Or(l.UnprovenPlaces, 4*workers)
	l.Concurrent = cmp.Or(l.Concurrent, min(3*workers, 64))
	return l
}

// A throttledError is why a call was not let through by the limits of our own. It says nothing about WeChat.
type throttledError struct {
	reason string
	// limit is which one, as the metric has it.
	limit string
	// retryAfter is when to come again; zero leaves that to the caller.
	retryAfter time.Duration
}

func (d *throttledError) Error() string { return d.reason }

func isThrottled(err error) bool {
	_, ours := errors.AsType[*throttledError](err)
	return ours
}
