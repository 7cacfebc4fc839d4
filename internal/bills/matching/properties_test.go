package matching_test

import (
	"bytes"
	"crypto/sha1"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/wechatpay-operator/wechatpay-operator/internal/bills"
	"github.com/wechatpay-operator/wechatpay-operator/internal/bills/billtest"
	"github.com/wechatpay-operator/wechatpay-operator/internal/bills/matching"
)

// aMess draws a day with differences of any classes, including rows that contradict each other.
func aMess(t *rapid.T) *books {
	day := aDay(t)
	classes := slices.Sorted(maps.Keys(oneOf))
	for range rapid.IntRange(0, 12).Draw(t, "differences") {
		oneOf[rapid.SampledFrom(classes).Draw(t, "class")](day)
	}
	for range rapid.IntRange(0, 4).Draw(t, "changed copies") {
		if len(day.rows) == 0 {
			break
		}
		row := rapid.SampledFrom(day.rows).Draw(t, "row")
		switch rapid.IntRange(0, 4).Draw(t, "change") {
		case 0:
			if row.State == "SUCCESS" {
				row.Order += 3
			} else {
				row.Requested += 3
			}
		case 1:
			row.OutTradeNo = day.next("ord-")
		case 2:
			row.TransactionID = day.next("42")
		case 3:
			row.Currency = "HKD"
		default:
			row.RefundID = day.next("50")
		}
		day.rows = append(day.rows, row)
	}
	return day
}

// TestTheOrderOfRowsMeansNothing, even among rows with the same number.
func TestTheOrderOfRowsMeansNothing(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		day := aMess(t)
		first, _, err := day.compare(billtest.Bill(day.rows...))
		if err != nil {
			t.Fatal(err)
		}
		second, _, err := day.compare(billtest.Bill(rapid.Permutation(day.rows).Draw(t, "order")...))
		if err != nil {
			t.Fatal(err)
		}
		if difference := cmp.Diff(first, second); difference != "" {
			t.Fatal(difference)
		}
	})
}

// TestMoneyIsConserved: every row counts in exactly one place.
func TestMoneyIsConserved(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		day := aMess(t)
		result, report, err := day.compare(billtest.Bill(day.rows...))
		if err != nil {
			t.Fatal(err)
		}
		if difference := cmp.Diff(result.Bill, result.Matched.Plus(result.Foreign).Plus(result.Differing)); difference != "" {
			t.Fatalf("the bill is not the sum of its parts: %s", difference)
		}
		payments, refunds := matching.Amounts{}, matching.Amounts{}
		for currency, sums := range report.ByCurrency {
			if sums.Payments > 0 {
				payments[currency] = matching.Tally{Count: sums.Payments, Total: sums.Order}
			}
			if sums.Refunds+sums.Reversals > 0 {
				refunds[currency] = matching.Tally{Count: sums.Refunds + sums.Reversals, Total: sums.Requested}
			}
		}
		returned := matching.Sums{Refunds: result.Bill.Refunds}.Plus(matching.Sums{Refunds: result.Bill.Reversals}).Refunds
		if difference := cmp.Diff(payments, result.Bill.Payments) + cmp.Diff(refunds, returned); difference != "" {
			t.Fatalf("the reader counts otherwise: %s", difference)
		}
		if balanced := result.Verdict(report.Checks) == matching.Balanced; balanced && (result.Differing.Count() > 0 || result.Missing.Count() > 0) {
			t.Fatal("balanced, although money is left over")
		}
	})
}

// whatCounts has the texts of a row that concern money and its owner. The operator does not know the numbers and the
// currency of other systems' payments.
func whatCounts(row bills.TradeRow) string {
	if strings.HasPrefix(row.OutTradeNo, "pos-") {
		row.OutTradeNo, row.TransactionID, row.Currency = "pos-", "", ""
	}
	return fmt.Sprint(row.Kind, bills.DayOf(row.Time), row.MchID, row.SubMchID, row.TransactionID, row.OutTradeNo, row.Currency,
		row.Order, row.Settled, row.RefundID, row.OutRefundNo, row.Requested, row.Refunded, row.CouponRefunded, row.Fee)
}

func allThatCounts(bill []byte) []string {
	var all []string
	_, _ = eachRow(bytes.NewReader(bill), func(row bills.TradeRow) { all = append(all, whatCounts(row)) })
	slices.Sort(all)
	return all
}

// mutated changes a bill somewhere.
func mutated(t *rapid.T, bill []byte) []byte {
	at := rapid.IntRange(0, len(bill)-1).Draw(t, "at")
	end := min(len(bill), at+rapid.IntRange(1, 300).Draw(t, "length"))
	lines := strings.SplitAfter(string(bill), "\n")
	line := rapid.IntRange(0, len(lines)-1).Draw(t, "line")
	switch rapid.IntRange(0, 5).Draw(t, "mutation") {
	case 0: // one byte
		changed := bytes.Clone(bill)
		changed[at] = rapid.SampledFrom([]byte("0123456789.-,`\r\n Aa\xff")).Draw(t, "byte")
		return changed
	case 1: // cut
		return bill[:at]
	case 2: // a part is lost
		return slices.Concat(bill[:at], bill[end:])
	case 3: // a part is repeated
		return slices.Concat(bill[:end], bill[at:])
	case 4: // a line is lost
		return []byte(strings.Join(slices.Delete(lines, line, line+1), ""))
	default: // a line is repeated
		return []byte(strings.Join(slices.Insert(lines, line, lines[line]), ""))
	}
}

// TestAChangedBillIsNeverBalanced, unless the change only affects texts that are not read: an openid, a goods name, a
// bank.
func TestAChangedBillIsNeverBalanced(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		day := aDay(t)
		bill := billtest.Bill(day.rows...)
		changed := mutated(t, bill)
		result, report, err := day.compare(changed)
		if err != nil {
			return // refused
		}
		if result.Verdict(report.Checks) == matching.Balanced && !slices.Equal(allThatCounts(changed), allThatCounts(bill)) {
			t.Fatalf("balanced:\n%s", changed)
		}
	})
}

// TestAChangedBillWithAHashIsRefused whatever changed.
func TestAChangedBillWithAHashIsRefused(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		bill := billtest.Bill(aDay(t).rows...)
		sum := sha1.Sum(bill)
		changed := mutated(t, bill)
		body, err := bills.Open(bytes.NewReader(changed), bills.Expected{MaxBytes: 1 << 20, HashType: bills.SHA1, Hash: hex.EncodeToString(sum[:])})
		if err == nil {
			_, err = io.Copy(io.Discard, body)
		}
		if refused, ok := errors.AsType[*bills.Refused](err); !bytes.Equal(changed, bill) && (!ok || refused.Reason != bills.ReasonHash) {
			t.Fatalf("accepted: %v", err)
		}
	})
}

// TestNoTenantSeesAnother: the rows of one sub merchant give the same result alone and among those of others, and
// contain no data of the others.
func TestNoTenantSeesAnother(t *testing.T) {
	subs := []string{"1900000201", "1900000202", ""}
	rapid.Check(t, func(t *rapid.T) {
		tenants := map[string]*books{}
		var all []billtest.Row
		numbers := 0
		for _, sub := range subs {
			day := aMess(t)
			// The numbers of a provider are unique among its sub merchants.
			tag := fmt.Sprintf("-%d-", numbers)
			numbers++
			day.tag(tag, sub)
			tenants[sub] = day
			all = append(all, day.rows...)
		}
		matchers := map[string]*matching.Matcher{}
		for sub, day := range tenants {
			matchers[sub] = day.matcher(matching.Account{MchID: mchID, SubMchID: sub})
		}
		split := matching.NewSplit(slices.Collect(maps.Values(matchers))...)
		_, err := eachRow(bytes.NewReader(billtest.Bill(rapid.Permutation(all).Draw(t, "order")...)), func(row bills.TradeRow) { split.Row(matching.TradeBill, row) })
		if err != nil {
			t.Fatal(err)
		}
		for i, sub := range subs {
			day := tenants[sub]
			alone := day.matcher(matching.Account{MchID: mchID, SubMchID: sub})
			if _, err := eachRow(bytes.NewReader(billtest.Bill(day.rows...)), func(row bills.TradeRow) { alone.Row(matching.TradeBill, row) }); err != nil {
				t.Fatal(err)
			}
			beside := matchers[sub].Result()
			if difference := cmp.Diff(alone.Result(), beside); difference != "" {
				t.Fatalf("sub merchant %q sees something else beside others: %s", sub, difference)
			}
			for other := range subs {
				if other != i && strings.Contains(fmt.Sprint(beside), fmt.Sprintf("-%d-", other)) {
					t.Fatalf("sub merchant %q sees a number of %q: %v", sub, subs[other], beside)
				}
			}
		}
	})
}

// tag changes all numbers to those of a sub merchant.
func (b *books) tag(tag, sub string) {
	add := func(numbers ...*string) {
		for _, number := range numbers {
			if *number != "" {
				*number += tag
			}
		}
	}
	for i := range b.orders {
		add(&b.orders[i].OutTradeNo, &b.orders[i].TransactionID)
		b.orders[i].SubMchID = sub
	}
	for i := range b.refunds {
		add(&b.refunds[i].OutTradeNo, &b.refunds[i].TransactionID, &b.refunds[i].OutRefundNo, &b.refunds[i].RefundID)
		b.refunds[i].SubMchID = sub
	}
	for i := range b.rows {
		add(&b.rows[i].OutTradeNo, &b.rows[i].TransactionID, &b.rows[i].OutRefundNo, &b.rows[i].RefundID)
		b.rows[i].SubMchID = sub
	}
}
