package bills_test

import (
	"testing"
	"time"

	"github.com/wechatpay-operator/wechatpay-operator/internal/bills"
	"github.com/wechatpay-operator/wechatpay-operator/internal/bills/matching"
)

type rowInput struct {
	Type          bills.RowKind
	TransactionID string `json:"transaction_id"`
	OutTradeNo    string `json:"out_trade_no"`
	Time          string
	Currency      string
	SubMchID      string `json:"sub_mchid"`
	Order         int64  `json:"order_fen"`
	RefundID      string `json:"refund_id"`
	OutRefundNo   string `json:"out_refund_no"`
	Requested     int64  `json:"requested_fen"`
	RefundStatus  string `json:"refund_status"`
}

type reconcileInput struct {
	BillDate     bills.Day  `json:"bill_date"`
	Rows         []rowInput `json:"rows"`
	RechargeRows []rowInput `json:"recharge_rows"`
	NextRows     []rowInput `json:"next_rows"`
	PrevRows     []rowInput `json:"prev_rows"`
	Orders       []struct {
		Name, State, Currency string
		TransactionID         string `json:"transaction_id"`
		OutTradeNo            string `json:"out_trade_no"`
		Total                 int64
		PaidTime              string `json:"paid_time"`
		SubMchID              string `json:"sub_mchid"`
	}
	Refunds []struct {
		Name, State, From string
		RefundID          string `json:"refund_id"`
		OutRefundNo       string `json:"out_refund_no"`
		TransactionID     string `json:"transaction_id"`
		Amount            int64
		AcceptedTime      string `json:"accepted_time"`
		AcceptedExact     bool   `json:"accepted_exact"`
	}
	EdgeSeconds     int      `json:"edge_seconds"`
	ForeignPrefixes []string `json:"foreign_prefixes"`
}

// direct returns the sub merchant's number as rows have it: empty for the merchant number itself.
func direct(subMchID string) string {
	if subMchID == "0" {
		return ""
	}
	return subMchID
}

func (r rowInput) row(t *testing.T) bills.TradeRow {
	t.Helper()
	at, err := time.ParseInLocation(time.DateTime, r.Time, time.FixedZone("", 8*60*60))
	if err != nil {
		t.Fatal(err)
	}
	return bills.TradeRow{
		Kind: r.Type, Time: at, TransactionID: r.TransactionID, OutTradeNo: r.OutTradeNo, Currency: r.Currency, SubMchID: direct(r.SubMchID),
		Order: r.Order, RefundID: r.RefundID, OutRefundNo: r.OutRefundNo, Requested: r.Requested, RefundStatus: r.RefundStatus,
	}
}

func reconcileVector(t *testing.T, c vector) {
	input := read[reconcileInput](t, c.Inputs)
	want := read[struct {
		Matched, Foreign     int
		Pending, Differences [][2]string
	}](t, c.Expect)
	matcher := matching.New(matching.Account{}, input.BillDate, matching.Rules{
		Edge: time.Duration(input.EdgeSeconds) * time.Second, Foreign: matching.Foreign{Prefixes: input.ForeignPrefixes},
	})
	for _, order := range input.Orders {
		matcher.AddOrder(matching.Order{
			OutTradeNo: order.OutTradeNo, TransactionID: order.TransactionID, Total: order.Total, Currency: order.Currency,
			SubMchID: direct(order.SubMchID), Paid: order.State == "Paid", PaidTime: instant(t, order.PaidTime),
		})
	}
	for _, refund := range input.Refunds {
		matcher.AddRefund(matching.Refund{
			OutRefundNo: refund.OutRefundNo, RefundID: refund.RefundID, TransactionID: refund.TransactionID, Amount: refund.Amount,
			Accepted: refund.State != "Pending", AcceptedTime: instant(t, refund.AcceptedTime), AcceptedTimeLocal: !refund.AcceptedExact,
			FromAvailableBalance: refund.From == "AVAILABLE",
		})
	}
	for _, bill := range []struct {
		source matching.Source
		rows   []rowInput
	}{
		{matching.TradeBill, input.Rows}, {matching.RechargeBill, input.RechargeRows},
		{matching.PreviousDay, input.PrevRows}, {matching.NextDay, input.NextRows},
	} {
		if bill.rows != nil {
			matcher.Begin(bill.source)
		}
		for _, row := range bill.rows {
			matcher.Row(bill.source, row.row(t))
		}
	}
	result := matcher.Result()
	same(t, "matched", result.Matched.Count(), want.Matched)
	same(t, "foreign", result.Foreign.Count(), want.Foreign)
	differences, pending := [][2]string{}, [][2]string{}
	for _, difference := range result.Differences {
		differences = append(differences, [2]string{string(difference.Class), difference.Key})
	}
	for _, waits := range result.Pending {
		pending = append(pending, [2]string{string(waits.Reason), waits.Number})
	}
	same(t, "differences", differences, want.Differences)
	same(t, "pending", pending, want.Pending)
}
