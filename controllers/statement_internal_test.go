package controllers

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/wechatpay-operator/wechatpay-operator/internal/bills"
	"github.com/wechatpay-operator/wechatpay-operator/internal/bills/matching"
	"github.com/wechatpay-operator/wechatpay-operator/internal/statement"
)

// TestTenDifferencesOfEachClass: all are counted, each class is listed, and the money is added up whichever way it went.
func TestTenDifferencesOfEachClass(t *testing.T) {
	t.Parallel()
	const day = bills.Day("2026-11-27")
	noon := day.Start().Add(12 * time.Hour)
	matcher := matching.New(matching.Account{MchID: "1900000109"}, day, matching.Rules{})
	order := func(number string) matching.Order {
		return matching.Order{OutTradeNo: number, TransactionID: "t-" + number, AppID: "wx1", Total: 100, Currency: "CNY", Paid: true, PaidTime: noon}
	}
	row := func(number string) bills.TradeRow {
		return bills.TradeRow{
			Kind: bills.Payment, Time: noon, AppID: "wx1", MchID: "1900000109", TransactionID: "t-" + number, OutTradeNo: number, Currency: "CNY", Order: 100, Settled: 100,
		}
	}
	refund := func(number string) matching.Refund {
		return matching.Refund{OutRefundNo: number, RefundID: "r-" + number, Amount: 30, Currency: "CNY", Accepted: true, AcceptedTime: noon}
	}
	refundRow := func(number string) bills.TradeRow {
		r := row("of-" + number)
		r.Kind, r.OutRefundNo, r.RefundID, r.Requested, r.Order = bills.Refund, number, "r-"+number, 30, 0
		return r
	}
	var rows []bills.TradeRow
	for i := range 10 {
		n := func(what string) string { return fmt.Sprintf("%s-%d", what, i) }
		for what, change := range map[string]func(*matching.Order, *bills.TradeRow){
			"amount":   func(_ *matching.Order, r *bills.TradeRow) { r.Order = 99 },
			"currency": func(_ *matching.Order, r *bills.TradeRow) { r.Currency = "HKD" },
			"settled":  func(o *matching.Order, _ *bills.TradeRow) { o.SettlementTotal = new(int64(7)) },
			"number":   func(_ *matching.Order, r *bills.TradeRow) { r.OutTradeNo = "other-" + r.OutTradeNo },
			"merchant": func(_ *matching.Order, r *bills.TradeRow) { r.MchID = "1900000999" },
			"app":      func(_ *matching.Order, r *bills.TradeRow) { r.AppID = "wx2" },
			"day":      func(o *matching.Order, _ *bills.TradeRow) { o.PaidTime = noon.AddDate(0, 0, -1) },
			"unpaid":   func(o *matching.Order, _ *bills.TradeRow) { o.Paid, o.TransactionID = false, "" },
			"reversed": func(_ *matching.Order, r *bills.TradeRow) { r.Kind, r.Requested = bills.Reversal, 100 },
			"fine":     func(*matching.Order, *bills.TradeRow) {},
		} {
			known, listed := order(n(what)), row(n(what))
			change(&known, &listed)
			matcher.AddOrder(known)
			if listed.Kind == bills.Reversal {
				rows = append(rows, row(n(what))) // it was paid before
			}
			rows = append(rows, listed)
		}
		matcher.AddOrder(order(n("missing")))
		rows = append(rows, row(n("unknown")), row(n("twice")), row(n("twice")))
		matcher.AddOrder(order(n("twice")))
		for what, change := range map[string]func(*matching.Refund, *bills.TradeRow){
			"refund-amount":   func(_ *matching.Refund, r *bills.TradeRow) { r.Requested = 29 },
			"refund-currency": func(_ *matching.Refund, r *bills.TradeRow) { r.Currency = "HKD" },
			"refund-number":   func(f *matching.Refund, _ *bills.TradeRow) { f.OutTradeNo = "another" },
			"refund-merchant": func(_ *matching.Refund, r *bills.TradeRow) { r.MchID = "1900000999" },
			"refund-day":      func(f *matching.Refund, _ *bills.TradeRow) { f.AcceptedTime = noon.AddDate(0, 0, 1) },
			"refund-unknown":  func(f *matching.Refund, _ *bills.TradeRow) { f.Accepted, f.RefundID = false, "" },
		} {
			known, listed := refund(n(what)), refundRow(n(what))
			change(&known, &listed)
			matcher.AddRefund(known)
			rows = append(rows, listed)
		}
		matcher.AddRefund(refund(n("refund-missing")))
		rows = append(rows, refundRow(n("refund-stranger")), refundRow(n("refund-twice")), refundRow(n("refund-twice")))
		matcher.AddRefund(refund(n("refund-twice")))
	}
	matcher.Begin(matching.TradeBill)
	for _, r := range rows {
		matcher.Row(matching.TradeBill, r)
	}
	found := &statement.Finding{Result: matcher.Result()}
	found.Verdict = found.Result.Verdict(bills.Checks{SummaryOK: true})
	if found.Verdict != matching.Differs {
		t.Fatalf("verdict %s", found.Verdict)
	}
	for _, class := range matching.Classes {
		if want := 10; class != matching.BillMissingWithActivity && found.Counts[class] != want {
			t.Errorf("%d of %s, want %d", found.Counts[class], class, want)
		}
	}
	differences, classes := differencesOf(found), map[string]bool{}
	for _, d := range differences {
		classes[d.Class] = true
	}
	if len(differences) != 50 || len(classes) != len(matching.Classes)-1 {
		t.Errorf("%d differences of %d classes are listed", len(differences), len(classes))
	}
	words := wordsOf(found, time.Time{}, false, true)
	if !strings.HasPrefix(words, "210 differences: 10 PaymentAmountDiffers, ") || len(words) > 1024 {
		t.Errorf("it says: %s", words)
	}
	var differing int64
	for _, of := range totalsOf(found) {
		differing += of.Unexplained.Count
	}
	if want := int64(found.Differing.Count() + found.Missing.Count()); differing != want || want == 0 {
		t.Errorf("%d rows are unexplained, want %d", differing, want)
	}
}

// TestWhatWasNotComparedIsSaidFirst: a Statement may be balanced without the refunds from the available balance, and does not hide it.
func TestWhatWasNotComparedIsSaidFirst(t *testing.T) {
	t.Parallel()
	for _, verdict := range []matching.Verdict{matching.Balanced, matching.Undecided, matching.Differs} {
		found := &statement.Finding{Verdict: verdict}
		if whole := wordsOf(found, time.Time{}, false, true); strings.Contains(whole, "充值退款") {
			t.Errorf("%s: all was compared, and it says: %s", verdict, whole)
		}
		found.NoRecharge = errors.New("WeChat's own words")
		words := wordsOf(found, time.Time{}, false, true)
		if !strings.HasPrefix(words, "Not compared are refunds from the available balance (充值退款)") || !strings.Contains(words, "WeChat's own words") {
			t.Errorf("%s: it says: %s", verdict, words)
		}
	}
}
