package webhookserver_test

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"net/http"
	"syscall"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/client/interceptor"

	"github.com/wechatpay-operator/wechatpay-operator/api/v1alpha1"
	"github.com/wechatpay-operator/wechatpay-operator/internal/lifecycle"
)

var ordersResource = schema.GroupResource{Group: v1alpha1.GroupVersion.Group, Resource: "orders"}

// writeErrors are the errors of a status write, except conflicts, which are resolved at once.
var writeErrors = map[string]error{
	"internal error":     apierrors.NewInternalError(errors.New("etcdserver: request timed out")),
	"server timeout":     apierrors.NewServerTimeout(ordersResource, "update", 1),
	"timeout":            apierrors.NewTimeoutError("the server did not answer", 1),
	"too many requests":  apierrors.NewTooManyRequests("later", 1),
	"unavailable":        apierrors.NewServiceUnavailable("shutting down"),
	"forbidden":          apierrors.NewForbidden(ordersResource, "order", errors.New("no right")),
	"unauthorized":       apierrors.NewUnauthorized("token expired"),
	"gone":               apierrors.NewNotFound(ordersResource, "order"),
	"invalid":            apierrors.NewInvalid(schema.GroupKind{Kind: "Order"}, "order", nil),
	"connection reset":   syscall.ECONNRESET,
	"deadline":           context.DeadlineExceeded,
	"connection refused": syscall.ECONNREFUSED,
}

// failingWrites makes status writes return an error, before or after they took effect. Nil means no
// error.
func failingWrites(next func() (err error, afterEffect bool)) interceptor.Funcs {
	return interceptor.Funcs{SubResourceUpdate: func(ctx context.Context, through client.Client, name string, object client.Object, options ...client.SubResourceUpdateOption) error {
		err, afterEffect := next()
		if err == nil || afterEffect {
			if done := through.SubResource(name).Update(ctx, object, options...); done != nil {
				return done
			}
		}
		return err
	}}
}

func TestNoSuccessWithoutAWrite(t *testing.T) {
	t.Parallel()
	d := openFixture(t)
	n := 0
	for name, cause := range writeErrors {
		n++
		order := d.prepared(fmt.Sprintf("order-%04d", n))
		t.Run(name, func(t *testing.T) {
			broken := d.callbackServer(failingWrites(func() (error, bool) { return cause, false }))
			body := paymentOf(order).good()
			before := d.versions()
			for range 2 {
				expectFail(t, broken.pay(body), http.StatusServiceUnavailable)
			}
			if diff := cmp.Diff(before, d.versions()); diff != "" {
				t.Fatal(diff)
			}
			expectSuccess(t, d.callbackServer().pay(body))
			d.expectPaid(order, "True/Paid")
		})
	}
}

func TestLostAnswerOfTheWrite(t *testing.T) {
	t.Parallel()
	d := openFixture(t)
	n := 0
	for name, cause := range writeErrors {
		n++
		order := d.prepared(fmt.Sprintf("order-%04d", n))
		t.Run(name, func(t *testing.T) {
			broken := d.callbackServer(failingWrites(func() (error, bool) { return cause, true }))
			body := paymentOf(order).good()
			expectFail(t, broken.pay(body), http.StatusServiceUnavailable)
			d.sync(d.expectPaid(order, "True/Paid"))
			before := d.versions()
			expectSuccess(t, broken.pay(body)) // already stored, so no write is needed
			if diff := cmp.Diff(before, d.versions()); diff != "" {
				t.Error(diff)
			}
		})
	}
}

func conflict() error {
	return apierrors.NewConflict(ordersResource, "order", errors.New("the object has been modified"))
}

func TestConflictsAreSettledAtOnce(t *testing.T) {
	t.Parallel()
	d := openFixture(t)
	for n, c := range []struct {
		conflicts int
		after     bool
		success   bool
	}{
		{1, false, true}, {7, false, true}, {8, false, false}, {1, true, true},
	} {
		order := d.prepared(fmt.Sprintf("order-%04d", n))
		t.Run(fmt.Sprintf("%+v", c), func(t *testing.T) {
			left := c.conflicts
			busy := d.callbackServer(failingWrites(func() (error, bool) {
				if left == 0 {
					return nil, false
				}
				left--
				return conflict(), c.after
			}))
			got := busy.pay(paymentOf(order).good())
			if c.success {
				expectSuccess(t, got)
				d.expectPaid(order, "True/Paid")
				return
			}
			expectFail(t, got, http.StatusServiceUnavailable)
			d.expectPaid(order, "Unknown/AwaitingPayment")
		})
	}
}

// staleOrder returns an old Order from lookups, like a cache that lags.
func staleOrder(old *v1alpha1.Order) interceptor.Funcs {
	return interceptor.Funcs{List: func(ctx context.Context, through client.WithWatch, list client.ObjectList, options ...client.ListOption) error {
		if orders, ok := list.(*v1alpha1.OrderList); ok {
			orders.Items = []v1alpha1.Order{*old.DeepCopy()}
			return nil
		}
		return through.List(ctx, list, options...)
	}}
}

func TestStaleOrderIsReadAgain(t *testing.T) {
	t.Parallel()
	d := openFixture(t)

	t.Run("another writer was faster", func(t *testing.T) {
		order := d.prepared("order-0001")
		lagging := d.callbackServer(staleOrder(order.DeepCopy()))
		d.update(order, func(o *v1alpha1.Order) { o.Status.Prepay.RefreshRequest = "1" })
		expectSuccess(t, lagging.pay(paymentOf(order).good()))
		if paid := d.expectPaid(order, "True/Paid"); paid.Status.Prepay.RefreshRequest != "1" {
			t.Error("the other writer's change is lost")
		}
	})
	t.Run("the status was lost", func(t *testing.T) {
		order := d.prepared("order-0002")
		lagging := d.callbackServer(staleOrder(order.DeepCopy()))
		d.WipeStatus(order.DeepCopy())
		expectSuccess(t, lagging.pay(paymentOf(order).good()))
		if paid := d.expectPaid(order, "True/Paid"); paid.Status.Transaction == nil {
			t.Error("no transaction")
		}
	})
	t.Run("the Order was closed", func(t *testing.T) {
		order := d.prepared("order-0003")
		lagging := d.callbackServer(staleOrder(order.DeepCopy()))
		d.update(order, func(o *v1alpha1.Order) { lifecycle.Closed(o, v1alpha1.ReasonClosed, "closed", time.Now()) })
		expectSuccess(t, lagging.pay(paymentOf(order).good()))
		d.expectPaid(order, "True/PaidLate")
	})
	t.Run("the Order lost its number", func(t *testing.T) {
		order := d.prepared("order-0004")
		lagging := d.callbackServer(staleOrder(order.DeepCopy()))
		d.update(order, func(o *v1alpha1.Order) { lifecycle.Closed(o, v1alpha1.ReasonNumberInUse, "another has it", time.Now()) })
		expectFail(t, lagging.pay(paymentOf(order).good()), http.StatusNotFound)
		if now := d.expectPaid(order, "False/NumberInUse"); now.Status.Transaction != nil {
			t.Error("it got the transaction")
		}
	})
	t.Run("another Order has the name, with the same number", func(t *testing.T) {
		order := d.prepared("order-0005")
		lagging := d.callbackServer(staleOrder(order.DeepCopy()))
		d.Must(d.live.Delete(d.Context(), order))
		again := d.NewOrder("order-0005")
		d.Create(again)
		expectFail(t, lagging.pay(paymentOf(order).good()), http.StatusServiceUnavailable)
		d.expectPaid(again, "")
		d.sync(again)
		expectSuccess(t, d.callbackServer().pay(paymentOf(order).good()))
		d.expectPaid(again, "True/Paid")
	})
	t.Run("another Order has the name, with another number", func(t *testing.T) {
		order := d.prepared("order-0006")
		lagging := d.callbackServer(staleOrder(order.DeepCopy()))
		d.Must(d.live.Delete(d.Context(), order))
		again := d.prepared("order-0006", func(o *v1alpha1.Order) { o.Spec.OutTradeNo = "another-number" })
		before := d.versions()
		expectFail(t, lagging.pay(paymentOf(order).good()), http.StatusServiceUnavailable)
		expectFail(t, d.callbackServer().pay(paymentOf(order).good()), http.StatusNotFound)
		if diff := cmp.Diff(before, d.versions()); diff != "" {
			t.Error(diff)
		}
		d.expectPaid(again, "Unknown/AwaitingPayment")
	})
	t.Run("the Order was deleted", func(t *testing.T) {
		order := d.prepared("order-0007")
		lagging := d.callbackServer(staleOrder(order.DeepCopy()))
		d.Must(d.live.Delete(d.Context(), order))
		expectFail(t, lagging.pay(paymentOf(order).good()), http.StatusServiceUnavailable)
	})
}

// TestSuccessMeansStored: whatever errors the writes return, SUCCESS is answered only for a payment
// that the API server has.
func TestSuccessMeansStored(t *testing.T) {
	t.Parallel()
	d := openFixture(t)
	chance := rand.New(rand.NewPCG(20261121, 7))
	causes := []error{conflict(), conflict(), conflict()}
	for _, cause := range writeErrors {
		causes = append(causes, cause)
	}
	for n := range 20 {
		order := d.prepared(fmt.Sprintf("order-%04d", n))
		disturb := []interceptor.Funcs{failingWrites(func() (error, bool) {
			if chance.IntN(3) == 0 {
				return nil, false
			}
			return causes[chance.IntN(len(causes))], chance.IntN(2) == 0
		})}
		if chance.IntN(2) == 0 {
			disturb = append(disturb, staleOrder(order.DeepCopy()))
			d.WipeStatus(order.DeepCopy())
		}
		c := d.callbackServer(disturb...)
		for attempt := 0; ; attempt++ {
			got := c.pay(paymentOf(order).good())
			if !got.success() {
				if attempt > 100 {
					t.Fatalf("Order %s: never a SUCCESS, last %+v", order.Name, got)
				}
				continue
			}
			if paid := d.expectPaid(order, "True/Paid"); paid.Status.Transaction.ID != transactionOf(order.Number()) {
				t.Fatalf("another transaction: %+v", paid.Status.Transaction)
			}
			break
		}
	}
}
