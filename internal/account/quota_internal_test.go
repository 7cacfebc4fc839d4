package account

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"testing"
	"testing/synctest"
	"time"

	"github.com/prometheus/client_golang/prometheus/testutil"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/wechatpay-operator/wechatpay-operator/api/v1alpha1"
	"github.com/wechatpay-operator/wechatpay-operator/internal/metrics"
	"github.com/wechatpay-operator/wechatpay-operator/internal/wechatpay"
)

var strangerKey = types.NamespacedName{Namespace: "stranger", Name: "shop"}

func TestWhatProvesAKey(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		answer func() error
		proves bool
	}{
		"an answer":           {succeeds, true},
		"a signed no":         {says(wechatpay.Failed, wechatpay.OrderNotExist), true},
		"a signed no, too":    {says(wechatpay.Failed, wechatpay.Rejected), true},
		"the key, signed":     {says(wechatpay.Failed, wechatpay.CredentialsRejected), false},
		"an unsigned no":      {says(wechatpay.Refused, wechatpay.Rejected), false},
		"the key, unsigned":   {says(wechatpay.Refused, wechatpay.CredentialsRejected), false},
		"nothing":             {says(wechatpay.Unknown, wechatpay.Repeat), false},
		"a wrong signature":   {says(wechatpay.Unknown, wechatpay.NeedsAttention), false},
		"what was not sent":   {says(wechatpay.NotSent, wechatpay.Repeat), false},
		"what is no Caller's": {func() error { return errors.New("?") }, false},
	} {
		c := unprovenCaller(NewRegistry(nil, Options{Limits: breakerOnlyLimits}), shopKey, &weChat{answer: test.answer})
		_ = query(c)
		if c.member.isProven() != test.proves {
			t.Errorf("%s: proven %t", name, c.member.isProven())
		}
	}
}

// TestUnprovenMerchantUsesNoSharedQuota: calls with an unproven key take no tokens of the proven
// Merchant with the same number, count nothing against its budget of failing refunds, and don't
// open its breakers.
func TestUnprovenMerchantUsesNoSharedQuota(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		limits := breakerOnlyLimits
		limits.QueryOrder, limits.FailingRefunds, limits.MaxWait = 1, 5, time.Millisecond
		registry := NewRegistry(nil, Options{Limits: limits})
		shop := provenCaller(registry, &weChat{answer: succeeds})
		stranger := unprovenCaller(registry, strangerKey, &weChat{answer: says(wechatpay.Unknown, wechatpay.Repeat)})
		for range 20 {
			_ = query(stranger)
			wantDenied(t, refund(stranger), "not accepted the Merchant's key yet")
		}
		if wait := wechatpay.RetryAfter(refund(stranger)); wait < time.Second {
			t.Errorf("a refund comes again after %s", wait)
		}
		must(t, query(shop))
		for range 10 {
			must(t, refund(shop))
		}
		if pause := shop.member.pause(OrderCalls); pause != nil {
			t.Errorf("%+v", pause)
		}
	})
}

// TestProvenMerchantsShareAQuota: once the second Merchant is proven, calls of the first count for
// it too, and if WeChat does not answer the first, the calls of the second pause.
func TestProvenMerchantsShareAQuota(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		limits := breakerOnlyLimits
		limits.FailingRefunds = 5
		registry := NewRegistry(nil, Options{Limits: limits})
		var told []types.NamespacedName
		registry.Listen(func(merchant types.NamespacedName) { told = append(told, merchant) })
		w := &weChat{answer: says(wechatpay.Failed, wechatpay.InsufficientBalance)}
		shop := provenCaller(registry, w)
		for range 5 {
			_ = refund(shop)
		}
		second := unprovenCaller(registry, types.NamespacedName{Namespace: "shop", Name: "second"}, w)
		_, _ = second.QueryRefund(t.Context(), wechatpay.RefundRef{}) // signed
		wantDenied(t, refund(second), "more than 5 failing refund requests a second")

		w.answer, told = says(wechatpay.Unknown, wechatpay.Repeat), nil
		for range 5 {
			_ = query(shop)
		}
		wantDenied(t, query(second), "paused")
		if len(told) != 2 || second.member.pause(OrderCalls) == nil {
			t.Errorf("%v are told, pause %v", told, second.member.pause(OrderCalls))
		}
		if value := testutil.ToFloat64(metrics.BreakerState.WithLabelValues("shop", "second", "orders")); value != 2 {
			t.Errorf("the metric is %f", value)
		}
	})
}

func TestCredentialFailuresPauseOneMerchant(t *testing.T) {
	t.Parallel()
	for _, answer := range []func() error{
		says(wechatpay.Refused, wechatpay.CredentialsRejected), says(wechatpay.Refused, wechatpay.CertificateRejected),
		says(wechatpay.Unknown, wechatpay.NeedsAttention), says(wechatpay.NotSent, wechatpay.NeedsAttention),
	} {
		synctest.Test(t, func(t *testing.T) {
			registry := NewRegistry(nil, Options{Limits: breakerOnlyLimits})
			shop := provenCaller(registry, &weChat{answer: succeeds})
			second := provenCaller(registry, &weChat{answer: answer})
			for range 5 {
				_, _ = query(second), refund(second)
			}
			wantDenied(t, query(second), "paused")
			wantDenied(t, refund(second), "paused")
			must(t, query(shop))
			must(t, refund(shop))
			// Other credentials are tried at once.
			must(t, query(unprovenCaller(registry, shopKey, &weChat{answer: succeeds})))
		})
	}
}

// TestRejectedKeyLeavesTheQuota: a later accepted call makes it a member again.
func TestRejectedKeyLeavesTheQuota(t *testing.T) {
	t.Parallel()
	registry := NewRegistry(nil, Options{Limits: breakerOnlyLimits})
	c := provenCaller(registry, &weChat{answer: succeeds})
	acc := &Account{Connection: &Connection{health: c.health}, member: c.member}
	acc.Reject()
	if acc.Proven() || len(registry.quotas.byID) != 0 {
		t.Error("it is a member still")
	}
	must(t, query(c))
	if !acc.Proven() || len(registry.quotas.byID) != 1 {
		t.Error("it is no member")
	}
}

// TestClosedMemberNeverRejoins: a call in flight may end after the membership.
func TestClosedMemberNeverRejoins(t *testing.T) {
	t.Parallel()
	registry := NewRegistry(nil, Options{Limits: breakerOnlyLimits})
	c := provenCaller(registry, &weChat{answer: succeeds})
	c.member.close()
	must(t, query(c))
	late := unprovenCaller(registry, shopKey, &weChat{answer: succeeds})
	late.member.close()
	must(t, query(late))
	if len(registry.quotas.byID) != 0 {
		t.Error("there is an account without a Merchant")
	}
}

// TestNamespacesShareTheRate: one account serves many namespaces.
func TestNamespacesShareTheRate(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		c, _ := limited(Limits{Lookups: 2}, succeeds)
		looks, stranger := accountOf(c).lookups, func(i int) string { return fmt.Sprintf("refund-%04d", i) }
		due := map[int]time.Time{}
		for i := range 600 {
			if wait, allowed := looks.tryReserve("stranger", stranger(i), time.Now()); !allowed {
				due[i] = time.Now().Add(wait)
			}
		}
		started := time.Now()
		for {
			for i, at := range due { // retry at the returned time
				if !time.Now().Before(at) {
					if wait, allowed := looks.tryReserve("stranger", stranger(i), time.Now()); !allowed {
						due[i] = time.Now().Add(wait)
					} else {
						delete(due, i)
					}
				}
			}
			wait, allowed := looks.tryReserve("shop", "refund-0001", time.Now())
			if allowed {
				break
			}
			time.Sleep(wait + time.Millisecond)
		}
		if waited := time.Since(started); waited > 5*time.Second {
			t.Errorf("the shop waited %s behind 600 of a stranger", waited)
		}
	})
}

// oneSecret is an API server that returns the same key for every Secret.
type oneSecret struct{ client.Reader }

func (oneSecret) Get(_ context.Context, _ client.ObjectKey, object client.Object, _ ...client.GetOption) error {
	object.(*corev1.Secret).Data = map[string][]byte{"apiKey": []byte("0123456789abcdef0123456789abcdef")}
	return nil
}

// TestDeletedMerchantsLeaveNothing: deleted Merchants leave no accounts, metrics, memory or
// goroutines.
func TestDeletedMerchantsLeaveNothing(t *testing.T) {
	registry := NewRegistry(oneSecret{}, Options{NotifyBaseURL: "https://pay.example.com"})
	come := func(count int) {
		for i := range count {
			m := &v1alpha1.Merchant{
				ObjectMeta: metav1.ObjectMeta{Namespace: "crowd", Name: fmt.Sprint(i), UID: types.UID(fmt.Sprint(i)), Generation: 1},
				Spec: v1alpha1.MerchantSpec{
					MchID: fmt.Sprint(1900000000 + i/2), AppID: "wxd678efh567hg6787", SignType: v1alpha1.SignTypeHMACSHA256,
					APIKeySecretRef: v1alpha1.SecretKeyReference{Name: "key", Key: "apiKey"},
				},
			}
			acc, err := registry.Get(t.Context(), m)
			must(t, err)
			if i%3 > 0 {
				acc.Prove()
			}
			if i%5 == 0 {
				acc.Reject()
			}
		}
		for i := range count {
			registry.Forget(types.UID(fmt.Sprint(i)))
		}
	}
	metricsBefore := testutil.CollectAndCount(metrics.BreakerState)
	come(100)
	heap, goroutines := heapNow(), runtime.NumGoroutine()
	come(10_000)
	if len(registry.entries) != 0 || len(registry.quotas.byID) != 0 {
		t.Errorf("%d Merchants and %d accounts are left", len(registry.entries), len(registry.quotas.byID))
	}
	if now := testutil.CollectAndCount(metrics.BreakerState); now != metricsBefore {
		t.Errorf("%d series are left of %d", now, metricsBefore)
	}
	if now := runtime.NumGoroutine(); now > goroutines+10 {
		t.Errorf("%d goroutines instead of %d", now, goroutines)
	}
	if grown := int64(heapNow()) - int64(heap); grown > 4<<20 {
		t.Errorf("the heap has grown by %d KiB", grown>>10)
	}
}

func heapNow() uint64 {
	runtime.GC()
	runtime.GC()
	var memory runtime.MemStats
	runtime.ReadMemStats(&memory)
	return memory.HeapAlloc
}
