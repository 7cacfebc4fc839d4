package lifecycle_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/wechatpay-operator/wechatpay-operator/api/v1alpha1"
	"github.com/wechatpay-operator/wechatpay-operator/internal/lifecycle"
	"github.com/wechatpay-operator/wechatpay-operator/internal/wechatpay"
)

const spacing = time.Minute

func paidOrder(total int64) *v1alpha1.Order {
	order := newOrder()
	order.Spec.Amount.Total = total
	payment := newPayment()
	payment.Total = total
	lifecycle.Paid(order, account, payment, now)
	return order
}

// with returns a Refund of an Order with the given changes.
func with(name string, amount int64, changes ...func(*v1alpha1.Refund)) v1alpha1.Refund {
	refund := newRefund(name, amount)
	lifecycle.BeginRefund(refund, now)
	for _, change := range changes {
		change(refund)
	}
	return *refund
}

func accepted(r *v1alpha1.Refund) {
	lifecycle.Accepted(r, wechatpay.RefundAcceptance{RefundID: "5"}, now)
}
func succeeded(r *v1alpha1.Refund) {
	lifecycle.RefundState(r, orderNumber, factOf(r, wechatpay.RefundStatusSucceeded), now)
}
func abnormal(r *v1alpha1.Refund) {
	lifecycle.RefundState(r, orderNumber, factOf(r, wechatpay.RefundStatusAbnormal), now)
}
func closedByWeChat(r *v1alpha1.Refund) {
	lifecycle.RefundState(r, orderNumber, factOf(r, wechatpay.RefundStatusClosed), now)
}
func lost(r *v1alpha1.Refund) {
	lifecycle.NotAcceptedBy(r, problem(wechatpay.Unknown, wechatpay.Repeat), now)
}
func refused(r *v1alpha1.Refund) {
	lifecycle.NotAcceptedBy(r, problem(wechatpay.Refused, wechatpay.SlowDown), now)
}
func poor(r *v1alpha1.Refund) {
	lifecycle.NotAcceptedBy(r, problem(wechatpay.Failed, wechatpay.InsufficientBalance), now)
}
func rejected(r *v1alpha1.Refund) { lifecycle.EndRefund(r, v1alpha1.ReasonRejected, "No", now) }
func asked(at time.Time) func(*v1alpha1.Refund) {
	return func(r *v1alpha1.Refund) { lifecycle.Requested(r, at) }
}
func createdAt(at time.Time) func(*v1alpha1.Refund) {
	return func(r *v1alpha1.Refund) { r.CreationTimestamp = metav1.NewTime(at) }
}

// remembered builds the status.refunded of an Order from amounts by number.
func remembered(amounts map[string]int64) *v1alpha1.Refunded {
	refunded := &v1alpha1.Refunded{}
	for number, amount := range amounts {
		refunded.Refunds = append(refunded.Refunds, v1alpha1.RefundedItem{OutRefundNo: number, Amount: amount})
		refunded.Total += amount
		refunded.Count++
	}
	return refunded
}

// manyRemembered builds a status.refunded with count refunds of one fen each.
func manyRemembered(count int) *v1alpha1.Refunded {
	amounts := map[string]int64{}
	for i := range count {
		amounts[fmt.Sprint("gone-", i)] = 1
	}
	return remembered(amounts)
}

func TestTakeTurn(t *testing.T) {
	t.Parallel()
	earlier, later := createdAt(created.Add(-time.Second)), createdAt(created.Add(time.Second))
	for name, test := range map[string]struct {
		self     v1alpha1.Refund
		others   []v1alpha1.Refund
		refunded *v1alpha1.Refunded
		want     string
	}{
		"alone":                       {self: with("self", 100), want: "go"},
		"more than was paid":          {self: with("self", 101), want: "never: at most 100"},
		"the rest":                    {self: with("self", 40), others: []v1alpha1.Refund{with("a", 60, succeeded)}, want: "go"},
		"more than the rest":          {self: with("self", 41), others: []v1alpha1.Refund{with("a", 60, succeeded)}, want: "never: at most 40"},
		"beside one being paid back":  {self: with("self", 41), others: []v1alpha1.Refund{with("a", 60, accepted)}, want: "never: at most 40"},
		"beside an abnormal one":      {self: with("self", 41), others: []v1alpha1.Refund{with("a", 60, abnormal)}, want: "never: at most 40"},
		"nothing is left":             {self: with("self", 1), others: []v1alpha1.Refund{with("a", 100, succeeded)}, want: "never: at most 0"},
		"beside a closed one":         {self: with("self", 100), others: []v1alpha1.Refund{with("a", 60, closedByWeChat)}, want: "go"},
		"beside a rejected one":       {self: with("self", 100), others: []v1alpha1.Refund{with("a", 60, rejected)}, want: "go"},
		"beside one that waits":       {self: with("self", 100), others: []v1alpha1.Refund{with("a", 60, poor)}, want: "go"},
		"beside a lost answer":        {self: with("self", 1), others: []v1alpha1.Refund{with("a", 1, lost)}, want: "wait: Refund a"},
		"beside an unsigned refusal":  {self: with("self", 1), others: []v1alpha1.Refund{with("a", 1, refused)}, want: "wait: Refund a"},
		"own answer was lost":         {self: with("self", 1, lost), want: "go"},
		"two lost, this is older":     {self: with("self", 1, lost, earlier), others: []v1alpha1.Refund{with("a", 1, lost)}, want: "go"},
		"two lost, this is younger":   {self: with("self", 1, lost, later), others: []v1alpha1.Refund{with("a", 1, lost)}, want: "wait: Refund a"},
		"two lost, of one moment":     {self: with("self", 1, lost), others: []v1alpha1.Refund{with("a", 1, lost)}, want: "wait: Refund a"},
		"it counts itself not":        {self: with("self", 100, accepted), others: []v1alpha1.Refund{with("self", 100, accepted)}, want: "go"},
		"deleted ones":                {self: with("self", 41), refunded: remembered(map[string]int64{"gone": 60}), want: "never: at most 40"},
		"the rest beside deleted":     {self: with("self", 40), refunded: remembered(map[string]int64{"gone": 60}), want: "go"},
		"one of two deleted":          {self: with("self", 11), others: []v1alpha1.Refund{with("a", 30, succeeded)}, refunded: remembered(map[string]int64{"a": 30, "gone": 60}), want: "never: at most 10"},
		"one that lost its status":    {self: with("self", 60), refunded: remembered(map[string]int64{"self": 60}), want: "go"},
		"two of the same amount":      {self: with("self", 21), others: []v1alpha1.Refund{with("b", 40, succeeded)}, refunded: remembered(map[string]int64{"a": 40, "b": 40}), want: "never: at most 20"},
		"counted once":                {self: with("self", 40), others: []v1alpha1.Refund{with("a", 60, succeeded)}, refunded: remembered(map[string]int64{"a": 60}), want: "go"},
		"memory lags":                 {self: with("self", 41), others: []v1alpha1.Refund{with("a", 60, succeeded)}, refunded: remembered(map[string]int64{}), want: "never: at most 40"},
		"deleted and being paid back": {self: with("self", 11), others: []v1alpha1.Refund{with("a", 30, accepted)}, refunded: remembered(map[string]int64{"gone-1": 30, "gone-2": 30}), want: "never: at most 10"},
		"51st, with deleted ones":     {self: with("self", 1), refunded: manyRemembered(50), want: "never: 50 refunds"},
		"50th, with deleted ones":     {self: with("self", 1), refunded: manyRemembered(49), want: "go"},
		"too early after another":     {self: with("self", 1), others: []v1alpha1.Refund{with("a", 1, accepted, asked(now.Add(-59*time.Second)))}, want: "at 1s"},
		"a minute after another":      {self: with("self", 1), others: []v1alpha1.Refund{with("a", 1, accepted, asked(now.Add(-time.Minute)))}, want: "go"},
		"too early after a failed":    {self: with("self", 1), others: []v1alpha1.Refund{with("a", 1, rejected, asked(now.Add(-30*time.Second)))}, want: "at 30s"},
		"too early after itself":      {self: with("self", 1, lost, asked(now.Add(-10*time.Second))), want: "at 50s"},
		"the last one counts":         {self: with("self", 1, asked(now.Add(-50*time.Second))), others: []v1alpha1.Refund{with("a", 1, asked(now.Add(-5*time.Second))), with("b", 1, asked(now.Add(-55*time.Second)))}, want: "at 55s"},
		"never before wait":           {self: with("self", 101, asked(now)), want: "never: at most 100"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			order := paidOrder(100)
			order.Status.Refunded = test.refunded
			all := append([]v1alpha1.Refund{test.self}, test.others...)
			turn := lifecycle.TakeTurn(&test.self, order, all, spacing, now)
			if got := turnString(turn); !strings.HasPrefix(got, test.want[:2]) || !strings.Contains(got, test.want[strings.Index(test.want, ":")+1:]) {
				t.Errorf("%s, want %s", got, test.want)
			}
			if reverse := lifecycle.TakeTurn(&test.self, order, reversed(all), spacing, now); turnString(reverse) != turnString(turn) {
				t.Errorf("in another order of the list it is %s", turnString(reverse))
			}
		})
	}
}

func reversed(all []v1alpha1.Refund) []v1alpha1.Refund {
	var list []v1alpha1.Refund
	for i := range all {
		list = append(list, all[len(all)-1-i])
	}
	return list
}

func turnString(turn lifecycle.Turn) string {
	switch {
	case turn.Go:
		return "go"
	case turn.Never:
		return "never: " + turn.Message
	case turn.NotBefore.IsZero():
		return "wait: " + turn.Message
	default:
		return fmt.Sprintf("at %s", turn.NotBefore.Sub(now))
	}
}

func TestAtMostFiftyRefunds(t *testing.T) {
	t.Parallel()
	order, self := paidOrder(1000), with("self", 1)
	var all []v1alpha1.Refund
	for i := range lifecycle.MaxRefunds {
		if turn := lifecycle.TakeTurn(&self, order, all, spacing, now); !turn.Go {
			t.Fatalf("refund %d: %s", i+1, turnString(turn))
		}
		all = append(all, with(fmt.Sprint("r-", i), 1, []func(*v1alpha1.Refund){accepted, succeeded}[i%2]))
	}
	if turn := lifecycle.TakeTurn(&self, order, all, spacing, now); !turn.Never {
		t.Errorf("the 51st: %s", turnString(turn))
	}
}
