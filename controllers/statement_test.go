package controllers_test

import (
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/onsi/gomega"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/wechatpay-operator/wechatpay-operator/api/v1alpha1"
	"github.com/wechatpay-operator/wechatpay-operator/controllers"
	"github.com/wechatpay-operator/wechatpay-operator/internal/bills"
	"github.com/wechatpay-operator/wechatpay-operator/internal/wechatpay/simulator"
	"github.com/wechatpay-operator/wechatpay-operator/test/framework"
)

// days are the clocks of a shop whose days can pass: the operator's and WeChat Pay's.
type days struct{ operators, weChats framework.Clock }

// newDays begins far from midnight in Beijing, so that a test stays within a day.
func newDays() *days {
	d := &days{}
	if day := bills.DayOf(time.Now()); time.Since(day.Start()) < 2*time.Hour || time.Until(day.End()) < 2*time.Hour {
		d.move(-6 * time.Hour)
	}
	return d
}

func (d *days) move(by time.Duration) {
	d.operators.Move(by)
	d.weChats.Move(by)
}

// set sets both clocks to a time of day in Beijing.
func (d *days) set(day bills.Day, after time.Duration) {
	d.operators.Set(day.Start().Add(after))
	d.weChats.Set(day.Start().Add(after))
}

func (d *days) option() framework.Option { return framework.WithClocks(&d.operators, &d.weChats) }

// billReady is a time of the next day at which WeChat has the bill, or says that there will be none.
const billReady = 13 * time.Hour

// openWithBills opens a shop whose simulated WeChat makes a bill each day.
func openWithBills(t *testing.T, options ...framework.Option) (*framework.Shop, *days, *gomega.WithT) {
	t.Helper()
	d := newDays()
	shop, g := openReady(t, append([]framework.Option{d.option()}, options...)...)
	return shop, d, g
}

func paidDay(order *v1alpha1.Order) bills.Day {
	return bills.DayOf(order.Status.Transaction.PaidTime.Time)
}

func words(statement *v1alpha1.Statement, kind string) string {
	for _, condition := range statement.Status.Conditions {
		if condition.Type == kind {
			return condition.Message
		}
	}
	return ""
}

func countsOf(statement *v1alpha1.Statement) map[string]int64 {
	counts := map[string]int64{}
	for _, of := range statement.Status.DifferenceCounts {
		counts[of.Class] = of.Count
	}
	return counts
}

func TestStatementIsBalanced(t *testing.T) {
	shop, days, g := openWithBills(t)
	day := paidDay(shop.Paid("order-0001"))
	shop.Paid("order-0002", func(o *v1alpha1.Order) { o.Spec.Amount.Total = 250 })
	shop.Create(shop.NewRefund("refund-0001", "order-0001", 51))
	shop.Approve("refund-0001")
	shop.WaitRefund("refund-0001", "Succeeded=True/Succeeded")

	shop.Create(shop.NewStatement("today", string(day)))
	waiting := shop.WaitStatement("today", "Downloaded=False/Waiting", "Balanced=Unknown/NotCompared")
	g.Expect(words(waiting, "Downloaded")).To(gomega.ContainSubstring(day.End().Add(10 * time.Hour).UTC().Format(time.RFC3339)))

	days.set(day.Next(), billReady)
	balanced := shop.WaitStatement("today", "Downloaded=True/Downloaded", "Balanced=True/Balanced")
	g.Expect(balanced.Status.Hash).To(gomega.HaveLen(40))
	g.Expect(balanced.Status.Differences).To(gomega.BeEmpty())
	g.Expect(*balanced.Status.Differing).To(gomega.BeZero())
	g.Expect(balanced.Status.Totals).To(gomega.Equal([]v1alpha1.StatementTotals{{
		Currency: "CNY", Payments: v1alpha1.StatementTally{Count: 2, Total: 351}, Refunds: v1alpha1.StatementTally{Count: 1, Total: 51},
		Unexplained: &v1alpha1.StatementTally{}, Fees: "0.03000",
	}}))

	// A Statement that is balanced is not downloaded again.
	calls := billCalls(shop)
	shop.Patch(balanced, `{"metadata":{"labels":{"looked":"at"}}}`)
	shop.Create(shop.NewStatement("again", string(day)))
	shop.WaitStatement("again", "Balanced=True/Balanced")
	g.Expect(billCalls(shop)).To(gomega.Equal(calls+2), "only the two bills of the other Statement were downloaded")
	shop.NoViolations()
}

// billCalls returns how often a trade bill was asked for.
func billCalls(shop *framework.Shop) (count int) {
	for _, call := range shop.WeChat.Ledger().Calls {
		if call.Operation == simulator.OperationTradeBill {
			count++
		}
	}
	return count
}

// TestPaymentThatNobodyKnows is a difference, unless it is of another system.
func TestPaymentThatNobodyKnows(t *testing.T) {
	shop, days, g := openWithBills(t)
	day := paidDay(shop.Paid("order-0001"))
	outside(shop, "till-0001", 700)
	days.set(day.Next(), billReady)
	shop.Create(shop.NewStatement("books", string(day)))
	differs := shop.WaitStatement("books", "Downloaded=True/Downloaded", "Balanced=False/Differs")
	g.Expect(countsOf(differs)).To(gomega.Equal(map[string]int64{"PaymentNotInLedger": 1}))
	g.Expect(differs.Status.Differences).To(gomega.HaveLen(1))
	g.Expect(differs.Status.Differences[0].OutTradeNo).To(gomega.Equal("till-0001"))
	g.Expect(differs.Status.Differences[0].Bill).To(gomega.Equal("7.00 CNY"))
	g.Expect(*differs.Status.Totals[0].Unexplained).To(gomega.Equal(v1alpha1.StatementTally{Count: 1, Total: 700}))
	g.Expect(words(differs, "Balanced")).To(gomega.ContainSubstring("There is no ledger"))

	shop.Patch(shop.NewMerchant(), `{"spec":{"statements":{"foreign":{"outTradeNoPrefixes":["till-"]}}}}`)
	balanced := shop.WaitStatement("books", "Balanced=True/Balanced")
	g.Expect(balanced.Status.Totals[0].Foreign).To(gomega.Equal(v1alpha1.StatementTally{Count: 1, Total: 700}))
	g.Expect(*balanced.Status.Totals[0].Unexplained).To(gomega.Equal(v1alpha1.StatementTally{}))
}

// outside makes a payment that no object knows, as another system on the merchant number does.
func outside(shop *framework.Shop, number string, total int64) {
	shop.T.Helper()
	order := shop.Paid(number, func(o *v1alpha1.Order) { o.Spec.Amount.Total = total })
	shop.Must(shop.Client.Delete(shop.Context(), order))
	shop.WaitGone(order)
}

// TestBadBillsBalanceNothing: whatever is wrong with a bill is said, and it is downloaded again.
func TestBadBillsBalanceNothing(t *testing.T) {
	file := simulator.OperationTradeBill
	if framework.DefaultProtocol() == v1alpha1.ProtocolV3 {
		file = simulator.OperationBillFile
	}
	for name, c := range map[string]struct {
		fault simulator.Fault
		want  string
		words string
	}{
		"half of it":          {simulator.Fault{Operation: file, Kind: simulator.FaultTruncate}, "Downloaded=False/Incomplete", "bill"},
		"a broken connection": {simulator.Fault{Operation: file, Kind: simulator.FaultCut}, "Downloaded=Unknown/WeChatUnreachable", "tries again"},
		"a page":              {simulator.Fault{Operation: file, Kind: simulator.FaultHTML}, "Downloaded=Unknown/WeChatUnreachable", "tries again"},
		"another merchant's":  {simulator.Fault{Operation: simulator.OperationTradeBill, Kind: simulator.FaultOtherMerchant}, "Downloaded=False/Incomplete", "another merchant number"},
		"a renamed column":    {simulator.Fault{Operation: simulator.OperationTradeBill, Kind: simulator.FaultRenamedColumn}, "Downloaded=False/Incomplete", "应结订单金额"},
		"no right":            {simulator.Fault{Operation: simulator.OperationTradeBill, Kind: simulator.FaultFail, ReturnMsg: "当前商户号账单API权限已经关闭", Status: 403, ErrCode: "NO_AUTH"}, "Downloaded=False/NotAllowed", "产品中心"},
		"not made yet":        {simulator.Fault{Operation: simulator.OperationTradeBill, Kind: simulator.FaultFail, ReturnMsg: "Bill Creating", Status: 400, ErrCode: "STATEMENT_CREATING"}, "Downloaded=False/Creating", "asks again at"},
		"another file":        {simulator.Fault{Operation: simulator.OperationTradeBill, Kind: simulator.FaultWrongDigest}, "Downloaded=False/Incomplete", "SHA-1"},
	} {
		if c.fault.Kind == simulator.FaultWrongDigest && framework.DefaultProtocol() == v1alpha1.ProtocolV2 {
			continue // V2 announces no digest of the trade bill
		}
		t.Run(name, func(t *testing.T) {
			shop, days, g := openWithBills(t)
			day := paidDay(shop.Paid("order-0001"))
			days.set(day.Next(), billReady)
			fault := c.fault
			if framework.DefaultProtocol() == v1alpha1.ProtocolV3 {
				fault.ReturnMsg, fault.ErrCodeDes = "", fault.ReturnMsg
				if fault.Kind == simulator.FaultFail {
					fault.Kind = simulator.FaultError
				}
			}
			shop.Fault(fault)
			shop.Create(shop.NewStatement("books", string(day)))
			bad := shop.WaitStatement("books", c.want, "Balanced=Unknown/NotCompared")
			g.Expect(words(bad, "Downloaded")).To(gomega.ContainSubstring(c.words))
			g.Expect(bad.Status.Differences).To(gomega.BeEmpty())
			g.Expect(bad.Status.Differing).To(gomega.BeNil())
			shop.WeChat.ClearFaults()
			shop.WaitStatement("books", "Downloaded=True/Downloaded", "Balanced=True/Balanced")
		})
	}
}

// TestMissedPaymentIsRepaired: a bill sets nothing Paid. WeChat is asked, and the bill compared again.
func TestMissedPaymentIsRepaired(t *testing.T) {
	never := framework.WithTiming(func(timing *controllers.Timing) { timing.OrderPoll = framework.EverySoOften(1000 * time.Hour) })
	shop, days, g := openWithBills(t, never)
	shop.Create(shop.NewOrder("order-0001"))
	shop.WaitOrder("order-0001", "Prepared=True/Prepared")
	shop.Pay("order-0001", simulator.PayOptions{NoCallback: true})
	day := bills.DayOf(days.weChats.Now())
	days.set(day.Next(), billReady)
	shop.Create(shop.NewStatement("books", string(day)))
	shop.WaitStatement("books", "Balanced=True/Balanced")
	paid := shop.WaitOrder("order-0001", "Paid=True/Paid")
	g.Expect(paid.Status.Transaction.ID).NotTo(gomega.BeEmpty())
	queries := shop.WeChat.Ledger().CallsOf(simulator.OperationOrderQuery, "order-0001")
	g.Expect(queries).NotTo(gomega.BeEmpty())
}

// TestMissedRefundIsRepaired: a Refund that awaits approval, and that WeChat has all the same, is not asked about again by itself.
func TestMissedRefundIsRepaired(t *testing.T) {
	shop, days, g := openWithBills(t)
	day := paidDay(shop.Paid("order-0001"))
	shop.Create(shop.NewRefund("refund-0001", "order-0001", 50))
	shop.Approve("refund-0001")
	made := shop.WaitRefund("refund-0001", "Succeeded=True/Succeeded")
	shop.Must(shop.Client.Delete(shop.Context(), made))
	shop.WaitGone(made)
	shop.Create(shop.NewRefund("refund-0001", "order-0001", 50))
	found := shop.WaitRefund("refund-0001", "Approved=True/Recovered")
	forgotten := v1alpha1.RefundStatus{OutRefundNo: "refund-0001"}
	for kind, reason := range map[string]string{"Approved": "AwaitingApproval", "Accepted": "Pending", "Succeeded": "Pending"} {
		forgotten.Conditions = append(forgotten.Conditions, metav1.Condition{
			Type: kind, Status: metav1.ConditionUnknown, Reason: reason, LastTransitionTime: found.CreationTimestamp,
		})
	}
	shop.Eventually("the Refund is as if WeChat was not asked", func() error {
		if err := shop.Client.Get(shop.Context(), keyOf(found), found); err != nil {
			return err
		}
		found.Status = forgotten
		return shop.Client.Status().Update(shop.Context(), found)
	})
	days.set(day.Next(), billReady)
	shop.Create(shop.NewStatement("books", string(day)))
	shop.WaitStatement("books", "Balanced=True/Balanced")
	g.Expect(shop.WaitRefund("refund-0001", "Approved=True/Recovered").Status.RefundID).To(gomega.Equal(made.Status.RefundID))
}

// TestRefundByStaffIsADifference: it was made in the merchant platform.
func TestRefundByStaffIsADifference(t *testing.T) {
	shop, days, g := openWithBills(t)
	day := paidDay(shop.Paid("order-0001"))
	_, err := shop.WeChat.RefundByStaff(framework.MchID, "order-0001", 30)
	shop.Must(err)
	days.set(day.Next(), billReady)
	shop.Create(shop.NewStatement("books", string(day)))
	differs := shop.WaitStatement("books", "Balanced=False/Differs")
	g.Expect(countsOf(differs)).To(gomega.Equal(map[string]int64{"RefundNotInLedger": 1}))
	g.Expect(differs.Status.Differences[0].OutTradeNo).To(gomega.Equal("order-0001"))
	g.Expect(differs.Status.Differences[0].OutRefundNo).To(gomega.HavePrefix("staff"))
}

// TestRefundFromTheAvailableBalance: the trade bill leaves it out, so that money would be gone unseen.
func TestRefundFromTheAvailableBalance(t *testing.T) {
	shop, days, g := openWithBills(t)
	day := paidDay(shop.Paid("order-0001"))
	_, err := shop.WeChat.RefundByStaffFromBalance(framework.MchID, "order-0001", 30)
	shop.Must(err)
	days.set(day.Next(), billReady)
	shop.Create(shop.NewStatement("books", string(day)))
	differs := shop.WaitStatement("books", "Balanced=False/Differs")
	g.Expect(countsOf(differs)).To(gomega.Equal(map[string]int64{"RefundNotInLedger": 1}))
	g.Expect(differs.Status.Totals[0].Refunds).To(gomega.Equal(v1alpha1.StatementTally{Count: 1, Total: 30}))
}

// TestDayWithoutABillButWithPayments differs if there were payments here.
func TestDayWithoutABillButWithPayments(t *testing.T) {
	shop, days, g := openWithBills(t)
	day := paidDay(shop.Paid("order-0001"))
	days.set(day.Next(), billReady)
	fault := simulator.Fault{Operation: simulator.OperationTradeBill, Kind: simulator.FaultFail, ReturnMsg: "No Bill Exist"}
	if shop.Protocol == v1alpha1.ProtocolV3 {
		fault = simulator.Fault{Operation: simulator.OperationTradeBill, Kind: simulator.FaultError, Status: 400, ErrCode: "NO_STATEMENT_EXIST", ErrCodeDes: "请求的账单文件不存在"}
	}
	shop.Fault(fault)
	shop.Create(shop.NewStatement("books", string(day)))
	differs := shop.WaitStatement("books", "Downloaded=True/Empty", "Balanced=False/Differs")
	g.Expect(countsOf(differs)).To(gomega.Equal(map[string]int64{"BillMissingWithActivity": 1}))
}

// TestStatementsOfDaysThatCannotBeHad ask WeChat nothing.
func TestStatementsOfDaysThatCannotBeHad(t *testing.T) {
	shop, days, g := openWithBills(t)
	long := bills.DayOf(days.operators.Now().AddDate(0, 0, -100))
	shop.Create(shop.NewStatement("long-ago", string(long)), shop.NewStatement("never", "2026-02-30"))
	expired := shop.WaitStatement("long-ago", "Downloaded=False/Expired", "Balanced=Unknown/NotCompared")
	g.Expect(words(expired, "Downloaded")).To(gomega.ContainSubstring("merchant platform"))
	never := shop.WaitStatement("never", "Downloaded=False/Expired")
	g.Expect(words(never, "Downloaded")).To(gomega.ContainSubstring("There is no day"))
	g.Expect(billCalls(shop)).To(gomega.BeZero())
}

// TestDeletedOrderIsKnownFromTheLedger, and a Refund. While the ledger can't be read nothing is said.
func TestDeletedOrderIsKnownFromTheLedger(t *testing.T) {
	days := newDays()
	shop, server, g := openWithLedger(t, days.option())
	short := func(o *v1alpha1.Order) { o.Spec.TTLSecondsAfterFinished = new(int32) }
	order := shop.NewOrder("order-0001", short)
	shop.Create(order)
	shop.WaitOrder("order-0001", "Prepared=True/Prepared")
	day := bills.DayOf(days.weChats.Now())
	shop.Pay("order-0001")
	shop.WaitGone(order)
	refunded := shop.Paid("order-0002")
	shop.Create(shop.NewRefund("refund-0001", "order-0002", 50))
	shop.Approve("refund-0001")
	shop.WaitRefund("refund-0001", "Succeeded=True/Succeeded")
	waitRecorded(shop, t, server, map[string]string{"order-0001": "Paid", "order-0002": "Paid", "refund-0001": "Succeeded"})
	refund := shop.NewRefund("refund-0001", "order-0002", 50)
	shop.Must(shop.Client.Delete(shop.Context(), refund))
	shop.WaitGone(refund)
	shop.Must(shop.Client.Delete(shop.Context(), refunded))
	shop.WaitGone(refunded)

	days.set(day.Next(), billReady)
	server.Kill()
	shop.Create(shop.NewStatement("books", string(day)))
	waiting := shop.WaitStatement("books", "Balanced=Unknown/NotCompared")
	g.Expect(words(waiting, "Balanced")).To(gomega.ContainSubstring("ledger"))
	shop.Must(server.Start())
	balanced := shop.WaitStatement("books", "Balanced=True/Balanced")
	g.Expect(balanced.Status.Totals[0].Payments.Count).To(gomega.Equal(int64(2)))
	g.Expect(balanced.Status.Totals[0].Refunds.Count).To(gomega.Equal(int64(1)))
}

// TestPaymentThatTheBillLacks: an Order is Paid, and WeChat lists nothing.
func TestPaymentThatTheBillLacks(t *testing.T) {
	shop, days, g := openWithBills(t)
	order := shop.Paid("order-0001")
	day := paidDay(order)
	shop.Paid("order-0002")
	// As if it was paid on the day before.
	order.Status.Transaction.PaidTime.Time = day.Start().Add(-time.Hour)
	shop.Must(shop.Client.Status().Update(shop.Context(), order))
	shop.Eventually("the bill of the day before lacks it", func() error {
		days.set(day, billReady)
		statement := &v1alpha1.Statement{}
		err := shop.Client.Get(shop.Context(), keyOf(shop.NewStatement("before", "")), statement)
		if err != nil {
			return errors.Join(err, client.IgnoreAlreadyExists(shop.Client.Create(shop.Context(), shop.NewStatement("before", string(day.Previous())))))
		}
		if countsOf(statement)["BillMissingWithActivity"] != 1 {
			return errNotYet
		}
		return nil
	})
	days.set(day.Next(), billReady)
	shop.Create(shop.NewStatement("books", string(day)))
	differs := shop.WaitStatement("books", "Balanced=False/Differs")
	g.Expect(countsOf(differs)).To(gomega.Equal(map[string]int64{"PaymentDayDiffers": 1}))
	g.Expect(strings.Join([]string{differs.Status.Differences[0].Bill, differs.Status.Differences[0].Here}, " ")).To(gomega.Equal(string(day) + " " + string(day.Previous())))
}

func TestEventSinkHearsOfADifference(t *testing.T) {
	days := newDays()
	days.move(-48 * time.Hour) // a receiver refuses events that were signed in its future
	shop, g := openReady(t, days.option())
	receiver := framework.NewReceiver(t)
	shop.Create(shop.NewSigningKey(shop.Namespace, framework.SigningKey), shop.NewEventSink("books", receiver, func(s *v1alpha1.EventSink) {
		s.Spec.Types = []v1alpha1.EventType{v1alpha1.EventStatementDiffers}
	}))
	day := paidDay(shop.Paid("order-0001"))
	outside(shop, "till-0001", 700)
	days.operators.Set(time.Now())
	days.weChats.Set(time.Now())
	shop.Create(shop.NewStatement("books", string(day)))
	shop.WaitStatement("books", "Balanced=False/Differs")
	waitEvents(shop, receiver, "books: StatementDiffers")
	event := receiver.Accepted()[0]
	g.Expect(event.Source).To(gomega.HaveSuffix("/statements/books"))
	g.Expect(event.Data["date"]).To(gomega.Equal(string(day)))
	g.Expect(event.Data["differences"]).To(gomega.HaveKeyWithValue("PaymentNotInLedger", float64(1)))
	g.Expect(event.Body).NotTo(gomega.ContainSubstring("till-0001"), "numbers are for who may read the Statement")
}
