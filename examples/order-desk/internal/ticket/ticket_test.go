package ticket

import (
	"bytes"
	"strings"
	"testing"
	"time"

	"golang.org/x/text/encoding/simplifiedchinese"
	"pgregory.net/rapid"
)

var beijing = time.FixedZone("Beijing", 8*60*60)

func sample() Ticket {
	return Ticket{
		Number: "order-20261121-0001", Total: 101, Currency: "CNY", PaidTime: time.Date(2026, 11, 29, 7, 38, 1, 0, time.UTC),
		TransactionID: "4200026380202611291270593963", TradeType: "JSAPI", Shop: "shop/shop", Description: "肥皂 x1",
	}
}

func text(rows []Row) string {
	var lines []string
	for _, row := range rows {
		lines = append(lines, row.Text)
	}
	return strings.Join(lines, "\n")
}

func TestLayout(t *testing.T) {
	want := strings.Join([]string{
		"已付款 PAID",
		"order-20261121-0001",
		"--------------------------------",
		"肥皂 x1",
		"--------------------------------",
		"合计 Total                1.01元",
		"付款 Paid    2026-11-29 15:38:01",
		"方式 Type                  JSAPI",
		"店铺 Shop              shop/shop",
		"4200026380202611291270593963",
	}, "\n")
	if got := text(sample().Layout(32, beijing, ForReceipt)); got != want {
		t.Errorf("\n%s", got)
	}
}

func TestLayoutSaysWhatMatters(t *testing.T) {
	for want, change := range map[string]func(*Ticket){
		"迟到付款":                         func(t *Ticket) { t.Late = true },
		"补打 COPY":                      func(t *Ticket) { t.Copy = AskedFor },
		"补打：此付款已打印过":                   func(t *Ticket) { t.Copy = OfEarlierEvent },
		"可能已有一张":                       func(t *Ticket) { t.Copy = MayBeSecond },
		"已退款 Refunded           0.50元": func(t *Ticket) { t.Refunds = []Refund{{50, "已退款 Refunded"}} },
		"很长很长很长很长很长很长很长很长\n很长的香皂                   x12": func(t *Ticket) {
			t.Items = []Item{{"很长很长很长很长很长很长很长很长很长的香皂", 12}}
		},
	} {
		order := sample()
		change(&order)
		if got := text(order.Layout(32, beijing, ForReceipt)); !strings.Contains(got, want) {
			t.Errorf("no %q in\n%s", want, got)
		}
	}
}

// TestCheckFirstStandsFirst: whoever packs reads the first line.
func TestCheckFirstStandsFirst(t *testing.T) {
	order := sample()
	order.CheckFirst, order.Late, order.Copy = true, true, OfEarlierEvent
	if got := text(order.Layout(32, beijing, ForReceipt)); !strings.HasPrefix(got, "先核对，可能已发货\nCheck first: may be shipped\n") {
		t.Errorf("\n%s", got)
	}
}

func TestMoney(t *testing.T) {
	for _, c := range []struct {
		total    int64
		currency string
		want     string
	}{
		{1, "CNY", "0.01元"}, {10, "CNY", "0.10元"}, {101, "CNY", "1.01元"}, {2147483647, "CNY", "21474836.47元"},
		{101, "HKD", "1.01 HKD"}, {101, "JPY", "101 JPY"}, {101, "KRW", "101 KRW"}, {50, "", "50"}, {50, "none", "50 none"},
	} {
		if got := Money(c.total, c.currency); got != c.want {
			t.Errorf("%d %s: %s, not %s", c.total, c.currency, got, c.want)
		}
	}
}

func TestForReceipt(t *testing.T) {
	for given, want := range map[string]string{
		"肥皂 x1":             "肥皂 x1",
		"¥1.01":             "￥1.01",
		"€5":                "€5",
		"香皂😀❤️":             "香皂□□",
		"𠮷野家":               "□野家", // a surname that GB18030 writes in four bytes
		"é":                 "é",
		"a\x1b@b\x1dV\x00c": "a@bVc",
		"one\r\ntwo\tthree": "one  two three",
		"gpj\u202e.exe":     "gpj.exe",
		"\xff":              "□",
		"\ue000":            "□", // private use: two bytes, but no printer has it
	} {
		if got := ForReceipt(given); got != want {
			t.Errorf("%q became %q, not %q", given, got, want)
		}
	}
}

// TestNoTextIsACommand: whatever an order's texts hold, the printer gets the commands that tickets use
// and characters of one or two bytes.
func TestNoTextIsACommand(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		draw := func(name string) string {
			return rapid.OneOf(rapid.String(), rapid.SampledFrom([]string{"\x1b@", "\x1dV\x00", "\x10\x04\x01", "肥皂", "😀", "\u00a5", "\x00\x7f\x80\x9b"})).Draw(t, name)
		}
		order := sample()
		order.Number, order.Description, order.TradeType, order.Shop, order.TransactionID = draw("number"), draw("description"), draw("type"), draw("shop"), draw("transaction")
		order.Items = []Item{{draw("item"), rapid.Int64().Draw(t, "quantity")}}
		columns := rapid.IntRange(16, 48).Draw(t, "columns")
		rows := order.Layout(columns, beijing, ForReceipt)
		for _, row := range rows {
			width := columns
			if row.Large {
				width /= 2
			}
			encoded, err := simplifiedchinese.GB18030.NewEncoder().String(row.Text)
			if err != nil || len(encoded) != Columns(row.Text) || len(encoded) > width {
				t.Fatalf("%q has %d bytes, %d columns, room for %d (%v)", row.Text, len(encoded), Columns(row.Text), width, err)
			}
			for i := 0; i < len(encoded); i++ {
				if encoded[i] > 0x80 {
					i++ // the second byte is no control character either
				}
				if encoded[i] < ' ' || encoded[i] == 0x7f {
					t.Fatalf("%q holds the byte %#02x", row.Text, encoded[i])
				}
			}
		}
		if got, want := bytes.Count(ESCPOS(rows), []byte("\x1b@")), 1; got != want {
			t.Fatalf("%d initializations", got)
		}
	})
}
