package main

import (
	"context"
	"fmt"

	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/wechatpay-operator/wechatpay-operator/api/v1alpha1"
	"github.com/wechatpay-operator/wechatpay-operator/internal/lifecycle"
	"github.com/wechatpay-operator/wechatpay-operator/test/framework/controlplane"
)

// bareAtOnce is how many writes the bare client has under way at most: as many as the operator settles callbacks at once. The
// others wait for their turn, which counts.
const bareAtOnce = 64

// bareUpdates writes the statuses of paid Orders at a rate, as the operator but without anything to look up. One that fails, since
// the API server can do no more, is counted.
func (o *operator) bareUpdates(ctx context.Context, namespace string, rate, count int, like statuses) (pace, error) {
	orders, err := o.preparedOrders(ctx, namespace, count)
	if err != nil {
		return pace{}, err
	}
	for i := range orders {
		orders[i].Status = paidAs(orders[i].Status, like.paid)
	}
	writer, err := client.New(o.stage.identity, client.Options{Scheme: controlplane.Scheme()})
	if err != nil {
		return pace{}, err
	}
	o.stage.profile(ctx, namespace, o)
	places := make(chan struct{}, bareAtOnce)
	p := atRate(ctx, rate, count, func(i int) bool {
		places <- struct{}{}
		defer func() { <-places }()
		return writer.Status().Update(ctx, &orders[i]) == nil
	})
	paid, err := o.stage.paidIn(ctx, namespace)
	if err == nil && len(paid) < len(p.took) {
		err = fmt.Errorf("%d Orders are Paid after %d writes", len(paid), len(p.took))
	}
	return p, err
}

// paidAs is the status of an Order after the same payment as another's.
func paidAs(status, like v1alpha1.OrderStatus) v1alpha1.OrderStatus {
	paid := *like.DeepCopy()
	paid.OutTradeNo, paid.ExpireTime, paid.Prepay = status.OutTradeNo, status.ExpireTime, status.Prepay
	return paid
}

// preparedOrders has the operator prepare Orders that nobody pays.
func (o *operator) preparedOrders(ctx context.Context, namespace string, count int) ([]v1alpha1.Order, error) {
	if err := o.stage.openNamespace(ctx, namespace); err != nil {
		return nil, err
	}
	if err := o.stage.createOrders(ctx, namespace, count, func(*v1alpha1.Order) {}); err != nil {
		return nil, err
	}
	if err := o.awaitState(ctx, namespace, v1alpha1.ReasonAwaitingPayment, count); err != nil {
		return nil, err
	}
	if err := o.awaitIdle(ctx); err != nil {
		return nil, err
	}
	var orders v1alpha1.OrderList
	err := o.stage.cluster.Client.List(ctx, &orders, client.InNamespace(namespace))
	return orders.Items, err
}

// paidIn are the names of the Orders of a namespace that the API server has as Paid.
func (s *stage) paidIn(ctx context.Context, namespace string) (map[string]bool, error) {
	var orders v1alpha1.OrderList
	err := s.cluster.Client.List(ctx, &orders, client.InNamespace(namespace))
	paid := map[string]bool{}
	for i := range orders.Items {
		if lifecycle.IsPaid(&orders.Items[i]) {
			paid[orders.Items[i].Name] = true
		}
	}
	return paid, err
}
