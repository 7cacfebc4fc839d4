package judge

import (
	"fmt"
	"reflect"
	"slices"
	"time"

	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/wechatpay-operator/wechatpay-operator/api/v1alpha1"
	"github.com/wechatpay-operator/wechatpay-operator/internal/wechatpay/simulator"
	"github.com/wechatpay-operator/wechatpay-operator/test/framework/conditions"
)

// past is what the objects ever showed.
type past struct {
	// now are the objects that exist, and last is the last version of every object, deleted ones included.
	now, last map[string]client.Object
	// firstPaid is when an Order of this name first showed a transaction, by the time in its
	// status.
	firstPaid map[transactionOf]time.Time
	// firstSucceeded is when a Refund of this name was first shown as succeeded.
	firstSucceeded map[string]time.Time
	// paidFor and paidBack say which object first showed a transaction, and a payout by its
	// refund_id.
	paidFor, paidBack map[string]string
	findings          []Finding
	lookAt            func(...Rule)
}

type transactionOf struct{ object, transaction string }

func key(object client.Object) string {
	return reflect.TypeOf(object).Elem().Name() + " " + object.GetNamespace() + "/" + object.GetName()
}

// readHistory checks every transition between two versions.
func readHistory(history []Change, lookAt func(...Rule)) *past {
	p := &past{
		lookAt: lookAt, now: map[string]client.Object{}, last: map[string]client.Object{},
		firstPaid: map[transactionOf]time.Time{}, firstSucceeded: map[string]time.Time{}, paidFor: map[string]string{}, paidBack: map[string]string{},
	}
	for _, change := range history {
		p.read(change)
	}
	return p
}

func (p *past) read(change Change) {
	name := key(change.Object)
	before := p.now[name]
	if change.Gone {
		delete(p.now, name)
		return
	}
	p.now[name], p.last[name] = change.Object, change.Object
	if before != nil && before.GetUID() != change.Object.GetUID() {
		before = nil // another object that had the name
	}
	switch object := change.Object.(type) {
	case *v1alpha1.Order:
		earlier, _ := before.(*v1alpha1.Order)
		p.readOrder(name, earlier, object)
	case *v1alpha1.Refund:
		p.readRefund(name, object)
		p.endStays(name, before, object, v1alpha1.ConditionSucceeded, metav1.ConditionTrue, metav1.ConditionFalse)
	case *v1alpha1.Shipment:
		p.endStays(name, before, object, v1alpha1.ConditionUploaded, metav1.ConditionTrue)
	}
}

// order returns an Order that exists; nil if it does not.
func (p *past) order(name string) *v1alpha1.Order {
	order, _ := p.now[name].(*v1alpha1.Order)
	return order
}

func (p *past) readOrder(name string, before, order *v1alpha1.Order) {
	if paid := condition(order.Status.Conditions, v1alpha1.ConditionPaid); paid.Status == metav1.ConditionTrue && order.Status.Transaction != nil {
		p.onlyOne(OneTransaction, p.paidFor, order.Status.Transaction.ID, name)
		first := transactionOf{name, order.Status.Transaction.ID}
		if _, known := p.firstPaid[first]; !known {
			p.firstPaid[first] = paid.LastTransitionTime.Time
		}
	}
	if before == nil || !isPaid(before) {
		return
	}
	p.lookAt(PaidNeverLeft)
	switch {
	case !isPaid(order):
		p.left(name, before, order)
	case transactionID(before) != transactionID(order):
		p.findings = append(p.findings, Finding{Rule: PaidNeverLeft, Number: name, What: fmt.Sprintf(
			"the transaction changed from %q to %q", transactionID(before), transactionID(order))})
	}
}

func (p *past) readRefund(name string, refund *v1alpha1.Refund) {
	succeeded := condition(refund.Status.Conditions, v1alpha1.ConditionSucceeded)
	if _, known := p.firstSucceeded[name]; !known && succeeded.Status == metav1.ConditionTrue {
		p.firstSucceeded[name] = succeeded.LastTransitionTime.Time
	}
	if id := refund.Status.RefundID; id != "" && succeeded.Status == metav1.ConditionTrue {
		p.onlyOne(OnePayout, p.paidBack, id, name)
	}
}

// endStays checks that a condition which ended an object stays as it is.
func (p *past) endStays(name string, before, after client.Object, kind string, ends ...metav1.ConditionStatus) {
	if before == nil {
		return
	}
	was, is := condition(conditions.Of(before), kind), condition(conditions.Of(after), kind)
	if !slices.Contains(ends, was.Status) {
		return
	}
	p.lookAt(PaidNeverLeft)
	if was.Status != is.Status || was.Reason != is.Reason {
		p.left(name, before, after)
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

func (p *past) left(name string, before, after client.Object) {
	p.findings = append(p.findings, Finding{Rule: PaidNeverLeft, Number: name, What: "was left",
		Object: conditions.Describe(conditions.Of(before)) + ", then " + conditions.Describe(conditions.Of(after))})
}

// describe summarizes an object's current or last version.
func (p *past) describe(name string) string {
	object := p.last[name]
	if object == nil {
		return name + " was never stored"
	}
	text := name + conditions.Describe(conditions.Of(object))
	if order, isOrder := object.(*v1alpha1.Order); isOrder && transactionID(order) != "" {
		text += " transaction " + transactionID(order)
	}
	if p.now[name] == nil {
		text += " (gone)"
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
