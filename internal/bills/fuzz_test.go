package bills_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"testing"
	"testing/iotest"

	"github.com/google/go-cmp/cmp"

	"github.com/wechatpay-operator/wechatpay-operator/internal/bills"
)

// seeds adds the bills of the vectors.
func seeds(f *testing.F, kind string) {
	for _, c := range readVectors(f).Cases {
		if c.Kind == kind {
			var input billInput
			if err := json.Unmarshal(c.Inputs, &input); err != nil {
				f.Fatal(err)
			}
			f.Add(append(input.Base64, input.Text...))
		}
	}
}

// checkEnd fails for an error that is not one of a bill.
func checkEnd(t *testing.T, err error) (accepted bool) {
	if err == nil {
		return true
	}
	if _, ok := errors.AsType[*bills.Refused](err); !ok {
		t.Fatalf("neither accepted nor refused: %v", err)
	}
	return false
}

func FuzzTradeBill(f *testing.F) {
	seeds(f, "trade-parse")
	f.Fuzz(func(t *testing.T, text []byte) {
		of := bills.Of{Day: "2026-11-27", MchID: "1900000109"}
		sums, rows := bills.Sums{}, 0
		report, err := readTrade(bytes.NewReader(text), of, func(_ *bills.TradeBill, row bills.TradeRow) {
			rows++
			if row.Order < 0 || row.Settled < 0 || row.Requested < 0 || row.Refunded < 0 || row.Kind == "" || row.TransactionID == "" || row.Time.IsZero() {
				t.Fatalf("a row that can't be: %+v", row)
			}
			sums.Order += row.Order
			sums.Requested += row.Requested
			sums.Fee += row.Fee
		})
		if !checkEnd(t, err) {
			return
		}
		if report.Rows() != rows || report.Order != sums.Order || report.Requested != sums.Requested || report.Fee != sums.Fee {
			t.Fatalf("the report does not add up to its rows: %+v", report)
		}
		if report.Complete() != (report.Problems() == "") {
			t.Fatalf("complete: %v, but %q", report.Complete(), report.Problems())
		}
		again, _ := readTrade(iotest.OneByteReader(bytes.NewReader(text)), of, func(*bills.TradeBill, bills.TradeRow) {})
		if difference := cmp.Diff(report, again); difference != "" {
			t.Fatalf("read in pieces it says something else: %s", difference)
		}
	})
}

func FuzzFundBill(f *testing.F) {
	seeds(f, "fund-parse")
	f.Fuzz(func(t *testing.T, text []byte) {
		rows, sum := 0, int64(0)
		report, err := readFund(bytes.NewReader(text), bills.Of{Day: "2026-11-27"}, func(row bills.FundRow) {
			rows++
			sum += row.Signed()
		})
		if !checkEnd(t, err) {
			return
		}
		if report.Rows() != rows || report.InAmount-report.OutAmount != sum {
			t.Fatalf("the report does not add up to its rows: %+v", report)
		}
		if report.BalanceOK && rows > 0 && *report.Closing-*report.Opening != sum {
			t.Fatalf("the balances do not follow from the movements: %d to %d by %d", *report.Opening, *report.Closing, sum)
		}
	})
}

func FuzzDownload(f *testing.F) {
	for _, c := range readVectors(f).Cases {
		if c.Kind == "download" {
			var input struct{ Base64 []byte }
			if err := json.Unmarshal(c.Inputs, &input); err != nil {
				f.Fatal(err)
			}
			f.Add(input.Base64)
		}
	}
	f.Fuzz(func(t *testing.T, content []byte) {
		const most = 1 << 16
		body, err := bills.Open(bytes.NewReader(content), bills.Expected{MaxBytes: most})
		if err == nil {
			var text []byte
			if text, err = io.ReadAll(body); len(text) > most {
				t.Fatalf("%d bytes", len(text))
			}
		}
		checkEnd(t, err)
	})
}
