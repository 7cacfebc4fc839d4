package bills_test

import (
	"bytes"
	"fmt"
	"io"
	"runtime"
	"testing"
	"time"

	"github.com/wechatpay-operator/wechatpay-operator/internal/bills"
	"github.com/wechatpay-operator/wechatpay-operator/internal/bills/billtest"
	"github.com/wechatpay-operator/wechatpay-operator/internal/bills/matching"
)

// largestDay is a day of a large merchant: 200,000 rows, some 60 MB.
const (
	largestDay  = 200_000
	largeDay    = bills.Day("2026-11-27")
	largeMchID  = "1900000109"
	mostForBill = 64 << 20
)

func largeRow(i int) billtest.Row {
	row := billtest.Row{
		Time: largeDay.Start().Add(time.Duration(i%86_400) * time.Second), AppID: "wx0000000000000001", MchID: largeMchID, Currency: "CNY",
		TransactionID: fmt.Sprintf("42000099992026112700%08d", i), OutTradeNo: fmt.Sprintf("order-of-a-large-shop-%08d", i), TradeType: "JSAPI",
		State: "SUCCESS", Goods: "Oolong tea, spring harvest, 250 g", Attach: "campaign=double-eleven",
	}
	amount := int64(i%100_000 + 1)
	if i%20 == 0 {
		row.State, row.RefundID, row.OutRefundNo = "REFUND", fmt.Sprintf("50300099992026112700%08d", i), fmt.Sprintf("refund-of-a-large-shop-%08d", i)
		row.RefundStatus, row.Requested, row.Refunded = "SUCCESS", amount, amount
	} else {
		row.Order, row.Settled = amount, amount
	}
	return row
}

// addLargeRow adds the operator's record of a row.
func addLargeRow(matcher *matching.Matcher, i int) {
	row := largeRow(i)
	if row.State == "REFUND" {
		matcher.AddRefund(matching.Refund{
			OutRefundNo: row.OutRefundNo, RefundID: row.RefundID, OutTradeNo: row.OutTradeNo, TransactionID: row.TransactionID,
			Amount: row.Requested, Currency: "CNY", Accepted: true, AcceptedTime: row.Time,
		})
		return
	}
	matcher.AddOrder(matching.Order{
		OutTradeNo: row.OutTradeNo, TransactionID: row.TransactionID, AppID: row.AppID, Total: row.Order, Currency: "CNY", Paid: true, PaidTime: row.Time,
	})
}

// generated writes a bill while it is read, so that the whole bill is never in memory.
func generated(rows int) io.Reader {
	reading, writing := io.Pipe()
	go func() {
		w := billtest.NewWriter(writing)
		for i := range rows {
			w.Row(largeRow(i))
		}
		writing.CloseWithError(w.Close())
	}()
	return reading
}

// readLarge reads a bill as the operator does, and returns its size.
func readLarge(t testing.TB, text io.Reader, each func(row bills.TradeRow)) int64 {
	body, err := bills.Open(text, bills.Expected{MaxBytes: 1 << 30})
	if err != nil {
		t.Fatal(err)
	}
	report, err := readTrade(body, bills.Of{Day: largeDay, MchID: largeMchID}, func(_ *bills.TradeBill, row bills.TradeRow) { each(row) })
	if err != nil || !report.Complete() {
		t.Fatalf("the bill is not complete: %v %s", err, report.Problems())
	}
	return body.Size()
}

// heap returns the memory of objects, garbage included.
func heap() uint64 {
	var statistics runtime.MemStats
	runtime.ReadMemStats(&statistics)
	return statistics.HeapAlloc
}

// TestALargeBillIsReadInLittleMemory measures the memory while a bill is read, garbage included, and while it is
// compared with as many orders, without garbage.
func TestALargeBillIsReadInLittleMemory(t *testing.T) {
	if testing.Short() {
		t.Skip("reads a bill of 200,000 rows")
	}
	runtime.GC()
	rest, peak, rows := heap(), uint64(0), 0
	size := readLarge(t, generated(largestDay), func(bills.TradeRow) {
		if rows++; rows%1000 == 0 {
			peak = max(peak, heap())
		}
	})
	t.Logf("%d rows, %d MB, read in %d MiB above rest", rows, size/1_000_000, (peak-rest)>>20)
	if peak > rest+mostForBill {
		t.Errorf("%d MiB above rest", (peak-rest)>>20)
	}

	runtime.GC()
	rest = heap()
	matcher := matching.New(matching.Account{MchID: largeMchID}, largeDay, matching.Rules{})
	for i := range largestDay {
		addLargeRow(matcher, i)
	}
	peak, rows = 0, 0
	readLarge(t, generated(largestDay), func(row bills.TradeRow) {
		matcher.Row(matching.TradeBill, row)
		if rows++; rows%50_000 == 0 {
			runtime.GC()
			peak = max(peak, heap())
		}
	})
	result := matcher.Result()
	t.Logf("compared with as many orders in %d MiB above rest", (peak-rest)>>20)
	if result.Matched.Count() != largestDay || len(result.Counts) > 0 {
		t.Errorf("%d matched, %v", result.Matched.Count(), result.Counts)
	}
	if peak > rest+mostForBill {
		t.Errorf("%d MiB above rest with the orders", (peak-rest)>>20)
	}
}

// BenchmarkLargeBill reads a bill of 200,000 rows, and compares it with as many orders.
func BenchmarkLargeBill(b *testing.B) {
	text, err := io.ReadAll(generated(largestDay))
	if err != nil {
		b.Fatal(err)
	}
	for name, compare := range map[string]bool{"read": false, "compare": true} {
		b.Run(name, func(b *testing.B) {
			b.SetBytes(int64(len(text)))
			b.ReportAllocs()
			for b.Loop() {
				matcher := matching.New(matching.Account{MchID: largeMchID}, largeDay, matching.Rules{})
				for i := range largestDay {
					if compare {
						addLargeRow(matcher, i)
					}
				}
				readLarge(b, bytes.NewReader(text), func(row bills.TradeRow) {
					if compare {
						matcher.Row(matching.TradeBill, row)
					}
				})
			}
		})
	}
}
