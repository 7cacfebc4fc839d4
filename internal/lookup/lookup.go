// Package lookup finds Orders and Refunds by their numbers at WeChat.
package lookup

import (
	"context"
	"strings"

	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/wechatpay-operator/wechatpay-operator/api/v1alpha1"
	"github.com/wechatpay-operator/wechatpay-operator/internal/settlement"
)

// The indexes of the cache.
const (
	// IndexOrderNumber finds Orders by out_trade_no.
	IndexOrderNumber = "outTradeNo"
	// IndexRefundNumber finds Refunds by out_refund_no.
	IndexRefundNumber = "outRefundNo"
)

// SetupIndexes adds the indexes to a cache. The numbers follow from the spec, so an object is found even when its status
// was lost.
func SetupIndexes(ctx context.Context, indexer client.FieldIndexer) error {
	if err := indexer.IndexField(ctx, &v1alpha1.Order{}, IndexOrderNumber, func(object client.Object) []string {
		return []string{strings.ToLower(object.(*v1alpha1.Order).Number())}
	}); err != nil {
		return err
	}
	return indexer.IndexField(ctx, &v1alpha1.Refund{}, IndexRefundNumber, func(object client.Object) []string {
		return []string{object.(*v1alpha1.Refund).Number()}
	})
}

// OrdersByNumber lists the Orders that claim a number, whoever their Merchant is. Numbers that differ in letter case only
// count as one: WeChat does not promise to tell them apart.
func OrdersByNumber(ctx context.Context, cached client.Reader, outTradeNo string) ([]v1alpha1.Order, error) {
	var orders v1alpha1.OrderList
	err := cached.List(ctx, &orders, client.MatchingFields{IndexOrderNumber: strings.ToLower(outTradeNo)})
	return orders.Items, err
}

// OrderOf finds the Order of a Merchant that has a number: the oldest one that did not lose it. A cache may lag, so that
// what it does not have is asked of the API server before it is said not to be. Nil means there is none.
func OrderOf(ctx context.Context, cached, live client.Reader, merchant types.NamespacedName, outTradeNo string) (*v1alpha1.Order, error) {
	orders, err := OrdersByNumber(ctx, cached, outTradeNo)
	if err != nil {
		return nil, err
	}
	if found := oldest(orders, merchant, outTradeNo); found != nil {
		return found, nil
	}
	// The status has the number from the first write on, and before that nobody can have paid.
	var recent v1alpha1.OrderList
	if err := live.List(ctx, &recent, client.MatchingFields{"status.outTradeNo": outTradeNo}); err != nil {
		return nil, err
	}
	return oldest(recent.Items, merchant, outTradeNo), nil
}

func oldest(orders []v1alpha1.Order, merchant types.NamespacedName, outTradeNo string) *v1alpha1.Order {
	var found *v1alpha1.Order
	for i := range orders {
		order := &orders[i]
		namespace, name := order.MerchantKey()
		if order.Number() != outTradeNo || namespace != merchant.Namespace || name != merchant.Name || settlement.PaidReason(order) == v1alpha1.ReasonNumberInUse {
			continue
		}
		if found == nil || settlement.Older(order, found) {
			found = order
		}
	}
	return found
}

// RefundOf finds the Refund of a Merchant's Order that has a number, with its Order. Nil means there is none.
func RefundOf(ctx context.Context, cached, live client.Reader, merchant types.NamespacedName, outRefundNo string) (*v1alpha1.Refund, *v1alpha1.Order, error) {
	var known v1alpha1.RefundList
	if err := cached.List(ctx, &known, client.MatchingFields{IndexRefundNumber: outRefundNo}); err != nil {
		return nil, nil, err
	}
	refund, order, err := refundOf(ctx, cached, known.Items, merchant)
	if refund != nil || err != nil {
		return refund, order, err
	}
	var recent v1alpha1.RefundList
	if err := live.List(ctx, &recent, client.MatchingFields{"status.outRefundNo": outRefundNo}); err != nil {
		return nil, nil, err
	}
	return refundOf(ctx, live, recent.Items, merchant)
}

func refundOf(ctx context.Context, reader client.Reader, refunds []v1alpha1.Refund, merchant types.NamespacedName) (*v1alpha1.Refund, *v1alpha1.Order, error) {
	for i := range refunds {
		refund := &refunds[i]
		order := &v1alpha1.Order{}
		err := reader.Get(ctx, types.NamespacedName{Namespace: refund.Namespace, Name: refund.Spec.OrderRef.Name}, order)
		if client.IgnoreNotFound(err) != nil {
			return nil, nil, err
		}
		if err != nil {
			continue
		}
		if namespace, name := order.MerchantKey(); namespace == merchant.Namespace && name == merchant.Name {
			return refund, order, nil
		}
	}
	return nil, nil, nil
}
