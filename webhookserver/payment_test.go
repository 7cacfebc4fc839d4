package webhookserver_test

import (
	"context"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/google/go-cmp/cmp"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/client/interceptor"

	"github.com/wechatpay-operator/wechatpay-operator/api/v1alpha1"
	"github.com/wechatpay-operator/wechatpay-operator/test/framework"
)

func TestRepeatedPaymentWritesNothing(t *testing.T) {
	t.Parallel()
	d := openFixture(t)
	c := d.callbackServer()
	order := d.prepared("order-0001")
	body := paymentOf(order).good()

	expectSuccess(t, c.pay(body))
	paid := d.expectPaid(order, "True/Paid")
	got := *paid.Status.Transaction
	if got.PaidTime == nil {
		t.Error("no paidTime")
	}
	total := int64(101)
	want := v1alpha1.Transaction{
		ID: transactionOf("order-0001"), Total: 101, Currency: "CNY", CashTotal: &total, CashCurrency: "CNY",
		OpenID: framework.OpenID, BankType: "CMC", PaidTime: got.PaidTime,
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
	if state := stateOf(paid.Status.Conditions, v1alpha1.ConditionPrepared); state != "True/Prepared" {
		t.Error("Prepared is", state)
	}

	before := d.versions()
	for range 3 {
		expectSuccess(t, c.pay(body))
	}
	// Another nonce, and so another signature, but the same payment.
	expectSuccess(t, c.pay(paymentOf(order).with("nonce_str", "another").good()))
	if diff := cmp.Diff(before, d.versions()); diff != "" {
		t.Errorf("a repeated callback wrote something:\n%s", diff)
	}
	if written := c.events.all(); len(written) != 0 {
		t.Errorf("an ordinary payment is no event: %q", written)
	}
}

// chunkedBody hides its length, so that the client sends it in chunks.
type chunkedBody struct{ *strings.Reader }

func TestChunkedPaymentIsAccepted(t *testing.T) {
	t.Parallel()
	d := openFixture(t)
	order := d.prepared("order-0001")
	sent := paymentOf(order).good().to(d.paymentPath())
	got := d.send(http.MethodPost, d.callbackServer().base+d.paymentPath(), chunkedBody{strings.NewReader(sent.body)}, sent.setHeader)
	expectSuccess(t, got)
	d.expectPaid(order, "True/Paid")
}

func TestAnswerWaitsForTheWrite(t *testing.T) {
	t.Parallel()
	d := openFixture(t)
	order := d.prepared("order-0001")
	writing, proceed := make(chan struct{}), make(chan struct{})
	c := d.callbackServer(interceptor.Funcs{SubResourceUpdate: func(ctx context.Context, through client.Client, name string, object client.Object, options ...client.SubResourceUpdateOption) error {
		close(writing)
		<-proceed
		return through.SubResource(name).Update(ctx, object, options...)
	}})
	answers := make(chan answer, 1)
	go func() { answers <- c.pay(paymentOf(order).good()) }()
	<-writing
	select {
	case got := <-answers:
		t.Errorf("answered before the write: %+v", got)
	default:
	}
	d.expectPaid(order, "Unknown/AwaitingPayment")
	close(proceed)
	expectSuccess(t, <-answers)
	d.expectPaid(order, "True/Paid")
}

// writes counts the successful status writes.
func writes(count *atomic.Int32) interceptor.Funcs {
	return interceptor.Funcs{SubResourceUpdate: func(ctx context.Context, through client.Client, name string, object client.Object, options ...client.SubResourceUpdateOption) error {
		err := through.SubResource(name).Update(ctx, object, options...)
		if err == nil {
			count.Add(1)
		}
		return err
	}}
}

// together blocks the first n writes until all of them have started.
func together(n int) interceptor.Funcs {
	var arrived sync.WaitGroup
	arrived.Add(n)
	var first atomic.Int32
	return interceptor.Funcs{SubResourceUpdate: func(ctx context.Context, through client.Client, name string, object client.Object, options ...client.SubResourceUpdateOption) error {
		if first.Add(1) <= int32(n) {
			arrived.Done()
			arrived.Wait()
		}
		return through.SubResource(name).Update(ctx, object, options...)
	}}
}

func TestTwoConcurrentCallbacksAreRecordedOnce(t *testing.T) {
	t.Parallel()
	d := openFixture(t)
	order := d.prepared("order-0001")
	var count atomic.Int32
	meet := together(2)
	one, other := d.callbackServer(writes(&count), meet), d.callbackServer(writes(&count), meet)
	answers := make(chan answer, 2)
	for _, c := range []*callbackServer{one, other} {
		go func() { answers <- c.pay(paymentOf(order).good()) }()
	}
	expectSuccess(t, <-answers)
	expectSuccess(t, <-answers)
	d.expectPaid(order, "True/Paid")
	if count.Load() != 1 {
		t.Errorf("%d writes for one payment", count.Load())
	}
}

func TestManyConcurrentCallbacksAreRecordedOnce(t *testing.T) {
	t.Parallel()
	d := openFixture(t)
	order := d.prepared("order-0001")
	var count atomic.Int32
	counters := []*callbackServer{d.callbackServer(writes(&count)), d.callbackServer(writes(&count))}
	answers := make(chan answer, 24)
	for i := range cap(answers) {
		go func() { answers <- counters[i%2].pay(paymentOf(order).good()) }()
	}
	for range cap(answers) {
		expectSuccess(t, <-answers)
	}
	d.expectPaid(order, "True/Paid")
	if count.Load() != 1 {
		t.Errorf("%d writes for one payment", count.Load())
	}
}

func TestSecondTransactionNeverReplacesFirst(t *testing.T) {
	t.Parallel()
	d := openFixture(t)
	c := d.callbackServer()
	order := d.prepared("order-0001")
	expectSuccess(t, c.pay(paymentOf(order).good()))
	d.sync(order)
	before := d.versions()
	expectFail(t, c.pay(paymentOf(order).with("transaction_id", "4299999999").good()), http.StatusConflict)
	if diff := cmp.Diff(before, d.versions()); diff != "" {
		t.Error(diff)
	}
	if events := c.events.all(); len(events) != 1 || !strings.HasPrefix(events[0], "Warning SecondPayment ") {
		t.Errorf("events: %q", events)
	}
}
