package lifecycle

import (
	"fmt"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/wechatpay-operator/wechatpay-operator/api/v1alpha1"
)

// MaxRefunds is how many refunds WeChat allows for one order (chapter 9_4).
const MaxRefunds = 50

// Turn says whether a Refund may be asked for now.
type Turn struct {
	// Go: now.
	Go bool
	// Never: not with what was paid; Message says why. Final.
	Never bool
	// Wait until NotBefore (zero: until another Refund changes); Message says for what.
	NotBefore time.Time
	Message   string
}

// TakeTurn decides whether a Refund may be asked for, given all Refunds of its Order: one at a time, spacing apart, at
// most MaxRefunds, and never more in sum than was paid.
func TakeTurn(refund *v1alpha1.Refund, order *v1alpha1.Order, all []v1alpha1.Refund, spacing time.Duration, now time.Time) Turn {
	sum := committed{numbers: map[string]bool{refund.Number(): true}}
	lastRequest := lastRequestOf(refund)
	for i := range all {
		other := &all[i]
		if other.UID == refund.UID {
			continue
		}
		if at := lastRequestOf(other); at.After(lastRequest) {
			lastRequest = at
		}
		sum.add(other)
		if RefundMayBeAtWeChat(other) && (!RefundMayBeAtWeChat(refund) || OlderRefund(other, refund)) {
			return Turn{Message: fmt.Sprintf("Refund %s of the same Order has an answer outstanding; refunds of one Order go one at a time", other.Name)}
		}
	}
	sum.addDeleted(order)

	paid := int64(0)
	if order.Status.Transaction != nil {
		paid = order.Status.Transaction.Total
	}
	if sum.total+refund.Spec.Amount > paid {
		return Turn{Never: true, Message: fmt.Sprintf("%d was paid and other Refunds took %d, so %d can't be paid back (minor units). Create a Refund over at most %d",
			paid, sum.total, refund.Spec.Amount, max(paid-sum.total, 0))}
	}
	if sum.count >= MaxRefunds {
		return Turn{Never: true, Message: fmt.Sprintf("WeChat Pay allows %d refunds of one order, and they are used up", MaxRefunds)}
	}
	if next := lastRequest.Add(spacing); !lastRequest.IsZero() && now.Before(next) {
		return Turn{NotBefore: next, Message: fmt.Sprintf("Refund requests of one Order go %s apart, as WeChat Pay demands", spacing)}
	}
	return Turn{Go: true}
}

// committed sums the refunds of an Order that took, or may have taken, of what was paid.
type committed struct {
	total   int64
	count   int
	numbers map[string]bool
}

func (c *committed) add(refund *v1alpha1.Refund) {
	c.numbers[refund.Number()] = true
	if RefundSucceeded(refund) || !RefundFinal(refund) && (RefundAccepted(refund) || RefundMayBeAtWeChat(refund)) {
		c.total += refund.Spec.Amount
		c.count++
	}
}

// addDeleted counts the Refunds that succeeded and were deleted since: the Order remembers them.
func (c *committed) addDeleted(order *v1alpha1.Order) {
	if order.Status.Refunded == nil {
		return
	}
	for _, item := range order.Status.Refunded.Refunds {
		if !c.numbers[item.OutRefundNo] {
			c.total += item.Amount
			c.count++
		}
	}
}

func lastRequestOf(refund *v1alpha1.Refund) time.Time {
	if refund.Status.LastRequestTime == nil {
		return time.Time{}
	}
	return refund.Status.LastRequestTime.Time
}

// OlderRefund orders Refunds by age, and by namespace and name where that is equal.
func OlderRefund(a, b *v1alpha1.Refund) bool { return older(a, b) }

// Older orders Orders by age, and by namespace and name where that is equal: the older one keeps a number that two claim.
func Older(a, b *v1alpha1.Order) bool { return older(a, b) }

func older(a, b metav1.Object) bool {
	created, other := a.GetCreationTimestamp(), b.GetCreationTimestamp()
	switch {
	case !created.Equal(&other):
		return created.Before(&other)
	case a.GetNamespace() != b.GetNamespace():
		return a.GetNamespace() < b.GetNamespace()
	default:
		return a.GetName() < b.GetName()
	}
}
