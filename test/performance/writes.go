package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strings"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/wechatpay-operator/wechatpay-operator/api/v1alpha1"
	"github.com/wechatpay-operator/wechatpay-operator/internal/wechatpay/simulator"
)

// As many lives are counted. Refunds are few, since the operator looks at WeChat for two a second only.
const (
	countedOrders  = 200
	countedRefunds = 20
)

// measureWrites counts what the operator asks of the API server, by the API server's own audit log, and what it asks of WeChat, by
// WeChat's ledger.
func measureWrites(ctx context.Context, o settings, r *results) error {
	return errors.Join(countWrites(ctx, o, r, "component", true), countWrites(ctx, o, r, "default", false))
}

func countWrites(ctx context.Context, o settings, r *results, installation string, finalizerAtCreation bool) (err error) {
	folder, err := os.MkdirTemp("", "wechatpay-audit-")
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(folder)) }()
	log, err := newAuditLog(folder)
	if err != nil {
		return err
	}
	s, err := open(ctx, o, scene{finalizerAtCreation: finalizerAtCreation, payAfter: payAfter, cluster: log.options()})
	defer func() { err = errors.Join(err, s.close()) }()
	if err != nil {
		return err
	}
	return s.withOperator(ctx, func(ctx context.Context, operator *operator) error {
		paid, err := log.during(func() error { return s.pay(ctx, operator) })
		if err != nil {
			return err
		}
		refunded, err := log.during(func() error { return s.refund(ctx) })
		if err != nil {
			return err
		}
		removed, err := log.during(func() error { return s.remove(ctx) })
		if err != nil {
			return err
		}
		r.add(installation+"/paid", paid.writes()/countedOrders, "writes/order", "of the operator's for a paid Order: %s", paid.describe(countedOrders))
		r.add(installation+"/paid-reads", paid.reads()/countedOrders, "reads/order", "of the operator's, watches left out")
		r.add(installation+"/refunded", refunded.writes()/countedRefunds, "writes/refund", "for a Refund from its creation to the money: %s", refunded.describe(countedRefunds))
		r.add(installation+"/refunded-reads", refunded.reads()/countedRefunds, "reads/refund", "that decide on live state: %s", refunded.describeReads(countedRefunds))
		r.add(installation+"/removed", removed.writes()/countedOrders, "writes/order", "for the removal of a paid Order: %s", removed.describe(countedOrders))
		return s.addCalls(ctx, r, installation)
	})
}

// pay has Orders come through.
func (s *stage) pay(ctx context.Context, o *operator) error {
	if err := s.openNamespace(ctx, countedNamespace); err != nil {
		return err
	}
	if err := s.createOrders(ctx, countedNamespace, countedOrders, func(*v1alpha1.Order) {}); err != nil {
		return err
	}
	return o.awaitPaid(ctx, countedNamespace, countedOrders)
}

const countedNamespace = "counted"

// refund has the last of them refunded; those as old as the leader would show for a minute that they wait, in case a predecessor
// asked for a refund. The Merchant approves by itself.
func (s *stage) refund(ctx context.Context) error {
	for i := range countedRefunds {
		refund := &v1alpha1.Refund{
			ObjectMeta: metav1.ObjectMeta{Namespace: countedNamespace, Name: nameOf("refund", i)},
			Spec:       v1alpha1.RefundSpec{OrderRef: v1alpha1.OrderReference{Name: nameOf(countedNamespace, countedOrders-1-i)}, Amount: 101},
		}
		if err := s.cluster.Client.Create(ctx, refund); err != nil {
			return err
		}
	}
	return await(ctx, "Refunds to succeed and to be summed up", func(ctx context.Context) error {
		var orders v1alpha1.OrderList
		if err := s.cluster.Client.List(ctx, &orders, client.InNamespace(countedNamespace)); err != nil {
			return err
		}
		refunded := 0
		for i := range orders.Items {
			if orders.Items[i].Status.Refunded != nil {
				refunded++
			}
		}
		if refunded != countedRefunds {
			return fmt.Errorf("%d of %d are", refunded, countedRefunds)
		}
		return nil
	})
}

// remove deletes everything, as the shop would.
func (s *stage) remove(ctx context.Context) error {
	for _, kind := range []client.Object{&v1alpha1.Refund{}, &v1alpha1.Order{}} {
		if err := s.cluster.Client.DeleteAllOf(ctx, kind, client.InNamespace(countedNamespace)); err != nil {
			return err
		}
	}
	return await(ctx, "Orders and Refunds to be gone", func(ctx context.Context) error {
		var orders v1alpha1.OrderList
		var refunds v1alpha1.RefundList
		err := errors.Join(s.cluster.Client.List(ctx, &orders, client.InNamespace(countedNamespace)), s.cluster.Client.List(ctx, &refunds, client.InNamespace(countedNamespace)))
		if left := len(orders.Items) + len(refunds.Items); err == nil && left > 0 {
			return fmt.Errorf("%d are left", left)
		}
		return err
	})
}

// addCalls tells what WeChat was asked. The Merchant's own questions are not about an Order.
func (s *stage) addCalls(ctx context.Context, r *results, installation string) error {
	ledger, err := s.admin.Ledger(ctx)
	if err != nil {
		return err
	}
	calls := map[simulator.Operation]float64{}
	for _, call := range ledger.Calls {
		if strings.HasPrefix(call.Number, countedNamespace+"-") || strings.HasPrefix(call.Number, "refund-") {
			calls[call.Operation]++
		}
	}
	ofOrders := calls[simulator.OperationUnifiedOrder] + calls[simulator.OperationOrderQuery] + calls[simulator.OperationCloseOrder]
	r.add(installation+"/wechat-paid", ofOrders/countedOrders, "calls/order", "to WeChat Pay for an Order paid by callback: %.0f unifiedorder, %.0f orderquery, %.0f closeorder",
		calls[simulator.OperationUnifiedOrder], calls[simulator.OperationOrderQuery], calls[simulator.OperationCloseOrder])
	ofRefunds := calls[simulator.OperationRefund] + calls[simulator.OperationRefundQuery]
	r.add(installation+"/wechat-refunded", ofRefunds/countedRefunds, "calls/refund", "to WeChat Pay for a Refund: %.0f refund, %.0f refundquery",
		calls[simulator.OperationRefund], calls[simulator.OperationRefundQuery])
	return nil
}
