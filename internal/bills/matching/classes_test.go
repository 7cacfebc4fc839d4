package matching_test

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/wechatpay-operator/wechatpay-operator/internal/bills/billtest"
	"github.com/wechatpay-operator/wechatpay-operator/internal/bills/matching"
)

const noon = 12 * 60 * 60

// oneOf adds one difference of a class to a day, and nothing else that differs.
var oneOf = map[matching.Class]func(*books){
	matching.PaymentNotInLedger: func(b *books) { order, _ := b.pay(100, noon); b.dropOrder(order) },
	matching.PaymentNotInBill:   func(b *books) { _, row := b.pay(100, noon); b.dropRow(row) },
	matching.PaymentNotRecorded: func(b *books) {
		order, _ := b.pay(100, noon)
		b.orders[order].Paid, b.orders[order].TransactionID, b.orders[order].PaidTime = false, "", time.Time{}
	},
	matching.PaymentReversed:          func(b *books) { _, row := b.pay(100, noon); b.reverse(row) },
	matching.PaymentAmountDiffers:     func(b *books) { order, _ := b.pay(100, noon); b.orders[order].Total++ },
	matching.PaymentSettlementDiffers: func(b *books) { order, _ := b.pay(100, noon); *b.orders[order].SettlementTotal-- },
	matching.PaymentCurrencyDiffers:   func(b *books) { order, _ := b.pay(100, noon); b.orders[order].Currency = "HKD" },
	matching.PaymentNumberDiffers:     func(b *books) { order, _ := b.pay(100, noon); b.orders[order].OutTradeNo = b.next("ord-") },
	matching.PaymentMerchantDiffers:   func(b *books) { order, _ := b.pay(100, noon); b.orders[order].SubMchID = "1900000201" },
	matching.PaymentAppIDDiffers:      func(b *books) { order, _ := b.pay(100, noon); b.orders[order].AppID = "wx0000000000000002" },
	matching.PaymentDayDiffers: func(b *books) {
		order, _ := b.pay(100, 24*60*60-1)
		b.orders[order].PaidTime = b.orders[order].PaidTime.Add(2 * time.Second)
	},
	matching.PaymentDuplicated: func(b *books) { _, row := b.pay(100, noon); b.rows = append(b.rows, b.rows[row]) },

	matching.RefundNotInLedger: func(b *books) { refund, _ := b.refund(100, noon); b.dropRefund(refund) },
	matching.RefundNotInBill:   func(b *books) { _, row := b.refund(100, noon); b.dropRow(row) },
	matching.RefundNotRecorded: func(b *books) {
		refund, _ := b.refund(100, noon)
		b.refunds[refund].Accepted, b.refunds[refund].RefundID, b.refunds[refund].AcceptedTime = false, "", time.Time{}
	},
	matching.RefundAmountDiffers:   func(b *books) { refund, _ := b.refund(100, noon); b.refunds[refund].Amount-- },
	matching.RefundCurrencyDiffers: func(b *books) { refund, _ := b.refund(100, noon); b.refunds[refund].Currency = "HKD" },
	matching.RefundNumberDiffers:   func(b *books) { refund, _ := b.refund(100, noon); b.refunds[refund].TransactionID = "42" },
	matching.RefundMerchantDiffers: func(b *books) { refund, _ := b.refund(100, noon); b.refunds[refund].SubMchID = "1900000201" },
	matching.RefundDayDiffers: func(b *books) {
		refund, _ := b.refund(100, 0)
		b.refunds[refund].AcceptedTime = b.refunds[refund].AcceptedTime.Add(-time.Second)
	},
	matching.RefundDuplicated: func(b *books) { _, row := b.refund(100, noon); b.rows = append(b.rows, b.rows[row]) },
}

// TestEveryClassCanBeShownAlone on a day on which everything else agrees.
func TestEveryClassCanBeShownAlone(t *testing.T) {
	for _, class := range matching.Classes {
		if class == matching.BillMissingWithActivity {
			continue // below
		}
		t.Run(string(class), func(t *testing.T) {
			produce, known := oneOf[class]
			if !known {
				t.Fatal("nothing produces this class")
			}
			rapid.Check(t, func(t *rapid.T) {
				day := aDay(t)
				before := verdict(t, day)
				produce(day)
				result, report, err := day.compare(billtest.Bill(day.rows...))
				if err != nil {
					t.Fatal(err)
				}
				if difference := cmp.Diff(map[matching.Class]int{class: 1}, result.Counts); difference != "" {
					t.Fatalf("counts (-want +got):\n%s", difference)
				}
				if len(result.Differences) != 1 || result.Differences[0].Class != class || result.Differences[0].Key == "" {
					t.Fatalf("listed: %+v", result.Differences)
				}
				if got := result.Verdict(report.Checks); before != matching.Balanced || got != matching.Differs {
					t.Fatalf("%s, then %s", before, got)
				}
			})
		})
	}
}

func verdict(t *rapid.T, day *books) matching.Verdict {
	result, report, err := day.compare(billtest.Bill(day.rows...))
	if err != nil {
		t.Fatal(err)
	}
	return result.Verdict(report.Checks)
}

// TestAMissingBillIsOneDifference if anything happened on the day, and none if nothing did.
func TestAMissingBillIsOneDifference(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		day := aDay(t)
		matcher := day.matcher(account)
		matcher.NoBill()
		result := matcher.Result()
		want, wanted := map[matching.Class]int{}, matching.Balanced
		if len(day.orders)+len(day.refunds) > 0 {
			want[matching.BillMissingWithActivity], wanted = 1, matching.Differs
		}
		if difference := cmp.Diff(want, result.Counts); difference != "" || result.Verdict() != wanted {
			t.Fatalf("%s, counts (-want +got):\n%s", result.Verdict(), difference)
		}
	})
}

// TestTenOfEachClassAtOnce are all counted, and every class is listed.
func TestTenOfEachClassAtOnce(t *testing.T) {
	day := &books{}
	want := map[matching.Class]int{}
	for class, produce := range oneOf {
		for range 10 {
			produce(day)
		}
		want[class] = 10
	}
	result, report, err := day.compare(billtest.Bill(day.rows...))
	if err != nil {
		t.Fatal(err)
	}
	if difference := cmp.Diff(want, result.Counts); difference != "" {
		t.Errorf("counts (-want +got):\n%s", difference)
	}
	listed := map[matching.Class]bool{}
	for _, difference := range result.Differences {
		listed[difference.Class] = true
	}
	if len(listed) != len(oneOf) || len(result.Differences) != matching.DefaultLimit {
		t.Errorf("%d differences of %d classes are listed", len(result.Differences), len(listed))
	}
	if got := result.Verdict(report.Checks); got != matching.Differs {
		t.Errorf("the verdict is %s", got)
	}
}
