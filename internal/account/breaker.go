package account

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
	if operation == wechatpay.OperationCreateRefund {
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

// concern is whose trouble an error is.
type concern int

const (
	// ofNobody: WeChat did as it was asked, or said something of this one call, signed or not. That is for its caller to heed.
	ofNobody concern = iota
	// ofAccount: WeChat does not answer, or can't, or wants fewer calls.
	ofAccount
	// ofCredentials: what one Merchant calls with does not do: its key, its certificate, its trust in the host.
	ofCredentials
)

// concernOf says whose trouble the error of a call is.
func concernOf(err error) concern {
	if err == nil {
		return ofNobody
	}
	switch wechatpay.MeaningOf(err) {
	case wechatpay.Repeat, wechatpay.SlowDown:
		return ofAccount
	case wechatpay.CredentialsRejected, wechatpay.CertificateRejected:
		return ofCredentials
	case wechatpay.NeedsAttention:
		if said, ok := errors.AsType[*wechatpay.Error](err); ok && said.Code == "" {
			return ofCredentials // nothing that WeChat said: a wrong signature, a host that is not trusted
		}
	}
	return ofNobody
}

// breaker pauses calls after a stream of failures of one concern, and remembers since when and why.
type breaker struct {
	concern concern
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

// newBreakers are a breaker for each of the calls. changed is told of each change; it must not wait, nor ask the breakers.
func newBreakers(concern concern, limits Limits, clock clock.PassiveClock, changed func(Calls, gobreaker.State)) map[Calls]*breaker {
	breakers := map[Calls]*breaker{}
	for _, calls := range []Calls{OrderCalls, RefundCalls} {
		breakers[calls] = newBreaker(concern, calls, limits, clock, changed)
	}
	return breakers
}

func newBreaker(concern concern, calls Calls, limits Limits, clock clock.PassiveClock, changed func(Calls, gobreaker.State)) *breaker {
	b := &breaker{concern: concern, calls: calls, limits: limits, clock: clock, changed: changed}
	b.inner = gobreaker.NewCircuitBreaker[struct{}](gobreaker.Settings{
		Name:          string(calls),
		Timeout:       limits.BreakFor,
		ReadyToTrip:   b.hasHadEnough,
		IsSuccessful:  func(err error) bool { return !b.countsAgainst(err) },
		IsExcluded:    b.tellsNothing,
		OnStateChange: b.turned,
	})
	return b
}

// countsAgainst says whether an error tells that calls as such do not work now.
func (b *breaker) countsAgainst(err error) bool {
	return !isThrottled(err) && concernOf(err) == b.concern
}

// tellsNothing says whether an error is neither a failure nor a success: the call was not made, or failed for what another
// breaker counts.
func (b *breaker) tellsNothing(err error) bool {
	return isThrottled(err) || concernOf(err) != ofNobody && concernOf(err) != b.concern
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
	if b.tellsNothing(err) {
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
	return &throttledError{
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
