package webhookserver

import (
	"context"
	"fmt"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"k8s.io/apimachinery/pkg/types"
	testclock "k8s.io/utils/clock/testing"

	"github.com/wechatpay-operator/wechatpay-operator/internal/wechatpay"
)

func merchantNo(namespace string, n int) types.NamespacedName {
	return types.NamespacedName{Namespace: namespace, Name: fmt.Sprintf("merchant-%d", n)}
}

// TestTenantsAreServedInTurn: a tenant with one request waits for at most one of each other tenant,
// not for all that another one has queued.
func TestTenantsAreServedInTurn(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		turns, order := newFairSemaphore(1, 100), make(chan string, 100)
		if !turns.acquire(t.Context(), "stranger") {
			t.Fatal("nobody is there")
		}
		stand := func(ctx context.Context, tenant string) {
			go func() {
				if turns.acquire(ctx, tenant) {
					order <- tenant
				}
			}()
			synctest.Wait() // until it is queued
		}
		for range 5 {
			stand(t.Context(), "stranger")
		}
		impatient, giveUp := context.WithCancel(t.Context())
		stand(impatient, "other")
		stand(t.Context(), "shop")
		stand(impatient, "shop")
		stand(t.Context(), "shop")
		giveUp()
		synctest.Wait()
		var got []string
		for range 7 {
			turns.release()
			synctest.Wait()
			got = append(got, <-order)
		}
		if want := []string{"stranger", "shop", "stranger", "shop", "stranger", "stranger", "stranger"}; !slices.Equal(got, want) {
			t.Errorf("the turns were %v", got)
		}
		if turns.release(); turns.free != 1 || len(turns.queues) > 0 || len(turns.roundRobin) > 0 {
			t.Errorf("left: %+v", turns)
		}
	})
}

// TestQueuesAreBounded: the queue of each tenant is bounded.
func TestQueuesAreBounded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		turns := newFairSemaphore(1, 2)
		ctx, end := context.WithCancel(t.Context())
		for range 3 {
			go turns.acquire(ctx, "stranger")
			synctest.Wait()
		}
		if turns.acquire(ctx, "stranger") {
			t.Error("more may wait than two")
		}
		got := make(chan bool)
		go func() { got <- turns.acquire(t.Context(), "shop") }()
		synctest.Wait()
		end()
		if turns.release(); !<-got {
			t.Error("another tenant has a line of its own")
		}
	})
}

// TestSomeSlotsRemainFree: another tenant uses free slots, and the next tenant still gets more than
// it needs.
func TestSomeSlotsRemainFree(t *testing.T) {
	t.Parallel()
	s := newTenantShares(1000)
	fill := func(tenant string) (taken int) {
		for s.acquire(tenant) {
			taken++
		}
		return taken
	}
	for _, step := range []struct {
		tenant string
		want   int
	}{{"stranger", 800}, {"another", 160}, {"shop", 32}, {"stranger", 0}} {
		if got := fill(step.tenant); got != step.want {
			t.Errorf("%s got %d places, want %d", step.tenant, got, step.want)
		}
	}
	for range 700 {
		s.release("stranger")
	}
	if got := fill("shop"); got < 500 {
		t.Errorf("of what is idle again the shop got %d", got)
	}
	for tenant, taken := range map[string]int{"stranger": s.byTenant["stranger"], "another": s.byTenant["another"], "shop": s.byTenant["shop"]} {
		for range taken {
			s.release(tenant)
		}
	}
	if s.used != 0 || len(s.byTenant) > 0 {
		t.Errorf("left: %+v", s)
	}
}

// TestManyMerchantsAreOneTenant: a thousand Merchants of one namespace get as many tokens, slots
// and log lines as two.
func TestManyMerchantsAreOneTenant(t *testing.T) {
	t.Parallel()
	const merchants = 1000
	h := &Handler{Clock: testclock.NewFakePassiveClock(time.Now())}
	h.Routes()
	allowed, acquired, logged := 0, 0, 0
	for n := range merchants {
		key := tenantKey{"query", merchantNo("stranger", n)}
		for range 3 {
			if h.takeTokens(key, 10) {
				allowed++
			}
			if h.inFlight.acquire(t.Context(), key, 5, 0) {
				acquired++
			}
			if mayLog, _ := h.logSampler.allow(key, "Refused"); mayLog {
				logged++
			}
		}
	}
	if allowed != 10*perNamespace || acquired != 5*perNamespace || logged != burstLines*perNamespace {
		t.Errorf("%d tokens, %d slots, %d lines", allowed, acquired, logged)
	}
	shop := tenantKey{"query", merchantNo("shop", 0)}
	if mayLog, _ := h.logSampler.allow(shop, "Refused"); !mayLog || !h.takeTokens(shop, 10) || !h.inFlight.acquire(t.Context(), shop, 5, 0) {
		t.Error("another tenant does not get its own")
	}
}

// TestIdleMerchantsAreForgotten: state is kept only for recently active Merchants, however
// many were created and deleted.
func TestIdleMerchantsAreForgotten(t *testing.T) {
	t.Parallel()
	const merchants = 10_000
	clock := testclock.NewFakePassiveClock(time.Now())
	h := &Handler{Clock: clock}
	h.Routes()
	ask := func() queryResult { return queryResult{queried: true, result: recorded()} }
	kept := func() []int {
		return []int{len(h.tokens.byKey), len(h.logSampler.lines.byKey), len(h.inFlight.semaphores), len(h.refundQueries.byRefund)}
	}
	use := func(n int) {
		key := tenantKey{"query", merchantNo("stranger", n)}
		h.takeTokens(key, queriesPerSecond)
		h.logSampler.allow(key, "Refused")
		if h.inFlight.acquire(t.Context(), key, 1, 0) {
			h.inFlight.release(key)
		}
		h.refundQueries.do(t.Context(), types.UID(key.merchant.Name), clock.Now, ask)
	}
	for n := range merchants {
		use(n)
	}
	if most := slices.Max(kept()); most < merchants {
		t.Fatalf("nothing is kept: %v", kept())
	}
	clock.SetTime(clock.Now().Add(time.Minute))
	use(merchants)
	if most := slices.Max(kept()); most > 2 { // the last Merchant, and its namespace
		t.Errorf("kept: %v", kept())
	}
}

// TestRefundCallbackWaitersAreLimited: somebody repeats one while WeChat hangs. A few wait for the
// answer; the others release their connections.
func TestRefundCallbackWaitersAreLimited(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var asking refundQueries
		answered, got := make(chan struct{}), make(chan queryResult, 1+maxSharedWaiters)
		ask := func() queryResult {
			<-answered
			return queryResult{queried: true, status: wechatpay.RefundStatusSucceeded, result: recorded()}
		}
		for range cap(got) {
			go func() { got <- asking.do(t.Context(), "refund", time.Now, ask) }()
			synctest.Wait() // until it queries or waits
		}
		if one := asking.do(t.Context(), "refund", time.Now, ask); one.result.confirm || one.result.reason != "too many callbacks" {
			t.Errorf("one more waited, and got %+v", one)
		}
		close(answered)
		labels := map[string]int{}
		for range cap(got) {
			labels[(<-got).replyTo(wechatpay.RefundStatusSucceeded).label]++
		}
		if labels["recorded"] != 1 || labels["repeated"] != maxSharedWaiters {
			t.Errorf("%v", labels)
		}
		if one := asking.do(t.Context(), "refund", time.Now, ask); !one.result.confirm {
			t.Errorf("within the pause: %+v", one)
		}
	})
}
