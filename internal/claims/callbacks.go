package claims

import (
	"context"

	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/wechatpay-operator/wechatpay-operator/api/v1alpha1"
	"github.com/wechatpay-operator/wechatpay-operator/internal/account"
	"github.com/wechatpay-operator/wechatpay-operator/internal/index"
	"github.com/wechatpay-operator/wechatpay-operator/internal/lifecycle"
)

// OrderOfPayment finds the Order that a callback to a Merchant states a payment of: one that takes part, has the number, and
// sends this attach. live is asked for what the cache does not have. Nil means that there is none.
func (c *Claims) OrderOfPayment(ctx context.Context, live client.Reader, of *v1alpha1.Merchant, outTradeNo, attach string) (*v1alpha1.Order, error) {
	return index.OrderOf(ctx, c.Cached, live, outTradeNo, func(orders []v1alpha1.Order) (*v1alpha1.Order, error) {
		var found *v1alpha1.Order
		for i := range orders {
			order := &orders[i]
			if order.Number() != outTradeNo || lifecycle.Attach(order, of) != attach {
				continue
			}
			if takesPart, err := c.takesPart(ctx, order, of); err != nil {
				return nil, err
			} else if takesPart && (found == nil || c.orderBefore(order, found, of)) {
				found = order
			}
		}
		return found, nil
	})
}

// takesPart says whether an Order may be told of callbacks to a Merchant: it names it, may use it or began so, and has not lost
// its number.
func (c *Claims) takesPart(ctx context.Context, order *v1alpha1.Order, of *v1alpha1.Merchant) (bool, error) {
	if namespace, name := order.MerchantKey(); namespace != of.Namespace || name != of.Name || lifecycle.PaidReason(order) == v1alpha1.ReasonNumberInUse {
		return false, nil
	}
	_, err := account.OfParticipant(ctx, c.Cached, order)
	if _, refused := account.AsProblem(err); refused {
		return false, nil
	}
	return err == nil, err
}

func (c *Claims) orderBefore(a, b *v1alpha1.Order, of *v1alpha1.Merchant) bool {
	its, others := c.strengthOfOrder(a, of), c.strengthOfOrder(b, of)
	return its > others || its == others && lifecycle.Older(a, b)
}

// RefundNumbers are the two numbers that a refund callback names.
type RefundNumbers struct {
	OutTradeNo, OutRefundNo string
}

// RefundOfCallback finds the Refund that a callback to a Merchant is about, with its Order: one of an Order that takes part, with
// both numbers. Nil means that there is none.
func (c *Claims) RefundOfCallback(ctx context.Context, live client.Reader, of *v1alpha1.Merchant, numbers RefundNumbers) (*v1alpha1.Refund, *v1alpha1.Order, error) {
	var its *v1alpha1.Order
	refund, err := index.RefundOf(ctx, c.Cached, live, numbers.OutRefundNo, func(reader client.Reader, refunds []v1alpha1.Refund) (*v1alpha1.Refund, error) {
		var found *v1alpha1.Refund
		for i := range refunds {
			refund := &refunds[i]
			if refund.Number() != numbers.OutRefundNo || lifecycle.SucceededReason(refund) == v1alpha1.ReasonNumberInUse {
				continue
			}
			order := &v1alpha1.Order{}
			err := reader.Get(ctx, types.NamespacedName{Namespace: refund.Namespace, Name: refund.Spec.OrderRef.Name}, order)
			if client.IgnoreNotFound(err) != nil {
				return nil, err
			}
			if err != nil || order.Number() != numbers.OutTradeNo || !lifecycle.IsPaid(order) && !lifecycle.RefundBegun(refund) {
				continue // a refund of a payment that is not this Order's is not this Refund's either
			}
			if takesPart, err := c.takesPart(ctx, order, of); err != nil {
				return nil, err
			} else if takesPart && (found == nil || c.refundBefore(refund, found, of)) {
				found, its = refund, order
			}
		}
		return found, nil
	})
	if refund == nil || err != nil {
		return nil, nil, err
	}
	return refund, its, nil
}

func (c *Claims) refundBefore(a, b *v1alpha1.Refund, of *v1alpha1.Merchant) bool {
	its, others := c.strengthOfRefund(a, of), c.strengthOfRefund(b, of)
	return its > others || its == others && lifecycle.OlderRefund(a, b)
}
