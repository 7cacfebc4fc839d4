package main

import (
	"context"
	"fmt"
	"strconv"

	"k8s.io/apimachinery/pkg/api/meta"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/wechatpay-operator/wechatpay-operator/api/v1alpha1"
	"github.com/wechatpay-operator/wechatpay-operator/internal/wechatpay/simulator"
)

// showLedger compares the objects with WeChat Pay's ledger in both directions.
func (d *demo) showLedger(ctx context.Context) error {
	var orders v1alpha1.OrderList
	if err := d.cluster.Client.List(ctx, &orders, client.InNamespace(namespace)); err != nil {
		return err
	}
	var refunds v1alpha1.RefundList
	if err := d.cluster.Client.List(ctx, &refunds, client.InNamespace(namespace)); err != nil {
		return err
	}
	ledger, err := d.wechat.Ledger(ctx)
	if err != nil {
		return err
	}
	c := &comparison{rows: [][]string{{"NUMBER", "WHAT", "OBJECT", "WECHAT"}}}
	for i := range orders.Items {
		c.order(&orders.Items[i], &ledger, refunds.Items)
	}
	for i := range refunds.Items {
		c.refund(&refunds.Items[i], orders.Items, &ledger)
	}
	c.add("orders", "count", len(orders.Items), len(ledger.Orders))
	c.add("refunds", "count", len(refunds.Items), len(ledger.Refunds))
	c.add("violations of WeChat's rules", "count", 0, len(ledger.Violations))
	d.console.table(c.rows)
	if c.differences > 0 {
		return &mismatch{what: "objects and ledger", expected: "agreement to the fen", got: strconv.Itoa(c.differences) + " differences"}
	}
	d.console.say("All amounts agree.")
	return nil
}

// comparison collects a table, and counts the rows that differ.
type comparison struct {
	rows        [][]string
	differences int
}

func (c *comparison) add(number, what string, object, wechat any) {
	row := []string{number, what, fmt.Sprint(object), fmt.Sprint(wechat)}
	if row[2] != row[3] {
		c.differences++
		row = append(row, "<- differs")
	}
	c.rows = append(c.rows, row)
}

func (c *comparison) order(order *v1alpha1.Order, ledger *simulator.Ledger, refunds []v1alpha1.Refund) {
	number := order.Number()
	record := ledger.Order(mchIDOf(order), number)
	if record == nil {
		c.add(number, "order", "1", "0")
		return
	}
	c.add(number, "calls to order it", 1, record.UnifiedOrderCalls)
	c.add(number, "amount", fen(order.Spec.Amount.Total), fen(record.TotalFee))
	c.add(number, "paid", paidByObject(order), paidByLedger(record))
	var shown, sum int64
	if order.Status.Refunded != nil {
		shown = order.Status.Refunded.Total
	}
	for _, refund := range refunds {
		if refund.Spec.OrderRef.Name == order.Name && meta.IsStatusConditionTrue(refund.Status.Conditions, v1alpha1.ConditionSucceeded) {
			sum += refund.Spec.Amount
		}
	}
	if shown > 0 || sum > 0 || record.Sums.Refunded > 0 {
		c.add(number, "refunded", fen(shown), fen(record.Sums.Refunded))
		c.add(number, "sum of its Refunds", fen(sum), fen(record.Sums.Refunded))
	}
}

func (c *comparison) refund(refund *v1alpha1.Refund, orders []v1alpha1.Order, ledger *simulator.Ledger) {
	number := refund.Number()
	var record *simulator.Refund
	for i := range orders {
		if orders[i].Name == refund.Spec.OrderRef.Name {
			record = ledger.Refund(mchIDOf(&orders[i]), number)
		}
	}
	if record == nil {
		c.add(number, "refund", "1", "0")
		return
	}
	c.add(number, "amount", fen(refund.Spec.Amount), fen(record.RefundFee))
	c.add(number, "refund_id", refund.Status.RefundID, record.RefundID)
	c.add(number, "times paid out", 1, record.Payouts)
}

// paidByObject describes an Order's payment like paidByLedger.
func paidByObject(order *v1alpha1.Order) string {
	paid := meta.FindStatusCondition(order.Status.Conditions, v1alpha1.ConditionPaid)
	switch {
	case paid == nil:
		return "unknown"
	case order.Status.Transaction != nil:
		return fen(order.Status.Transaction.Total)
	case paid.Reason == v1alpha1.ReasonClosed:
		return "closed, 0 fen"
	default:
		return "0 fen"
	}
}

func paidByLedger(record *simulator.Order) string {
	switch {
	case record.Payment != nil:
		return fen(record.Payment.TotalFee)
	case record.State == simulator.StateClosed:
		return "closed, 0 fen"
	default:
		return "0 fen"
	}
}

func fen(amount int64) string { return strconv.FormatInt(amount, 10) + " fen" }
