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

// OrderOfPayment finds the Order that a payment callback of the Merchant belongs to: a
// participating Order with this number and attach. It reads from live what the cache does not have.
// It returns nil if there is none.
func (c *Claims) OrderOfPayment(ctx context.Context, live client.Reader, merchant *v1alpha1.Merchant, outTradeNo, attach string) (*v1alpha1.Order, error) {
	return index.OrderOf(ctx, c.Cached, live, outTradeNo, func(_ client.Reader, orders []v1alpha1.Order) (*v1alpha1.Order, error) {
		var found *v1alpha1.Order
		for i := range orders {
			order := &orders[i]
			if order.Number() != outTradeNo || lifecycle.Attach(order, merchant) != attach {
				continue
			}
			if mayReceiveCallbacks, err := c.mayReceiveCallbacks(ctx, order, merchant); err != nil {
				return nil, err
			} else if mayReceiveCallbacks && (found == nil || comesFirst(order, c.strengthOfOrder(order, merchant), found, c.strengthOfOrder(found, merchant))) {
				found = order
			}
		}
		return found, nil
	})
}

// mayReceiveCallbacks reports whether an Order may receive callbacks of the Merchant: it references
// the Merchant, may use it or started while it could, and has not lost its number.
func (c *Claims) mayReceiveCallbacks(ctx context.Context, order *v1alpha1.Order, merchant *v1alpha1.Merchant) (bool, error) {
	if namespace, name := order.MerchantKey(); namespace != merchant.Namespace || name != merchant.Name || lifecycle.PaidReason(order) == v1alpha1.ReasonNumberInUse {
		return false, nil
	}
	_, err := account.OfParticipant(ctx, c.Cached, order)
	if _, refused := account.AsProblem(err); refused {
		return false, nil
	}
	return err == nil, err
}

// RefundNumbers are the two numbers in a refund callback.
type RefundNumbers struct {
	OutTradeNo, OutRefundNo string
}

// RefundOfCallback finds the Refund that a refund callback of the Merchant belongs to, and its
// Order: both numbers match and the Order participates. It returns nil if there is none.
func (c *Claims) RefundOfCallback(ctx context.Context, live client.Reader, merchant *v1alpha1.Merchant, numbers RefundNumbers) (*v1alpha1.Refund, *v1alpha1.Order, error) {
	var foundOrder *v1alpha1.Order
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
				continue // another system's payment, so its refund is not this Refund either
			}
			if mayReceiveCallbacks, err := c.mayReceiveCallbacks(ctx, order, merchant); err != nil {
				return nil, err
			} else if mayReceiveCallbacks && (found == nil || comesFirst(refund, c.strengthOfRefund(refund, merchant), found, c.strengthOfRefund(found, merchant))) {
				found, foundOrder = refund, order
			}
		}
		return found, nil
	})
	if refund == nil || err != nil {
		return nil, nil, err
	}
	return refund, foundOrder, nil
}
