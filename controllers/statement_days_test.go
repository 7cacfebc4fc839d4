package controllers_test

import (
	"testing"
	"time"

	"github.com/onsi/gomega"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/wechatpay-operator/wechatpay-operator/api/v1alpha1"
	"github.com/wechatpay-operator/wechatpay-operator/internal/bills"
	"github.com/wechatpay-operator/wechatpay-operator/test/framework"
)

// TestRefundNearMidnightIsDecidedByTheNextBill: WeChat accepted it after midnight, and the operator recorded it before.
func TestRefundNearMidnightIsDecidedByTheNextBill(t *testing.T) {
	shop, days, g := openWithBills(t)
	day := paidDay(shop.Paid("order-0001"))
	days.operators.Set(day.End().Add(-time.Minute))
	days.weChats.Set(day.End().Add(time.Minute))
	shop.Create(shop.NewRefund("refund-0001", "order-0001", 50))
	shop.Approve("refund-0001")
	refund := shop.WaitRefund("refund-0001", "Succeeded=True/Succeeded")
	g.Expect(bills.DayOf(refund.Status.AcceptedTime.Time)).To(gomega.Equal(day))

	shop.Create(shop.NewStatement("first", string(day)), shop.NewStatement("second", string(day.Next())))
	days.set(day.Next(), billReady)
	undecided := shop.WaitStatement("first", "Downloaded=True/Downloaded", "Balanced=Unknown/Undecided")
	g.Expect(*undecided.Status.Undecided).To(gomega.Equal(int64(1)))
	g.Expect(words(undecided, "Balanced")).To(gomega.ContainSubstring("compares it again at " + day.Next().End().Add(10*time.Hour).UTC().Format(time.RFC3339)))
	shop.WaitStatement("second", "Downloaded=False/Waiting")
	days.set(day.Next().Next(), billReady)
	shop.WaitStatement("first", "Balanced=True/Balanced")
	shop.WaitStatement("second", "Balanced=True/Balanced")
}

// TestRefundOfTheDayBefore: the previous day's bill is read at once, and tells that the refund is in it.
func TestRefundOfTheDayBefore(t *testing.T) {
	shop, days, g := openWithBills(t)
	day := paidDay(shop.Paid("order-0001"))
	days.operators.Set(day.End().Add(time.Minute))
	days.weChats.Set(day.End().Add(-time.Minute))
	shop.Create(shop.NewRefund("refund-0001", "order-0001", 50))
	shop.Approve("refund-0001")
	refund := shop.WaitRefund("refund-0001", "Accepted=True/Accepted")
	g.Expect(bills.DayOf(refund.Status.AcceptedTime.Time)).To(gomega.Equal(day.Next()))
	days.set(day.Next().Next(), billReady)
	shop.Create(shop.NewStatement("second", string(day.Next())))
	shop.WaitStatement("second", "Downloaded=True/Empty", "Balanced=True/Balanced")
}

// TestDailyStatements are made once the bill is there, and made up for after an outage.
func TestDailyStatements(t *testing.T) {
	shop, days, g := openWithBills(t)
	shop.Patch(shop.NewMerchant(), `{"spec":{"statements":{"schedule":"Daily"}}}`)
	day := paidDay(shop.Paid("order-0001"))
	days.set(day.Next(), billReady)
	first := shop.WaitStatement(framework.MerchantName+"-"+string(day), "Balanced=True/Balanced")
	g.Expect(first.OwnerReferences).To(gomega.BeEmpty(), "a record outlives its Merchant")

	shop.StopOperators()
	later := day.Next().Next().Next().Next()
	days.set(later, billReady)
	shop.StartOperator()
	for of := day.Next(); of < later; of = of.Next() {
		empty := shop.WaitStatement(framework.MerchantName+"-"+string(of), "Downloaded=True/Empty", "Balanced=True/Balanced")
		g.Expect(empty.Status.Totals).To(gomega.BeEmpty())
	}
	var all v1alpha1.StatementList
	shop.Must(shop.Client.List(shop.Context(), &all, client.InNamespace(shop.Namespace)))
	g.Expect(all.Items).To(gomega.HaveLen(4), "none of a day before the Merchant, and none of a day whose bill is not there")
	shop.NoViolations()
}

// TestNameOfADailyStatementIsTaken: it is said once, not tried again and again, and keeps no other day from its Statement.
func TestNameOfADailyStatementIsTaken(t *testing.T) {
	shop, days, g := openWithBills(t)
	day := paidDay(shop.Paid("order-0001"))
	daily := func(of bills.Day) string { return framework.MerchantName + "-" + string(of) }
	// A copied file with one field changed.
	shop.Create(shop.NewStatement(daily(day), string(day), func(s *v1alpha1.Statement) { s.Spec.MerchantRef.Name = "another" }))
	shop.Patch(shop.NewMerchant(), `{"spec":{"statements":{"schedule":"Daily"}}}`)
	days.set(day.Next(), billReady)
	waitEvent(shop, framework.MerchantName, "StatementNameTaken")
	days.set(day.Next().Next(), billReady)
	shop.WaitStatement(daily(day.Next()), "Downloaded=True/Empty", "Balanced=True/Balanced")
	shop.Patch(shop.NewMerchant(), `{"metadata":{"labels":{"looked":"at"}}}`)
	days.set(day.Next().Next().Next(), billReady)
	shop.WaitStatement(daily(day.Next().Next()), "Downloaded=True/Empty", "Balanced=True/Balanced")
	for _, told := range eventsAbout(shop, framework.MerchantName, "StatementNameTaken") {
		g.Expect(told.Series).To(gomega.BeNil(), "it is said once")
		g.Expect(told.Note).To(gomega.ContainSubstring("with another name"))
	}
}
