package matching_test

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/wechatpay-operator/wechatpay-operator/internal/bills"
	"github.com/wechatpay-operator/wechatpay-operator/internal/bills/matching"
)

// TestNotesOfANeighbour count once the bill is complete, and take no memory for rows that are repeated or not pending.
func TestNotesOfANeighbour(t *testing.T) {
	atMidnight := theDay.End().Add(-time.Minute)
	open := func() (*matching.Matcher, *matching.Neighbour) {
		matcher := matching.New(account, theDay, matching.Rules{})
		matcher.AddRefund(matching.Refund{
			OutRefundNo: "rfd-1", RefundID: "50300", Amount: 100, Accepted: true, AcceptedTime: atMidnight, AcceptedTimeLocal: true,
		})
		matcher.AddOrder(matching.Order{OutTradeNo: "ord-1", TransactionID: "42001", Total: 100, Currency: "CNY", Paid: true, PaidTime: atMidnight})
		matcher.Row(matching.TradeBill, bills.TradeRow{
			Kind: bills.Payment, Time: atMidnight, MchID: mchID, TransactionID: "42001", OutTradeNo: "ord-1", Currency: "CNY", Order: 100, Settled: 100,
		})
		return matcher, matcher.Neighbour(matching.NextDay)
	}
	refund := bills.TradeRow{Kind: bills.Refund, MchID: mchID, TransactionID: "42001", OutTradeNo: "ord-1", RefundID: "50300", OutRefundNo: "rfd-1", Requested: 100, Currency: "CNY"}
	theirs := refund
	theirs.SubMchID = theirSub
	for name, c := range map[string]struct {
		row     bills.TradeRow
		whole   bool
		counts  map[matching.Class]int
		pending map[matching.PendingReason]int
	}{
		"it is there":                       {row: refund, whole: true},
		"it is there in a bill that is cut": {row: refund, pending: map[matching.PendingReason]int{matching.AwaitingNeighbour: 1}},
		"another sub merchant's":            {row: theirs, whole: true, counts: map[matching.Class]int{matching.RefundNotInBill: 1}},
	} {
		matcher, notes := open()
		notes.Row(c.row)
		if c.whole {
			notes.Whole()
		}
		result := matcher.Result()
		if difference := cmp.Diff(orEmpty(c.counts), result.Counts) + cmp.Diff(orEmpty(c.pending), result.PendingCounts); difference != "" {
			t.Errorf("%s: %s", name, difference)
		}
	}
	_, notes := open()
	settled, strange := refund, refund
	settled.Kind = bills.Payment
	strange.RefundID, strange.OutRefundNo = "50999", "of-nobody"
	if perRow := testing.AllocsPerRun(1000, func() {
		notes.Row(refund)
		notes.Row(settled)
		notes.Row(strange)
	}); perRow > 0 {
		t.Errorf("%v allocations for three rows that were noted before", perRow)
	}
}
