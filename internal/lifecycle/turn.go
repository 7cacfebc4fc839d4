package lifecycle

import (
	"fmt"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/wechatpay-operator/wechatpay-operator/api/v1alpha1"
)

// MaxRefunds is WeChat Pay's limit of refunds per order (chapter 9_4).
const MaxRefunds = 50

// Turn says whether a Refund may be requested now.
type Turn struct {
	// Go: request it now.
	Go bool
	// Never: it exceeds what was paid or the number of refunds, finally. Message says why.
	Never bool
	// NotBefore is when to try again (zero: when another Refund changes). Message says what the
	// Refund waits for.
	NotBefore time.Time
	Message   string
}

// TakeTurn decides whether a Refund may be requested, given all Refunds of its Order: one at a
// time, at least spacing apart, at most MaxRefunds, and never more in total than was paid.
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
		if RefundMayBeAtWeChat(other) && (!RefundMayBeAtWeChat(refund) || Older(other, refund)) {
			return Turn{Message: fmt.Sprintf("Refund %s of the same Order is still waiting for a response; the refunds of an Order are requested one at a time", other.Name)}
		}
	}
	sum.addDeleted(order)

	paid := int64(0)
	if order.Status.Transaction != nil {
		paid = order.Status.Transaction.Total
	}
	if sum.total+refund.Spec.Amount > paid {
		return Turn{Never: true, Message: fmt.Sprintf("%d was paid and other Refunds account for %d, so %d can't be refunded (minor units). Create a Refund of at most %d",
			paid, sum.total, refund.Spec.Amount, max(paid-sum.total, 0))}
	}
	if sum.count >= MaxRefunds {
		return Turn{Never: true, Message: fmt.Sprintf("WeChat Pay allows %d refunds per order, and all of them are used", MaxRefunds)}
	}
	if next := lastRequest.Add(spacing); !lastRequest.IsZero() && now.Before(next) {
		return Turn{NotBefore: next, Message: fmt.Sprintf("Refund requests of one Order go %s apart, as WeChat Pay demands", spacing)}
	}
	return Turn{Go: true}
}

// committed sums the refunds of an Order that consumed, or may have consumed, part of the payment.
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

// addDeleted counts the Refunds that succeeded and were deleted since: status.refunded still lists
// them.
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

// Older orders objects by age, then by namespace and name. If two claim a number, the older one
// keeps it.
func Older(a, b metav1.Object) bool {
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
