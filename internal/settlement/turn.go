package settlement

import (
	"fmt"
	"time"

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
	var sum Committed
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
		if RefundMayBeAtWeChat(other) && (!RefundMayBeAtWeChat(refund) || before(other, refund)) {
			return Turn{Message: fmt.Sprintf("Refund %s of the same Order has an answer outstanding; refunds of one Order go one at a time", other.Name)}
		}
	}
	sum.addDeleted(order)

	paid := int64(0)
	if order.Status.Transaction != nil {
		paid = order.Status.Transaction.Total
	}
	if sum.Total+refund.Spec.Amount > paid {
		return Turn{Never: true, Message: fmt.Sprintf("%d was paid and other Refunds took %d, so %d can't be paid back (minor units). Create a Refund over at most %d",
			paid, sum.Total, refund.Spec.Amount, max(paid-sum.Total, 0))}
	}
	if sum.Count >= MaxRefunds {
		return Turn{Never: true, Message: fmt.Sprintf("WeChat Pay allows %d refunds of one order, and they are used up", MaxRefunds)}
	}
	if next := lastRequest.Add(spacing); !lastRequest.IsZero() && now.Before(next) {
		return Turn{NotBefore: next, Message: fmt.Sprintf("Refund requests of one Order go %s apart, as WeChat Pay demands", spacing)}
	}
	return Turn{Go: true}
}

// Committed sums the refunds of an Order that took, or may have taken, of what was paid.
type Committed struct {
	Total int64
	Count int
	// succeeded is the part that is back for sure.
	succeeded int64
	finished  int
}

func (c *Committed) add(refund *v1alpha1.Refund) {
	switch {
	case RefundSucceeded(refund):
		c.succeeded += refund.Spec.Amount
		c.finished++
	case RefundFinal(refund):
		return
	case !RefundAccepted(refund) && !RefundMayBeAtWeChat(refund):
		return
	}
	c.Total += refund.Spec.Amount
	c.Count++
}

// addDeleted counts the Refunds that succeeded and were deleted since: the Order remembers their sum.
func (c *Committed) addDeleted(order *v1alpha1.Order) {
	if remembered := order.Status.Refunded; remembered != nil {
		c.Total += max(remembered.Total-c.succeeded, 0)
		c.Count += max(int(remembered.Count)-c.finished, 0)
	}
}

func lastRequestOf(refund *v1alpha1.Refund) time.Time {
	if refund.Status.LastRequestTime == nil {
		return time.Time{}
	}
	return refund.Status.LastRequestTime.Time
}

// before orders Refunds by age, and by name where that is equal.
func before(a, b *v1alpha1.Refund) bool {
	if !a.CreationTimestamp.Equal(&b.CreationTimestamp) {
		return a.CreationTimestamp.Before(&b.CreationTimestamp)
	}
	return a.Name < b.Name
}

// Older orders Orders by age, and by namespace and name where that is equal: the older one keeps a number that two claim.
func Older(a, b *v1alpha1.Order) bool {
	if !a.CreationTimestamp.Equal(&b.CreationTimestamp) {
		return a.CreationTimestamp.Before(&b.CreationTimestamp)
	}
	if a.Namespace != b.Namespace {
		return a.Namespace < b.Namespace
	}
	return a.Name < b.Name
}
