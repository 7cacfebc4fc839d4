package lifecycle_test

import (
	"fmt"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/wechatpay-operator/wechatpay-operator/api/v1alpha1"
	"github.com/wechatpay-operator/wechatpay-operator/internal/lifecycle"
	"github.com/wechatpay-operator/wechatpay-operator/internal/wechatpay"
)

// shop runs Refunds of one Order against a WeChat Pay that accepts every request, so that only
// TakeTurn enforces the limits.
type shop struct {
	paid    int64
	order   *v1alpha1.Order
	refunds []v1alpha1.Refund
	now     time.Time
	// taken is what WeChat Pay accepted, by number; closed is what it returned to the merchant.
	taken  map[string]int64
	closed map[string]bool
	last   time.Time
}

// ask does what the reconciler does with a Refund that may be due. It returns what went wrong.
func (s *shop) ask(t *rapid.T, refund *v1alpha1.Refund) string {
	if lifecycle.RefundFinal(refund) || lifecycle.RefundAccepted(refund) {
		return ""
	}
	if lifecycle.RefundMayBeAtWeChat(refund) {
		if amount, has := s.taken[refund.Name]; has {
			lifecycle.RefundState(refund, orderNumber, wechatpay.RefundFact{OutTradeNo: orderNumber, Amount: amount, Status: wechatpay.RefundStatusProcessing}, s.now)
			return ""
		}
	}
	turn := lifecycle.TakeTurn(refund, s.order, s.refunds, spacing, s.now)
	switch {
	case turn.Never:
		lifecycle.EndRefund(refund, v1alpha1.ReasonExceedsPaid, turn.Message, s.now)
		return ""
	case !turn.Go:
		if !turn.NotBefore.IsZero() && !turn.NotBefore.After(s.now) {
			return "it waits for what is over"
		}
		return ""
	case !s.last.IsZero() && s.now.Sub(s.last) < spacing:
		return fmt.Sprintf("requests %s apart", s.now.Sub(s.last))
	}
	s.last = s.now
	lifecycle.Requested(refund, s.now)
	s.answer(t, refund)
	return s.check()
}

// answer draws WeChat Pay's response or its loss. A lost or unsigned response may hide an executed
// refund.
func (s *shop) answer(t *rapid.T, refund *v1alpha1.Refund) {
	switch rapid.SampledFrom([]string{"accepted", "lost, done", "lost", "refused, done", "refused", "limited", "no money", "not sent"}).Draw(t, "answer") {
	case "accepted":
		s.taken[refund.Name] = refund.Spec.Amount
		lifecycle.Accepted(refund, wechatpay.RefundAcceptance{RefundID: "5"}, s.now)
	case "lost, done":
		s.taken[refund.Name] = refund.Spec.Amount
		lost(refund)
	case "lost":
		lost(refund)
	case "refused, done":
		s.taken[refund.Name] = refund.Spec.Amount
		refused(refund)
	case "refused":
		refused(refund)
	case "limited":
		lifecycle.NotAcceptedBy(refund, problem(wechatpay.Failed, wechatpay.SlowDown), s.now)
	case "no money":
		poor(refund)
	default:
		lifecycle.NotAcceptedBy(refund, problem(wechatpay.NotSent, wechatpay.Repeat), s.now)
	}
}

func (s *shop) check() string {
	sum, count := int64(0), 0
	for name, amount := range s.taken {
		if !s.closed[name] {
			sum += amount
			count++
		}
	}
	switch {
	case sum > s.paid:
		return fmt.Sprintf("%d is paid back of %d", sum, s.paid)
	case count > lifecycle.MaxRefunds:
		return fmt.Sprintf("%d refunds of one Order", count)
	default:
		return ""
	}
}

// learn applies a QueryRefund result to an accepted Refund.
func (s *shop) learn(t *rapid.T, refund *v1alpha1.Refund) {
	if !lifecycle.RefundAccepted(refund) || lifecycle.RefundFinal(refund) {
		return
	}
	status := rapid.SampledFrom([]wechatpay.RefundStatus{
		wechatpay.RefundStatusProcessing, wechatpay.RefundStatusSucceeded, wechatpay.RefundStatusClosed, wechatpay.RefundStatusAbnormal,
	}).Draw(t, "fact")
	lifecycle.RefundState(refund, orderNumber, factOf(refund, status), s.now)
	switch status {
	case wechatpay.RefundStatusClosed:
		s.closed[refund.Name] = true
	case wechatpay.RefundStatusSucceeded:
		if rapid.Bool().Draw(t, "remembered at once") {
			lifecycle.Refunded(s.order, s.refunds)
		}
	}
}

// remove deletes a final Refund after the Order recorded it. The minute after its request must have
// passed: until then the reconciler keeps the spacing in memory.
func (s *shop) remove(i int) {
	if lifecycle.RefundFinal(&s.refunds[i]) && s.now.Sub(s.last) >= spacing {
		lifecycle.Refunded(s.order, s.refunds)
		s.refunds = append(s.refunds[:i], s.refunds[i+1:]...)
	}
}

func TestNeverMoreIsPaidBackThanWasPaid(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		paid := rapid.Int64Range(1, 100).Draw(t, "paid")
		s := &shop{paid: paid, order: paidOrder(paid), now: now, taken: map[string]int64{}, closed: map[string]bool{}}
		for i := range rapid.IntRange(1, 80).Draw(t, "moves") {
			s.now = s.now.Add(time.Duration(rapid.IntRange(0, 90).Draw(t, "seconds")) * time.Second)
			if len(s.refunds) == 0 || rapid.IntRange(0, 5).Draw(t, "create") == 0 {
				s.refunds = append(s.refunds, with(fmt.Sprint("refund-", i), rapid.Int64Range(1, paid).Draw(t, "amount"), createdAt(s.now)))
			}
			chosen := rapid.IntRange(0, len(s.refunds)-1).Draw(t, "refund")
			switch rapid.SampledFrom([]string{"ask", "ask", "ask", "learn", "delete"}).Draw(t, "move") {
			case "ask":
				if wrong := s.ask(t, &s.refunds[chosen]); wrong != "" {
					t.Fatal(wrong)
				}
			case "learn":
				s.learn(t, &s.refunds[chosen])
			default:
				s.remove(chosen)
			}
		}
	})
}
