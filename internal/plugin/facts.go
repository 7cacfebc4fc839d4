package plugin

import (
	"context"
	"slices"

	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/wechatpay-operator/wechatpay-operator/api/v1alpha1"
)

// refundFacts are what an approver has to know about a Refund.
type refundFacts struct {
	refund *v1alpha1.Refund
	// order is nil if it could not be read; orderError is the reason.
	order      *v1alpha1.Order
	orderError error
	others     []v1alpha1.Refund
}

// sums add up the Refunds of an Order, in minor units.
type sums struct {
	paid int64
	// refunded has succeeded, underWay is approved and not final, asked awaits a decision.
	refunded, underWay, asked int64
	// The numbers of these Refunds.
	refundedCount, underWayCount, askedCount int
}

// left is the amount that can still be refunded.
func (s sums) left() int64 { return s.paid - s.refunded - s.underWay }

// gather reads a Refund with its Order and the Order's other Refunds.
func (p *plugin) gather(ctx context.Context, name string) (*refundFacts, error) {
	facts := &refundFacts{refund: &v1alpha1.Refund{}}
	if err := p.get(ctx, "Refund", name, facts.refund); err != nil {
		return nil, err
	}
	var order v1alpha1.Order
	orderName := facts.refund.Spec.OrderRef.Name
	if facts.orderError = p.get(ctx, "Order", orderName, &order); facts.orderError == nil {
		facts.order = &order
	}
	all, err := p.refundsOf(ctx, orderName)
	if err != nil {
		return nil, err
	}
	for _, other := range all {
		if other.Name != name {
			facts.others = append(facts.others, other)
		}
	}
	return facts, nil
}

func (p *plugin) refundsOf(ctx context.Context, order string) ([]v1alpha1.Refund, error) {
	var refunds v1alpha1.RefundList
	err := p.list(ctx, &refunds, client.MatchingFields{"spec.orderRef.name": order})
	return refunds.Items, err
}

// add adds up the Refunds of an Order. The succeeded amount is taken from the Order's status, because Refunds may be
// deleted.
func add(order *v1alpha1.Order, refunds []v1alpha1.Refund) sums {
	var s sums
	recorded := map[string]bool{}
	if order != nil {
		if order.Status.Transaction != nil && isTrue(order.Status.Conditions, v1alpha1.ConditionPaid) {
			s.paid = order.Status.Transaction.Total
		}
		if back := order.Status.Refunded; back != nil {
			s.refunded, s.refundedCount = back.Total, int(back.Count)
			for _, item := range back.Refunds {
				recorded[item.OutRefundNo] = true
			}
		}
	}
	for _, refund := range refunds {
		succeeded := condition(refund.Status.Conditions, v1alpha1.ConditionSucceeded)
		switch {
		case succeeded.Status == metav1.ConditionTrue && !recorded[refund.Number()]:
			s.refunded, s.refundedCount = s.refunded+refund.Spec.Amount, s.refundedCount+1
		case succeeded.Status == metav1.ConditionTrue || succeeded.Status == metav1.ConditionFalse || recorded[refund.Number()]:
		case refund.Spec.Approval == v1alpha1.ApprovalApproved || isTrue(refund.Status.Conditions, v1alpha1.ConditionApproved):
			s.underWay, s.underWayCount = s.underWay+refund.Spec.Amount, s.underWayCount+1
		case refund.Spec.Approval == "":
			s.asked, s.askedCount = s.asked+refund.Spec.Amount, s.askedCount+1
		}
	}
	return s
}

func isTrue(conditions []metav1.Condition, name string) bool {
	return meta.IsStatusConditionTrue(conditions, name)
}

// condition returns an empty condition if there is none of that type.
func condition(conditions []metav1.Condition, name string) metav1.Condition {
	if found := meta.FindStatusCondition(conditions, name); found != nil {
		return *found
	}
	return metav1.Condition{}
}

// currency is the Order's currency.
func (f *refundFacts) currency() string {
	if f.order == nil {
		return ""
	}
	return string(f.order.Spec.Amount.Currency)
}

// sum writes an amount in the Refund's currency, which is unknown without the Order.
func (p *plugin) sum(f *refundFacts, minor int64) string {
	if f.order == nil {
		return p.text("%d minor units", minor)
	}
	return p.amount(minor, f.currency())
}

// show prints the facts of a decision, and the message that will be written.
func (p *plugin) show(f *refundFacts, message string) {
	r, out := f.refund, p.Streams.ErrOut
	p.notef("Refund %[1]s in namespace %[2]s", r.Name, r.Namespace)
	state := condition(r.Status.Conditions, v1alpha1.ConditionApproved)
	lines := []line{{"Amount", p.sum(f, r.Spec.Amount)}, {"Order", orNone(r.Spec.OrderRef.Name)}}
	if f.order != nil {
		lines = append(lines, p.paidLine(f.order), line{"Description", p.text("%s (the payer sees it)",
			f.order.Spec.Description)})
	}
	reason := orNone("")
	if r.Spec.Reason != "" {
		reason = p.text("%s (the payer sees it)", r.Spec.Reason)
	}
	lines = append(lines, line{"Refund reason", reason})
	if f.order != nil {
		lines = append(lines, p.otherRefunds(f)...)
	}
	lines = append(lines, line{"Requested by", p.person(r.Annotations[v1alpha1.AnnotationRequestedBy])}, line{"Requested",
		p.formatTime(&r.CreationTimestamp)},
		line{"State", p.reason(state.Reason)})
	if p.wide() {
		lines = append(lines, line{"Refund number", orNone(r.Number())})
		if f.order != nil {
			lines = append(lines, line{"Order number", orNone(f.order.Number())}, line{"Merchant",
				orNone(f.order.Spec.MerchantRef.Name)}, line{"Transaction", orNone(transactionID(f.order))})
		}
	}
	if message != "" {
		lines = append(lines, line{"Approval message", p.text("%s (the payer does not see it)", message)})
	}
	p.lines(out, "  ", lines...)
	for _, warning := range p.warningsAbout(f) {
		p.notef("  Careful: %s", warning)
	}
}

// person returns a user's name as the API server knows it.
func (p *plugin) person(name string) string {
	if name == "" {
		return p.text("not recorded")
	}
	return orNone(name)
}

func transactionID(order *v1alpha1.Order) string {
	if order.Status.Transaction == nil {
		return ""
	}
	return order.Status.Transaction.ID
}

func paidTime(order *v1alpha1.Order) *metav1.Time {
	if order.Status.Transaction == nil {
		return nil
	}
	return order.Status.Transaction.PaidTime
}

func (p *plugin) paidLine(order *v1alpha1.Order) line {
	if transaction := order.Status.Transaction; transaction != nil && isTrue(order.Status.Conditions, v1alpha1.ConditionPaid) {
		return line{"Paid sum", p.text("%[1]s at %[2]s", p.amount(transaction.Total, transaction.Currency),
			p.formatTime(transaction.PaidTime))}
	}
	return line{"Paid sum", p.text("nothing so far: %s", p.reason(condition(order.Status.Conditions,
		v1alpha1.ConditionPaid).Reason))}
}

func (p *plugin) otherRefunds(f *refundFacts) []line {
	s := add(f.order, f.others)
	others := p.text("none")
	if s.refundedCount+s.underWayCount+s.askedCount > 0 {
		others = p.text("%[1]s refunded (%[2]d), %[3]s under way (%[4]d), %[5]s waiting for a decision (%[6]d)",
			p.sum(f, s.refunded), s.refundedCount, p.sum(f, s.underWay), s.underWayCount, p.sum(f, s.asked), s.askedCount)
	}
	return []line{{"Other refunds", others},
		{"Left to refund", p.text("%[1]s, and %[2]s after this one", p.sum(f, s.left()), p.sum(f,
			s.left()-f.refund.Spec.Amount))}}
}

// warningsAbout returns warnings about what an approver could overlook.
func (p *plugin) warningsAbout(f *refundFacts) []string {
	var all []string
	if f.order == nil {
		return append(all, p.text("the Order could not be read, so what was paid is not known: %s", f.orderError))
	}
	if s := add(f.order, f.others); s.paid == 0 {
		all = append(all, p.text("the Order is not paid. Once approved, the Refund is sent when it is."))
	} else if f.refund.Spec.Amount > s.left() {
		all = append(all, p.text("this is more than is left to refund. Once approved, it ends as ExceedsPaid unless another "+
			"one fails."))
	}
	unusual := []string{v1alpha1.ReasonPaidEarlier, v1alpha1.ReasonPaidUnderOtherParameters, v1alpha1.ReasonPaidLate}
	if reason := condition(f.order.Status.Conditions, v1alpha1.ConditionPaid).Reason; slices.Contains(unusual, reason) {
		all = append(all, p.text("the Order was paid in an unusual way: %s.", p.reason(reason)))
	}
	return all
}
