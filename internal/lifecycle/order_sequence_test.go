package lifecycle_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"pgregory.net/rapid"

	"github.com/wechatpay-operator/wechatpay-operator/api/v1alpha1"
	"github.com/wechatpay-operator/wechatpay-operator/internal/lifecycle"
	"github.com/wechatpay-operator/wechatpay-operator/internal/wechatpay"
)

// step is one transition with its drawn argument.
type step[T any] struct {
	name  string
	apply func(object T, now time.Time)
}

var words = rapid.SampledFrom([]string{"No", "说明", strings.Repeat("订单已关闭", 300), "\xd6\xd0 is no UTF-8"})

// notes ignores messages: a note may change while the state stays the same.
var notes = cmp.FilterPath(func(path cmp.Path) bool { return path.Last().String() == ".Message" }, cmp.Ignore())

// drawError draws an error that a Caller may return for CreateOrder; the two meanings specific to
// refunds are left out.
func drawError(t *rapid.T, without ...wechatpay.Meaning) error {
	meaning := rapid.SampledFrom(meanings).Filter(func(m wechatpay.Meaning) bool {
		for _, left := range without {
			if m == left {
				return false
			}
		}
		return true
	}).Draw(t, "meaning")
	err := problem(rapid.SampledFrom(outcomes).Draw(t, "outcome"), meaning)
	err.Description = words.Draw(t, "words")
	return err
}

func drawPayment(t *rapid.T) wechatpay.Payment {
	payment := newPayment()
	payment.TransactionID = rapid.SampledFrom([]string{"1", "2"}).Draw(t, "transaction")
	payment.Total = rapid.SampledFrom([]int64{paidTotal, paidTotal, paidTotal, 1, 2}).Draw(t, "total")
	payment.PaidTime = rapid.SampledFrom([]time.Time{{}, created.Add(-time.Hour), created.Add(time.Hour)}).Draw(t, "paidTime")
	return payment
}

func drawOrderStep(t *rapid.T) step[*v1alpha1.Order] {
	text := words.Draw(t, "text")
	switch name := rapid.SampledFrom([]string{
		"Begin", "Prepared", "NotPrepared", "NotPreparedBy", "Rejected", "NumberLost", "Closed", "Closing", "Paid", "RefreshAnswered", "Refunded",
		"PollFailed", "Polled", "OrderWriteRefused",
	}).Draw(t, "step"); name {
	case "Prepared":
		prepay := newPrepay()
		prepay.ID = rapid.SampledFrom([]string{"wx1", "wx2"}).Draw(t, "id")
		expires := metav1.NewTime(now.Add(rapid.SampledFrom([]time.Duration{-time.Hour, 9999 * time.Hour}).Draw(t, "lifetime")))
		prepay.ExpireTime = &expires
		return step[*v1alpha1.Order]{name, func(o *v1alpha1.Order, now time.Time) { lifecycle.Prepared(o, *prepay.DeepCopy(), now) }}
	case "NotPrepared":
		reason := rapid.SampledFrom([]string{v1alpha1.ReasonMerchantNotReady, v1alpha1.ReasonNotPermitted}).Draw(t, "reason")
		return step[*v1alpha1.Order]{name, func(o *v1alpha1.Order, now time.Time) {
			lifecycle.NotPrepared(o, metav1.ConditionFalse, reason, text, now)
		}}
	case "NotPreparedBy":
		err := drawError(t, wechatpay.InsufficientBalance, wechatpay.CertificateMissing)
		return step[*v1alpha1.Order]{name, func(o *v1alpha1.Order, now time.Time) { lifecycle.NotPreparedBy(o, err, now) }}
	case "Rejected":
		return step[*v1alpha1.Order]{name, func(o *v1alpha1.Order, now time.Time) { lifecycle.Closed(o, v1alpha1.ReasonRejected, text, now) }}
	case "NumberLost":
		return step[*v1alpha1.Order]{name, func(o *v1alpha1.Order, now time.Time) { lifecycle.Closed(o, v1alpha1.ReasonNumberInUse, text, now) }}
	case "Closed":
		reason := rapid.SampledFrom([]string{v1alpha1.ReasonClosed, v1alpha1.ReasonExpired}).Draw(t, "reason")
		return step[*v1alpha1.Order]{name, func(o *v1alpha1.Order, now time.Time) { lifecycle.Closed(o, reason, text, now) }}
	case "Closing":
		return step[*v1alpha1.Order]{name, func(o *v1alpha1.Order, now time.Time) { lifecycle.Closing(o, text, now) }}
	case "Paid":
		payment := drawPayment(t)
		return step[*v1alpha1.Order]{name, func(o *v1alpha1.Order, now time.Time) { lifecycle.Paid(o, account, payment, now) }}
	case "RefreshAnswered":
		return step[*v1alpha1.Order]{name, func(o *v1alpha1.Order, _ time.Time) { lifecycle.RefreshAnswered(o) }}
	case "Refunded":
		refund := with(fmt.Sprint("refund-", rapid.IntRange(1, 5).Draw(t, "refund")), rapid.Int64Range(1, paidTotal).Draw(t, "refunded"), succeeded)
		return step[*v1alpha1.Order]{name, func(o *v1alpha1.Order, _ time.Time) { lifecycle.Refunded(o, []v1alpha1.Refund{refund}) }}
	case "PollFailed":
		err := drawError(t)
		return step[*v1alpha1.Order]{name, func(o *v1alpha1.Order, now time.Time) { lifecycle.PollFailed(o, err, now) }}
	case "Polled":
		trade := rapid.SampledFrom([]wechatpay.TradeState{wechatpay.TradeStateNotPay, wechatpay.TradeStateUserPaying, "FOO"}).Draw(t, "trade")
		return step[*v1alpha1.Order]{name, func(o *v1alpha1.Order, now time.Time) { lifecycle.Polled(o, trade, now) }}
	case "OrderWriteRefused":
		return step[*v1alpha1.Order]{name, func(o *v1alpha1.Order, now time.Time) { lifecycle.OrderWriteRefused(o, text, now) }}
	default:
		return step[*v1alpha1.Order]{name, lifecycle.Begin}
	}
}

// TestOrdersMoveForwardOnly applies random sequences of transitions to Orders.
func TestOrdersMoveForwardOnly(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		order := newOrder()
		lifecycle.Begin(order, now)
		at := now
		for range rapid.IntRange(1, 25).Draw(t, "steps") {
			at = at.Add(time.Duration(rapid.IntRange(0, 3600).Draw(t, "seconds")) * time.Second)
			taken := drawOrderStep(t)
			before := order.DeepCopy()
			taken.apply(order, at)
			if wrong := orderStepWrong(before, order); wrong != "" {
				t.Fatalf("%s: %s\n%s", taken.name, wrong, cmp.Diff(before.Status, order.Status))
			}
			again := roundTrip(order)
			taken.apply(again, at.Add(time.Second))
			if difference := cmp.Diff(order.Status, again.Status); difference != "" {
				t.Fatalf("%s again is another status, and would be written for ever:\n%s", taken.name, difference)
			}
		}
	})
}

func orderStepWrong(before, after *v1alpha1.Order) string {
	was, is := before.Status.Conditions, after.Status.Conditions
	paidWas, paidIs := state(was, v1alpha1.ConditionPaid), state(is, v1alpha1.ConditionPaid)
	switch {
	case malformed(is, after.Generation, v1alpha1.ConditionPrepared, v1alpha1.ConditionPaid) != "":
		return malformed(is, after.Generation, v1alpha1.ConditionPrepared, v1alpha1.ConditionPaid)
	case lifecycle.IsPaid(before) && (paidWas != paidIs || !cmp.Equal(before.Status.Transaction, after.Status.Transaction)):
		return "Paid was left"
	case lifecycle.IsPaid(before) && state(was, v1alpha1.ConditionPrepared) != state(is, v1alpha1.ConditionPrepared):
		return "Prepared changed after the payment"
	case lifecycle.IsPaid(after) != (after.Status.Transaction != nil):
		return "Paid and the transaction do not agree"
	case paidWas == "False/NumberInUse" && !cmp.Equal(was, is, notes):
		return "NumberInUse was left"
	case strings.HasPrefix(paidWas, "False/") && paidWas != paidIs && paidIs != "True/PaidLate" &&
		(paidIs != "True/PaidEarlier" || before.Status.Prepay != nil):
		return "an end was left for " + paidIs
	case strings.HasPrefix(paidWas, "False/") && state(was, v1alpha1.ConditionPrepared) != state(is, v1alpha1.ConditionPrepared):
		return "Prepared changed after the end"
	case paidIs == "True/PaidLate" && !strings.HasPrefix(paidWas, "False/") && !lifecycle.IsPaid(before):
		return "PaidLate although it was open"
	case lifecycle.IsPrepared(before) && lifecycle.IsPaid(after) && !lifecycle.IsPrepared(after):
		return "Prepared did not stay True when it was paid"
	case lifecycle.IsPaid(after) && after.Status.Transaction.Total != after.Spec.Amount.Total:
		return "another amount was taken as paid"
	case before.Status.Refunded != nil && after.Status.Refunded.Total < before.Status.Refunded.Total:
		return "the sum of refunds went down"
	default:
		return ""
	}
}
