package plugin_test

import (
	"encoding/json"
	"io"
	"slices"
	"strings"
	"testing"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/wechatpay-operator/wechatpay-operator/api/v1alpha1"
	"github.com/wechatpay-operator/wechatpay-operator/internal/plugin"
)

// TestApprove shows the facts of a decision, in both languages, and records it once.
func TestApprove(t *testing.T) {
	ns := namespaceFor(t, "approve")
	create(t, paidOrder(ns, "order-0001", func(o *v1alpha1.Order) {
		o.Status.Refunded = &v1alpha1.Refunded{Total: 30, Count: 1, Refunds: []v1alpha1.RefundedItem{{OutRefundNo: "refund-0001",
			Amount: 30}}}
	}),
		newRefund(ns, "refund-0001", func(r *v1alpha1.Refund) {
			r.Spec.Amount, r.Spec.Approval = 30, v1alpha1.ApprovalApproved
			r.Status.Conditions = []metav1.Condition{at("Approved", "True", "Approved", ""), at("Succeeded", "True", "Succeeded",
				"Refunded")}
		}),
		newRefund(ns, "refund-0002", func(r *v1alpha1.Refund) {
			r.Spec.Amount, r.Spec.Approval = 10, v1alpha1.ApprovalApproved
			r.Status.Conditions = []metav1.Condition{at("Approved", "True", "Approved", ""), at("Succeeded", "Unknown",
				"Processing", "")}
		}),
		newRefund(ns, "refund-0003", func(r *v1alpha1.Refund) { r.Annotations = map[string]string{v1alpha1.AnnotationRequestedBy: "wang"} }),
		newRefund(ns, "refund-0004"))

	approver := call{user: "approver", input: "n\n"}
	approver.run(t, ns, "approve", "refund-0003").golden(t, "approve-declined.en")
	if r := refundNow(t, ns, "refund-0003"); r.Spec.Approval != "" {
		t.Fatal("approved without a yes")
	}
	call{user: "approver", input: "是\n", locale: "zh_CN.UTF-8"}.run(t, ns, "approve", "refund-0003", "-m", "质量问题属实", "-o",
		"wide").golden(t, "approve.zh")
	r := refundNow(t, ns, "refund-0003")
	if r.Spec.Approval != v1alpha1.ApprovalApproved || r.Spec.ApprovalMessage != "质量问题属实" {
		t.Errorf("recorded is %q because %q", r.Spec.Approval, r.Spec.ApprovalMessage)
	}
	if !slices.ContainsFunc(r.ManagedFields, func(f metav1.ManagedFieldsEntry) bool { return f.Manager == "kubectl-wechatpay" }) {
		t.Error("the API server does not say that kubectl-wechatpay wrote it")
	}
	// The same decision again: there is nothing to do.
	again := refundNow(t, ns, "refund-0003").ResourceVersion
	approver.run(t, ns, "approve", "refund-0003").expect(t, plugin.ExitDone, "Approved already")
	// The other decision is too late.
	approver.run(t, ns, "deny", "refund-0003", "-m", "no", "--yes").expect(t, plugin.ExitUnexpected, "final")
	if refundNow(t, ns, "refund-0003").ResourceVersion != again {
		t.Error("it was written once more")
	}
	call{user: "approver"}.run(t, ns, "deny", "refund-0004", "-m", "the goods are fine", "--yes").golden(t, "deny.en")
	if r := refundNow(t, ns, "refund-0004"); r.Spec.Approval != v1alpha1.ApprovalDenied ||
		r.Spec.ApprovalMessage != "the goods are fine" {
		t.Errorf("recorded is %q because %q", r.Spec.Approval, r.Spec.ApprovalMessage)
	}
}

// TestSilenceIsNoYes: nothing changes unless the answer is clearly yes.
func TestSilenceIsNoYes(t *testing.T) {
	ns := namespaceFor(t, "silence")
	create(t, paidOrder(ns, "order-0001"), newRefund(ns, "refund-0001"))
	for _, input := range []string{"", "\n", "n\n", "no\n", "yess\n", "y y\n", "\x00y\n", "Approved\n"} {
		call{user: "approver", input: input}.run(t, ns, "approve", "refund-0001").expect(t, plugin.ExitDeclined,
			"Nothing was changed")
	}
	if r := refundNow(t, ns, "refund-0001"); r.Spec.Approval != "" {
		t.Errorf("it is %s", r.Spec.Approval)
	}
	for _, input := range []string{"y", "YES\n"} {
		call{user: "approver", input: input}.run(t, ns, "approve", "refund-0001").expect(t, plugin.ExitDone)
	}
}

// meanwhile answers yes, and calls a function before.
type meanwhile struct {
	first func()
	rest  io.Reader
}

func (m *meanwhile) Read(b []byte) (int, error) {
	if m.first != nil {
		m.first()
		m.first = nil
	}
	return m.rest.Read(b[:1])
}

// TestOnlyWhatWasShownIsDecided: a Refund that changes while the approver reads is shown again, and a yes to the
// earlier version is not recorded.
func TestOnlyWhatWasShownIsDecided(t *testing.T) {
	ns := namespaceFor(t, "shown")
	create(t, paidOrder(ns, "order-0001"), newRefund(ns, "refund-0001"), newRefund(ns, "refund-0002"), newRefund(ns,
		"refund-0003"))
	// One byte per read, so that the second question is asked before its answer is read.
	approver := call{user: "approver"}
	relabel := func(name string) func() {
		return func() {
			must(t, env.Client.Patch(t.Context(), newRefund(ns, name), client.RawPatch(types.MergePatchType, []byte(`{"metadata":{"annotations":{"wechatpay-operator.io/requested-by":"li"}}}`))))
		}
	}
	shown := approver.runWith(t, &meanwhile{relabel("refund-0001"), strings.NewReader("y\nn\n")}, ns, "approve", "refund-0001")
	shown.expect(t, plugin.ExitDeclined, "changed since it was shown", "Requested by:    not recorded", "Requested by:    li")
	if r := refundNow(t, ns, "refund-0001"); r.Spec.Approval != "" {
		t.Error("what was not shown was approved")
	}
	approver.runWith(t, &meanwhile{relabel("refund-0001"), strings.NewReader("y\n")}, ns, "approve", "refund-0001").expect(t,
		plugin.ExitDone)

	// The Refund is deleted, and created again with another amount under the same name.
	another := func() {
		must(t, env.Client.Delete(t.Context(), newRefund(ns, "refund-0002")))
		create(t, newRefund(ns, "refund-0002", func(r *v1alpha1.Refund) { r.Spec.Amount = 101 }))
	}
	shown = approver.runWith(t, &meanwhile{another, strings.NewReader("y\nn\n")}, ns, "approve", "refund-0002")
	shown.expect(t, plugin.ExitDeclined, "0.20 yuan", "1.01 yuan")
	if r := refundNow(t, ns, "refund-0002"); r.Spec.Approval != "" {
		t.Error("another Refund of the same name was approved")
	}

	// Another user decides first.
	denied := func() {
		must(t, env.Client.Patch(t.Context(), newRefund(ns, "refund-0003"), client.RawPatch(types.MergePatchType, []byte(`{"spec":{"approval":"Denied"}}`))))
	}
	approver.runWith(t, &meanwhile{denied, strings.NewReader("y\ny\n")}, ns, "approve", "refund-0003").expect(t,
		plugin.ExitUnexpected, "Denied, which is final")
}

// TestSeveral asks about each Refund, and continues if one can't be decided.
func TestSeveral(t *testing.T) {
	ns := namespaceFor(t, "several")
	create(t, paidOrder(ns, "order-0001"), newRefund(ns, "refund-0001"), newRefund(ns, "refund-0002"), newRefund(ns,
		"refund-0003"))
	call{user: "approver", input: "y\nn\ny\n"}.run(t, ns, "approve", "refund-0001", "refund-0002", "missing-0001", "refund-0003").
		expect(t, plugin.ExitDeclined, "Approved refund-0001", "refund-0002: Nothing was changed.",
			"There is no Refund missing-0001", "Approved refund-0003", "Not all Refunds were decided")
	for name, want := range map[string]v1alpha1.Approval{"refund-0001": "Approved", "refund-0002": "",
		"refund-0003": "Approved"} {
		if got := refundNow(t, ns, name).Spec.Approval; got != want {
			t.Errorf("%s is %q, want %q", name, got, want)
		}
	}
}

// TestWarnings: the plugin warns about what an approver could overlook, before the question.
func TestWarnings(t *testing.T) {
	ns := namespaceFor(t, "warnings")
	create(t, paidOrder(ns, "order-0001"), paidOrder(ns, "unpaid-0001", func(o *v1alpha1.Order) {
		o.Status = v1alpha1.OrderStatus{Conditions: []metav1.Condition{at("Paid", "Unknown", "AwaitingPayment", "")}}
	}),
		paidOrder(ns, "earlier-0001", func(o *v1alpha1.Order) { o.Status.Conditions[1].Reason = v1alpha1.ReasonPaidEarlier }),
		paidOrder(ns, "yen-0001", func(o *v1alpha1.Order) {
			o.Spec.Amount, o.Status.Transaction.Currency, o.Status.Transaction.Total = v1alpha1.Amount{Total: 500,
				Currency: "JPY"}, "JPY", 500
		}))
	of := func(order string, amount int64) func(*v1alpha1.Refund) {
		return func(r *v1alpha1.Refund) { r.Spec.OrderRef.Name, r.Spec.Amount = order, amount }
	}
	reason := func(name string, status metav1.ConditionStatus, reason string) func(*v1alpha1.Refund) {
		return func(r *v1alpha1.Refund) { r.Status.Conditions = []metav1.Condition{at(name, status, reason, "")} }
	}
	create(t, newRefund(ns, "more-0001", of("order-0001", 102)), newRefund(ns, "unpaid-r-0001", of("unpaid-0001", 1)),
		newRefund(ns, "lost-0001", of("lost-0001", 7)),
		newRefund(ns, "earlier-r-0001", of("earlier-0001", 7)), newRefund(ns, "yen-r-0001", of("yen-0001", 300)),
		newRefund(ns, "automatic-0001", reason("Approved", "True", "Automatic")), newRefund(ns, "unguarded-0001",
			reason("Approved", "Unknown", "PolicyMissing")),
		newRefund(ns, "ended-0001", reason("Succeeded", "False", "ExceedsPaid")))
	for name, words := range map[string][]string{
		"more-0001":      {"more than is left to refund"},
		"unpaid-r-0001":  {"the Order is not paid", "nothing so far: AwaitingPayment"},
		"lost-0001":      {"There is no Order lost-0001", "7 minor units"},
		"earlier-r-0001": {"unusual way: PaidEarlier"},
		"yen-r-0001":     {"300 JPY", "500 JPY at 2025-11-21 08:00:01 +0000", "200 JPY after this one"},
	} {
		call{user: "approver"}.run(t, ns, "approve", name).expect(t, plugin.ExitDeclined, words...)
	}
	for name, words := range map[string][]string{
		"automatic-0001": {"cannot be held back"},
		"unguarded-0001": {"never sent"},
		"ended-0001":     {"ended as ExceedsPaid"},
		"missing-0001":   {"There is no Refund missing-0001 in namespace warnings"},
	} {
		r := call{user: "approver", input: "y\n"}.run(t, ns, "approve", name)
		if r.code != plugin.ExitUnexpected && name != "missing-0001" {
			t.Errorf("exit code %d", r.code)
		}
		r.expect(t, r.code, words...)
	}
}

// TestRightsAreTheCallers: each shipped role can do what it is for, and otherwise the error names the missing right.
func TestRightsAreTheCallers(t *testing.T) {
	ns := namespaceFor(t, "rights")
	create(t, paidOrder(ns, "order-0001"), newRefund(ns, "refund-0001"))
	for _, c := range []struct {
		user  string
		words []string
	}{
		{"viewer", []string{"You lack the right to patch refunds.wechatpay-operator.io in namespace rights",
			"wechatpay-operator-approver"}},
		{"shop", []string{"The policy wechatpay-operator-refund-approval refused it", `needs the verb "approve"`}},
		{"admin", []string{"You lack the right to get refunds.wechatpay-operator.io in namespace rights",
			"wechatpay-operator-viewer"}},
		{"nobody", []string{"You lack the right to get refunds.wechatpay-operator.io in namespace rights",
			"wechatpay-operator-viewer"}},
	} {
		for _, verb := range []string{"approve", "deny"} {
			call{user: c.user}.run(t, ns, verb, "refund-0001", "--yes", "-m", "why").expect(t, plugin.ExitNotPermitted,
				c.words...)
		}
	}
	if r := refundNow(t, ns, "refund-0001"); r.Spec.Approval != "" {
		t.Fatal("somebody without the right decided")
	}
	call{user: "approver"}.run(t, ns, "approve", "refund-0001", "--yes").expect(t, plugin.ExitDone)
}

// TestOutputForPrograms: stdout has only the object.
func TestOutputForPrograms(t *testing.T) {
	ns := namespaceFor(t, "programs")
	create(t, paidOrder(ns, "order-0001"), newRefund(ns, "refund-0001"), newRefund(ns, "refund-0002"), newRefund(ns,
		"refund-0003"))
	r := call{user: "approver"}.run(t, ns, "approve", "refund-0001", "--yes", "-o", "json")
	r.expect(t, plugin.ExitDone)
	var refund v1alpha1.Refund
	if err := json.Unmarshal([]byte(r.out), &refund); err != nil || refund.Spec.Approval != "Approved" ||
		refund.Kind != "Refund" || len(refund.ManagedFields) > 0 {
		t.Errorf("%v: %s", err, r.out)
	}
	call{user: "approver"}.run(t, ns, "approve", "refund-0002", "-y", "-o", "yaml").expect(t, plugin.ExitDone,
		"approval: Approved", "kind: Refund")
	if r := (call{user: "approver"}).run(t, ns, "approve", "refund-0003", "-y", "-o",
		"name"); r.out != "refund.wechatpay-operator.io/refund-0003\n" {
		t.Errorf("%q", r.out)
	}
	call{user: "approver"}.run(t, ns, "approve", "refund-0001", "-o", "xml").expect(t, plugin.ExitUsage, "xml")
}

func TestCommandLines(t *testing.T) {
	for line, words := range map[string]string{
		"approve":              "Name the Refunds",
		"deny refund-0001 -y":  "Say why with -m",
		"approve --what":       "unknown flag",
		"frobnicate":           "There is no command frobnicate",
		"qr":                   "qr ORDER",
		"describe":             "describe [order] ORDER",
		"describe refund a":    "describe [order] ORDER",
		"pay shop --fen 101":   "--fen must be 1 to 100",
		"statement":            "statement MERCHANT [DATE]",
		"statement shop today": "DATE must be a day",
		"version now":          "Usage: kubectl wechatpay version",
	} {
		call{user: "approver"}.run(t, "default", strings.Fields(line)...).expect(t, plugin.ExitUsage, words,
			"See kubectl wechatpay --help.")
	}
	call{user: "approver"}.run(t, "default", "deny", "r", "-y", "-m", " \t ").expect(t, plugin.ExitUsage, "Say why with -m")
	call{user: "approver"}.run(t, "default", "approve", "r", "-y", "-m", strings.Repeat("款", 257)).expect(t, plugin.ExitUsage,
		"256")
	call{user: "approver"}.run(t, "default", "approve", "r", "-y", "-m", "one\nother").expect(t, plugin.ExitUsage, "one line")
	call{user: "approver", locale: "zh_CN.UTF-8"}.run(t, "default", "approve").expect(t, plugin.ExitUsage, "错误：请给出退款的名称")
	call{user: "missing"}.run(t, "default", "approve", "r").expect(t, plugin.ExitFailure, "kubeconfig cannot be used")
}

// hostile text tries to control the terminal: to clear it, write another line, reverse the following text.
const hostile = "soap\x1b[2J\x1b]0;title\x07\u009b1A\u202eevil\r\n  Amount:  0.01 yuan\u2028more"

// TestHostileText: text from the cluster neither controls the reader's terminal nor adds a line.
func TestHostileText(t *testing.T) {
	ns := namespaceFor(t, "hostile")
	create(t, paidOrder(ns, "order-0001",
		func(o *v1alpha1.Order) { o.Status.Conditions[1].Message = hostile; o.Status.Transaction.BankType = "X" }),
		newRefund(ns, "refund-0001", func(r *v1alpha1.Refund) {
			r.Annotations = map[string]string{v1alpha1.AnnotationRequestedBy: hostile, v1alpha1.AnnotationDecidedBy: hostile}
			r.Status.Conditions[2].Message = hostile
		}))
	for _, args := range [][]string{
		{"approve", "refund-0001", "-o", "wide"}, {"describe", "order-0001"}, {"describe", "order-0001", "-o",
			"wide"}, {"describe", "order-0001", "-o", "json"},
		{"describe", "order-0001", "-o", "yaml"}, {"describe", "order-0001", "-o",
			"jsonpath={.items[*].metadata.annotations}"}, {"approve", hostile}, {hostile}, {"describe", "order-0001", "-o", hostile},
	} {
		r := call{user: "approver"}.run(t, ns, args...)
		for _, evil := range []string{"\x1b", "\x07", "\r", "\u009b", "\u202e", "\u2028", "\n  Amount:  0.01"} {
			if strings.Contains(r.out+r.err, evil) {
				t.Errorf("%q lets %q through:\n%q", args, evil, r.out+r.err)
			}
		}
	}
	r := call{user: "approver"}.run(t, ns, "describe", "order-0001", "-o", "json")
	var list unstructured.UnstructuredList
	if err := json.Unmarshal([]byte(r.out), &list); err != nil || len(list.Items) < 2 ||
		list.Items[1].GetAnnotations()[v1alpha1.AnnotationRequestedBy] != hostile {
		t.Errorf("the JSON does not hold what the cluster does: %v\n%s", err, r.out)
	}
}
