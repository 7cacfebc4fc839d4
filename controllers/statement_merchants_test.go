package controllers_test

import (
	"fmt"
	"testing"

	"github.com/onsi/gomega"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/wechatpay-operator/wechatpay-operator/api/v1alpha1"
	"github.com/wechatpay-operator/wechatpay-operator/test/framework"
)

// TestStatementNeedsAMerchantOfItsNamespaceThatIsProven: a stranger sees nothing by naming a merchant number, or a Merchant elsewhere.
func TestStatementNeedsAMerchantOfItsNamespaceThatIsProven(t *testing.T) {
	shop, days, g := openWithBills(t, framework.WithNamespaces(1))
	stranger := shop.Other(0)
	day := paidDay(shop.Paid("order-0001"))
	shop.Create(shop.NewStatement("theirs", string(day), func(s *v1alpha1.Statement) { s.Namespace = stranger }))
	missing := shop.WaitStatement(stranger+"/theirs", "Downloaded=False/MerchantNotFound")
	g.Expect(words(missing, "Downloaded")).NotTo(gomega.ContainSubstring(shop.Namespace))

	shop.CreateCredentialsOf(shop.WeChat, stranger, "wechatpay", framework.MchID, "Wr0ngTestOnlyKey0Wr0ngTestOnlyKe")
	shop.Create(shop.NewMerchant(func(m *v1alpha1.Merchant) {
		m.Namespace = stranger
		m.Spec.Endpoint.URL, m.Spec.Endpoint.BackupURL = "https://127.0.0.1:1/", "https://127.0.0.1:1/"
		m.Spec.Statements = &v1alpha1.MerchantStatements{Schedule: v1alpha1.StatementsDaily}
	}))
	days.set(day.Next(), billReady)
	shop.WaitStatement(stranger+"/theirs", "Downloaded=False/MerchantNotReady", "Balanced=Unknown/NotCompared")
	g.Expect(billCalls(shop)).To(gomega.BeZero())
	var all v1alpha1.StatementList
	shop.Must(shop.Client.List(shop.Context(), &all, client.InNamespace(stranger)))
	g.Expect(all.Items).To(gomega.HaveLen(1), "none is made by itself for a merchant number that is not proven")
}

func TestStatementWaitsForItsMerchant(t *testing.T) {
	shop, days, _ := openWithBills(t)
	day := paidDay(shop.Paid("order-0001"))
	days.set(day.Next(), billReady)
	name := "wechatpay"
	shop.Create(shop.NewStatement("books", string(day), func(s *v1alpha1.Statement) { s.Spec.MerchantRef.Name = "second" }))
	shop.WaitStatement("books", "Downloaded=False/MerchantNotFound")
	shop.Create(shop.NewMerchant(func(m *v1alpha1.Merchant) { m.Name = "second"; framework.UseKey(m, "there-is-none") }))
	shop.WaitStatement("books", "Downloaded=False/MerchantNotReady")
	second := shop.NewMerchant(func(m *v1alpha1.Merchant) { m.Name = "second" })
	if shop.Protocol == v1alpha1.ProtocolV3 {
		shop.Patch(second, fmt.Sprintf(`{"spec":{"apiV3KeySecretRef":{"name":%q}}}`, name))
	} else {
		shop.Patch(second, fmt.Sprintf(`{"spec":{"apiKeySecretRef":{"name":%q}}}`, name))
	}
	// The Order is another Merchant's of the same number.
	shop.WaitStatement("books", "Balanced=True/Balanced")
}

// TestStatementsOfSubMerchants: each has its own rows, and sees nothing of the other's.
func TestStatementsOfSubMerchants(t *testing.T) {
	inBothProtocols(t, func(t *testing.T, protocol v1alpha1.Protocol) {
		days := newDays()
		shop, g := openPartner(t, protocol, days.option())
		day := paidDay(shop.Paid("order-0001"))
		shop.Create(shop.NewOrder("order-0002", inNamespace(shop.Other(0)), func(o *v1alpha1.Order) { o.Spec.Amount.Total = 777 }))
		shop.WaitOrder(shop.Other(0)+"/order-0002", "Prepared=True/Prepared")
		shop.Pay("order-0002")
		order := shop.WaitOrder(shop.Other(0)+"/order-0002", "Paid=True/Paid")
		shop.Must(shop.Client.Delete(shop.Context(), order)) // so that the second one differs
		shop.WaitGone(order)
		days.set(day.Next(), billReady)
		shop.Create(shop.NewStatement("books", string(day)), shop.NewStatement("books", string(day), func(s *v1alpha1.Statement) { s.Namespace = shop.Other(0) }))
		first := shop.WaitStatement("books", "Balanced=True/Balanced")
		g.Expect(first.Status.Totals[0].Payments).To(gomega.Equal(v1alpha1.StatementTally{Count: 1, Total: 101}))
		second := shop.WaitStatement(shop.Other(0)+"/books", "Balanced=False/Differs")
		g.Expect(second.Status.Totals[0].Payments).To(gomega.Equal(v1alpha1.StatementTally{Count: 1, Total: 777}))
		for i, statement := range []*v1alpha1.Statement{first, second} {
			other := []string{"order-0002", "order-0001"}[i]
			g.Expect(fmt.Sprint(statement.Status)).NotTo(gomega.ContainSubstring(other))
		}
		shop.NoViolations()
	})
}
