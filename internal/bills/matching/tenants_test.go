package matching_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/wechatpay-operator/wechatpay-operator/internal/bills"
	"github.com/wechatpay-operator/wechatpay-operator/internal/bills/matching"
)

const (
	ourSub   = "1900000201"
	theirSub = "1900000202"
)

// TestRowsOfAnotherSubMerchantAreNotSeen by a Matcher that gets the provider's whole bill, even if they have the number
// of one of its own orders.
func TestRowsOfAnotherSubMerchantAreNotSeen(t *testing.T) {
	at := theDay.Start().Add(time.Hour)
	matcher := matching.New(matching.Account{MchID: mchID, SubMchID: ourSub}, theDay, matching.Rules{})
	matcher.AddOrder(matching.Order{OutTradeNo: "ord-1", TransactionID: "42001", SubMchID: ourSub, Total: 100, Currency: "CNY", Paid: true, PaidTime: at})
	row := bills.TradeRow{Kind: bills.Payment, Time: at, MchID: mchID, SubMchID: theirSub, TransactionID: "42-theirs", OutTradeNo: "theirs", Currency: "CNY", Order: 7}
	matcher.Row(matching.TradeBill, row)
	row.OutTradeNo = "ord-1"
	matcher.Row(matching.TradeBill, row)
	row.Kind, row.RefundID, row.OutRefundNo, row.Requested = bills.Refund, "50-theirs", "rfd-theirs", 7
	matcher.Row(matching.TradeBill, row)
	row.Kind = bills.Reversal
	matcher.Row(matching.TradeBill, row)
	result := matcher.Result()
	if difference := cmp.Diff(map[matching.Class]int{matching.PaymentNotInBill: 1}, result.Counts); difference != "" || result.Bill.Count() != 0 {
		t.Errorf("%d rows, counts (-want +got):\n%s", result.Bill.Count(), difference)
	}
	if text := fmt.Sprint(result); strings.Contains(text, "theirs") || strings.Contains(text, theirSub) {
		t.Errorf("the result shows another tenant's row: %s", text)
	}
}

// TestOurPaymentAtAnotherSubMerchant is reported, without the other sub merchant.
func TestOurPaymentAtAnotherSubMerchant(t *testing.T) {
	at := theDay.Start().Add(time.Hour)
	matcher := matching.New(matching.Account{MchID: mchID, SubMchID: ourSub}, theDay, matching.Rules{})
	matcher.AddOrder(matching.Order{OutTradeNo: "ord-1", TransactionID: "42001", SubMchID: ourSub, Total: 100, Currency: "CNY", Paid: true, PaidTime: at})
	matcher.AddRefund(matching.Refund{OutRefundNo: "rfd-1", RefundID: "50001", SubMchID: ourSub, Amount: 100, Accepted: true, AcceptedTime: at})
	row := bills.TradeRow{Kind: bills.Payment, Time: at, MchID: mchID, SubMchID: theirSub, TransactionID: "42001", OutTradeNo: "theirs", Currency: "CNY", Order: 7}
	matcher.Row(matching.TradeBill, row)
	row.Kind, row.RefundID, row.OutRefundNo, row.Requested = bills.Refund, "50001", "rfd-theirs", 7
	matcher.Row(matching.TradeBill, row)
	result := matcher.Result()
	want := map[matching.Class]int{matching.PaymentMerchantDiffers: 1, matching.RefundMerchantDiffers: 1}
	if difference := cmp.Diff(want, result.Counts); difference != "" {
		t.Errorf("counts (-want +got):\n%s", difference)
	}
	if text := fmt.Sprint(result.Differences); strings.Contains(text, "theirs") || strings.Contains(text, theirSub) {
		t.Errorf("the result shows another tenant's row: %s", text)
	}
}

// TestARowThatComesThreeTimes is one difference and one duplicate; if it matches, it matches once.
func TestARowThatComesThreeTimes(t *testing.T) {
	at := theDay.Start().Add(time.Hour)
	for name, c := range map[string]struct {
		known   bool
		matched int
		want    map[matching.Class]int
	}{
		"known":   {true, 1, map[matching.Class]int{matching.PaymentDuplicated: 1}},
		"unknown": {false, 0, map[matching.Class]int{matching.PaymentDuplicated: 1, matching.PaymentNotInLedger: 1}},
	} {
		matcher := matching.New(account, theDay, matching.Rules{})
		if c.known {
			matcher.AddOrder(matching.Order{OutTradeNo: "ord-1", TransactionID: "42001", Total: 7, Currency: "CNY", Paid: true, PaidTime: at})
		}
		for range 3 {
			matcher.Row(matching.TradeBill, bills.TradeRow{
				Kind: bills.Payment, Time: at, MchID: mchID, TransactionID: "42001", OutTradeNo: "ord-1", Currency: "CNY", Order: 7,
			})
		}
		result := matcher.Result()
		if difference := cmp.Diff(c.want, result.Counts); difference != "" || result.Matched.Count() != c.matched || result.Differing.Count() != 3-c.matched {
			t.Errorf("%s: %d matched, counts (-want +got):\n%s", name, result.Matched.Count(), difference)
		}
	}
}
