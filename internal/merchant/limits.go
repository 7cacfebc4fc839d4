package merchant

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/sony/gobreaker/v2"
	"golang.org/x/time/rate"
	"k8s.io/utils/clock"

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
	// MaxWait is how long a call waits for its token before it is given back as NotSent.
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
		MaxWait:    cmp.Or(l.MaxWait, 2*time.Second),
		BreakAfter: cmp.Or(l.BreakAfter, 5), BreakFor: cmp.Or(l.BreakFor, 30*time.Second),
	}
}

// limiters are the state of one Merchant's Limits.
type limiters struct {
	limits   Limits
	clock    clock.PassiveClock
	buckets  map[wechatpay.Operation]*rate.Limiter
	looks    *rate.Limiter
	failing  *failureBudget
	breakers map[wechatpay.Operation]*gobreaker.CircuitBreaker[struct{}]
}

func newLimiters(limits Limits, clock clock.PassiveClock) *limiters {
	bucket := func(limit rate.Limit) *rate.Limiter { return rate.NewLimiter(limit, max(int(limit)/10, 1)) }
	l := &limiters{
		limits: limits, clock: clock,
		buckets: map[wechatpay.Operation]*rate.Limiter{
			wechatpay.OperationUnifiedOrder: bucket(limits.UnifiedOrder),
			wechatpay.OperationOrderQuery:   bucket(limits.OrderQuery),
			wechatpay.OperationCloseOrder:   bucket(limits.CloseOrder),
			wechatpay.OperationRefund:       bucket(limits.Refund),
			wechatpay.OperationRefundQuery:  bucket(limits.RefundQuery),
		},
		looks:   rate.NewLimiter(limits.Looks, max(int(limits.Looks), 1)),
		failing: &failureBudget{most: limits.FailingRefunds, clock: clock},
	}
	l.breakers = newBreakers(limits)
	return l
}

// forNewCredentials keeps the buckets, which are WeChat's view of the merchant, and closes the breakers: what failed with
// the old credentials tells nothing of the new ones.
func (l *limiters) forNewCredentials() *limiters {
	renewed := *l
	renewed.breakers = newBreakers(l.limits)
	return &renewed
}

// newBreakers makes one breaker for the calls that need only the key, and one for refunds: an expired certificate must not
// stop Orders.
func newBreakers(limits Limits) map[wechatpay.Operation]*gobreaker.CircuitBreaker[struct{}] {
	breaker := func(name string) *gobreaker.CircuitBreaker[struct{}] {
		return gobreaker.NewCircuitBreaker[struct{}](gobreaker.Settings{
			Name:         name,
			Timeout:      limits.BreakFor,
			ReadyToTrip:  func(counts gobreaker.Counts) bool { return counts.ConsecutiveFailures >= limits.BreakAfter },
			IsSuccessful: func(err error) bool { return !countsAgainst(err) },
			IsExcluded:   isDenial,
		})
	}
	orders, refunds := breaker("orders"), breaker("refunds")
	return map[wechatpay.Operation]*gobreaker.CircuitBreaker[struct{}]{
		wechatpay.OperationUnifiedOrder: orders,
		wechatpay.OperationOrderQuery:   orders,
		wechatpay.OperationCloseOrder:   orders,
		wechatpay.OperationRefundQuery:  orders,
		wechatpay.OperationRefund:       refunds,
	}
}

// countsAgainst says whether an error tells that calls as such do not work now. A signed answer never does, whatever it
// says; neither does a missing certificate, which no call of ours can change.
func countsAgainst(err error) bool {
	return err != nil && wechatpay.OutcomeOf(err) != wechatpay.Failed && wechatpay.MeaningOf(err) != wechatpay.CertificateMissing
}

// A denial is why a call was not let through by the limits of our own. It says nothing about WeChat.
type denial struct{ reason string }

func (d *denial) Error() string { return d.reason }

func isDenial(err error) bool {
	_, ours := errors.AsType[*denial](err)
	return ours
}

// errPaused is the cause of calls that the breaker does not let through.
var errPaused = &denial{"calls for this Merchant are paused for a while, since the last ones all failed"}

// do makes a call within the limits. A call that may not be made now is NotSent, and nothing happened. The breaker comes
// first, so that what it denies takes no token, and it does not count what the other limits deny: a burst is no failure.
func (l *limiters) do(ctx context.Context, operation wechatpay.Operation, call func() error) error {
	var callErr error
	_, err := l.breakers[operation].Execute(func() (struct{}, error) {
		callErr = l.within(ctx, operation, call)
		return struct{}{}, callErr
	})
	if errors.Is(err, gobreaker.ErrOpenState) || errors.Is(err, gobreaker.ErrTooManyRequests) {
		return notSent(operation, errPaused)
	}
	return callErr
}

// within makes a call when its turn has come, or gives it back when that would take longer than MaxWait: a worker that waits
// is one less for other Merchants.
func (l *limiters) within(ctx context.Context, operation wechatpay.Operation, call func() error) error {
	waiting, cancel := context.WithTimeout(ctx, l.limits.MaxWait)
	defer cancel()
	if operation != wechatpay.OperationRefund {
		if err := take(waiting, l.buckets[operation]); err != nil {
			return notSent(operation, err)
		}
		return call()
	}
	if err := l.failing.begin(waiting); err != nil {
		return notSent(operation, err)
	}
	failed := true // until the call has returned: it may panic
	defer func() { l.failing.end(failed) }()
	if err := take(waiting, l.buckets[operation]); err != nil {
		failed = false
		return notSent(operation, err)
	}
	err := call()
	failed = err != nil
	return err
}

// take takes a token, and none when that fails.
func take(ctx context.Context, bucket *rate.Limiter) error {
	if err := bucket.Wait(ctx); err != nil {
		return &denial{fmt.Sprintf("this Merchant's own limit of %.0f calls a second is used up", float64(bucket.Limit()))}
	}
	return nil
}

func notSent(operation wechatpay.Operation, cause error) *wechatpay.Error {
	return &wechatpay.Error{Operation: operation, Outcome: wechatpay.NotSent, Meaning: wechatpay.SlowDown, Err: cause}
}

// failureBudget lets at most `most` refund calls fail in any second: what failed in the last second and what is under way,
// and so may fail, never exceed it together.
type failureBudget struct {
	most  int
	clock clock.PassiveClock

	mutex    sync.Mutex
	underWay int
	failures []time.Time
	// ended is closed when a call ends; nil when nobody waits for that.
	ended chan struct{}
}

// begin takes a place for a call. While nothing fails it waits for one, so that calls that succeed go on one after the other;
// after failures it denies, since a wait would only hold up a worker.
func (b *failureBudget) begin(ctx context.Context) error {
	for {
		ended, err := b.tryBegin()
		if ended == nil {
			return err
		}
		select {
		case <-ended:
		case <-ctx.Done():
			return b.denial()
		}
	}
}

// tryBegin takes a place, or denies it, or says what to wait for.
func (b *failureBudget) tryBegin() (<-chan struct{}, error) {
	b.mutex.Lock()
	defer b.mutex.Unlock()
	b.dropOld()
	switch {
	case b.underWay+len(b.failures) < b.most:
		b.underWay++
		return nil, nil
	case len(b.failures) > 0:
		return nil, b.denial()
	case b.ended == nil:
		b.ended = make(chan struct{})
	}
	return b.ended, nil
}

func (b *failureBudget) denial() error {
	return &denial{fmt.Sprintf("more than %d failing refund requests a second would block the merchant at WeChat Pay", b.most)}
}

func (b *failureBudget) end(failed bool) {
	b.mutex.Lock()
	defer b.mutex.Unlock()
	b.underWay--
	b.dropOld()
	if failed {
		b.failures = append(b.failures, b.clock.Now())
	}
	if b.ended != nil {
		close(b.ended)
		b.ended = nil
	}
}

// dropOld forgets failures that are more than a second old. One of exactly a second still counts.
func (b *failureBudget) dropOld() {
	horizon := b.clock.Now().Add(-time.Second)
	kept := b.failures[:0]
	for _, at := range b.failures {
		if !at.Before(horizon) {
			kept = append(kept, at)
		}
	}
	b.failures = kept
}
