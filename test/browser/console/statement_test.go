package console

import (
	"strings"
	"testing"

	rbacv1 "k8s.io/api/rbac/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/wechatpay-operator/wechatpay-operator/api/v1alpha1"
)

// statement creates a Statement that differs.
func (d *desk) statement(name string) {
	d.t.Helper()
	statement := &v1alpha1.Statement{
		ObjectMeta: metav1.ObjectMeta{Namespace: d.Namespace, Name: name},
		Spec:       v1alpha1.StatementSpec{MerchantRef: v1alpha1.LocalMerchantReference{Name: "shop"}, Date: "2026-11-27"},
	}
	d.Create(statement)
	statement.Status.Differing = new(int64(2))
	statement.Status.DifferenceCounts = []v1alpha1.StatementDifferenceCount{{Class: "PaymentNotInLedger", Count: 1}, {Class: "PaymentNotInBill", Count: 1}}
	statement.Status.Differences = []v1alpha1.StatementDifference{
		{Class: "PaymentNotInBill", OutTradeNo: "order-0001", TransactionID: transactionID, Here: "1.01 paid"},
		{Class: "PaymentNotInLedger", OutTradeNo: "TILL|77", TransactionID: "4200000000202611279999999999", Bill: "9.90 paid"},
	}
	statement.Status.Totals = []v1alpha1.StatementTotals{{
		Currency: "CNY", Payments: v1alpha1.StatementTally{Count: 12, Total: 123456}, Refunds: v1alpha1.StatementTally{Count: 1, Total: 50}, Foreign: v1alpha1.StatementTally{Count: 2, Total: 990}, Fees: "7.41000",
	}}
	d.condition(statement, &statement.Status.Conditions, v1alpha1.ConditionDownloaded, metav1.ConditionTrue, v1alpha1.ReasonDownloaded, "the bill is whole")
	d.condition(statement, &statement.Status.Conditions, v1alpha1.ConditionBalanced, metav1.ConditionFalse, v1alpha1.ReasonDiffers, "2 rows differ")
}

// statementReader is a role that may see Statements, whichever of the roles that are shipped have it.
func (d *desk) statementReader() string {
	d.t.Helper()
	role := &rbacv1.ClusterRole{
		ObjectMeta: metav1.ObjectMeta{Name: "statement-reader"},
		Rules:      []rbacv1.PolicyRule{{APIGroups: []string{v1alpha1.GroupVersion.Group}, Resources: []string{"statements"}, Verbs: []string{"get", "list", "watch"}}},
	}
	d.Must(client.IgnoreAlreadyExists(d.Client.Create(d.Context(), role)))
	return role.Name
}

// TestStatements: what differs, by class, with a link to the Order where there is one.
func TestStatements(t *testing.T) {
	d := open(t, quiet)
	d.paid("order-0001")
	d.statement("shop-2026-11-27")
	p := d.logIn(desktop, d.token("bookkeeper", viewerRole, d.statementReader()), "statements")
	click(p, `a[href$="shop-2026-11-27"]`)
	p.Await(`document.querySelector('#differences')`)
	shown := p.Text("main")
	for _, words := range []string{"1234.56 yuan (12)", "0.50 yuan (1)", "9.90 yuan (2)", "7.41000", "PaymentNotInLedger 1", "TILL|77", "9.90 paid", "2 of 2 differences are listed"} {
		if !strings.Contains(shown, words) {
			t.Errorf("it does not say %q: %s", words, shown)
		}
	}
	click(p, `#differences a[href$="/orders/order-0001"]`)
	p.Await(`document.querySelector('#amount').textContent === '1.01 yuan'`)
}
