package account

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/wechatpay-operator/wechatpay-operator/internal/wechatpay"
)

func queryNumber(c *limitedCaller, number string) error {
	_, err := c.QueryOrder(context.Background(), wechatpay.OrderRef{OutTradeNo: number})
	return err
}

// TestRetriedCallsKeepTheirOrder: a burst that exceeds the bucket is served in the order of its
// first calls, whatever arrives later, and every call is made in the end.
func TestRetriedCallsKeepTheirOrder(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		limits := breakerOnlyLimits
		limits.QueryOrder, limits.MaxWait = 10, 200*time.Millisecond
		var mutex sync.Mutex
		var served []string
		denials := 0
		c, _ := limited(limits, succeeds)
		var callers sync.WaitGroup
		for i := range 100 {
			callers.Go(func() {
				time.Sleep(time.Duration(i) * time.Millisecond * 20) // five times as many as there are tokens
				number := fmt.Sprintf("order-%04d", i)
				for {
					err := queryNumber(c, number)
					mutex.Lock()
					if err == nil {
						served = append(served, number)
						mutex.Unlock()
						return
					}
					denials++
					mutex.Unlock()
					if wechatpay.RetryAfter(err) <= 0 {
						t.Errorf("%s is not told when to come again: %v", number, err)
						return
					}
					time.Sleep(wechatpay.RetryAfter(err))
				}
			})
		}
		callers.Wait()
		if len(served) != 100 || !slices.IsSorted(served) {
			t.Errorf("%d were served: %v", len(served), served)
		}
		if denials == 0 || denials > 100 {
			t.Errorf("%d denials; who comes when told is served", denials)
		}
	})
}

func TestUnusedReservationExpires(t *testing.T) {
	t.Parallel()
	now := time.Date(2026, 11, 21, 12, 0, 0, 0, time.UTC)
	l := newFairLimiter(1, 1)
	for i := range 100 {
		l.turnOf("shop", fmt.Sprint(i), now)
	}
	l.turnOf("shop", "later", now.Add(3*reservationTTL))
	if len(l.namespaces["shop"].reservations) != 1 {
		t.Errorf("%d places are kept", len(l.namespaces["shop"].reservations))
	}
}

func TestNewLeaderStartsWithExhaustedFailureBudget(t *testing.T) {
	t.Parallel()
	for name, known := range map[string]bool{"a merchant that it knew": true, "one that it meets now": false} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				limits := breakerOnlyLimits
				limits.FailingRefunds = 5
				predecessor, _ := limited(limits, says(wechatpay.Failed, wechatpay.InsufficientBalance))
				registry := NewRegistry(nil, Options{Limits: limits})
				var failures []time.Time
				w := &weChat{answer: func() error {
					failures = append(failures, time.Now())
					return says(wechatpay.Failed, wechatpay.InsufficientBalance)()
				}}
				heir := unprovenCaller(registry, shopKey, w)
				if known {
					heir = provenCaller(registry, w)
				}
				for range 5 {
					_ = refund(predecessor)
					failures = append(failures, time.Now())
				}
				registry.OnStartedLeading()
				heir.member.prove()
				for range 10 {
					_ = refund(heir)
				}
				time.Sleep(time.Second)
				for range 10 {
					_ = refund(heir)
				}
				if w.calls < 5 {
					t.Errorf("%d calls were made: it waits for the second, no longer", w.calls)
				}
				if wrong := exceedsLimit(failures, 5); wrong != "" {
					t.Error(wrong)
				}
			})
		})
	}
}

func TestBreakerOpensAtOnceOnRejectedCertificate(t *testing.T) {
	t.Parallel()
	for _, outcome := range []wechatpay.Outcome{wechatpay.Refused, wechatpay.Failed, wechatpay.NotSent} {
		synctest.Test(t, func(t *testing.T) {
			c, w := limited(breakerOnlyLimits, says(outcome, wechatpay.CertificateRejected))
			_ = refund(c)
			wantDenied(t, refund(c), "paused")
			if refusal, known := c.health.refusal.Load().(string); refusal == "" || !known {
				t.Errorf("%s: it is not known: %q", outcome, refusal)
			}
			w.answer = says(wechatpay.Failed, wechatpay.Rejected) // a signed answer: the certificate was accepted
			time.Sleep(30*time.Second + 1)
			for range 10 {
				if err := refund(c); isThrottled(err) {
					t.Fatal(err)
				}
			}
			if refusal, known := c.health.refusal.Load().(string); refusal != "" || !known {
				t.Errorf("%s: it is still refused: %q", outcome, refusal)
			}
		})
	}
}

// TestFailedTrialsKeepThePause: trials that fail change neither its start nor its message.
func TestFailedTrialsKeepThePause(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		c, w := limited(breakerOnlyLimits, says(wechatpay.Unknown, wechatpay.Repeat))
		acc := &Account{member: c.member}
		if acc.Paused(OrderCalls) != nil {
			t.Error("paused before any call")
		}
		for range 5 {
			_ = query(c)
		}
		first := *acc.Paused(OrderCalls)
		for range 3 {
			err := query(c)
			if wait := wechatpay.RetryAfter(err); wait < 30*time.Second || wait > 48*time.Second {
				t.Errorf("to come again after %s", wait)
			}
			time.Sleep(31 * time.Second)
			_ = query(c)
			if now := acc.Paused(OrderCalls); now == nil || *now != first {
				t.Errorf("it was %+v, now it is %+v", first, now)
			}
		}
		if acc.Paused(RefundCalls) != nil {
			t.Error("refunds are paused")
		}
		w.answer = succeeds
		time.Sleep(31 * time.Second)
		must(t, query(c))
		if acc.Paused(OrderCalls) != nil {
			t.Error("still paused")
		}
	})
}
