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

// TestTenantsTakeTurns: who brings one waits for one of each other tenant at most, not for all that another one brought before.
func TestTenantsTakeTurns(t *testing.T) {
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
			synctest.Wait() // until it stands in line
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

// TestLinesAreBounded by tenant.
func TestLinesAreBounded(t *testing.T) {
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

// TestSomePlacesAreLeft: a stranger takes what is idle, and yet the next tenant finds more places than it needs.
func TestSomePlacesAreLeft(t *testing.T) {
	t.Parallel()
	s := newTenantShares(1000)
	fill := func(tenant string) (taken int) {
		for s.take(tenant) {
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
		s.giveBack("stranger")
	}
	if got := fill("shop"); got < 500 {
		t.Errorf("of what is idle again the shop got %d", got)
	}
	for tenant, taken := range map[string]int{"stranger": s.of["stranger"], "another": s.of["another"], "shop": s.of["shop"]} {
		for range taken {
			s.giveBack(tenant)
		}
	}
	if s.taken != 0 || len(s.of) > 0 {
		t.Errorf("left: %+v", s)
	}
}

// TestManyMerchantsAreOneTenant: whoever makes a thousand of them gets what two may have: tokens, places and lines in the log.
func TestManyMerchantsAreOneTenant(t *testing.T) {
	t.Parallel()
	const merchants = 1000
	h := &Handler{Clock: testclock.NewFakePassiveClock(time.Now())}
	h.Routes()
	allowed, entered, said := 0, 0, 0
	for n := range merchants {
		of := tenantKey{"query", merchantNo("stranger", n)}
		for range 3 {
			if h.mayTake(of, 10) {
				allowed++
			}
			if h.inFlight.acquire(t.Context(), of, 5, 0) {
				entered++
			}
			if say, _ := h.logSampler.may(of, "Refused"); say {
				said++
			}
		}
	}
	if allowed != 10*perNamespace || entered != 5*perNamespace || said != linesAtOnce*perNamespace {
		t.Errorf("%d tokens, %d places, %d lines", allowed, entered, said)
	}
	shop := tenantKey{"query", merchantNo("shop", 0)}
	if say, _ := h.logSampler.may(shop, "Refused"); !say || !h.mayTake(shop, 10) || !h.inFlight.acquire(t.Context(), shop, 5, 0) {
		t.Error("another tenant does not get its own")
	}
}

// TestMerchantsThatAreIdleAreForgotten: what is kept is of the last moment, however many Merchants were made and deleted.
func TestMerchantsThatAreIdleAreForgotten(t *testing.T) {
	t.Parallel()
	const merchants = 10_000
	clock := testclock.NewFakePassiveClock(time.Now())
	h := &Handler{Clock: clock}
	h.Routes()
	ask := func() learned { return learned{asked: true, result: recorded()} }
	kept := func() []int {
		return []int{len(h.tokens.by), len(h.logSampler.lines.by), len(h.inFlight.open), len(h.inquiries.of)}
	}
	use := func(n int) {
		of := tenantKey{"query", merchantNo("stranger", n)}
		h.mayTake(of, queriesPerSecond)
		h.logSampler.may(of, "Refused")
		if h.inFlight.acquire(t.Context(), of, 1, 0) {
			h.inFlight.release(of)
		}
		h.inquiries.learn(t.Context(), types.UID(of.merchant.Name), clock.Now, ask)
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

// TestRefundCallbacksDoNotWaitInCrowds: somebody repeats one while WeChat hangs. A few wait for the answer, the others take no
// connection from those that can be settled.
func TestRefundCallbacksDoNotWaitInCrowds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var asking inquiries
		answered, got := make(chan struct{}), make(chan learned, 1+sharingAtOnce)
		ask := func() learned {
			<-answered
			return learned{asked: true, status: wechatpay.RefundStatusSucceeded, result: recorded()}
		}
		for range cap(got) {
			go func() { got <- asking.learn(t.Context(), "refund", time.Now, ask) }()
			synctest.Wait() // until it asks, or waits
		}
		if one := asking.learn(t.Context(), "refund", time.Now, ask); one.result.stored || one.result.reason != "too many callbacks" {
			t.Errorf("one more waited, and got %+v", one)
		}
		close(answered)
		labels := map[string]int{}
		for range cap(got) {
			labels[(<-got).answerTo(wechatpay.RefundStatusSucceeded).label]++
		}
		if labels["recorded"] != 1 || labels["repeated"] != sharingAtOnce {
			t.Errorf("%v", labels)
		}
		if one := asking.learn(t.Context(), "refund", time.Now, ask); !one.result.stored {
			t.Errorf("within the pause: %+v", one)
		}
	})
}
