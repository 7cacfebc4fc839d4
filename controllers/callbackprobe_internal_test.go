package controllers

import (
	"fmt"
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	clocktesting "k8s.io/utils/clock/testing"

	"github.com/wechatpay-operator/wechatpay-operator/api/v1alpha1"
	"github.com/wechatpay-operator/wechatpay-operator/internal/callbackprobe/sender"
)

func checkedMerchant(name string) *v1alpha1.Merchant {
	return &v1alpha1.Merchant{ObjectMeta: metav1.ObjectMeta{Namespace: "shop", Name: name, UID: types.UID("uid-of-" + name)}}
}

func callbacksAt(now time.Time) (*CallbackProbeReconciler, *clocktesting.FakePassiveClock) {
	clock := clocktesting.NewFakePassiveClock(now)
	r := &CallbackProbeReconciler{Base: Base{Timing: DefaultTiming(), Clock: clock, Callbacks: NewCallbackFindings()}}
	r.init()
	return r, clock
}

var (
	lost    = sender.Finding{Reason: v1alpha1.ReasonTLSFailed}
	arrived = sender.Finding{Reason: v1alpha1.ReasonReachable}
)

// TestTestCallbacksAreRateLimited: hundreds of new Merchants cause one test callback a second.
func TestTestCallbacksAreRateLimited(t *testing.T) {
	t.Parallel()
	start := time.Date(2026, 11, 22, 12, 0, 0, 0, time.UTC)
	r, clock := callbacksAt(start)
	const merchants = 200
	sent := 0
	for second := range merchants {
		clock.SetTime(start.Add(time.Duration(second) * time.Second))
		for i := range merchants {
			m := checkedMerchant(fmt.Sprint(i))
			if wait, _ := r.wait(m, "https://pay.example.com"); wait <= 0 {
				r.plan(m, arrived)
				sent++
			}
		}
		if sent > second*probesPerSecond+probesAtOnce {
			t.Fatalf("%d in %d s", sent, second)
		}
	}
	if sent < merchants*9/10 {
		t.Errorf("only %d had their turn", sent)
	}
}

// TestFrequentSpecChanges: it causes at most one test callback a minute.
func TestFrequentSpecChanges(t *testing.T) {
	t.Parallel()
	start := time.Date(2026, 11, 22, 12, 0, 0, 0, time.UTC)
	r, clock := callbacksAt(start)
	m, sent := checkedMerchant("shop"), 0
	for second := range 600 {
		clock.SetTime(start.Add(time.Duration(second) * time.Second))
		if wait, _ := r.wait(m, fmt.Sprintf("https://pay%d.example.com", second)); wait <= 0 {
			r.plan(m, lost)
			sent++
		}
	}
	if sent < 9 || sent > 10 {
		t.Errorf("%d in ten minutes", sent)
	}
}

func TestChecksGetRarerWhileTheyFail(t *testing.T) {
	t.Parallel()
	r, _ := callbacksAt(time.Now())
	m := checkedMerchant("shop")
	for i, minutes := range []int{1, 2, 4, 8, 16, 30, 30, 30} {
		want := time.Duration(minutes) * time.Minute
		after, first := r.plan(m, lost)
		if after < want || after > want*11/10 || first != (i == 0) {
			t.Errorf("%d: %s, want %s", i, after, want)
		}
	}
	if after, _ := r.plan(m, arrived); after < 6*time.Hour || after > 7*time.Hour {
		t.Errorf("%s after one that arrived", after)
	}
	if after, first := r.plan(m, lost); after > 2*time.Minute || !first {
		t.Errorf("%s after the first that failed again", after)
	}
}
