package account

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"k8s.io/apimachinery/pkg/types"
	"pgregory.net/rapid"

	"github.com/wechatpay-operator/wechatpay-operator/internal/wechatpay"
)

// slowHost is a Caller whose calls block until they are released.
type slowHost struct {
	wechatpay.Caller
	answer chan struct{}
}

func (h *slowHost) QueryOrder(context.Context, wechatpay.OrderRef) (wechatpay.Trade, error) {
	<-h.answer
	return wechatpay.Trade{}, nil
}

// fill makes calls until no slot is left, and returns how many were admitted.
func (l *concurrencyLimit) fill(c callShares) int {
	l.mutex.Lock()
	defer l.mutex.Unlock()
	count := 0
	for ; l.hasCapacity(c); count++ {
		l.take(c)
	}
	return count
}

func sized(places int) *concurrencyLimit {
	return newConcurrencyLimit(Limits{MaxInFlight: places, MaxUnprovenInFlight: places / 4, Concurrent: places})
}

func accountNo(i int) ID { return ID{MchID: fmt.Sprint(i), Hosts: "host"} }

// TestHangingCallsLeaveSlotsForOthers: each case fills the slots of one share that hangs
// completely, and then checks what is left.
func TestHangingCallsLeaveSlotsForOthers(t *testing.T) {
	t.Parallel()
	const all = 256
	shop := provenShares("host", accountNo(0), "shop")
	for name, test := range map[string]struct {
		hang func(*concurrencyLimit)
		// least is the minimum number of slots that are left to the shop.
		least int
	}{
		"nobody":                        {func(*concurrencyLimit) {}, 43},
		"an account":                    {func(p *concurrencyLimit) { p.fill(provenShares("host", accountNo(1), "stranger")) }, 14},
		"another account of the shop's": {func(p *concurrencyLimit) { p.fill(provenShares("host", accountNo(1), "shop")) }, 14},
		"an account of many namespaces": {func(p *concurrencyLimit) {
			each(40, func(i int) { p.fill(provenShares("host", accountNo(1), fmt.Sprint(i))) })
		}, 14},
		"40 accounts of a namespace": {func(p *concurrencyLimit) {
			each(40, func(i int) { p.fill(provenShares("host", accountNo(i+1), "stranger")) })
		}, 14},
		"10 accounts of namespaces": {func(p *concurrencyLimit) {
			each(10, func(i int) { p.fill(provenShares("host", accountNo(i+1), fmt.Sprint(i))) })
		}, 1},
		"another host": {func(p *concurrencyLimit) {
			each(40, func(i int) { p.fill(provenShares("other", accountNo(i+1), fmt.Sprint(i))) })
		}, 20},
		"4 other hosts": {func(p *concurrencyLimit) {
			each(4, func(i int) { p.fill(provenShares(fmt.Sprint(i), accountNo(1), "stranger")) })
		}, 14},
		"400 hosts of a namespace": {func(p *concurrencyLimit) {
			each(400, func(i int) { p.fill(provenShares(fmt.Sprint(i), accountNo(1), "stranger")) })
		}, 20},
		"400 unproven ones of a namespace": {func(p *concurrencyLimit) { each(400, func(int) { p.fill(unprovenShares("stranger", "stranger")) }) }, 30},
		"400 unproven ones, for others": {func(p *concurrencyLimit) {
			each(400, func(i int) { p.fill(unprovenShares("stranger", fmt.Sprint(i))) })
		}, 30},
		"unproven ones of 40 namespaces": {func(p *concurrencyLimit) {
			each(40, func(i int) { p.fill(unprovenShares(fmt.Sprint(i), fmt.Sprint(i))) })
		}, 30},
		"all of that of the same stranger's": {everything, 5},
	} {
		p := sized(all)
		test.hang(p)
		if had := p.fill(shop); had < test.least {
			t.Errorf("%s: the shop has %d places", name, had)
		}
	}
}

func everything(p *concurrencyLimit) {
	each(40, func(i int) {
		p.fill(unprovenShares("stranger", "stranger"))
		p.fill(provenShares("host", accountNo(i+1), "stranger"))
		p.fill(provenShares(fmt.Sprint(i), accountNo(1), "stranger"))
	})
}

func each(count int, do func(int)) {
	for i := range count {
		do(i)
	}
}

// TestUnprovenMerchantsShareSlotsByNamespace: the first call of a new Merchant gets a slot although
// another namespace has used all it can.
func TestUnprovenMerchantsShareSlotsByNamespace(t *testing.T) {
	t.Parallel()
	p := sized(256)
	if had := p.fill(unprovenShares("stranger", "stranger")); had != 13 {
		t.Errorf("a namespace has %d of 64", had)
	}
	for i := range 14 {
		if p.fill(unprovenShares(fmt.Sprint(i), "shop")) == 0 {
			t.Errorf("the next namespace, number %d, has none", i)
		}
	}
	if p.total > 64 {
		t.Errorf("all that is unproven has %d of 64", p.total)
	}
}

func TestSlotsAreCountedCorrectly(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		p := sized(16)
		var under []callShares
		for range rapid.IntRange(1, 80).Draw(t, "moves") {
			if len(under) > 0 && rapid.Bool().Draw(t, "leaves") {
				at := rapid.IntRange(0, len(under)-1).Draw(t, "which")
				p.release(under[at])
				under = append(under[:at], under[at+1:]...)
				continue
			}
			c := unprovenShares(rapid.SampledFrom([]string{"a", "b"}).Draw(t, "of"), "a")
			if rapid.Bool().Draw(t, "proven") {
				c = provenShares(rapid.SampledFrom([]string{"h", "i"}).Draw(t, "host"), accountNo(rapid.IntRange(0, 2).Draw(t, "account")), rapid.SampledFrom([]string{"a", "b"}).Draw(t, "for"))
			}
			if p.hasCapacity(c) {
				p.take(c)
				under = append(under, c)
			}
			if p.total != len(under) || p.total > 16 {
				t.Fatalf("%d places are counted for %d calls", p.total, len(under))
			}
		}
		for _, c := range under {
			p.release(c)
		}
		if p.total != 0 || len(p.usages) != 0 {
			t.Fatalf("%d places and %d shares are left", p.total, len(p.usages))
		}
	})
}

func TestHangingMerchantUsesOnlyItsShare(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		limits := breakerOnlyLimits
		limits.Concurrent = 12
		registry := NewRegistry(nil, Options{Limits: limits})
		w := &slowHost{answer: make(chan struct{})}
		c := provenCaller(registry, w)
		var workers sync.WaitGroup
		for range 12 {
			workers.Go(func() { _ = query(c) })
		}
		synctest.Wait()
		started := time.Now()
		wantDenied(t, query(c), "waiting for an answer")
		if waited := time.Since(started); waited != acquireTimeout {
			t.Errorf("one waited %s for a place", waited)
		}
		started = time.Now()
		for range 100 {
			err := query(c)
			wantDenied(t, err, "waiting for an answer")
			if wait := wechatpay.RetryAfter(err); wait < acquireTimeout || wait > 3*acquireTimeout {
				t.Errorf("it is to come again after %s", wait)
			}
		}
		if time.Since(started) > time.Millisecond {
			t.Errorf("it hangs, and workers waited for it for %s all the same", time.Since(started))
		}
		other := unprovenCaller(registry, types.NamespacedName{Namespace: "other", Name: "other"}, &weChat{answer: succeeds})
		must(t, query(other))
		refunds := WithCaller(t.Context(), Caller{Namespace: "shop", Workers: RefundWorkers})
		c.Caller = &weChat{answer: succeeds}
		if _, err := c.QueryRefund(refunds, wechatpay.RefundRef{}); err != nil {
			t.Errorf("other workers have places of their own: %v", err)
		}
		close(w.answer)
		workers.Wait()
		must(t, query(c))
	})
}

// TestConcurrencyRetryDelayGrows: the delays grow while nothing changes, are randomized, and are
// limited.
func TestConcurrencyRetryDelayGrows(t *testing.T) {
	t.Parallel()
	for _, hangs := range []time.Duration{0, acquireTimeout, 5 * time.Second, time.Hour} {
		least := min(max(hangs, acquireTimeout), maxRetryAfter)
		seen := map[time.Duration]bool{}
		for range 50 {
			denied, ok := errors.AsType[*throttledError](concurrencyExceeded(hangs))
			if !ok {
				t.Fatal("it is no denial")
			}
			seen[denied.retryAfter] = true
			if denied.retryAfter < least || denied.retryAfter > 2*least {
				t.Errorf("after %s it comes again in %s", hangs, denied.retryAfter)
			}
		}
		if len(seen) < 10 {
			t.Errorf("after %s they come together", hangs)
		}
	}
}

// TestManyShortCallsAreNotDenied: the limit stops calls that hang, not many short ones.
func TestManyShortCallsAreNotDenied(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		limits := breakerOnlyLimits
		limits.Concurrent = 12
		c, _ := limited(limits, succeeds)
		c.Caller = &slowQueries{took: 300 * time.Millisecond}
		var workers sync.WaitGroup
		for range 40 {
			workers.Go(func() {
				for range 20 {
					if err := query(c); err != nil {
						t.Error(err)
					}
				}
			})
		}
		workers.Wait()
	})
}

type slowQueries struct {
	wechatpay.Caller
	took time.Duration
}

func (s *slowQueries) QueryOrder(context.Context, wechatpay.OrderRef) (wechatpay.Trade, error) {
	time.Sleep(s.took)
	return wechatpay.Trade{}, nil
}

// TestSlotAssignedAtTimeoutIsNotLost: it is either used or returned, never lost.
func TestSlotAssignedAtTimeoutIsNotLost(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		c := provenShares("host", accountNo(0), "shop")
		p := newConcurrencyLimit(Limits{MaxInFlight: 3, Concurrent: 1})
		must(t, p.acquire(t.Context(), c))
		time.AfterFunc(acquireTimeout, func() { p.release(c) })
		if p.acquire(t.Context(), c) == nil {
			p.release(c)
		}
		synctest.Wait()
		if p.total != 0 || len(p.waiting) != 0 {
			t.Errorf("%d places are held, %d wait", p.total, len(p.waiting))
		}
	})
}
