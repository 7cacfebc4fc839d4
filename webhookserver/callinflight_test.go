package webhookserver_test

import (
	"context"
	"testing"

	"k8s.io/utils/clock"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/client/interceptor"

	"github.com/wechatpay-operator/wechatpay-operator/api/v1alpha1"
	"github.com/wechatpay-operator/wechatpay-operator/internal/claims"
	"github.com/wechatpay-operator/wechatpay-operator/test/framework"
)

// withoutStatus is a cache that has every Order as it was created.
var withoutStatus = interceptor.Funcs{List: func(ctx context.Context, through client.WithWatch, list client.ObjectList, options ...client.ListOption) error {
	err := through.List(ctx, list, options...)
	if orders, ok := list.(*v1alpha1.OrderList); ok {
		for i := range orders.Items {
			orders.Items[i].Status = v1alpha1.OrderStatus{}
		}
	}
	return err
}}

// TestPaymentDuringACallOfThisProcess: a reconciler of this process made the first call of an Order, and
// an older Order with the same number waits. The payment belongs to the Order that calls.
func TestPaymentDuringACallOfThisProcess(t *testing.T) {
	t.Parallel()
	for name, prepared := range map[string]bool{"the call is in flight": false, "the cache does not have the result yet": true} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			d := openFixture(t)
			number := func(o *v1alpha1.Order) { o.Spec.OutTradeNo = "number-0001" }
			older, calling := d.NewOrder("order-a", number), d.NewOrder("order-b", number)
			d.Create(older, calling)
			d.sync(older, calling)
			merchant := &v1alpha1.Merchant{}
			d.Must(d.live.Get(d.Context(), client.ObjectKey{Namespace: d.Namespace, Name: framework.MerchantName}, merchant))
			reconcilers := claims.New(d.cached, d.live, clock.RealClock{})
			if !reconcilers.BeginOrder(calling, merchant) {
				t.Fatal("another call is in flight")
			}
			if prepared {
				d.asPrepared(calling, v1alpha1.SignTypeHMACSHA256)
			}
			c := d.callbackServer(withoutStatus)
			c.handler.Calls = reconcilers.Calls
			expectSuccess(t, c.pay(paymentOf(calling).good()))
			d.expectPaid(calling, "True/Paid")
			d.expectPaid(older, "")
		})
	}
}
