package webhookserver_test

import (
	"context"
	"errors"
	"net/http"
	"strings"
	"testing"
	"time"

	"k8s.io/apimachinery/pkg/api/meta"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/client/interceptor"

	"github.com/wechatpay-operator/wechatpay-operator/api/v1alpha1"
	"github.com/wechatpay-operator/wechatpay-operator/internal/lifecycle"
)

func TestPaymentAfterTheEnd(t *testing.T) {
	t.Parallel()
	d := openFixture(t)
	c := d.callbackServer()
	for number, reason := range map[string]string{"order-closed": v1alpha1.ReasonClosed, "order-expired": v1alpha1.ReasonExpired} {
		order := d.update(d.prepared(number), func(o *v1alpha1.Order) { lifecycle.Closed(o, reason, "over", time.Now()) })
		expectSuccess(t, c.pay(paymentOf(order).good()))
		if paid := d.expectPaid(order, "True/PaidLate"); paid.Status.Transaction.ID != transactionOf(number) {
			t.Errorf("%+v", paid.Status.Transaction)
		}
		d.sync(order)
		expectSuccess(t, c.pay(paymentOf(order).good()))
		d.expectPaid(order, "True/PaidLate")
	}
	if events := c.events.all(); len(events) != 2 || !strings.HasPrefix(events[0], "Warning PaidLate ") {
		t.Errorf("events: %q", events)
	}
}

func TestPaymentBeforeTheObject(t *testing.T) {
	t.Parallel()
	d := openFixture(t)
	order := d.NewOrder("order-0001") // without a status: with a prepay of its own the payment would be its own
	d.Create(order)
	d.sync(order)
	expectSuccess(t, d.callbackServer().pay(paymentOf(order).with("time_end", "20260101120000").good()))
	d.expectPaid(order, "True/PaidEarlier")
}

func TestNumberBelongsToTheOlderOrder(t *testing.T) {
	t.Parallel()
	d := openFixture(t)
	number := func(o *v1alpha1.Order) { o.Spec.OutTradeNo = "number-0001" }
	older := d.prepared("order-a", number)
	loser := d.update(d.prepared("order-b", number), func(o *v1alpha1.Order) {
		lifecycle.Closed(o, v1alpha1.ReasonNumberInUse, "the older one has it", time.Now())
	})
	unaware := d.NewOrder("order-c", number)
	d.Create(unaware)
	d.sync(unaware)

	expectSuccess(t, d.callbackServer().pay(paymentOf(older).good()))
	d.expectPaid(older, "True/Paid")
	d.expectPaid(loser, "False/NumberInUse")
	d.expectPaid(unaware, "")
}

func TestPaymentOfRejectedNumberIsUnmatched(t *testing.T) {
	t.Parallel()
	d := openFixture(t)
	loser := d.update(d.prepared("order-0001"), func(o *v1alpha1.Order) { lifecycle.Closed(o, v1alpha1.ReasonNumberInUse, "another has it", time.Now()) })
	before := d.versions()
	expectFail(t, d.callbackServer().pay(paymentOf(loser).good()), http.StatusNotFound)
	if after := d.versions(); after["Order "+d.Namespace+"/order-0001"] != before["Order "+d.Namespace+"/order-0001"] {
		t.Error("it changed")
	}
}

// emptyCache is a cache that does not have any of the Orders and Refunds yet.
var emptyCache = interceptor.Funcs{List: func(ctx context.Context, through client.WithWatch, list client.ObjectList, options ...client.ListOption) error {
	switch list.(type) {
	case *v1alpha1.OrderList, *v1alpha1.RefundList:
		return meta.SetList(list, nil)
	}
	return through.List(ctx, list, options...)
}}

func TestOrderThatTheCacheDoesNotHaveYet(t *testing.T) {
	t.Parallel()
	d := openFixture(t)
	c := d.callbackServer(emptyCache)
	order := d.prepared("order-0001")
	expectSuccess(t, c.pay(paymentOf(order).good()))
	d.expectPaid(order, "True/Paid")
	expectSuccess(t, c.pay(paymentOf(order).good()))
	expectFail(t, c.pay(paymentOf(order).with("out_trade_no", "order-9999").good()), http.StatusNotFound)
}

func TestOrderWithoutAStatus(t *testing.T) {
	t.Parallel()
	d := openFixture(t)
	c := d.callbackServer()
	paid := d.prepared("order-0001")
	expectSuccess(t, c.pay(paymentOf(paid).good()))
	d.WipeStatus(paid.DeepCopy())
	d.sync(paid)
	expectSuccess(t, c.pay(paymentOf(paid).good()))
	d.expectPaid(paid, "True/Paid")

	fresh := d.NewOrder("order-0002", func(o *v1alpha1.Order) { o.Spec.OutTradeNo = "Number_0002" })
	d.Create(fresh)
	d.sync(fresh)
	expectSuccess(t, c.pay(paymentOf(fresh).good()))
	if now := d.expectPaid(fresh, "True/Paid"); now.Status.OutTradeNo != "Number_0002" {
		t.Errorf("status.outTradeNo is %q", now.Status.OutTradeNo)
	}
}

// brokenReader returns errors for lists and gets that a test does not allow.
type brokenReader struct{ client.Reader }

func (brokenReader) List(context.Context, client.ObjectList, ...client.ListOption) error {
	return errors.New("the API server is away")
}

func (brokenReader) Get(context.Context, client.ObjectKey, client.Object, ...client.GetOption) error {
	return errors.New("the API server is away")
}

func TestLookupFailures(t *testing.T) {
	t.Parallel()
	d := openFixture(t)
	order := d.prepared("order-0001")
	away := errors.New("the API server is away")
	for name, disturb := range map[string]interceptor.Funcs{
		"Merchant": {Get: func(context.Context, client.WithWatch, client.ObjectKey, client.Object, ...client.GetOption) error {
			return away
		}},
		"Order": {List: func(context.Context, client.WithWatch, client.ObjectList, ...client.ListOption) error { return away }},
	} {
		t.Run(name, func(t *testing.T) {
			expectFail(t, d.callbackServer(disturb).pay(paymentOf(order).good()), http.StatusServiceUnavailable)
		})
	}
	t.Run("live", func(t *testing.T) {
		c := d.callbackServer(emptyCache)
		c.handler.APIReader = brokenReader{}
		expectFail(t, c.pay(paymentOf(order).good()), http.StatusServiceUnavailable)
	})
	t.Run("live after a conflict", func(t *testing.T) {
		c := d.callbackServer(failingWrites(func() (error, bool) { return conflict(), false }))
		c.handler.APIReader = brokenReader{}
		expectFail(t, c.pay(paymentOf(order).good()), http.StatusServiceUnavailable)
	})
	d.expectPaid(order, "Unknown/AwaitingPayment")
}
