package performance

import (
	"fmt"
	"strings"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/wechatpay-operator/wechatpay-operator/api/v1alpha1"
	"github.com/wechatpay-operator/wechatpay-operator/internal/wechatpay/simulator"
)

// As many Orders and Refunds are counted. Refunds are few, since the operator asks WeChat about two a second only.
const (
	countedOrders    = 200
	countedRefunds   = 20
	countedNamespace = "counted"
)

// measureWrites counts what the operator asks of the API server, by the audit log, and what it asks of WeChat, by
// WeChat's ledger.
func measureWrites(b *bench) {
	b.inBoth(func(b *bench, finalizerAtCreation bool) {
		s := b.open(scene{finalizerAtCreation: finalizerAtCreation, payAfter: payAfter, audited: true})
		o := s.operate()
		paid := s.requestsOf(func() {
			s.createOrders(countedNamespace, countedOrders)
			o.awaitState(countedNamespace, v1alpha1.ReasonPaid, countedOrders)
		})
		refunded, removed := s.requestsOf(s.refund), s.requestsOf(s.remove)
		writes, list := paid.of(countedOrders, "create", "update", "patch", "delete")
		b.add("paid", writes, "writes/order", "of the operator's for a paid Order: %s", list)
		reads, _ := paid.of(countedOrders, "get", "list")
		b.add("paid-reads", reads, "reads/order", "of the operator's, watches left out")
		writes, list = refunded.of(countedRefunds, "create", "update", "patch", "delete")
		b.add("refunded", writes, "writes/refund", "for a Refund from its creation to the money: %s", list)
		reads, list = refunded.of(countedRefunds, "get", "list")
		b.add("refunded-reads", reads, "reads/refund", "that decide on live state: %s", list)
		writes, list = removed.of(countedOrders, "create", "update", "patch", "delete")
		b.add("removed", writes, "writes/order", "for the removal of a paid Order: %s", list)
		s.addCalls()
	})
}

// refund refunds the last of the Orders. The first ones are as old as the leader, and their Refunds would wait for a
// minute, in case a predecessor had asked for a refund.
func (s *stage) refund() {
	for i := range countedRefunds {
		s.create(&v1alpha1.Refund{
			ObjectMeta: metav1.ObjectMeta{Namespace: countedNamespace, Name: nameOf("refund", i)},
			Spec:       v1alpha1.RefundSpec{OrderRef: v1alpha1.OrderReference{Name: nameOf(countedNamespace, countedOrders-1-i)}, Amount: total},
		})
	}
	s.await("Refunds to succeed and to be summed up", soon, func() error {
		refunded := 0
		for _, order := range s.list(countedNamespace) {
			if order.Status.Refunded != nil {
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
func (s *stage) remove() {
	for _, kind := range []client.Object{&v1alpha1.Refund{}, &v1alpha1.Order{}} {
		s.must(s.cluster.Client.DeleteAllOf(s.ctx, kind, client.InNamespace(countedNamespace)))
	}
	s.await("Orders and Refunds to be gone", soon, func() error {
		var refunds v1alpha1.RefundList
		s.must(s.cluster.Client.List(s.ctx, &refunds, client.InNamespace(countedNamespace)))
		if left := len(s.list(countedNamespace)) + len(refunds.Items); left > 0 {
			return fmt.Errorf("%d are left", left)
		}
		return nil
	})
}

// addCalls counts the calls to WeChat. Those of the Merchant itself are not about an Order.
func (s *stage) addCalls() {
	ledger, err := s.admin.Ledger(s.ctx)
	s.must(err)
	calls := map[simulator.Operation]float64{}
	for _, call := range ledger.Calls {
		if strings.HasPrefix(call.Number, countedNamespace+"-") || strings.HasPrefix(call.Number, "refund-") {
			calls[call.Operation]++
		}
	}
	orders, queries, closed := calls[simulator.OperationUnifiedOrder], calls[simulator.OperationOrderQuery], calls[simulator.OperationCloseOrder]
	s.add("wechat-paid", (orders+queries+closed)/countedOrders, "calls/order", "to WeChat Pay for an Order paid by callback: %.0f unifiedorder, %.0f orderquery, %.0f closeorder", orders, queries, closed)
	refunds, queries := calls[simulator.OperationRefund], calls[simulator.OperationRefundQuery]
	s.add("wechat-refunded", (refunds+queries)/countedRefunds, "calls/refund", "to WeChat Pay for a Refund: %.0f refund, %.0f refundquery", refunds, queries)
}
