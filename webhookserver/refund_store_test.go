package webhookserver_test

import (
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"net/http"
	"sync/atomic"
	"testing"
	"time"

	"golang.org/x/sync/errgroup"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/client/interceptor"

	"github.com/wechatpay-operator/wechatpay-operator/api/v1alpha1"
	"github.com/wechatpay-operator/wechatpay-operator/internal/wechatpay/simulator"
)

var errNotYet = errors.New("not yet")

// reordered swaps the last two blocks of an encrypted text, which ECB does not detect; the padding
// is then in the wrong place.
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
	d := openFixture(t)
	refund, _ := d.refunding("order-0001", "refund-0001", "")
	d.turn(refund, simulator.RefundSuccess)
	body := d.refundBody(refund, "SUCCESS")
	for name, cause := range writeErrors {
		expectFail(t, d.callbackServer(failingWrites(func() (error, bool) { return cause, false })).refund(body), http.StatusServiceUnavailable)
		if now := d.Refund(refund.Name); now.ResourceVersion != refund.ResourceVersion {
			t.Fatal(name, "wrote")
		}
	}
	expectFail(t, d.callbackServer(failingWrites(func() (error, bool) { return conflict(), false })).refund(body), http.StatusServiceUnavailable)

	// The write succeeded and its answer was lost: the next callback finds it stored.
	once := d.callbackServer(failingWrites(func() (error, bool) { return writeErrors["deadline"], true }))
	expectFail(t, once.refund(body), http.StatusServiceUnavailable)
	d.sync(d.expectRefund(refund, "True/Succeeded"))
	expectSuccess(t, once.refund(body))
}

// staleRefund returns an old Refund from lookups.
func staleRefund(old *v1alpha1.Refund) interceptor.Funcs {
	return interceptor.Funcs{List: func(ctx context.Context, through client.WithWatch, list client.ObjectList, options ...client.ListOption) error {
		if refunds, ok := list.(*v1alpha1.RefundList); ok {
			refunds.Items = []v1alpha1.Refund{*old.DeepCopy()}
			return nil
		}
		return through.List(ctx, list, options...)
	}}
}

func TestStaleRefundIsReadAgain(t *testing.T) {
	t.Parallel()
	d := openFixture(t)
	t.Run("the status was lost", func(t *testing.T) {
		refund, _ := d.refunding("order-0001", "refund-0001", "")
		d.turn(refund, simulator.RefundSuccess)
		lagging := d.callbackServer(staleRefund(refund.DeepCopy()))
		d.WipeStatus(refund.DeepCopy())
		expectSuccess(t, lagging.refund(d.refundBody(refund, "SUCCESS")))
		d.expectRefund(refund, "True/Succeeded")
	})
	t.Run("another Refund has the name, with another number", func(t *testing.T) {
		refund, _ := d.refunding("order-0002", "refund-0002", "")
		d.turn(refund, simulator.RefundSuccess)
		lagging := d.callbackServer(staleRefund(refund.DeepCopy()))
		d.Must(d.live.Delete(d.Context(), refund.DeepCopy()))
		d.Create(d.NewRefund("refund-0002", "order-0002", 50, func(r *v1alpha1.Refund) { r.Spec.OutRefundNo = "another-number" }))
		expectFail(t, lagging.refund(d.refundBody(refund, "SUCCESS")), http.StatusServiceUnavailable)
		d.expectRefund(refund, "")
	})
}

func TestTwoConcurrentRefundCallbacksAreRecordedOnce(t *testing.T) {
	t.Parallel()
	d := openFixture(t)
	refund, _ := d.refunding("order-0001", "refund-0001", "")
	d.turn(refund, simulator.RefundSuccess)
	var count atomic.Int32
	meet := together(2)
	answers := make(chan answer, 2)
	for range cap(answers) {
		c := d.callbackServer(writes(&count), meet)
		go func() { answers <- c.refund(d.refundBody(refund, "SUCCESS")) }()
	}
	expectSuccess(t, <-answers)
	expectSuccess(t, <-answers)
	d.expectRefund(refund, "True/Succeeded")
	if count.Load() != 1 {
		t.Errorf("%d writes", count.Load())
	}
}

// TestReplayedRefundCallbacksQueryOnceASecond: somebody who recorded a callback and repeats it must
// not use up the calls that WeChat allows a merchant, on each replica.
func TestReplayedRefundCallbacksQueryOnceASecond(t *testing.T) {
	t.Parallel()
	const flood = 600
	d := openFixture(t)
	refund, _ := d.refunding("order-0001", "refund-0001", "")
	other, _ := d.refunding("order-0002", "refund-0002", "")
	d.turn(refund, simulator.RefundChange) // not final, so every callback causes a query
	d.turn(other, simulator.RefundSuccess)
	replica, clock := d.callbackServerWithClock()
	second, _ := d.callbackServerWithClock()
	body := d.refundBody(refund, "CHANGE")
	var sending errgroup.Group
	sending.SetLimit(8) // the maximum of waiters
	for i := range flood {
		c := []*callbackServer{replica, second}[i%2]
		sending.Go(func() error {
			if got := c.refund(body); !got.success() {
				return fmt.Errorf("%+v", got)
			}
			return nil
		})
	}
	d.Must(sending.Wait())
	if asked := d.refundQueries(refund); asked != 2 {
		t.Errorf("%d callbacks in one second on two replicas: asked %d times", flood, asked)
	}
	d.expectRefund(refund, "Unknown/Abnormal")

	// A change within the interval is not lost: WeChat has to repeat the callback, and does not get
	// SUCCESS.
	d.turn(refund, simulator.RefundSuccess)
	if d.Protocol == v1alpha1.ProtocolV2 { // under V3 it is signed, and so a fact
		expectFail(t, replica.refund(d.refundBody(refund, "SUCCESS")), http.StatusServiceUnavailable)
	}
	expectSuccess(t, replica.refund(body))
	expectSuccess(t, replica.refund(d.refundBody(other, "SUCCESS"))) // another Refund has its own query
	if asked := d.refundQueries(refund); asked != 2 {
		t.Errorf("within a second: asked %d times", asked)
	}
	clock.SetTime(clock.Now().Add(time.Second))
	expectSuccess(t, replica.refund(d.refundBody(refund, "SUCCESS")))
	d.expectRefund(refund, "True/Succeeded")
}

// TestRefundCallbacksShareAnAnswer: callbacks that arrive during a query wait for its result. One
// that reports more has to be repeated.
func TestRefundCallbacksShareAnAnswer(t *testing.T) {
	t.Parallel()
	const many = 4
	d := openFixture(t)
	refund, _ := d.refunding("order-0001", "refund-0001", "")
	d.turn(refund, simulator.RefundChange)
	c := d.callbackServer()
	d.Fault(simulator.Fault{Operation: simulator.OperationRefundQuery, Kind: simulator.FaultDelay, DelayMillis: 500, Count: 1})
	claims := map[string]bool{"CHANGE": true, "SUCCESS": false}
	if d.Protocol == v1alpha1.ProtocolV3 {
		delete(claims, "SUCCESS") // it is signed, and so a fact: nothing is asked
	}
	var sending errgroup.Group
	for claim, stored := range claims {
		for range many {
			sending.Go(func() error {
				if got := c.refund(d.refundBody(refund, claim)); got.success() != stored || !stored && got.status != http.StatusServiceUnavailable {
					return fmt.Errorf("%s: %+v", claim, got)
				}
				return nil
			})
		}
	}
	d.Must(sending.Wait())
	if asked := d.refundQueries(refund); asked != 1 {
		t.Errorf("asked %d times", asked)
	}
}
