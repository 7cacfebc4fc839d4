package judge

import (
	"fmt"
	"strings"
	"time"

	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/wechatpay-operator/wechatpay-operator/api/v1alpha1"
	"github.com/wechatpay-operator/wechatpay-operator/internal/wechatpay/simulator"
)

// past is what the objects ever showed.
type past struct {
	orders  map[string]*v1alpha1.Order
	refunds map[string]*v1alpha1.Refund
	// shipments are those that exist.
	shipments map[string]*v1alpha1.Shipment
	// firstPaid is when an Order of this name first showed a transaction, by the time in its
	// status.
	firstPaid map[transactionOf]time.Time
	// firstSucceeded is when a Refund of this name was first shown as succeeded.
	firstSucceeded map[string]time.Time
	// paidFor and paidBack say which object first showed a transaction, and a payout by its
	// refund_id.
	paidFor, paidBack map[string]string
	// last is the last version of every object, deleted ones included.
	last     map[string]client.Object
	findings []Finding
	lookAt   func(...Rule)
}

type transactionOf struct{ object, transaction string }

func key(object client.Object) string {
	kind := "Order"
	switch object.(type) {
	case *v1alpha1.Refund:
		kind = "Refund"
	case *v1alpha1.Shipment:
		kind = "Shipment"
	case *v1alpha1.Statement:
		kind = "Statement"
	}
	return kind + " " + object.GetNamespace() + "/" + object.GetName()
}

// readHistory checks every transition between two versions.
func readHistory(history []Change, lookAt func(...Rule)) *past {
	p := &past{
		lookAt: lookAt,
		orders: map[string]*v1alpha1.Order{}, refunds: map[string]*v1alpha1.Refund{}, shipments: map[string]*v1alpha1.Shipment{},
		firstPaid: map[transactionOf]time.Time{}, firstSucceeded: map[string]time.Time{}, last: map[string]client.Object{}, paidFor: map[string]string{}, paidBack: map[string]string{},
	}
	for _, change := range history {
		switch {
		case change.Order != nil:
			p.readOrder(change.Order, change.Gone)
		case change.Refund != nil:
			p.readRefund(change.Refund, change.Gone)
		case change.Shipment != nil:
			p.readShipment(change.Shipment, change.Gone)
		case change.Statement != nil:
			p.last[key(change.Statement)] = change.Statement
		}
	}
	return p
}

func (p *past) readOrder(order *v1alpha1.Order, gone bool) {
	name := key(order)
	before := p.orders[name]
	if gone {
		delete(p.orders, name)
		return
	}
	p.orders[name], p.last[name] = order, order
	if paid := condition(order.Status.Conditions, v1alpha1.ConditionPaid); paid.Status == metav1.ConditionTrue && order.Status.Transaction != nil {
		p.onlyOne(OneTransaction, p.paidFor, order.Status.Transaction.ID, name)
		first := transactionOf{name, order.Status.Transaction.ID}
		if _, known := p.firstPaid[first]; !known {
			p.firstPaid[first] = paid.LastTransitionTime.Time
		}
	}
	if before == nil || before.UID != order.UID || !isPaid(before) {
		return
	}
	p.lookAt(PaidNeverLeft)
	switch {
	case !isPaid(order):
		p.left(name, before.Status.Conditions, order.Status.Conditions)
	case transactionID(before) != transactionID(order):
		p.findings = append(p.findings, Finding{Rule: PaidNeverLeft, Number: name, What: fmt.Sprintf(
			"the transaction changed from %q to %q", transactionID(before), transactionID(order))})
	}
}

func (p *past) readRefund(refund *v1alpha1.Refund, gone bool) {
	name := key(refund)
	before := p.refunds[name]
	if gone {
		delete(p.refunds, name)
		return
	}
	p.refunds[name], p.last[name] = refund, refund
	succeeded := condition(refund.Status.Conditions, v1alpha1.ConditionSucceeded)
	if _, known := p.firstSucceeded[name]; !known && succeeded.Status == metav1.ConditionTrue {
		p.firstSucceeded[name] = succeeded.LastTransitionTime.Time
	}
	if id := refund.Status.RefundID; id != "" && succeeded.Status == metav1.ConditionTrue {
		p.onlyOne(OnePayout, p.paidBack, id, name)
	}
	if before == nil || before.UID != refund.UID {
		return
	}
	was, is := condition(before.Status.Conditions, v1alpha1.ConditionSucceeded), succeeded
	if was.Status != metav1.ConditionTrue && was.Status != metav1.ConditionFalse {
		return
	}
	p.lookAt(PaidNeverLeft)
	if was.Status != is.Status || was.Reason != is.Reason {
		p.left(name, before.Status.Conditions, refund.Status.Conditions)
	}
}

// readShipment checks that the end of a Shipment stays.
func (p *past) readShipment(shipment *v1alpha1.Shipment, gone bool) {
	name := key(shipment)
	before := p.shipments[name]
	if gone {
		delete(p.shipments, name)
		return
	}
	p.shipments[name], p.last[name] = shipment, shipment
	if before == nil || before.UID != shipment.UID {
		return
	}
	was, is := condition(before.Status.Conditions, v1alpha1.ConditionUploaded), condition(shipment.Status.Conditions, v1alpha1.ConditionUploaded)
	if was.Status != metav1.ConditionTrue {
		return
	}
	p.lookAt(PaidNeverLeft)
	if was.Status != is.Status || was.Reason != is.Reason {
		p.left(name, before.Status.Conditions, shipment.Status.Conditions)
	}
}

// onlyOne checks that one object shows a fact. An object that is applied again has the same name
// and may show it again; another may not, whatever its namespace.
func (p *past) onlyOne(rule Rule, shown map[string]string, fact, name string) {
	p.lookAt(rule)
	first, known := shown[fact]
	if !known {
		shown[fact] = name
		return
	}
	if first != name {
		p.findings = append(p.findings, Finding{Rule: rule, Number: name, What: fmt.Sprintf("it shows %s, which %s showed before", fact, first)})
	}
}

func (p *past) left(name string, before, after []metav1.Condition) {
	p.findings = append(p.findings, Finding{Rule: PaidNeverLeft, Number: name, What: "was left", Object: words(before) + ", then " + words(after)})
}

// describe summarizes an object's current or last version.
func (p *past) describe(name string) string {
	object := p.last[name]
	if object == nil {
		return name + " was never stored"
	}
	text := name
	switch object := object.(type) {
	case *v1alpha1.Order:
		text += words(object.Status.Conditions)
		if transactionID(object) != "" {
			text += " transaction " + transactionID(object)
		}
		if p.orders[name] == nil {
			text += " (gone)"
		}
	case *v1alpha1.Refund:
		text += words(object.Status.Conditions)
		if p.refunds[name] == nil {
			text += " (gone)"
		}
	case *v1alpha1.Shipment:
		text += words(object.Status.Conditions)
		if p.shipments[name] == nil {
			text += " (gone)"
		}
	case *v1alpha1.Statement:
		text += words(object.Status.Conditions)
	}
	if object.GetDeletionTimestamp() != nil {
		text += " (deleted at " + object.GetDeletionTimestamp().UTC().Format(time.RFC3339) + ")"
	}
	return text
}

func condition(conditions []metav1.Condition, kind string) metav1.Condition {
	if found := meta.FindStatusCondition(conditions, kind); found != nil {
		return *found
	}
	return metav1.Condition{Type: kind}
}

func isPaid(order *v1alpha1.Order) bool {
	return meta.IsStatusConditionTrue(order.Status.Conditions, v1alpha1.ConditionPaid)
}

func transactionID(order *v1alpha1.Order) string {
	if order.Status.Transaction == nil {
		return ""
	}
	return order.Status.Transaction.ID
}

func words(conditions []metav1.Condition) string {
	var text strings.Builder
	for _, c := range conditions {
		fmt.Fprintf(&text, " %s=%s/%s", c.Type, c.Status, c.Reason)
		if c.Status != metav1.ConditionTrue && c.Message != "" {
			fmt.Fprintf(&text, " (%s)", c.Message)
		}
	}
	return text.String()
}

func describeLedgerOrder(order *simulator.Order) string {
	text := fmt.Sprintf("%s order %s %s %d fen, %d calls, created %s", order.Protocol, order.OutTradeNo, order.State, order.TotalFee, order.UnifiedOrderCalls, order.CreateTime.Format(time.RFC3339Nano))
	if order.CloseTime != nil {
		text += ", closed " + order.CloseTime.Format(time.RFC3339Nano)
	}
	if order.Payment != nil {
		text += fmt.Sprintf(", paid %d fen by %s at %s", order.Payment.TotalFee, order.Payment.TransactionID, order.Payment.Time.Format(time.RFC3339Nano))
	}
	return text
}

func describeLedgerRefund(refund *simulator.Refund) string {
	return fmt.Sprintf("%s refund %s of %s %s %d of %d fen, %d calls, %d payouts, accepted %s", refund.Protocol, refund.OutRefundNo, refund.OutTradeNo, refund.Status,
		refund.RefundFee, refund.TotalFee, refund.Calls, refund.Payouts, refund.AcceptTime.Format(time.RFC3339Nano))
}
