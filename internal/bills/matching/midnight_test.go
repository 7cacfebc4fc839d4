package matching_test

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/wechatpay-operator/wechatpay-operator/internal/bills"
	"github.com/wechatpay-operator/wechatpay-operator/internal/bills/matching"
)

// TestRefundsNearMidnight: WeChat does not always state when it accepted a refund.
func TestRefundsNearMidnight(t *testing.T) {
	const previous, next = matching.PreviousDay, matching.NextDay
	missing := map[matching.Class]int{matching.RefundNotInBill: 1}
	waits := map[matching.PendingReason]int{matching.AwaitingNeighbour: 1}
	end, start := theDay.End(), theDay.Start()
	for name, c := range map[string]struct {
		at              time.Time
		local, doubtful bool
		read            []matching.Source
		found           matching.Source // TradeBill means in none
		counts          map[matching.Class]int
		pending         map[matching.PendingReason]int
	}{
		"WeChat's own time":                      {at: end.Add(-time.Second), counts: missing},
		"in the middle of the day":               {at: start.Add(noon * time.Second), local: true, counts: missing},
		"just before the end":                    {at: end.Add(-10 * time.Minute), local: true, pending: waits},
		"before that":                            {at: end.Add(-10*time.Minute - time.Second), local: true, counts: missing},
		"just after the start":                   {at: start.Add(10*time.Minute - time.Second), local: true, pending: waits},
		"after that":                             {at: start.Add(10 * time.Minute), local: true, counts: missing},
		"the wrong neighbour was read":           {at: end.Add(-time.Minute), local: true, read: []matching.Source{previous}, pending: waits},
		"the right neighbour lacks it":           {at: end.Add(-time.Minute), local: true, read: []matching.Source{next}, counts: missing},
		"the right neighbour has it":             {at: end.Add(-time.Minute), local: true, found: next},
		"the day before has it":                  {at: start.Add(time.Minute), local: true, found: previous},
		"a lost answer":                          {at: start.Add(noon * time.Second), doubtful: true, pending: waits},
		"a lost answer, one neighbour was read":  {at: start.Add(noon * time.Second), doubtful: true, read: []matching.Source{previous}, pending: waits},
		"a lost answer, both neighbours lack it": {at: start.Add(noon * time.Second), doubtful: true, read: []matching.Source{previous, next}, counts: missing},
		"another day":                            {at: end, local: true},
	} {
		t.Run(name, func(t *testing.T) {
			matcher := matching.New(account, theDay, matching.Rules{})
			refund := matching.Refund{
				OutRefundNo: "rfd-1", RefundID: "50300", Amount: 100, Accepted: true, AcceptedTime: c.at,
				AcceptedTimeLocal: c.local, Doubtful: c.doubtful,
			}
			matcher.AddRefund(refund)
			matcher.Begin(matching.TradeBill)
			for _, source := range c.read {
				matcher.Begin(source)
			}
			if c.found != matching.TradeBill {
				matcher.Row(c.found, bills.TradeRow{Kind: bills.Refund, MchID: mchID, RefundID: "50300", OutRefundNo: "rfd-1", Requested: 100, Currency: "CNY"})
			}
			result := matcher.Result()
			if difference := cmp.Diff(orEmpty(c.counts), result.Counts) + cmp.Diff(orEmpty(c.pending), result.PendingCounts); difference != "" {
				t.Error(difference)
			}
		})
	}
}

func orEmpty[Key comparable](counts map[Key]int) map[Key]int {
	if counts == nil {
		return map[Key]int{}
	}
	return counts
}

// TestPaymentsWithoutWeChatsTime are searched in the bills of both neighbouring days.
func TestPaymentsWithoutWeChatsTime(t *testing.T) {
	for _, c := range []struct {
		read []matching.Source
		want matching.Verdict
	}{
		{nil, matching.Undecided},
		{[]matching.Source{matching.NextDay}, matching.Undecided},
		{[]matching.Source{matching.NextDay, matching.PreviousDay}, matching.Differs},
	} {
		matcher := matching.New(account, theDay, matching.Rules{})
		matcher.AddOrder(matching.Order{
			OutTradeNo: "ord-1", TransactionID: "42", Total: 1, Currency: "CNY", Paid: true, PaidTime: theDay.Start().Add(time.Hour), PaidTimeLocal: true,
		})
		for _, source := range c.read {
			matcher.Begin(source)
		}
		if got := matcher.Result().Verdict(); got != c.want {
			t.Errorf("%v: %s, not %s", c.read, got, c.want)
		}
	}
}

// found has the records of other days.
type found struct {
	order  matching.Order
	refund matching.Refund
}

func (f found) FindOrder(transactionID, outTradeNo string) (matching.Order, bool) {
	return f.order, f.order.OutTradeNo == outTradeNo || f.order.TransactionID == transactionID
}

func (f found) FindRefund(refundID, outRefundNo string) (matching.Refund, bool) {
	return f.refund, f.refund.OutRefundNo == outRefundNo || f.refund.RefundID == refundID
}

// TestWhatIsNotOfTheDayIsLookedUp before it counts as unknown or foreign.
func TestWhatIsNotOfTheDayIsLookedUp(t *testing.T) {
	at := theDay.Start().Add(time.Hour)
	payment := bills.TradeRow{
		Kind: bills.Payment, Time: at, MchID: mchID, TransactionID: "42", OutTradeNo: "ord-1", TradeType: "FACEPAY", Currency: "CNY", Order: 100,
	}
	refund := bills.TradeRow{
		Kind: bills.Refund, Time: at, MchID: mchID, TransactionID: "42", OutTradeNo: "ord-1", TradeType: "FACEPAY", Currency: "CNY",
		RefundID: "50", OutRefundNo: "rfd-1", Requested: 100,
	}
	order := matching.Order{OutTradeNo: "ord-1", Total: 100, Currency: "CNY"}
	for name, c := range map[string]struct {
		row    bills.TradeRow
		ledger found
		want   map[matching.Class]int
	}{
		"unknown, so of another system":  {row: payment},
		"an order that is not paid":      {row: payment, ledger: found{order: order}, want: map[matching.Class]int{matching.PaymentNotRecorded: 1}},
		"a refund by hand, of our order": {row: refund, ledger: found{order: order}, want: map[matching.Class]int{matching.RefundNotInLedger: 1}},
		"a refund of ours":               {row: refund, ledger: found{refund: matching.Refund{OutRefundNo: "rfd-1", RefundID: "50", Amount: 100, Accepted: true, AcceptedTime: at}}},
	} {
		t.Run(name, func(t *testing.T) {
			withFinder := rules
			withFinder.Find = c.ledger
			matcher := matching.New(account, theDay, withFinder)
			matcher.Row(matching.TradeBill, c.row)
			if difference := cmp.Diff(orEmpty(c.want), matcher.Result().Counts); difference != "" {
				t.Error(difference)
			}
		})
	}
}

// TestForeignByAnyOfItsMarks: one match is enough, and rows of another merchant number are never foreign.
func TestForeignByAnyOfItsMarks(t *testing.T) {
	row := bills.TradeRow{Kind: bills.Payment, MchID: mchID, TransactionID: "42", OutTradeNo: "x-1", AppID: appID, TradeType: "JSAPI", Currency: "CNY", Order: 1}
	for name, c := range map[string]struct {
		change  func(*bills.TradeRow)
		foreign int
	}{
		"nothing":         {func(*bills.TradeRow) {}, 0},
		"number":          {func(r *bills.TradeRow) { r.OutTradeNo = "pos-1" }, 1},
		"appid":           {func(r *bills.TradeRow) { r.AppID = "wx00000000000shop1" }, 1},
		"trade type":      {func(r *bills.TradeRow) { r.TradeType = "FACEPAY" }, 1},
		"reversal":        {func(r *bills.TradeRow) { r.Kind, r.OutTradeNo = bills.Reversal, "pos-1" }, 1},
		"merchant number": {func(r *bills.TradeRow) { r.OutTradeNo, r.MchID = "pos-1", "1900000110" }, 0},
	} {
		matcher := matching.New(account, theDay, rules)
		changed := row
		c.change(&changed)
		matcher.Row(matching.TradeBill, changed)
		if got := matcher.Result(); got.Foreign.Count() != c.foreign || len(got.Counts) != 1-c.foreign {
			t.Errorf("%s: %d foreign, %v", name, got.Foreign.Count(), got.Counts)
		}
	}
}
