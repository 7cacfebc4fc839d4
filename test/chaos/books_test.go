package chaos_test

import (
	"context"
	"maps"
	"slices"
	"time"

	"github.com/wechatpay-operator/wechatpay-operator/api/v1alpha1"
	"github.com/wechatpay-operator/wechatpay-operator/internal/account"
	"github.com/wechatpay-operator/wechatpay-operator/internal/bills"
	"github.com/wechatpay-operator/wechatpay-operator/internal/bills/matching"
	"github.com/wechatpay-operator/wechatpay-operator/internal/ledger"
	"github.com/wechatpay-operator/wechatpay-operator/internal/lifecycle"
	"github.com/wechatpay-operator/wechatpay-operator/internal/statement"
	"github.com/wechatpay-operator/wechatpay-operator/internal/wechatpay/simulator"
)

// checkBooks compares WeChat Pay's bills with the objects when a run is over, as a Statement does: they agree to the
// fen, or exactly those numbers differ whose objects are gone or show another state. With a ledger nothing differs.
func (w *world) checkBooks() {
	merchant := w.merchant(home, merchantName)
	if merchant == nil || merchant.DeletionTimestamp != nil || w.leader.isDead() || !isReady(merchant) || !account.IsProven(merchant) {
		return
	}
	days := w.billedDays()
	if len(days) == 0 {
		return
	}
	// The bill of the last day, and that of the day after it, are available two days later.
	w.clock.SetTime(days[len(days)-1].End().Add(36 * time.Hour))
	from, err := w.leader.registry.Get(context.Background(), merchant)
	w.must(err)
	comparer := &statement.Comparer{Client: w.leader.cached, Policy: bills.WeChatPolicy}
	if w.ledger != "" {
		records := ledger.NewReader(w.suite.databases.dsnFile(w.ledger))
		defer records.Close()
		comparer.Ledger = records
	}
	for _, day := range days {
		w.holds(booksAgree)
		found, err := comparer.Compare(context.Background(), from, merchant, day, w.clock.Now())
		if err != nil {
			w.breaks(booksAgree, "the bill of %s can't be compared: %v", day, err)
			continue
		}
		w.checkBill(day, found)
	}
}

// billedDays are the days in Beijing on which money moved.
func (w *world) billedDays() []bills.Day {
	days := map[bills.Day]bool{}
	for _, moved := range w.movements() {
		days[bills.DayOf(moved.at)] = true
	}
	return slices.Sorted(maps.Keys(days))
}

// movement is a payment or refund at WeChat Pay.
type movement struct {
	number   string
	isRefund bool
	amount   int64
	at       time.Time
	// known reports whether an object agrees with it.
	known bool
}

// movements are those of the merchant number that the bills have.
func (w *world) movements() []movement {
	ledger := w.sim.Ledger()
	var all []movement
	for i := range ledger.Orders {
		there := &ledger.Orders[i]
		if there.Payment != nil && w.isBilled(there.MchID, there.SubMchID) {
			all = append(all, movement{number: there.OutTradeNo, amount: there.Payment.TotalFee, at: there.Payment.Time, known: w.ledger != "" || w.knowsPayment(there)})
		}
	}
	for i := range ledger.Refunds {
		there := &ledger.Refunds[i]
		if w.isBilled(there.MchID, there.SubMchID) {
			all = append(all, movement{number: there.OutRefundNo, isRefund: true, amount: there.RefundFee, at: there.AcceptTime, known: w.ledger != "" || w.knowsRefund(there)})
		}
	}
	return all
}

func (w *world) isBilled(number, sub string) bool {
	return number == mchID && (!w.flow.provider || sub == subMchID)
}

func (w *world) knowsPayment(there *simulator.Order) bool {
	return exists(maps.Values(w.objects()), func(order *v1alpha1.Order) bool {
		return order.Number() == there.OutTradeNo && lifecycle.IsPaid(order) && order.Status.Transaction.ID == there.Payment.TransactionID &&
			order.Spec.Amount.Total == there.Payment.TotalFee
	})
}

func (w *world) knowsRefund(there *simulator.Refund) bool {
	return exists(maps.Values(w.objects()), func(refund *v1alpha1.Refund) bool {
		return refund.Number() == there.OutRefundNo && (lifecycle.RefundAccepted(refund) || lifecycle.RefundSucceeded(refund)) && refund.Spec.Amount == there.RefundFee
	})
}

// checkBill compares what was found with WeChat Pay's own record of the day.
func (w *world) checkBill(day bills.Day, found *statement.Finding) {
	var paid, back matching.Tally
	expected := map[string]bool{}
	for _, moved := range w.movements() {
		if bills.DayOf(moved.at) != day {
			continue
		}
		sum := &paid
		if moved.isRefund {
			sum = &back
		}
		sum.Count, sum.Total = sum.Count+1, sum.Total+moved.amount
		if !moved.known {
			expected[moved.number] = true
		}
	}
	if is := found.Bill.Payments["CNY"]; is != paid {
		w.breaks(booksAgree, "the bill of %s has the payments %v, and WeChat Pay %v", day, is, paid)
	}
	if is := found.Bill.Refunds["CNY"]; is != back {
		w.breaks(booksAgree, "the bill of %s has the refunds %v, and WeChat Pay %v", day, is, back)
	}
	differing := map[string]bool{}
	for _, d := range found.Differences {
		number := d.OutTradeNo
		if d.OutRefundNo != "" {
			number = d.OutRefundNo
		}
		differing[number] = true
	}
	if !maps.Equal(differing, expected) {
		w.breaks(booksAgree, "in the bill of %s these numbers differ: %v, not %v: %+v", day, slices.Sorted(maps.Keys(differing)), slices.Sorted(maps.Keys(expected)), found.Differences)
	}
	if verdict := found.Verdict; (verdict == matching.Balanced) != (len(expected) == 0) {
		w.breaks(booksAgree, "the bill of %s is %s, and %d numbers differ; open are %+v", day, verdict, len(expected), found.Pending)
	}
}
