package webhookserver_test

import (
	"context"
	"encoding/base64"
	"errors"
	"net/http"
	"sync/atomic"
	"testing"
	"time"

	clocktesting "k8s.io/utils/clock/testing"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/client/interceptor"

	"github.com/wechatpay-operator/wechatpay-operator/api/v1alpha1"
	"github.com/wechatpay-operator/wechatpay-operator/internal/wechatpay/simulator"
)

var errNotYet = errors.New("not yet")

// reordered exchanges the last two blocks of an encrypted text, which ECB does not notice; the padding is then in the wrong
// place.
func reordered(sealed string) string {
	raw, err := base64.StdEncoding.DecodeString(sealed)
	if err != nil {
		panic(err)
	}
	last, before := len(raw)-16, len(raw)-32
	changed := append(append(append([]byte{}, raw[:before]...), raw[last:]...), raw[before:last]...)
	return base64.StdEncoding.EncodeToString(changed)
}

func TestRefundIsNoSuccessWithoutAWrite(t *testing.T) {
	t.Parallel()
	d := openDesk(t)
	refund, _ := d.refunding("order-0001", "refund-0001", "")
	d.turn(refund, simulator.RefundSuccess)
	body := d.refundBody(refund, "SUCCESS")
	for name, cause := range writeErrors {
		expectFail(t, d.counter(failingWrites(func() (error, bool) { return cause, false })).refund(body), http.StatusServiceUnavailable)
		if now := d.Refund(refund.Name); now.ResourceVersion != refund.ResourceVersion {
			t.Fatal(name, "wrote")
		}
	}
	expectFail(t, d.counter(failingWrites(func() (error, bool) { return conflict(), false })).refund(body), http.StatusServiceUnavailable)

	// The write came through and its answer was lost: the next callback finds it.
	once := d.counter(failingWrites(func() (error, bool) { return writeErrors["deadline"], true }))
	expectFail(t, once.refund(body), http.StatusServiceUnavailable)
	d.sync(d.expectRefund(refund, "True/Succeeded"))
	expectSuccess(t, once.refund(body))
}

// behindRefund answers look-ups with a Refund as it was.
func behindRefund(old *v1alpha1.Refund) interceptor.Funcs {
	return interceptor.Funcs{List: func(ctx context.Context, through client.WithWatch, list client.ObjectList, options ...client.ListOption) error {
		if refunds, ok := list.(*v1alpha1.RefundList); ok {
			refunds.Items = []v1alpha1.Refund{*old.DeepCopy()}
			return nil
		}
		return through.List(ctx, list, options...)
	}}
}

func TestStaleRefundIsNeverTakenForTheTruth(t *testing.T) {
	t.Parallel()
	d := openDesk(t)
	t.Run("the status was lost", func(t *testing.T) {
		refund, _ := d.refunding("order-0001", "refund-0001", "")
		d.turn(refund, simulator.RefundSuccess)
		lagging := d.counter(behindRefund(refund.DeepCopy()))
		d.WipeStatus(refund.DeepCopy())
		expectSuccess(t, lagging.refund(d.refundBody(refund, "SUCCESS")))
		d.expectRefund(refund, "True/Succeeded")
	})
	t.Run("another Refund has the name, with another number", func(t *testing.T) {
		refund, _ := d.refunding("order-0002", "refund-0002", "")
		d.turn(refund, simulator.RefundSuccess)
		lagging := d.counter(behindRefund(refund.DeepCopy()))
		d.Must(d.live.Delete(d.Context(), refund.DeepCopy()))
		d.Create(d.NewRefund("refund-0002", "order-0002", 50, func(r *v1alpha1.Refund) { r.Spec.OutRefundNo = "another-number" }))
		expectFail(t, lagging.refund(d.refundBody(refund, "SUCCESS")), http.StatusServiceUnavailable)
		d.expectRefund(refund, "")
	})
}

func TestTwoRefundCallbacksAtOnceAreOneFact(t *testing.T) {
	t.Parallel()
	d := openDesk(t)
	refund, _ := d.refunding("order-0001", "refund-0001", "")
	d.turn(refund, simulator.RefundSuccess)
	var count atomic.Int32
	meet := together(2)
	answers := make(chan answer, 2)
	for range cap(answers) {
		c := d.counter(writes(&count), meet)
		go func() { answers <- c.refund(d.refundBody(refund, "SUCCESS")) }()
	}
	expectSuccess(t, <-answers)
	expectSuccess(t, <-answers)
	d.expectRefund(refund, "True/Succeeded")
	if count.Load() != 1 {
		t.Errorf("%d writes", count.Load())
	}
}

// TestReplayedRefundCallbacksAreLimited: what somebody recorded and sends for ever must not use up the calls that WeChat
// allows a merchant. Other merchants' callbacks are not held up.
func TestReplayedRefundCallbacksAreLimited(t *testing.T) {
	t.Parallel()
	d := openDesk(t)
	refund, _ := d.refunding("order-0001", "refund-0001", "")
	d.turn(refund, simulator.RefundChange) // not final, so that every callback asks
	c := d.counter()
	clock := clocktesting.NewFakePassiveClock(time.Now())
	c.handler.Clock = clock
	body := d.refundBody(refund, "CHANGE")

	const flood = 150
	answers := make(chan answer, flood)
	todo := make(chan struct{}, flood)
	for range flood {
		todo <- struct{}{}
	}
	close(todo)
	for range 16 {
		go func() {
			for range todo {
				answers <- c.refund(body)
			}
		}()
	}
	taken := 0
	for range flood {
		if got := <-answers; got.success() {
			taken++
		} else {
			expectFail(t, got, http.StatusServiceUnavailable)
		}
	}
	if asked := d.asked(refund); asked > 100 || taken != asked {
		t.Errorf("%d callbacks in one second: asked %d times, taken %d", flood, asked, taken)
	}
	clock.SetTime(clock.Now().Add(time.Second))
	expectSuccess(t, c.refund(body))
	d.expectRefund(refund, "Unknown/Abnormal")
}
