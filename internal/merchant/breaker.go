package merchant

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"sync"
	"time"

	"github.com/sony/gobreaker/v2"
	"k8s.io/utils/clock"

	"github.com/wechatpay-operator/wechatpay-operator/internal/wechatpay"
)

// Calls are those of a Merchant that are paused together.
type Calls string

const (
	// OrderCalls need only the key: every call but the refund.
	OrderCalls Calls = "orders"
	// RefundCalls are the refund requests, which need the certificate too: an expired one must not stop Orders.
	RefundCalls Calls = "refunds"
)

func callsOf(operation wechatpay.Operation) Calls {
	if operation == wechatpay.OperationRefund {
		return RefundCalls
	}
	return OrderCalls
}

// Pause is since when calls are not made, and what came of the last one.
type Pause struct {
	Since   time.Time
	Trouble string
	// TriedEvery is how often one call is let through, whose success ends the pause.
	TriedEvery time.Duration
}

// breaker pauses calls after a stream of failures, and remembers since when and why.
type breaker struct {
	calls   Calls
	limits  Limits
	clock   clock.PassiveClock
	inner   *gobreaker.CircuitBreaker[struct{}]
	changed func(Calls, gobreaker.State)

	mutex sync.Mutex
	// trouble is the last failure; noCertificate says that it was for the sake of the certificate.
	trouble       string
	noCertificate bool
	// paused is kept from the first opening until calls go on; half-open trials that fail do not begin it anew.
	paused *Pause
	until  time.Time
}

func newBreaker(calls Calls, limits Limits, clock clock.PassiveClock, changed func(Calls, gobreaker.State)) *breaker {
	b := &breaker{calls: calls, limits: limits, clock: clock, changed: changed}
	b.inner = gobreaker.NewCircuitBreaker[struct{}](gobreaker.Settings{
		Name:          string(calls),
		Timeout:       limits.BreakFor,
		ReadyToTrip:   b.hasHadEnough,
		IsSuccessful:  func(err error) bool { return !b.countsAgainst(err) },
		IsExcluded:    isDenial,
		OnStateChange: b.turned,
	})
	return b
}

// countsAgainst says whether an error tells that calls as such do not work now. A signed answer does not, whatever it says,
// but that the certificate is not taken; neither does a missing certificate, which no call of ours can change.
func (b *breaker) countsAgainst(err error) bool {
	return err != nil && (wechatpay.OutcomeOf(err) != wechatpay.Failed || b.isForCertificate(err)) &&
		wechatpay.MeaningOf(err) != wechatpay.CertificateMissing
}

func (b *breaker) isForCertificate(err error) bool {
	return b.calls == RefundCalls && wechatpay.MeaningOf(err) == wechatpay.CertificateRejected
}

// hasHadEnough opens after some failures in a row, and at once when WeChat does not take the certificate: no refund can work.
func (b *breaker) hasHadEnough(counts gobreaker.Counts) bool {
	b.mutex.Lock()
	defer b.mutex.Unlock()
	return counts.ConsecutiveFailures >= b.limits.BreakAfter || b.noCertificate
}

// do makes a call, unless calls are paused.
func (b *breaker) do(call func() error) error {
	var callErr error
	_, err := b.inner.Execute(func() (struct{}, error) {
		callErr = call()
		b.note(callErr)
		return struct{}{}, callErr
	})
	if errors.Is(err, gobreaker.ErrOpenState) || errors.Is(err, gobreaker.ErrTooManyRequests) {
		return b.denial()
	}
	return callErr
}

func (b *breaker) note(err error) {
	if isDenial(err) {
		return
	}
	b.mutex.Lock()
	defer b.mutex.Unlock()
	if b.noCertificate = false; b.countsAgainst(err) {
		b.trouble, b.noCertificate = err.Error(), b.isForCertificate(err)
	}
}

// denial spreads those that come again over a while after the pause, so that none waits for long because it waited before.
func (b *breaker) denial() error {
	b.mutex.Lock()
	defer b.mutex.Unlock()
	spread := b.limits.BreakFor/10 + rand.N(b.limits.BreakFor/2+1)
	return &denial{
		limit:      "Paused",
		reason:     fmt.Sprintf("calls for this Merchant are paused for a while, since the last ones failed (%s)", b.trouble),
		retryAfter: max(b.until.Sub(b.clock.Now()), 0) + spread,
	}
}

// turned is called by gobreaker, under its lock.
func (b *breaker) turned(_ string, _, to gobreaker.State) {
	b.mutex.Lock()
	switch now := b.clock.Now(); to {
	case gobreaker.StateClosed:
		b.paused = nil
	case gobreaker.StateOpen:
		b.until = now.Add(b.limits.BreakFor)
		if b.paused == nil {
			b.paused = &Pause{Since: now, TriedEvery: b.limits.BreakFor}
		}
		b.paused.Trouble = b.trouble
	}
	b.mutex.Unlock()
	if b.changed != nil {
		b.changed(b.calls, to)
	}
}

// pause returns nil when calls are made.
func (b *breaker) pause() *Pause {
	b.mutex.Lock()
	defer b.mutex.Unlock()
	if b.paused == nil {
		return nil
	}
	copied := *b.paused
	return &copied
}
