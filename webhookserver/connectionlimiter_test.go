package webhookserver_test

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"testing"

	"github.com/prometheus/client_golang/prometheus/testutil"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/client/interceptor"

	"github.com/wechatpay-operator/wechatpay-operator/api/v1alpha1"
	"github.com/wechatpay-operator/wechatpay-operator/internal/metrics"
)

// connections is the server's maximum number of connections.
const connections = 1024

// TestHeldConnectionsAreEvicted: clients that send nothing, that send a header or a body slowly,
// or that keep idle connections do not block others, and requests being handled are not cut off.
// Not parallel: it takes thousands of connections.
func TestHeldConnectionsAreEvicted(t *testing.T) {
	d := openFixture(t)
	settling, proceed := make(chan struct{}), make(chan struct{})
	patient := d.callbackServer(interceptor.Funcs{SubResourceUpdate: func(ctx context.Context, through client.Client, sub string, object client.Object, options ...client.SubResourceUpdateOption) error {
		if object.GetName() == "order-patient" {
			close(settling)
			<-proceed
			// Without the deadline of a callback, which this test may exceed.
			ctx = context.WithoutCancel(ctx)
		}
		return through.SubResource(sub).Update(ctx, object, options...)
	}})
	underWay := make(chan answer, 1)
	go func() { underWay <- patient.pay(paymentOf(d.prepared("order-patient")).good()) }()
	<-settling
	evicted := func() float64 { return testutil.ToFloat64(metrics.CallbackConnectionsEvicted) }
	start := "POST " + d.paymentPath() + " HTTP/1.1\r\nHost: pay.example.com\r\n"
	for i, begin := range []string{"", start, start + "Content-Length: 60000\r\n\r\n<xml>", "GET / HTTP/1.1\r\nHost: pay.example.com\r\n\r\n"} {
		order := d.prepared(fmt.Sprintf("order-%04d", i))
		before := evicted()
		for range connections + 50 {
			if _, err := io.WriteString(patient.dial(), begin); err != nil {
				t.Fatal(err)
			}
		}
		expectSuccess(t, patient.pay(paymentOf(order).good()))
		d.Eventually("somebody has to go", func() error {
			if evicted()-before < 50 {
				return errNotYet
			}
			return nil
		})
	}
	close(proceed)
	expectSuccess(t, <-underWay)
	d.expectPaid(d.NewOrder("order-patient"), "True/Paid")
}

// TestBlockedMerchantDoesNotBlockOthers: while the payments of one Merchant can't be stored, one
// more times out, and those of another are stored.
func TestBlockedMerchantDoesNotBlockOthers(t *testing.T) {
	t.Parallel()
	const room = 64
	d := openFixture(t)
	tooMany := d.fails("too many callbacks")
	entered, proceed := make(chan struct{}, room), make(chan struct{})
	stuck := d.callbackServer(interceptor.Funcs{SubResourceUpdate: func(ctx context.Context, through client.Client, sub string, object client.Object, options ...client.SubResourceUpdateOption) error {
		if _, isOrder := object.(*v1alpha1.Order); isOrder && object.GetNamespace() == d.Namespace {
			entered <- struct{}{}
			<-proceed
			return errNotYet
		}
		return through.SubResource(sub).Update(ctx, object, options...)
	}})
	order := d.prepared("order-0001")
	other := d.prepared("order-0002", func(o *v1alpha1.Order) { o.Namespace, o.Spec.MerchantRef.Name = d.Other(0), secondName })
	refund, _ := d.refunding("order-0003", "refund-0003", "")
	answers := make(chan answer, room)
	for range room {
		go func() { answers <- stuck.pay(paymentOf(order).good()) }()
	}
	for range room {
		<-entered
	}
	if got := stuck.pay(paymentOf(order).good()); got.body != tooMany {
		t.Errorf("one more was let in: %+v", got)
	}
	expectFail(t, stuck.pay(paymentOf(order).forged()), http.StatusForbidden)
	expectSuccess(t, stuck.post(d.secondPath(), paymentOf(other).with("mch_id", secondMchID).by(secondKey)))
	if got := stuck.refund(d.refundBody(refund, "PROCESSING")); got.body == tooMany {
		t.Errorf("refunds have a room of their own: %+v", got)
	}
	close(proceed)
	for range room {
		expectFail(t, <-answers, http.StatusServiceUnavailable)
	}
	d.expectPaid(order, "Unknown/AwaitingPayment")
	expectSuccess(t, d.callbackServer().pay(paymentOf(order).good()))
}
