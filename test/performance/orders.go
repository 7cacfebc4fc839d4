package main

import (
	"context"
	"errors"
	"fmt"
	"time"

	"golang.org/x/sync/errgroup"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/wechatpay-operator/wechatpay-operator/api/v1alpha1"
	"github.com/wechatpay-operator/wechatpay-operator/internal/lifecycle"
	"github.com/wechatpay-operator/wechatpay-operator/internal/wechatpay/simulator"
)

// workers is how many the operator has for Orders by default, and as many has everybody who is compared with it.
const workers = 16

// newOrder is an Order as a shop's backend makes it.
func newOrder(namespace, name string) *v1alpha1.Order {
	return &v1alpha1.Order{
		ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: name, Labels: map[string]string{"app.kubernetes.io/part-of": "shop"}},
		Spec: v1alpha1.OrderSpec{
			MerchantRef: v1alpha1.MerchantReference{Namespace: shopNamespace, Name: merchantName},
			TradeType:   v1alpha1.TradeTypeJSAPI, Description: "肥皂 x1", Amount: v1alpha1.Amount{Total: 101},
			Payer: &v1alpha1.Payer{OpenID: openID}, ClientIP: "203.0.113.7", Attach: "cart-0001",
		},
	}
}

func nameOf(prefix string, i int) string { return fmt.Sprintf("%s-%06d", prefix, i) }

// createOrders creates Orders at once, and hands each on when it is stored.
func (s *stage) createOrders(ctx context.Context, namespace string, count int, then func(*v1alpha1.Order)) error {
	creating, ctx := errgroup.WithContext(ctx)
	creating.SetLimit(workers)
	for i := range count {
		creating.Go(func() error {
			order := newOrder(namespace, nameOf(namespace, i))
			if err := s.cluster.Client.Create(ctx, order); err != nil {
				return err
			}
			then(order)
			return nil
		})
	}
	return creating.Wait()
}

// openNamespace makes a namespace whose Orders may use the Merchant.
func (s *stage) openNamespace(ctx context.Context, name string) error {
	return s.cluster.Client.Create(ctx, &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: name}})
}

// statuses are what the operator wrote for an Order.
type statuses struct {
	prepared, paid v1alpha1.OrderStatus
}

// sample has one Order come through, so that others can be given statuses of the same size.
func (s *stage) sample(ctx context.Context) (statuses, error) {
	var seen statuses
	order := newOrder(shopNamespace, "sample-000000")
	if err := s.cluster.Client.Create(ctx, order); err != nil {
		return seen, err
	}
	until := func(what string, is func(*v1alpha1.Order) bool, status *v1alpha1.OrderStatus) error {
		return await(ctx, what, func(ctx context.Context) error {
			if err := s.cluster.Client.Get(ctx, client.ObjectKeyFromObject(order), order); err != nil {
				return err
			}
			if !is(order) {
				return errors.New(lifecycle.PaidReason(order))
			}
			*status = *order.Status.DeepCopy()
			return nil
		})
	}
	if err := until("an Order to be prepared", func(o *v1alpha1.Order) bool { return lifecycle.IsPrepared(o) && !lifecycle.IsPaid(o) }, &seen.prepared); err != nil {
		return seen, err
	}
	if _, err := s.admin.Pay(ctx, mchID, order.Number(), simulator.PayOptions{}); err != nil && !errors.Is(err, simulator.ErrOrderPaid) {
		return seen, err
	}
	return seen, until("an Order to be paid", lifecycle.IsPaid, &seen.paid)
}

// awaitPaid waits until the operator counts as many Orders of a namespace as paid.
func (o *operator) awaitPaid(ctx context.Context, namespace string, count int) error {
	return o.awaitState(ctx, namespace, v1alpha1.ReasonPaid, count)
}

// awaitState waits until the operator counts as many Orders of a namespace in a state.
func (o *operator) awaitState(ctx context.Context, namespace, state string, count int) error {
	for {
		there, err := o.metric(ctx, "wechatpay_orders", `namespace="`+namespace+`"`, `state="`+state+`"`)
		if err != nil {
			return err
		}
		if int(there) >= count {
			return nil
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("%.0f of %d Orders are %s: %w", there, count, state, ctx.Err())
		case <-time.After(200 * time.Millisecond):
		}
	}
}

// allPaid asks the API server itself.
func (s *stage) allPaid(ctx context.Context, namespace string, count int) error {
	var orders v1alpha1.OrderList
	if err := s.cluster.Client.List(ctx, &orders, client.InNamespace(namespace)); err != nil {
		return err
	}
	paid := 0
	for i := range orders.Items {
		if lifecycle.IsPaid(&orders.Items[i]) && orders.Items[i].Status.Prepay != nil && orders.Items[i].Status.Transaction != nil {
			paid++
		}
	}
	if paid != count {
		return fmt.Errorf("%d of %d Orders are prepared and paid", paid, count)
	}
	return nil
}
