package account

import (
	"context"
	"fmt"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	clocktesting "k8s.io/utils/clock/testing"
	"pgregory.net/rapid"

	"github.com/wechatpay-operator/wechatpay-operator/internal/wechatpay"
)

// TestFailureBudgetIsNeverExceeded: it plays random calls that start, fail and succeed.
func TestFailureBudgetIsNeverExceeded(t *testing.T) {
	t.Parallel()
	now := time.Date(2026, 11, 21, 12, 0, 0, 0, time.UTC)
	ended, stop := context.WithCancel(context.Background())
	stop()
	rapid.Check(t, func(t *rapid.T) {
		fake := clocktesting.NewFakePassiveClock(now)
		most := rapid.IntRange(1, 6).Draw(t, "most")
		budget := &failureBudget{limit: most, clock: fake}
		underWay, started := 0, map[int]time.Time{}
		var failures []time.Time
		for range rapid.IntRange(1, 100).Draw(t, "moves") {
			fake.SetTime(fake.Now().Add(time.Duration(rapid.IntRange(0, 1200).Draw(t, "milliseconds")) * time.Millisecond))
			switch move := rapid.SampledFrom([]string{"begin", "begin", "fail", "succeed"}).Draw(t, "move"); {
			case move == "begin":
				if budget.reserve(ended) == nil {
					started[underWay] = fake.Now()
					underWay++
				}
			case underWay == 0:
			default:
				underWay--
				budget.release(move == "fail")
				if move == "fail" {
					failures = append(failures, fake.Now())
				}
			}
			if wrong := exceedsLimit(failures, most); wrong != "" {
				t.Fatal(wrong)
			}
		}
	})
}

// exceedsLimit returns a description if more than most failures are within a second.
func exceedsLimit(failures []time.Time, most int) string {
	for i := most; i < len(failures); i++ {
		if span := failures[i].Sub(failures[i-most]); span <= time.Second {
			return fmt.Sprintf("%d failures within %s", most+1, span)
		}
	}
	return ""
}

// TestRefundsOfManyWorkersStayWithinTheBudget: it counts at WeChat, where the request arrives at
// any moment of the call.
func TestRefundsOfManyWorkersStayWithinTheBudget(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(rt *rapid.T) {
		limits := breakerOnlyLimits
		limits.FailingRefunds = 5
		seed := rapid.SliceOfN(rapid.IntRange(1, 900), 16, 16).Draw(rt, "milliseconds")
		var failures []time.Time
		denied, made := 0, 0
		synctest.Test(t, func(t *testing.T) {
			var mutex sync.Mutex
			w := &slowWeChat{}
			c := provenCaller(NewRegistry(nil, Options{Limits: limits}), w)
			w.refund = func(id int) error {
				took := time.Duration(seed[id]) * time.Millisecond
				time.Sleep(took)
				mutex.Lock()
				made++
				failures = append(failures, time.Now())
				mutex.Unlock()
				time.Sleep(took / 2)
				return &wechatpay.Error{Outcome: wechatpay.Failed, Meaning: wechatpay.NeedsAttention}
			}
			var workers sync.WaitGroup
			for id := range seed {
				workers.Go(func() {
					for range 10 {
						if _, err := c.CreateRefund(context.WithValue(context.Background(), workerKey{}, id), wechatpay.RefundRequest{}); isThrottled(err) {
							mutex.Lock()
							denied++
							mutex.Unlock()
							time.Sleep(50 * time.Millisecond)
						}
					}
				})
			}
			workers.Wait()
		})
		if wrong := exceedsLimit(failures, 5); wrong != "" {
			rt.Fatal(wrong)
		}
		if made == 0 || denied == 0 {
			rt.Fatalf("%d calls, %d denials: nothing was tried", made, denied)
		}
	})
}

type workerKey struct{}

type slowWeChat struct {
	wechatpay.Caller
	refund func(id int) error
}

func (w *slowWeChat) CreateRefund(ctx context.Context, _ wechatpay.RefundRequest) (wechatpay.RefundAcceptance, error) {
	return wechatpay.RefundAcceptance{}, w.refund(ctx.Value(workerKey{}).(int))
}

// TestSuccessfulRefundsAreNotDelayed: successive successful calls never wait, and concurrent ones
// continue as others end.
func TestSuccessfulRefundsAreNotDelayed(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		limits := breakerOnlyLimits
		limits.FailingRefunds = 5
		c, _ := limited(limits, succeeds)
		started := time.Now()
		for range 1000 {
			must(t, refund(c))
		}
		if time.Since(started) != 0 {
			t.Errorf("they took %s", time.Since(started))
		}
	})
	synctest.Test(t, func(t *testing.T) {
		limits := breakerOnlyLimits
		limits.FailingRefunds = 5
		w := &slowWeChat{refund: func(int) error { time.Sleep(100 * time.Millisecond); return nil }}
		c := provenCaller(NewRegistry(nil, Options{Limits: limits}), w)
		started := time.Now()
		var workers sync.WaitGroup
		for range 16 {
			workers.Go(func() {
				if _, err := c.CreateRefund(context.WithValue(context.Background(), workerKey{}, 0), wechatpay.RefundRequest{}); err != nil {
					t.Errorf("a refund of a burst: %v", err)
				}
			})
		}
		workers.Wait()
		if took := time.Since(started); took != 400*time.Millisecond {
			t.Errorf("16 refunds, five at once, took %s", took)
		}
	})
}

func TestExhaustedFailureBudgetDeniesAtOnce(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		limits := breakerOnlyLimits
		limits.FailingRefunds = 5
		c, w := limited(limits, says(wechatpay.Failed, wechatpay.InsufficientBalance))
		for range 5 {
			_ = refund(c)
		}
		w.answer = succeeds
		started := time.Now()
		wantDenied(t, refund(c), "more than 5 failing refund requests a second")
		if time.Since(started) != 0 {
			t.Errorf("a worker was held up for %s", time.Since(started))
		}
		time.Sleep(time.Second + 1)
		must(t, refund(c))
	})
}

func TestPanickingCallReleasesItsBudget(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		limits := breakerOnlyLimits
		limits.FailingRefunds = 1
		c, w := limited(limits, func() error { panic("a bug") })
		func() {
			defer func() { _ = recover() }()
			_ = refund(c)
		}()
		w.answer = succeeds
		time.Sleep(time.Second + 1)
		must(t, refund(c))
	})
}
