package statement

import (
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/wechatpay-operator/wechatpay-operator/api/v1alpha1"
	"github.com/wechatpay-operator/wechatpay-operator/internal/bills"
	"github.com/wechatpay-operator/wechatpay-operator/internal/bills/matching"
	"github.com/wechatpay-operator/wechatpay-operator/internal/index"
	"github.com/wechatpay-operator/wechatpay-operator/internal/lifecycle"
)

func (r *records) addRefunds(matcher *matching.Matcher, at time.Time) error {
	var refunds v1alpha1.RefundList
	if err := r.list("Refunds", &refunds, client.MatchingFields{index.RefundAccepted: index.AcceptedIn(at)}); err != nil {
		return err
	}
	for i := range refunds.Items {
		refund := &refunds.Items[i]
		ours, err := r.hasOrdersIn(refund.Namespace)
		if err != nil {
			return err
		}
		if !ours || matcher.HasRefund(refund.Number()) {
			continue
		}
		order, err := r.orderOf(refund)
		if err != nil {
			return err
		}
		if order != nil && r.merchants[index.MerchantOf(order)] != nil {
			matcher.AddRefund(r.refund(refund, order))
		}
	}
	return nil
}

// hasOrdersIn reports whether a namespace has Orders of the account. The index returns the Refunds of all tenants:
// without this, each Statement would look up the Order of every Refund in the cluster.
func (r *records) hasOrdersIn(namespace string) (bool, error) {
	has, known := r.hasOrders[namespace]
	if known {
		return has, nil
	}
	for name := range r.merchants {
		var one v1alpha1.OrderList
		if err := r.list("Orders", &one, client.InNamespace(namespace), client.MatchingFields{index.OrderMerchant: name}, client.Limit(1)); err != nil {
			return false, err
		}
		if len(one.Items) > 0 {
			has = true
			break
		}
	}
	r.hasOrders[namespace] = has
	return has, nil
}

// orderOf returns the Order of a Refund, or nil if it is gone. It belongs to the cache and must not be changed.
func (r *records) orderOf(refund *v1alpha1.Refund) (*v1alpha1.Order, error) {
	order := &v1alpha1.Order{}
	err := r.client.Get(r.ctx, types.NamespacedName{Namespace: refund.Namespace, Name: refund.Spec.OrderRef.Name}, order, client.UnsafeDisableDeepCopy)
	if apierrors.IsNotFound(err) {
		return nil, nil
	}
	return order, err
}

func (r *records) refund(refund *v1alpha1.Refund, order *v1alpha1.Order) matching.Refund {
	known := matching.Refund{
		OutRefundNo: refund.Number(), RefundID: refund.Status.RefundID, SubMchID: r.sub, Amount: refund.Spec.Amount,
		Accepted: lifecycle.RefundAccepted(refund) || lifecycle.RefundSucceeded(refund), AcceptedTimeLocal: true,
	}
	if order != nil {
		known.OutTradeNo, known.Currency = order.Number(), string(order.Spec.Amount.Currency)
		if paid := order.Status.Transaction; paid != nil {
			known.TransactionID = paid.ID
		}
	}
	accepted := refund.Status.AcceptedTime
	approved := lifecycle.Condition(refund.Status.Conditions, v1alpha1.ConditionApproved)
	if accepted == nil || approved.Reason == v1alpha1.ReasonRecovered {
		return known // WeChat had the refund before the object was created, and does not say since when
	}
	succeeded := time.Time{}
	if refund.Status.SucceededTime != nil {
		succeeded = refund.Status.SucceededTime.Time
	}
	known.AcceptedTime, known.Doubtful = acceptance(approved.LastTransitionTime.Time, accepted.Time, succeeded)
	return known
}

// clocksDiffer is the tolerated difference between WeChat's clock and the cluster's.
const clocksDiffer = 5 * time.Minute

// acceptance returns when WeChat accepted a refund. No answer states it, so it is estimated: after the decision, and
// before the operator learned of it or the money was back. The result is zero if that leaves more than a day, and
// doubtful if it leaves two days.
func acceptance(decided, learned, succeeded time.Time) (at time.Time, doubtful bool) {
	at = learned
	if !succeeded.IsZero() && succeeded.Before(at) {
		at = succeeded
	}
	switch {
	case at.Before(decided.Add(-clocksDiffer)), at.Sub(decided) > lateAcceptance:
		return time.Time{}, true
	default:
		return at, bills.DayOf(decided) != bills.DayOf(at)
	}
}

// FindRefund finds the Refund of a row in the cluster or in the ledger. If the Refund is not accepted, it is added to
// missedRefunds.
func (r *records) FindRefund(refundID, outRefundNo string) (matching.Refund, bool) {
	refund, order := r.refundByNumber(refundID, outRefundNo)
	if refund == nil {
		return r.refundInLedger(outRefundNo)
	}
	known := r.refund(refund, order)
	if !known.Accepted && len(r.missedRefunds) < mostMissed {
		r.missedRefunds[refund.UID] = Object{client.ObjectKeyFromObject(refund), refund.UID}
	}
	return known, true
}

func (r *records) refundByNumber(refundID, outRefundNo string) (best *v1alpha1.Refund, bestOrder *v1alpha1.Order) {
	refunds, err := index.RefundsByNumber(r.ctx, r.client, outRefundNo)
	r.fail(err)
	strongest := -1
	for i := range refunds {
		refund := &refunds[i]
		if refund.Number() != outRefundNo || lifecycle.SucceededReason(refund) == v1alpha1.ReasonNumberInUse {
			continue
		}
		order, err := r.orderOf(refund)
		r.fail(err)
		sameID := refundID != "" && refund.Status.RefundID == refundID
		switch {
		case order == nil && !sameID: // without its Order its merchant number is unknown
			continue
		case order != nil && (r.merchants[index.MerchantOf(order)] == nil || !lifecycle.RefundBegun(refund) && !r.mayUse(order)):
			continue
		}
		strength := 0
		switch {
		case sameID:
			strength = 3
		case lifecycle.RefundAccepted(refund):
			strength = 2
		case lifecycle.RefundBegun(refund):
			strength = 1
		}
		if strength > strongest {
			best, bestOrder, strongest = refund, order, strength
		}
	}
	return best, bestOrder
}

func (r *records) refundInLedger(outRefundNo string) (matching.Refund, bool) {
	if r.ledger == nil || r.err != nil {
		return matching.Refund{}, false
	}
	recorded, found, err := r.ledger.FindRefund(r.ctx, r.account, outRefundNo)
	if err != nil {
		r.fail(&LedgerError{err})
		return matching.Refund{}, false
	}
	return r.recordedRefund(recorded), found
}
