package performance

import (
	"errors"
	"fmt"
	"time"

	"golang.org/x/sync/errgroup"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/wechatpay-operator/wechatpay-operator/api/v1alpha1"
	"github.com/wechatpay-operator/wechatpay-operator/internal/lifecycle"
	"github.com/wechatpay-operator/wechatpay-operator/internal/wechatpay/simulator"
)

const (
	// workers is the operator's default number of workers for Orders. The clients that it is compared with have the
	// same number.
	workers = 16
	// total is the amount of an Order, in fen.
	total = 101
)

// newOrder is an Order as a shop's backend makes it.
func newOrder(namespace, name string) *v1alpha1.Order {
	return &v1alpha1.Order{
		ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: name, Labels: map[string]string{"app.kubernetes.io/part-of": "shop"}},
		Spec: v1alpha1.OrderSpec{
			MerchantRef: v1alpha1.MerchantReference{Namespace: shop, Name: shop},
			TradeType:   v1alpha1.TradeTypeJSAPI, Description: "肥皂 x1", Amount: v1alpha1.Amount{Total: total},
			Payer: &v1alpha1.Payer{OpenID: openID}, ClientIP: "203.0.113.7", Attach: "cart-0001",
		},
	}
}

func newOrders(namespace string, count int) []*v1alpha1.Order {
	var orders []*v1alpha1.Order
	for i := range count {
		orders = append(orders, newOrder(namespace, nameOf(namespace, i)))
	}
	return orders
}

func nameOf(prefix string, i int) string { return fmt.Sprintf("%s-%06d", prefix, i) }

// createOrders creates a namespace with Orders.
func (s *stage) createOrders(namespace string, count int) {
	s.openNamespace(namespace)
	s.must(s.storeOrders(newOrders(namespace, count), func(*v1alpha1.Order) {}))
}

// storeOrders creates Orders at once, and passes each on when it is stored.
func (s *stage) storeOrders(orders []*v1alpha1.Order, then func(*v1alpha1.Order)) error {
	creating, ctx := errgroup.WithContext(s.ctx)
	creating.SetLimit(workers)
	for _, order := range orders {
		creating.Go(func() error {
			err := s.cluster.Client.Create(ctx, order)
			if err == nil {
				then(order)
			}
			return err
		})
	}
	return creating.Wait()
}

// sample lets the operator prepare an Order, pays it, and returns it as it was when it was prepared and when it was paid.
func (s *stage) sample() (prepared, paid *v1alpha1.Order) {
	order := newOrder(shop, "sample-000000")
	order.Spec.ExpireAfterSeconds = 7 * 24 * 60 * 60 // the longest: no copy expires while it is watched
	s.create(order)
	prepared = s.awaitOrder(order, soon, func(o *v1alpha1.Order) bool { return lifecycle.IsPrepared(o) && !lifecycle.IsPaid(o) })
	if _, err := s.admin.Pay(s.ctx, mchID, order.Number(), simulator.PayOptions{}); !errors.Is(err, simulator.ErrOrderPaid) {
		s.must(err)
	}
	return prepared, s.awaitOrder(order, soon, lifecycle.IsPaid)
}

// awaitOrder reads an Order until it is as expected, and returns a copy.
func (s *stage) awaitOrder(order *v1alpha1.Order, every time.Duration, is func(*v1alpha1.Order) bool) *v1alpha1.Order {
	s.await("Order "+order.Name, every, func() error {
		s.must(s.cluster.Client.Get(s.ctx, client.ObjectKeyFromObject(order), order))
		if !is(order) {
			return errors.New(lifecycle.PaidReason(order))
		}
		return nil
	})
	return order.DeepCopy()
}

// list reads the Orders of a namespace.
func (s *stage) list(namespace string) []v1alpha1.Order {
	var orders v1alpha1.OrderList
	s.must(s.cluster.Client.List(s.ctx, &orders, client.InNamespace(namespace)))
	return orders.Items
}

// paid returns the names of the Orders of a namespace that are prepared and paid, according to the API server.
func (s *stage) paid(namespace string) map[string]bool {
	paid := map[string]bool{}
	for _, order := range s.list(namespace) {
		if lifecycle.IsPaid(&order) && order.Status.Prepay != nil && order.Status.Transaction != nil {
			paid[order.Name] = true
		}
	}
	return paid
}

// allPaid fails unless as many Orders of a namespace are paid, and nearly all of them were prepared before. A callback
// may arrive before the write that says prepared, if the machine is slower than the payer; the operator then skips that
// write.
func (s *stage) allPaid(namespace string, count int) {
	paid, overtaken := 0, 0
	for _, order := range s.list(namespace) {
		if !lifecycle.IsPaid(&order) || order.Status.Transaction == nil {
			continue
		}
		paid++
		if order.Status.Prepay == nil {
			overtaken++
		}
	}
	if paid != count {
		s.Fatalf("%d of %d Orders are paid", paid, count)
	}
	if overtaken > count/50 {
		s.Fatalf("%d of %d Orders were paid before they were shown as prepared: payers are too fast for this machine", overtaken, count)
	}
}
