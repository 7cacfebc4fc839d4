package plugin

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/wechatpay-operator/wechatpay-operator/api/v1alpha1"
)

// orderDetails is an Order with its Refunds, Shipments and events.
type orderDetails struct {
	order     *v1alpha1.Order
	refunds   []v1alpha1.Refund
	shipments []v1alpha1.Shipment
	events    []corev1.Event
	// unread are the errors of what could not be read. The rest is shown.
	unread []error
}

func (p *plugin) describe() *cobra.Command {
	command := &cobra.Command{
		Use:   "describe [order] ORDER",
		Short: p.text("Show an Order with its Refunds, Shipments, history and events"),
		Long: p.text("Shows one Order with everything that belongs to it: amounts in yuan, who asked for and decided on its " +
			"Refunds, its Shipments, " +
			"what happened when, events, and WeChat Pay's words. -o wide shows numbers at WeChat Pay and the payer's openID " +
			"as well."),
		Example:           "  kubectl wechatpay describe order order-20261121-0001",
		ValidArgsFunction: p.complete(p.orders),
		RunE: func(command *cobra.Command, args []string) error {
			if len(args) == 2 && slices.Contains([]string{"order", "orders", "wxo"}, args[0]) {
				args = args[1:]
			}
			if len(args) != 1 {
				return p.usagef("Usage: %s", "kubectl wechatpay describe [order] ORDER")
			}
			if err := p.ready(); err != nil {
				return err
			}
			details, err := p.readDetails(command.Context(), args[0])
			if err != nil {
				return err
			}
			for _, err := range details.unread {
				p.notef("Not shown: %s", err)
			}
			if p.machine() {
				return p.print(details.list())
			}
			p.printOrder(details)
			return nil
		},
	}
	p.outputFlag(command)
	return command
}

// readDetails reads an Order with its Refunds, Shipments and events. It fails only if the Order can't be read.
func (p *plugin) readDetails(ctx context.Context, name string) (*orderDetails, error) {
	s := &orderDetails{order: &v1alpha1.Order{}}
	if err := p.get(ctx, "Order", name, s.order); err != nil {
		return nil, err
	}
	var err error
	if s.refunds, err = p.refundsOf(ctx, name); err != nil {
		s.unread = append(s.unread, err)
	}
	slices.SortStableFunc(s.refunds, func(a,
		b v1alpha1.Refund) int {
		return a.CreationTimestamp.Compare(b.CreationTimestamp.Time)
	})
	var shipments v1alpha1.ShipmentList
	if err := p.list(ctx, &shipments, client.MatchingFields{"spec.orderRef.name": name}); err != nil {
		s.unread = append(s.unread, err)
	}
	s.shipments = shipments.Items
	slices.SortStableFunc(s.shipments, func(a,
		b v1alpha1.Shipment) int {
		return a.CreationTimestamp.Compare(b.CreationTimestamp.Time)
	})
	if err := p.readEvents(ctx, s); err != nil {
		s.unread = append(s.unread, err)
	}
	return s, nil
}

// readEvents reads the events of these objects, by UID, because another object may have had the same name.
func (p *plugin) readEvents(ctx context.Context, s *orderDetails) error {
	uids := []string{string(s.order.UID)}
	for _, refund := range s.refunds {
		uids = append(uids, string(refund.UID))
	}
	for _, shipment := range s.shipments {
		uids = append(uids, string(shipment.UID))
	}
	for _, uid := range uids {
		var events corev1.EventList
		if err := p.list(ctx, &events, client.MatchingFields{"involvedObject.uid": uid}); err != nil {
			return err
		}
		s.events = append(s.events, events.Items...)
	}
	slices.SortStableFunc(s.events, func(a, b corev1.Event) int { return eventTime(a).Compare(eventTime(b)) })
	return nil
}

func eventTime(event corev1.Event) time.Time {
	switch {
	case event.Series != nil:
		return event.Series.LastObservedTime.Time
	case !event.LastTimestamp.IsZero():
		return event.LastTimestamp.Time
	default:
		return event.EventTime.Time
	}
}

// list returns the objects as a list, for -o json and yaml.
func (s *orderDetails) list() runtime.Object {
	list := &corev1.List{}
	list.SetGroupVersionKind(corev1.SchemeGroupVersion.WithKind("List"))
	add := func(kind string, object runtime.Object) {
		object.GetObjectKind().SetGroupVersionKind(v1alpha1.GroupVersion.WithKind(kind))
		content, err := runtime.DefaultUnstructuredConverter.ToUnstructured(object)
		if err == nil {
			list.Items = append(list.Items, runtime.RawExtension{Object: &unstructured.Unstructured{Object: content}})
		}
	}
	add("Order", s.order)
	for i := range s.refunds {
		add("Refund", &s.refunds[i])
	}
	for i := range s.shipments {
		add("Shipment", &s.shipments[i])
	}
	for i := range s.events {
		s.events[i].SetGroupVersionKind(corev1.SchemeGroupVersion.WithKind("Event"))
		list.Items = append(list.Items, runtime.RawExtension{Object: &s.events[i]})
	}
	return list
}

// printOrder prints an Order with its Refunds, Shipments, history and events.
func (p *plugin) printOrder(s *orderDetails) {
	out, order := p.Streams.Out, s.order
	p.printf("Order %[1]s in namespace %[2]s", order.Name, order.Namespace)
	p.lines(out, "  ", p.orderLines(s)...)
	p.printMessages("Order", "  ", order.Status.Conditions)
	if len(s.refunds) > 0 {
		p.section("Refunds")
		p.printRefunds(s)
	}
	if len(s.shipments) > 0 {
		p.section("Shipments")
		p.printShipments(s)
	}
	p.section("History")
	p.printHistory(s)
	if len(s.events) > 0 {
		p.section("Events")
		var rows [][]string
		for _, event := range s.events {
			at := metav1.NewTime(eventTime(event))
			rows = append(rows, []string{p.formatTime(&at), p.word(event.Type), orNone(event.Reason),
				p.word(event.InvolvedObject.Kind) + " " + orNone(event.InvolvedObject.Name), orNone(event.Message)})
		}
		p.table([]string{"Time", "Type", "Reason", "Object", "Message"}, rows)
	}
}

func (p *plugin) section(title string) { fmt.Fprintf(p.Streams.Out, "\n%s\n", p.word(title)) }

func (p *plugin) orderLines(s *orderDetails) []line {
	order := s.order
	lines := []line{
		{"State", p.reason(condition(order.Status.Conditions, v1alpha1.ConditionPaid).Reason)},
		{"Amount", p.amount(order.Spec.Amount.Total, string(order.Spec.Amount.Currency))},
		p.paidLine(order),
		{"Description", p.text("%s (the payer sees it)", order.Spec.Description)},
		{"Merchant", orNone(order.Spec.MerchantRef.Name)},
		{"Trade type", string(order.Spec.TradeType)},
		{"Order number", orNone(order.Number())},
	}
	if id := transactionID(order); id != "" {
		lines = append(lines, line{"Transaction", orNone(id)})
	} else {
		lines = append(lines, line{"Expires", p.formatTime(deadline(order))})
	}
	if sum := add(order, s.refunds); sum.refunded > 0 {
		lines = append(lines, line{"Refunded", p.amount(sum.refunded, string(order.Spec.Amount.Currency))})
	}
	if !p.wide() {
		return lines
	}
	if ref := order.Spec.MerchantRef.Namespace; ref != "" {
		lines = append(lines, line{"Merchant's namespace", orNone(ref)})
	}
	if transaction := order.Status.Transaction; transaction != nil {
		lines = append(lines, line{"Payer", orNone(transaction.OpenID + transaction.SubOpenID)}, line{"Bank",
			orNone(transaction.BankType)})
		if transaction.CashTotal != nil {
			lines = append(lines, line{"Cash", p.amount(*transaction.CashTotal, transaction.CashCurrency)})
		}
	}
	return lines
}

// printMessages prints the messages of conditions, which contain the error texts of WeChat Pay.
func (p *plugin) printMessages(kind, indent string, conditions []metav1.Condition) {
	var lines []line
	for _, c := range conditions {
		if c.Message != "" && c.Message != c.Reason {
			lines = append(lines, line{c.Type, p.conditionText(kind, c)})
		}
	}
	p.lines(p.Streams.Out, indent, lines...)
}

// conditionText returns the reason of a condition, with the message if it adds something.
func (p *printer) conditionText(kind string, condition metav1.Condition) string {
	if condition.Message == "" || condition.Message == condition.Reason {
		return p.reasonOf(kind, condition.Reason)
	}
	return p.reasonOf(kind, condition.Reason) + ": " + orNone(condition.Message)
}

func (p *plugin) printRefunds(s *orderDetails) {
	out, currency := p.Streams.Out, string(s.order.Spec.Amount.Currency)
	heads := []string{"Name", "Amount", "State", "Decision", "Requested by", "Decided by", "Approval message", "Refund reason"}
	if p.wide() {
		heads = append(heads, "Refund number", "WeChat Pay's number", "Account")
	}
	var rows [][]string
	for _, refund := range s.refunds {
		row := []string{
			refund.Name, p.amount(refund.Spec.Amount, currency),
			p.reasonOf("Refund", condition(refund.Status.Conditions, v1alpha1.ConditionSucceeded).Reason),
			p.reason(condition(refund.Status.Conditions, v1alpha1.ConditionApproved).Reason),
			orNone(refund.Annotations[v1alpha1.AnnotationRequestedBy]), orNone(refund.Annotations[v1alpha1.AnnotationDecidedBy]),
			orNone(refund.Spec.ApprovalMessage), orNone(refund.Spec.Reason),
		}
		if p.wide() {
			row = append(row, orNone(refund.Number()), orNone(refund.Status.RefundID), orNone(refund.Status.ReceivedAccount))
		}
		rows = append(rows, row)
	}
	p.table(heads, rows)
	for _, refund := range s.refunds {
		if isTrue(refund.Status.Conditions, v1alpha1.ConditionSucceeded) {
			continue
		}
		fmt.Fprintf(out, "  %s\n", refund.Name)
		p.printMessages("Refund", "    ", refund.Status.Conditions)
	}
}

func (p *plugin) printShipments(s *orderDetails) {
	var rows [][]string
	for _, shipment := range s.shipments {
		var parcels []string
		for _, parcel := range shipment.Spec.Parcels {
			parcels = append(parcels, strings.Join(slices.DeleteFunc([]string{parcel.Carrier, parcel.TrackingNumber,
				parcel.Items}, func(s string) bool { return s == "" }), " "))
		}
		uploaded := condition(shipment.Status.Conditions, v1alpha1.ConditionUploaded)
		rows = append(rows, []string{shipment.Name, p.word(string(shipment.Spec.Logistics)), p.reason(uploaded.Reason),
			p.formatTime(shipment.Status.UploadTime),
			orNone(strings.Join(parcels, "; ")), orNone(uploaded.Message)})
	}
	p.table([]string{"Name", "Logistics", "State", "Uploaded at", "Parcels", "Message"}, rows)
}

// printHistory prints what happened, in the order of time.
func (p *plugin) printHistory(s *orderDetails) {
	type entry struct {
		at   time.Time
		what string
	}
	var history []entry
	happened := func(at *metav1.Time, format string, args ...any) {
		if at != nil && !at.IsZero() {
			history = append(history, entry{at.Time, p.text(format, args...)})
		}
	}
	order := s.order
	happened(&order.CreationTimestamp, "the Order was created")
	if prepared := condition(order.Status.Conditions, v1alpha1.ConditionPrepared); prepared.Status == metav1.ConditionTrue {
		happened(&prepared.LastTransitionTime, "the payer could pay")
	}
	if transaction := order.Status.Transaction; transaction != nil {
		happened(transaction.PaidTime, "the payer paid, by WeChat Pay's clock")
	}
	if paid := condition(order.Status.Conditions, v1alpha1.ConditionPaid); paid.Status != metav1.ConditionUnknown {
		happened(&paid.LastTransitionTime, "the Order became %s", p.reason(paid.Reason))
	}
	for _, refund := range s.refunds {
		happened(&refund.CreationTimestamp, "Refund %s was asked for", refund.Name)
		if approved := condition(refund.Status.Conditions, v1alpha1.ConditionApproved); approved.Status == metav1.ConditionTrue ||
			approved.Status == metav1.ConditionFalse {
			happened(&approved.LastTransitionTime, "Refund %[1]s: %[2]s", refund.Name, p.reason(approved.Reason))
		}
		happened(refund.Status.AcceptedTime, "Refund %s was accepted by WeChat Pay", refund.Name)
		happened(refund.Status.SucceededTime, "Refund %s was paid back, by WeChat Pay's clock", refund.Name)
	}
	for _, shipment := range s.shipments {
		happened(&shipment.CreationTimestamp, "Shipment %s was created", shipment.Name)
		happened(shipment.Status.UploadTime, "Shipment %s was uploaded", shipment.Name)
	}
	slices.SortStableFunc(history, func(a, b entry) int { return a.at.Compare(b.at) })
	for _, m := range history {
		at := metav1.NewTime(m.at)
		fmt.Fprintf(p.Streams.Out, "  %s  %s\n", p.formatTime(&at), m.what)
	}
}
