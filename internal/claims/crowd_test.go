package claims_test

import (
	"context"
	"fmt"
	"sync/atomic"
	"testing"
	"time"

	clocktesting "k8s.io/utils/clock/testing"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/client/fake"
	"sigs.k8s.io/controller-runtime/pkg/client/interceptor"

	"github.com/wechatpay-operator/wechatpay-operator/api/v1alpha1"
	"github.com/wechatpay-operator/wechatpay-operator/internal/claims"
	"github.com/wechatpay-operator/wechatpay-operator/internal/index"
)

// TestACrowdIsLookedUpOnce: someone may create a thousand Orders with one number. What decides
// whether they participate is read once, not once per Order.
func TestACrowdIsLookedUpOnce(t *testing.T) {
	t.Parallel()
	shop := merchantIn("shop", "1900000109", true)
	mine := orderIn("shop", "mine", shop, age(2*time.Hour))
	objects := []client.Object{shop, mine}
	for i := range 1000 {
		objects = append(objects, orderIn("crowd", fmt.Sprint("rival-", i), shop))
	}
	for i := range 10 {
		objects = append(objects, orderIn("crowd", fmt.Sprint("begun-", i), shop, prepared))
	}
	var reads atomic.Int64
	cached := fake.NewClientBuilder().WithScheme(scheme).WithObjects(objects...).
		WithIndex(&v1alpha1.Order{}, index.OrderNumber, func(object client.Object) []string { return []string{object.(*v1alpha1.Order).Number()} }).
		WithInterceptorFuncs(interceptor.Funcs{Get: func(ctx context.Context, c client.WithWatch, key client.ObjectKey, object client.Object, options ...client.GetOption) error {
			reads.Add(1)
			return c.Get(ctx, key, object, options...)
		}}).Build()
	owner, err := claims.New(cached, cached, clocktesting.NewFakePassiveClock(now)).OwnerOfOrder(t.Context(), mine, shop)
	if err != nil {
		t.Fatal(err)
	}
	if owner.Name != "begun-0" || reads.Load() > 4 {
		t.Errorf("%s owns the number after %d reads", owner.Name, reads.Load())
	}
}
