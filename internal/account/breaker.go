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

// Calls is a group of a Merchant's calls that are paused together.
type Calls string

const (
	// OrderCalls are all calls except the refund request. They need only the key.
	OrderCalls Calls = "orders"
	// RefundCalls are the refund requests. They also need the certificate; an expired one must not
	// stop Orders.
	RefundCalls Calls = "refunds"
)

func callsOf(operation wechatpay.Operation) Calls {
	if operation.PaysBack() {
		return RefundCalls
	}
	return OrderCalls
}

// Pause describes since when calls are paused, and the last error.
type Pause struct {
	Since     time.Time
	LastError string
	// TriedEvery is the interval between trial calls. The first one that succeeds ends the pause.
	TriedEvery time.Duration
}

// failureScope is what an error affects.
type failureScope int

const (
	// scopeNone: the call succeeded, or the error concerns this call only, signed or not. Its
	// caller handles it.
	scopeNone failureScope = iota
	// scopeAccount: WeChat does not answer, can't answer, or wants fewer calls.
	scopeAccount
	// scopeCredentials: the key, the certificate or the trust in the host of one Merchant does not
	// work.
	scopeCredentials
)

// failureScopeOf returns what the error of a call affects.
func failureScopeOf(err error) failureScope {
	if err == nil {
		return scopeNone
	}
	switch wechatpay.MeaningOf(err) {
	case wechatpay.Repeat, wechatpay.SlowDown:
		return scopeAccount
	case wechatpay.CredentialsRejected, wechatpay.CertificateRejected, wechatpay.KeyMismatch, wechatpay.VerifiersMissing, wechatpay.NotVerified:
		return scopeCredentials
	case wechatpay.NeedsAttention:
		if failure, ok := errors.AsType[*wechatpay.Error](err); ok && failure.Code == "" {
			return scopeCredentials // not an error of WeChat: a wrong signature or an untrusted host
		}
	}
	return scopeNone
}

// breaker pauses calls after consecutive failures of one scope, and records since when and why.
type breaker struct {
	scope   failureScope
	calls   Calls
	limits  Limits
	clock   clock.PassiveClock
	inner   *gobreaker.CircuitBreaker[struct{}]
	changed func(gobreaker.State)

	mutex sync.Mutex
	state gobreaker.State
	// lastError is the last failure. certificateRejected reports whether its cause was the
	// certificate.
	lastError           string
	certificateRejected bool
	// paused is kept from the first opening until the breaker closes. Failed trials in the
	// half-open state do not restart it.
	paused *Pause
	until  time.Time
}

// newBreakers returns a breaker for each group of calls. changed is called on each state change,
// under gobreaker's lock: it must not block or make calls through the breakers.
func newBreakers(scope failureScope, limits Limits, clock clock.PassiveClock, changed func(gobreaker.State)) map[Calls]*breaker {
	breakers := map[Calls]*breaker{}
	for _, calls := range []Calls{OrderCalls, RefundCalls} {
		breakers[calls] = newBreaker(scope, calls, limits, clock, changed)
	}
	return breakers
}

func newBreaker(scope failureScope, calls Calls, limits Limits, clock clock.PassiveClock, changed func(gobreaker.State)) *breaker {
	b := &breaker{scope: scope, calls: calls, limits: limits, clock: clock, changed: changed}
	b.inner = gobreaker.NewCircuitBreaker[struct{}](gobreaker.Settings{
		Name:          string(calls),
		Timeout:       limits.BreakFor,
		ReadyToTrip:   b.shouldTrip,
		IsSuccessful:  func(err error) bool { return !b.isFailure(err) },
		IsExcluded:    b.isExcluded,
		OnStateChange: b.stateChanged,
	})
	return b
}

// isFailure reports whether an error counts as a failure of this breaker's scope.
func (b *breaker) isFailure(err error) bool {
	return !isThrottled(err) && failureScopeOf(err) == b.scope
}

// isExcluded reports whether an error is neither a failure nor a success: the call was not made, or
// another breaker counts its failure.
func (b *breaker) isExcluded(err error) bool {
	return isThrottled(err) || failureScopeOf(err) != scopeNone && failureScopeOf(err) != b.scope
}

func (b *breaker) isCertificateRejection(err error) bool {
	return b.calls == RefundCalls && wechatpay.MeaningOf(err) == wechatpay.CertificateRejected
}

// shouldTrip opens the breaker after BreakAfter consecutive failures, and at once if WeChat rejects
// the certificate, since no refund can succeed then.
func (b *breaker) shouldTrip(counts gobreaker.Counts) bool {
	b.mutex.Lock()
	defer b.mutex.Unlock()
	return counts.ConsecutiveFailures >= b.limits.BreakAfter || b.certificateRejected
}

// do makes a call, unless calls are paused.
func (b *breaker) do(call func() error) error {
	var callErr error
	_, err := b.inner.Execute(func() (struct{}, error) {
		callErr = call()
		b.record(callErr)
		return struct{}{}, callErr
	})
	if errors.Is(err, gobreaker.ErrOpenState) || errors.Is(err, gobreaker.ErrTooManyRequests) {
		return b.denial()
	}
	return callErr
}

func (b *breaker) record(err error) {
	if b.isExcluded(err) {
		return
	}
	b.mutex.Lock()
	defer b.mutex.Unlock()
	if b.certificateRejected = false; b.isFailure(err) {
		b.lastError, b.certificateRejected = err.Error(), b.isCertificateRejection(err)
	}
}

// denial spreads the retries over a while after the pause, so that they do not all come at once.
func (b *breaker) denial() error {
	b.mutex.Lock()
	defer b.mutex.Unlock()
	spread := b.limits.BreakFor/10 + rand.N(b.limits.BreakFor/2+1)
	return &throttledError{
		limit:      "Paused",
		reason:     fmt.Sprintf("calls of this Merchant are paused because the last ones failed (%s)", b.lastError),
		retryAfter: max(b.until.Sub(b.clock.Now()), 0) + spread,
	}
}

// stateChanged is called by gobreaker, under its lock.
func (b *breaker) stateChanged(_ string, _, to gobreaker.State) {
	b.mutex.Lock()
	b.state = to
	switch now := b.clock.Now(); to {
	case gobreaker.StateClosed:
		b.paused = nil
	case gobreaker.StateOpen:
		b.until = now.Add(b.limits.BreakFor)
		if b.paused == nil {
			b.paused = &Pause{Since: now, TriedEvery: b.limits.BreakFor}
		}
		b.paused.LastError = b.lastError
	}
	b.mutex.Unlock()
	b.changed(to)
}

// currentState can be called under gobreaker's lock, unlike gobreaker's own State.
func (b *breaker) currentState() gobreaker.State {
	b.mutex.Lock()
	defer b.mutex.Unlock()
	return b.state
}

// pause returns nil if calls are not paused.
func (b *breaker) pause() *Pause {
	b.mutex.Lock()
	defer b.mutex.Unlock()
	if b.paused == nil {
		return nil
	}
	copied := *b.paused
	return &copied
}
