package plugin_test

import (
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/wechatpay-operator/wechatpay-operator/api/v1alpha1"
	"github.com/wechatpay-operator/wechatpay-operator/internal/plugin"
)

// newStatement returns a Statement whose bill WeChat Pay has not made yet.
func newStatement(namespace, merchant, date string) *v1alpha1.Statement {
	return &v1alpha1.Statement{
		ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: merchant + "-" + date},
		Spec:       v1alpha1.StatementSpec{MerchantRef: v1alpha1.LocalMerchantReference{Name: merchant}, Date: date},
		Status: v1alpha1.StatementStatus{Conditions: []metav1.Condition{at("Downloaded", "False", "Creating",
			"WeChat Pay has not made the bill yet"),
			at("Balanced", "Unknown", "NotCompared", "")}},
	}
}

func differing(s *v1alpha1.Statement) {
	s.Status = v1alpha1.StatementStatus{
		Conditions: []metav1.Condition{at("Downloaded", "True", "Downloaded", ""), at("Balanced", "False", "Differs",
			"60 differences")},
		Hash: "0a4d55a8d778e5022fab701977c5d840bbc486d0", ComparedTime: later(1440),
		Totals: []v1alpha1.StatementTotals{{Currency: "CNY", Payments: v1alpha1.StatementTally{Count: 12, Total: 123456},
			Refunds: v1alpha1.StatementTally{Count: 1, Total: 50},
			Foreign: v1alpha1.StatementTally{Count: 2, Total: 200}, Fees: "7.41000"}},
		Differences: []v1alpha1.StatementDifference{
			{Class: "PaymentNotInLedger", OutTradeNo: "order-0007", TransactionID: "4200000202611211234567897", Bill: "1.01 CNY"},
			{Class: "AmountDiffers", OutTradeNo: "order-0008", OutRefundNo: "refund-0008", RefundID: "5030", Bill: "0.50",
				Here: "0.51"}},
		DifferenceCounts: []v1alpha1.StatementDifferenceCount{{Class: "AmountDiffers", Count: 1}, {Class: "PaymentNotInLedger",
			Count: 59}},
		Differing: new(int64(60)), Undecided: new(int64(3)),
	}
}

func TestStatement(t *testing.T) {
	ns := namespaceFor(t, "statement")
	now := time.Date(2026, 11, 28, 4, 0, 0, 0, time.UTC)
	s := newStatement(ns, "shop", "2026-11-27")
	s.Name = "by-another-name" // it is found by its spec, not by its name
	differing(s)
	create(t, s)
	call{user: "root", now: now}.run(t, ns, "statement", "shop").golden(t, "statement.en")
	call{user: "root", now: now, locale: "zh_CN.UTF-8"}.run(t, ns, "statement", "shop", "2026-11-27", "-o", "wide").golden(t,
		"statement.zh")
	call{user: "root", now: now}.run(t, ns, "statement", "shop", "2026-11-27", "-o", "json").expect(t, plugin.ExitUnexpected, `"class": "PaymentNotInLedger"`)

	call{user: "root", now: now}.run(t, ns, "statement", "shop", "2026-11-26").expect(t, plugin.ExitDone,
		"Statement shop-2026-11-26 was created")
	var created v1alpha1.Statement
	must(t, env.Client.Get(t.Context(), client.ObjectKey{Namespace: ns, Name: "shop-2026-11-26"}, &created))
	if created.Spec.Date != "2026-11-26" || created.Spec.MerchantRef.Name != "shop" {
		t.Errorf("%+v", created.Spec)
	}
	// In Beijing it is already the 28th, and its bill is available on the 29th.
	for _, date := range []string{"2026-11-28", "2026-11-29", "2026-02-30", "27"} {
		call{user: "root", now: now}.run(t, ns, "statement", "shop", date).expect(t, plugin.ExitUsage, date)
	}
	call{user: "nobody", now: now}.run(t, ns, "statement", "shop").expect(t, plugin.ExitNotPermitted,
		"You lack the right to list statements.wechatpay-operator.io in namespace statement")
}

// TestStatementWaits until the bill was compared, and not longer than the given timeout.
func TestStatementWaits(t *testing.T) {
	ns := namespaceFor(t, "statement-waits")
	now := time.Date(2026, 11, 28, 4, 0, 0, 0, time.UTC)
	create(t, newStatement(ns, "shop", "2026-11-27"))
	call{user: "root", now: now}.run(t, ns, "statement", "shop", "--wait", "--timeout", "300ms").
		expect(t, plugin.ExitTimeout, "Not compared within 300ms: Creating. WeChat Pay has not made the bill yet")

	done := make(chan result, 1)
	go func() { done <- call{user: "root", now: now}.run(t, ns, "statement", "shop", "--wait") }()
	s := newStatement(ns, "shop", "2026-11-27")
	must(t, env.Client.Get(t.Context(), client.ObjectKeyFromObject(s), s))
	differing(s)
	must(t, env.Client.Status().Update(t.Context(), s))
	r := <-done
	r.expect(t, plugin.ExitUnexpected, "The bill differs from what the operator knows", "1234.56 yuan (12)")
}
