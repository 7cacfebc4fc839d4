package reconcile_test

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/wechatpay-operator/wechatpay-operator/internal/bills/billtest"
	"github.com/wechatpay-operator/wechatpay-operator/internal/bills/reconcile"
)

const noon = 12 * 60 * 60

// oneOf adds one thing to a day that is a difference of the class, and nothing else.
var oneOf = map[reconcile.Class]func(*books){
	reconcile.PaymentNotInLedger: func(b *books) { order, _ := b.pay(100, noon); b.dropOrder(order) },
	reconcile.PaymentNotInBill:   func(b *books) { _, row := b.pay(100, noon); b.dropRow(row) },
	reconcile.PaymentNotRecorded: func(b *books) {
		order, _ := b.pay(100, noon)
		b.orders[order].Paid, b.orders[order].TransactionID, b.orders[order].PaidTime = false, "", time.Time{}
	},
	reconcile.PaymentReversed:          func(b *books) { _, row := b.pay(100, noon); b.reverse(row) },
	reconcile.PaymentAmountDiffers:     func(b *books) { order, _ := b.pay(100, noon); b.orders[order].Total++ },
	reconcile.PaymentSettlementDiffers: func(b *books) { order, _ := b.pay(100, noon); *b.orders[order].SettlementTotal-- },
	reconcile.PaymentCurrencyDiffers:   func(b *books) { order, _ := b.pay(100, noon); b.orders[order].Currency = "HKD" },
	reconcile.PaymentNumberDiffers:     func(b *books) { order, _ := b.pay(100, noon); b.orders[order].OutTradeNo = b.next("ord-") },
	reconcile.PaymentMerchantDiffers:   func(b *books) { order, _ := b.pay(100, noon); b.orders[order].SubMchID = "1900000201" },
	reconcile.PaymentAppIDDiffers:      func(b *books) { order, _ := b.pay(100, noon); b.orders[order].AppID = "wx0000000000000002" },
	reconcile.PaymentDayDiffers: func(b *books) {
		order, _ := b.pay(100, 24*60*60-1)
		b.orders[order].PaidTime = b.orders[order].PaidTime.Add(2 * time.Second)
	},
	reconcile.PaymentDuplicated: func(b *books) { _, row := b.pay(100, noon); b.rows = append(b.rows, b.rows[row]) },

	reconcile.RefundNotInLedger: func(b *books) { refund, _ := b.refund(100, noon); b.dropRefund(refund) },
	reconcile.RefundNotInBill:   func(b *books) { _, row := b.refund(100, noon); b.dropRow(row) },
	reconcile.RefundNotRecorded: func(b *books) {
		refund, _ := b.refund(100, noon)
		b.refunds[refund].Accepted, b.refunds[refund].RefundID, b.refunds[refund].AcceptedTime = false, "", time.Time{}
	},
	reconcile.RefundAmountDiffers:   func(b *books) { refund, _ := b.refund(100, noon); b.refunds[refund].Amount-- },
	reconcile.RefundCurrencyDiffers: func(b *books) { refund, _ := b.refund(100, noon); b.refunds[refund].Currency = "HKD" },
	reconcile.RefundNumberDiffers:   func(b *books) { refund, _ := b.refund(100, noon); b.refunds[refund].TransactionID = "42" },
	reconcile.RefundMerchantDiffers: func(b *books) { refund, _ := b.refund(100, noon); b.refunds[refund].SubMchID = "1900000201" },
	reconcile.RefundDayDiffers: func(b *books) {
		refund, _ := b.refund(100, 0)
		b.refunds[refund].AcceptedTime = b.refunds[refund].AcceptedTime.Add(-time.Second)
	},
	reconcile.RefundDuplicated: func(b *books) { _, row := b.refund(100, noon); b.rows = append(b.rows, b.rows[row]) },
}

// TestEveryClassCanBeShownAlone on a day on which everything else agrees.
func TestEveryClassCanBeShownAlone(t *testing.T) {
	for _, class := range reconcile.Classes {
		if class == reconcile.BillMissingWithActivity {
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
				if difference := cmp.Diff(map[reconcile.Class]int{class: 1}, result.Counts); difference != "" {
					t.Fatalf("counts (-want +got):\n%s", difference)
				}
				if len(result.Differences) != 1 || result.Differences[0].Class != class || result.Differences[0].Key == "" {
					t.Fatalf("listed: %+v", result.Differences)
				}
				if got := result.Verdict(report.Checks); before != reconcile.Balanced || got != reconcile.Differs {
					t.Fatalf("%s, then %s", before, got)
				}
			})
		})
	}
}

func verdict(t *rapid.T, day *books) reconcile.Verdict {
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
		want, wanted := map[reconcile.Class]int{}, reconcile.Balanced
		if len(day.orders)+len(day.refunds) > 0 {
			want[reconcile.BillMissingWithActivity], wanted = 1, reconcile.Differs
		}
		if difference := cmp.Diff(want, result.Counts); difference != "" || result.Verdict() != wanted {
			t.Fatalf("%s, counts (-want +got):\n%s", result.Verdict(), difference)
		}
	})
}

// TestTenOfEachClassAtOnce are all counted, and every class is listed.
func TestTenOfEachClassAtOnce(t *testing.T) {
	day := &books{}
	want := map[reconcile.Class]int{}
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
	listed := map[reconcile.Class]bool{}
	for _, difference := range result.Differences {
		listed[difference.Class] = true
	}
	if len(listed) != len(oneOf) || len(result.Differences) != reconcile.DefaultLimit {
		t.Errorf("%d differences of %d classes are listed", len(result.Differences), len(listed))
	}
	if got := result.Verdict(report.Checks); got != reconcile.Differs {
		t.Errorf("the verdict is %s", got)
	}
}
