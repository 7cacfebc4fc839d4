package merchant

import (
	"cmp"
	"context"
	"errors"
	"time"

	"github.com/sony/gobreaker/v2"
	"golang.org/x/time/rate"
	"k8s.io/utils/clock"

	"github.com/wechatpay-operator/wechatpay-operator/internal/metrics"
	"github.com/wechatpay-operator/wechatpay-operator/internal/wechatpay"
)

// Limits keep a Merchant below what WeChat allows (v2 rates: unifiedorder 600/s, refund 150/s, refundquery 300/s per
// merchant number; orderquery and closeorder are limited too, but no figure is published).
type Limits struct {
	// UnifiedOrder, OrderQuery, CloseOrder, Refund and RefundQuery are calls a second.
	UnifiedOrder, OrderQuery, CloseOrder, Refund, RefundQuery rate.Limit
	// Looks are the refundqueries a second for refunds that WeChat probably does not have: an answer that it does not
	// counts as an invalid request there, and six of them a second block the merchant.
	Looks rate.Limit
	// FailingRefunds are the refund calls that may fail in any one second. WeChat blocks the merchant at 6.
	FailingRefunds int
	// Concurrent are the calls of a Merchant that may be under way at once for Orders, and as many for Refunds. It is less than
	// the workers there are, so that one whose WeChat hangs leaves some to others.
	Concurrent int
	// MaxWait is how long a call waits for its turn before it is given back as NotSent.
	MaxWait time.Duration
	// BreakAfter is after how many failures in a row calls pause, and BreakFor how long.
	BreakAfter uint32
	BreakFor   time.Duration
}

func (l Limits) orDefaults() Limits {
	return Limits{
		UnifiedOrder: cmp.Or(l.UnifiedOrder, 500), OrderQuery: cmp.Or(l.OrderQuery, 200), CloseOrder: cmp.Or(l.CloseOrder, 200),
		Refund: cmp.Or(l.Refund, 100), RefundQuery: cmp.Or(l.RefundQuery, 200),
		Looks: cmp.Or(l.Looks, 2), FailingRefunds: cmp.Or(l.FailingRefunds, 5),
		Concurrent: cmp.Or(l.Concurrent, 12),
		MaxWait:    cmp.Or(l.MaxWait, 2*time.Second),
		BreakAfter: cmp.Or(l.BreakAfter, 5), BreakFor: cmp.Or(l.BreakFor, 30*time.Second),
	}
}

// limiters are the state of one Merchant's Limits. Lines, looks and failing are WeChat's view of a merchant number, which
// Merchants share; breakers and places are each Merchant's own.
type limiters struct {
	limits   Limits
	clock    clock.PassiveClock
	lines    map[wechatpay.Operation]*line
	looks    *line
	failing  *failureBudget
	breakers map[Calls]*breaker
	places   map[Calls]*bulkhead
}

func newLimiters(limits Limits, clock clock.PassiveClock) *limiters {
	burst := func(limit rate.Limit) int { return max(int(limit)/10, 1) }
	shared := &limiters{
		limits: limits, clock: clock,
		lines: map[wechatpay.Operation]*line{
			wechatpay.OperationUnifiedOrder: newLine(limits.UnifiedOrder, burst(limits.UnifiedOrder)),
			wechatpay.OperationOrderQuery:   newLine(limits.OrderQuery, burst(limits.OrderQuery)),
			wechatpay.OperationCloseOrder:   newLine(limits.CloseOrder, burst(limits.CloseOrder)),
			wechatpay.OperationRefund:       newLine(limits.Refund, burst(limits.Refund)),
			wechatpay.OperationRefundQuery:  newLine(limits.RefundQuery, burst(limits.RefundQuery)),
		},
		looks:   newLine(limits.Looks, max(int(limits.Looks), 1)),
		failing: &failureBudget{most: limits.FailingRefunds, clock: clock},
	}
	return shared.forNewCredentials(nil)
}

// forNewCredentials keeps what is WeChat's view of the merchant, and closes the breakers: what failed with the old credentials
// tells nothing of the new ones. changed is told of each change of a breaker; it must not wait, nor ask the limiters.
func (l *limiters) forNewCredentials(changed func(Calls, gobreaker.State)) *limiters {
	renewed := *l
	renewed.breakers, renewed.places = map[Calls]*breaker{}, map[Calls]*bulkhead{}
	for _, calls := range []Calls{OrderCalls, RefundCalls} {
		renewed.breakers[calls] = newBreaker(calls, l.limits, l.clock, changed)
		renewed.places[calls] = newBulkhead(l.limits.Concurrent) // apart, as the workers of Orders and of Refunds are
	}
	return &renewed
}

// workersOf says which workers make a call.
func workersOf(operation wechatpay.Operation) Calls {
	if operation == wechatpay.OperationRefundQuery {
		return RefundCalls
	}
	return callsOf(operation)
}

// A denial is why a call was not let through by the limits of our own. It says nothing about WeChat.
type denial struct {
	reason string
	// limit is which one, as the metric has it.
	limit string
	// retryAfter is when to come again; zero leaves that to the caller.
	retryAfter time.Duration
}

func (d *denial) Error() string { return d.reason }

func isDenial(err error) bool {
	_, ours := errors.AsType[*denial](err)
	return ours
}

// do makes a call within the limits. A call that may not be made now is NotSent, and nothing happened. The breaker comes
// first, so that what it denies takes no token, and it does not count what the other limits deny: a burst is no failure.
// Calls for the same number are one in the line, however often they come back.
func (l *limiters) do(ctx context.Context, operation wechatpay.Operation, number string, call func() error) error {
	err := l.breakers[callsOf(operation)].do(func() error { return l.within(ctx, operation, number, call) })
	if denied, ours := errors.AsType[*denial](err); ours {
		metrics.CallsDenied.WithLabelValues(string(operation), denied.limit).Inc()
		return &wechatpay.Error{Operation: operation, Outcome: wechatpay.NotSent, Meaning: wechatpay.SlowDown, Err: denied, RetryAfter: denied.retryAfter}
	}
	return err
}

// within makes a call when its turn has come, or gives it back when that would take longer than MaxWait: a worker that waits
// is one less for other Merchants.
func (l *limiters) within(ctx context.Context, operation wechatpay.Operation, number string, call func() error) error {
	waiting, cancel := context.WithTimeout(ctx, l.limits.MaxWait)
	defer cancel()
	queue, places := l.lines[operation], l.places[workersOf(operation)]
	if err := queue.join(number, time.Now(), l.limits.MaxWait); err != nil {
		return err
	}
	if err := places.enter(waiting); err != nil {
		return err
	}
	defer places.leave()
	if operation != wechatpay.OperationRefund {
		if err := queue.take(waiting, number); err != nil {
			return err
		}
		return call()
	}
	if err := l.failing.begin(waiting); err != nil {
		return err
	}
	failed := true // until the call has returned: it may panic
	defer func() { l.failing.end(failed) }()
	if err := queue.take(waiting, number); err != nil {
		failed = false
		return err
	}
	err := call()
	failed = err != nil
	return err
}
