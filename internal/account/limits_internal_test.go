package account

import (
	"context"
	"errors"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/prometheus/client_golang/prometheus/testutil"
	"golang.org/x/time/rate"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/utils/clock"

	"github.com/wechatpay-operator/wechatpay-operator/internal/metrics"
	"github.com/wechatpay-operator/wechatpay-operator/internal/wechatpay"
)

// weChat is a Caller with a configurable answer. It counts calls.
type weChat struct {
	wechatpay.Caller
	answer func() error
	calls  int
}

func (w *weChat) call() error { w.calls++; return w.answer() }

func (w *weChat) CreateOrder(context.Context, wechatpay.OrderRequest) (wechatpay.Prepay, error) {
	return wechatpay.Prepay{ID: "prepay"}, w.call()
}

func (w *weChat) QueryOrder(context.Context, wechatpay.OrderRef) (wechatpay.Trade, error) {
	return wechatpay.Trade{State: wechatpay.TradeStateNotPay}, w.call()
}

func (w *weChat) CloseOrder(context.Context, wechatpay.OrderRef) error { return w.call() }

func (w *weChat) CreateRefund(context.Context, wechatpay.RefundRequest) (wechatpay.RefundAcceptance, error) {
	return wechatpay.RefundAcceptance{RefundID: "5"}, w.call()
}

func (w *weChat) QueryRefund(context.Context, wechatpay.RefundRef) (wechatpay.RefundFact, error) {
	return wechatpay.RefundFact{Amount: 1}, w.call()
}

func (w *weChat) QueryRefunds(context.Context, wechatpay.OrderRef) ([]wechatpay.RefundFact, error) {
	return []wechatpay.RefundFact{{}}, w.call()
}

func says(outcome wechatpay.Outcome, meaning wechatpay.Meaning) func() error {
	return func() error { return &wechatpay.Error{Outcome: outcome, Meaning: meaning} }
}

// errorWithCode returns an error with WeChat's code.
func errorWithCode(outcome wechatpay.Outcome, meaning wechatpay.Meaning, code string) func() error {
	return func() error { return &wechatpay.Error{Outcome: outcome, Meaning: meaning, Code: code} }
}

func succeeds() error { return nil }

// limited returns a Caller with limits, for use in a synctest bubble. Its key was proven so long
// ago that no budget is used.
func limited(limits Limits, answer func() error) (*limitedCaller, *weChat) {
	w := &weChat{answer: answer}
	return provenCaller(NewRegistry(nil, Options{Limits: limits}), w), w
}

// shopKey is the Merchant with the proven key.
var shopKey = types.NamespacedName{Namespace: "shop", Name: "shop"}

var shopAccount = ID{MchID: "1900000109", Hosts: "api.example.com:443"}

// unprovenCaller returns the Caller of a new Merchant.
func unprovenCaller(registry *Registry, merchant types.NamespacedName, gateway wechatpay.Caller) *limitedCaller {
	return &limitedCaller{
		Caller: gateway, member: registry.newMembership(merchant, shopAccount.Hosts, shopAccount), health: &credentialHealth{}, clock: clock.RealClock{},
	}
}

// provenCaller returns the Caller of a Merchant whose key is proven.
func provenCaller(registry *Registry, gateway wechatpay.Caller) *limitedCaller {
	c := unprovenCaller(registry, shopKey, gateway)
	c.member.prove()
	account := accountOf(c)
	account.failureBudget.exhaustUntil(time.Time{})
	account.lookups = newFairLimiter(account.limits.Lookups, max(int(account.limits.Lookups), 1))
	return c
}

func accountOf(c *limitedCaller) *quota { return c.member.assignment.Load().quota }

func refund(c *limitedCaller) error {
	_, err := c.CreateRefund(context.Background(), wechatpay.RefundRequest{})
	return err
}

func query(c *limitedCaller) error {
	_, err := c.QueryOrder(context.Background(), wechatpay.OrderRef{})
	return err
}

// operations returns a function for each operation.
func operations(c *limitedCaller) map[wechatpay.Operation]func() error {
	ctx := context.Background()
	return map[wechatpay.Operation]func() error{
		wechatpay.OperationCreateOrder:  func() error { _, err := c.CreateOrder(ctx, wechatpay.OrderRequest{}); return err },
		wechatpay.OperationQueryOrder:   func() error { return query(c) },
		wechatpay.OperationCloseOrder:   func() error { return c.CloseOrder(ctx, wechatpay.OrderRef{}) },
		wechatpay.OperationCreateRefund: func() error { return refund(c) },
		wechatpay.OperationQueryRefund:  func() error { _, err := c.QueryRefund(ctx, wechatpay.RefundRef{}); return err },
	}
}

func wantDenied(t *testing.T, err error, says string) {
	t.Helper()
	if wechatpay.OutcomeOf(err) != wechatpay.NotSent || wechatpay.MeaningOf(err) != wechatpay.SlowDown || !strings.Contains(err.Error(), says) {
		t.Errorf("got %v, want a denial that says %q", err, says)
	}
}

func TestRateLimitWaitsOrDenies(t *testing.T) {
	t.Parallel()
	for operation := range operations(nil) {
		synctest.Test(t, func(t *testing.T) {
			// Ten calls a second, a burst of one, and at most 250 ms of waiting.
			limits := Limits{CreateOrder: 10, QueryOrder: 10, CloseOrder: 10, CreateRefund: 10, QueryRefund: 10, MaxWait: 250 * time.Millisecond}
			c, w := limited(limits, succeeds)
			call := operations(c)[operation]
			started := time.Now()
			for i := range 20 {
				if err := call(); err != nil {
					t.Fatalf("%s: call %d: %v", operation, i, err)
				}
			}
			if took := time.Since(started); took != 1900*time.Millisecond {
				t.Errorf("%s: 20 calls took %s", operation, took)
			}
			// Of a burst, two calls wait for their turn, and the others get a denial with the time
			// of theirs.
			time.Sleep(time.Second)
			queue := accountOf(c).limiters[operation]
			for _, other := range []string{"one", "two", "three"} {
				queue.turnOf(shopKey.Namespace, other, time.Now())
			}
			started, w.calls = time.Now(), 0
			err := call()
			wantDenied(t, err, "limit of 10 calls a second")
			if time.Since(started) != 0 || w.calls != 0 {
				t.Errorf("%s: it waited %s, and %d calls were made", operation, time.Since(started), w.calls)
			}
			if wait := wechatpay.RetryAfter(err); wait != 300*time.Millisecond {
				t.Errorf("%s: it is to come again after %s", operation, wait)
			}
			if tokens := queue.bucket.Tokens(); tokens != 1 {
				t.Errorf("%s: a denial took tokens: %f", operation, tokens)
			}
		})
	}
}

func TestWaitEndsWithContext(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		c, w := limited(Limits{QueryOrder: 1}, succeeds)
		must(t, query(c))
		ctx, cancel := context.WithCancel(t.Context())
		time.AfterFunc(100*time.Millisecond, cancel)
		started := time.Now()
		_, err := c.QueryOrder(ctx, wechatpay.OrderRef{})
		wantDenied(t, err, "")
		if time.Since(started) != 100*time.Millisecond || w.calls != 1 {
			t.Errorf("after %s, %d calls", time.Since(started), w.calls)
		}
	})
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// breakerOnlyLimits are so high that only the breaker has an effect.
var breakerOnlyLimits = Limits{
	CreateOrder: rate.Inf, QueryOrder: rate.Inf, CloseOrder: rate.Inf, CreateRefund: rate.Inf, QueryRefund: rate.Inf, FailingRefunds: 1000, BreakAfter: 5, BreakFor: 30 * time.Second,
}

func TestBreakerCounts(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		answer func() error
		opens  bool
	}{
		"transport":               {says(wechatpay.NotSent, wechatpay.Repeat), true},
		"the key is refused":      {says(wechatpay.Refused, wechatpay.CredentialsRejected), true},
		"lost answers":            {says(wechatpay.Unknown, wechatpay.Repeat), true},
		"another error":           {func() error { return errors.New("?") }, true},
		"wrong signatures":        {says(wechatpay.Unknown, wechatpay.NeedsAttention), true},
		"a host that is not his":  {says(wechatpay.NotSent, wechatpay.NeedsAttention), true},
		"too many, unsigned":      {says(wechatpay.Refused, wechatpay.SlowDown), true},
		"too many, by the status": {says(wechatpay.Unknown, wechatpay.SlowDown), true},
		"too many, signed":        {says(wechatpay.Failed, wechatpay.SlowDown), true},
		"signed, about the key":   {says(wechatpay.Failed, wechatpay.CredentialsRejected), true},
		"no parameters, unsigned": {errorWithCode(wechatpay.Refused, wechatpay.Rejected, "FAIL"), false},
		"no right, unsigned":      {errorWithCode(wechatpay.Refused, wechatpay.NeedsAttention, "FAIL"), false},
		"no refunds, unsigned":    {errorWithCode(wechatpay.Refused, wechatpay.NoRight, "FAIL"), false},
		"no refunds, signed":      {errorWithCode(wechatpay.Failed, wechatpay.NoRight, "NO_AUTH"), false},
		"another sub merchant's":  {says(wechatpay.Unknown, wechatpay.NumberUsed), false},
		"a number, unsigned":      {errorWithCode(wechatpay.Refused, wechatpay.NumberUsed, "FAIL"), false},
		"a code nobody knows":     {errorWithCode(wechatpay.Unknown, wechatpay.NeedsAttention, "NEW_CODE"), false},
		"signed refusals":         {errorWithCode(wechatpay.Failed, wechatpay.Rejected, "PARAM_ERROR"), false},
		"signed, without balance": {errorWithCode(wechatpay.Failed, wechatpay.InsufficientBalance, "NOTENOUGH"), false},
		"what we do not send":     {says(wechatpay.NotSent, wechatpay.Rejected), false},
		"no certificate to use":   {says(wechatpay.NotSent, wechatpay.CertificateMissing), false},
		"successes":               {succeeds, false},
	} {
		for operation := range operations(nil) {
			synctest.Test(t, func(t *testing.T) {
				c, w := limited(breakerOnlyLimits, test.answer)
				for range 4 {
					_ = operations(c)[operation]()
				}
				w.answer = succeeds
				must(t, operations(c)[operation]()) // a success between them: they are not in a row
				w.answer = test.answer
				for range 5 {
					if err := operations(c)[operation](); isThrottled(err) {
						t.Fatalf("%s, %s: it opened too early: %v", name, operation, err)
					}
				}
				w.calls = 0
				err := operations(c)[operation]()
				if opened := w.calls == 0; opened != test.opens {
					t.Fatalf("%s, %s: open %t: %v", name, operation, opened, err)
				}
				if test.opens {
					wantDenied(t, err, "paused")
				}
			})
		}
	}
}

func TestRefundsHaveTheirOwnBreaker(t *testing.T) {
	t.Parallel()
	refused := says(wechatpay.Refused, wechatpay.CertificateRejected)
	synctest.Test(t, func(t *testing.T) {
		c, w := limited(breakerOnlyLimits, refused)
		for range 6 {
			_ = refund(c)
		}
		wantDenied(t, refund(c), "paused")
		w.answer = succeeds
		for operation, call := range operations(c) {
			if err := call(); (err == nil) != (operation != wechatpay.OperationCreateRefund) {
				t.Errorf("%s while refunds are paused: %v", operation, err)
			}
		}
	})
	synctest.Test(t, func(t *testing.T) {
		c, w := limited(breakerOnlyLimits, refused)
		for range 6 {
			_ = query(c)
		}
		w.answer = succeeds
		for operation, call := range operations(c) {
			if err := call(); (err == nil) != (operation == wechatpay.OperationCreateRefund) {
				t.Errorf("%s while the others are paused: %v", operation, err)
			}
		}
	})
}

func TestBreakerRecovers(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		c, w := limited(breakerOnlyLimits, says(wechatpay.Unknown, wechatpay.Repeat))
		for range 5 {
			_ = query(c)
		}
		time.Sleep(30 * time.Second)
		wantDenied(t, query(c), "paused")
		time.Sleep(time.Millisecond)
		if err := query(c); wechatpay.OutcomeOf(err) != wechatpay.Unknown {
			t.Errorf("one call tries after the pause: %v", err)
		}
		wantDenied(t, query(c), "paused") // the trial failed, so the pause starts again
		time.Sleep(30*time.Second + 1)
		w.answer = succeeds
		for range 10 {
			must(t, query(c))
		}
	})
}

// TestDenialsAreNotFailures: a burst must not pause the Merchant, and a pause must not use up
// tokens.
func TestDenialsAreNotFailures(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		limits := breakerOnlyLimits
		limits.QueryOrder, limits.MaxWait = 1, time.Millisecond
		c, w := limited(limits, succeeds)
		must(t, query(c))
		for range 20 {
			wantDenied(t, query(c), "limit of 1 calls a second")
		}
		time.Sleep(time.Second)
		must(t, query(c)) // not paused, and no token used
		if w.calls != 2 {
			t.Errorf("%d calls", w.calls)
		}
	})
	synctest.Test(t, func(t *testing.T) {
		limits := breakerOnlyLimits
		limits.QueryOrder = 100
		c, _ := limited(limits, says(wechatpay.Unknown, wechatpay.Repeat))
		for range 5 {
			_ = query(c)
		}
		tokens := accountOf(c).limiters[wechatpay.OperationQueryOrder].bucket.Tokens()
		for range 20 {
			wantDenied(t, query(c), "paused")
		}
		if left := accountOf(c).limiters[wechatpay.OperationQueryOrder].bucket.Tokens(); left != tokens {
			t.Errorf("a paused Merchant used %f tokens", tokens-left)
		}
	})
	synctest.Test(t, func(t *testing.T) { // in the half-open state too
		limits := breakerOnlyLimits
		limits.QueryOrder, limits.MaxWait = 1, time.Millisecond
		c, w := limited(limits, says(wechatpay.Unknown, wechatpay.Repeat))
		for range 5 {
			_ = query(c)
			time.Sleep(time.Second)
		}
		time.Sleep(31 * time.Second)
		w.answer = succeeds
		accountOf(c).limiters[wechatpay.OperationQueryOrder].bucket.Allow()
		wantDenied(t, query(c), "limit of 1 calls a second")
		time.Sleep(time.Second)
		must(t, query(c))
	})
}

func TestCallsAreCountedByOutcome(t *testing.T) {
	counted := func(outcome string) float64 {
		return testutil.ToFloat64(metrics.Requests.WithLabelValues(string(wechatpay.OperationQueryOrder), outcome))
	}
	for outcome, answer := range map[string]func() error{
		"Succeeded": succeeds,
		"NotSent":   says(wechatpay.NotSent, wechatpay.Repeat),
		"Failed":    says(wechatpay.Failed, wechatpay.OrderNotExist),
		"Refused":   says(wechatpay.Refused, wechatpay.NeedsAttention),
		"Unknown":   says(wechatpay.Unknown, wechatpay.Repeat),
	} {
		c, _ := limited(breakerOnlyLimits, answer)
		before := counted(outcome)
		_ = query(c)
		if got := counted(outcome) - before; got != 1 {
			t.Errorf("%s: counted %f", outcome, got)
		}
	}
}

func TestKeyIsSuspectAfterRejection(t *testing.T) {
	t.Parallel()
	for _, outcome := range []wechatpay.Outcome{wechatpay.Refused, wechatpay.Failed} {
		for _, meaning := range []wechatpay.Meaning{wechatpay.CredentialsRejected, wechatpay.CertificateRejected, wechatpay.NeedsAttention, wechatpay.Repeat} {
			c, _ := limited(breakerOnlyLimits, says(outcome, meaning))
			_ = query(c)
			acc := &Account{Connection: &Connection{health: c.health}, member: c.member}
			if acc.CredentialsSuspect() != (meaning == wechatpay.CredentialsRejected) || acc.Rejected() {
				t.Errorf("%s/%s: suspect %t", outcome, meaning, acc.CredentialsSuspect())
			}
		}
	}
}

func TestAnswersPassThrough(t *testing.T) {
	t.Parallel()
	c, _ := limited(breakerOnlyLimits, succeeds)
	prepay, _ := c.CreateOrder(t.Context(), wechatpay.OrderRequest{})
	trade, _ := c.QueryOrder(t.Context(), wechatpay.OrderRef{})
	acceptance, _ := c.CreateRefund(t.Context(), wechatpay.RefundRequest{})
	fact, _ := c.QueryRefund(t.Context(), wechatpay.RefundRef{})
	facts, _ := c.QueryRefunds(t.Context(), wechatpay.OrderRef{})
	if prepay.ID != "prepay" || trade.State != wechatpay.TradeStateNotPay || acceptance.RefundID != "5" || fact.Amount != 1 || len(facts) != 1 {
		t.Error("an answer got lost")
	}
}
