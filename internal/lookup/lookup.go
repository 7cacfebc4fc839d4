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

// AtOnce lists what the cache has now. The operator's client waits for its own writes before it lists, for all of a kind that are
// under way: each callback and each worker would wait for the others, and one write that hangs would hold up all. It is for what
// need not see them: a cache may be behind anyway, and the API server refuses to overwrite what is newer.
const AtOnce = client.DisableReadYourWritesConsistency

// longestNumber that an object can have: out_refund_no has 64 characters at most, out_trade_no 32. A callback may claim any.
const longestNumber = 64

// SetupIndexes adds the indexes to a cache. The numbers follow from the spec, so an object is found even when its status
// was lost.
func SetupIndexes(ctx context.Context, indexer client.FieldIndexer) error {
	if err := indexer.IndexField(ctx, &v1alpha1.Order{}, IndexOrderNumber, func(object client.Object) []string {
		return []string{strings.ToLower(object.(*v1alpha1.Order).Number())}
	}); err != nil {
		return err
	}
	return indexer.IndexField(ctx, &v1alpha1.Refund{}, IndexRefundNumber, func(object client.Object) []string {
		return []string{strings.ToLower(object.(*v1alpha1.Refund).Number())}
	})
}

// OrdersByNumber lists the Orders that claim a number, whoever their Merchant is. Numbers that differ in letter case only
// count as one: WeChat does not promise to tell them apart.
func OrdersByNumber(ctx context.Context, cached client.Reader, outTradeNo string) ([]v1alpha1.Order, error) {
	var orders v1alpha1.OrderList
	err := cached.List(ctx, &orders, client.MatchingFields{IndexOrderNumber: strings.ToLower(outTradeNo)}, AtOnce)
	return orders.Items, err
}

// OrderOf finds the Order of a Merchant that has a number: the oldest one that did not lose it. A cache may lag, so that
// what it does not have is asked of the API server before it is said not to be. Nil means there is none.
func OrderOf(ctx context.Context, cached, live client.Reader, merchant types.NamespacedName, outTradeNo string) (*v1alpha1.Order, error) {
	if len(outTradeNo) > longestNumber {
		return nil, nil
	}
	orders, err := OrdersByNumber(ctx, cached, outTradeNo)
	if err != nil {
		return nil, err
	}
	if found := oldest(orders, merchant, outTradeNo); found != nil {
		return withOwnWrites(ctx, cached, found, &v1alpha1.Order{})
	}
	// The status has the number from the first write on, and before that nobody can have paid.
	var recent v1alpha1.OrderList
	if err := live.List(ctx, &recent, client.MatchingFields{"status.outTradeNo": outTradeNo}); err != nil {
		return nil, err
	}
	return oldest(recent.Items, merchant, outTradeNo), nil
}

// withOwnWrites reads what was found once more, when the cache has our own writes of that one object: a callback often comes a moment
// after a reconciler's write, and a write from an older copy is refused and costs another one. When it is gone, or another one has
// its name by now, the copy that was found stays: the API server refuses a write of it.
func withOwnWrites[T client.Object](ctx context.Context, cached client.Reader, found, newer T) (T, error) {
	err := cached.Get(ctx, client.ObjectKeyFromObject(found), newer)
	if err != nil || newer.GetUID() != found.GetUID() {
		return found, client.IgnoreNotFound(err)
	}
	return newer, nil
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

// RefundsByNumber lists the Refunds that claim a number, whoever their Merchant is. As for Orders, letter case does not count.
func RefundsByNumber(ctx context.Context, cached client.Reader, outRefundNo string) ([]v1alpha1.Refund, error) {
	var refunds v1alpha1.RefundList
	err := cached.List(ctx, &refunds, client.MatchingFields{IndexRefundNumber: strings.ToLower(outRefundNo)}, AtOnce)
	return refunds.Items, err
}

// RefundNumbers are the two numbers that a refund callback names.
type RefundNumbers struct {
	OutTradeNo, OutRefundNo string
}

// RefundOf finds the Refund that has the numbers, of an Order of the Merchant, with that Order: the oldest one that did not
// lose its number. Nil means there is none.
func RefundOf(ctx context.Context, cached, live client.Reader, merchant types.NamespacedName, numbers RefundNumbers) (*v1alpha1.Refund, *v1alpha1.Order, error) {
	if len(numbers.OutRefundNo) > longestNumber {
		return nil, nil, nil
	}
	known, err := RefundsByNumber(ctx, cached, numbers.OutRefundNo)
	if err != nil {
		return nil, nil, err
	}
	refund, order, err := oldestRefund(ctx, cached, known, merchant, numbers)
	if err != nil {
		return nil, nil, err
	}
	if refund != nil {
		refund, err = withOwnWrites(ctx, cached, refund, &v1alpha1.Refund{})
		return refund, order, err
	}
	var recent v1alpha1.RefundList
	if err := live.List(ctx, &recent, client.MatchingFields{"status.outRefundNo": numbers.OutRefundNo}); err != nil {
		return nil, nil, err
	}
	return oldestRefund(ctx, live, recent.Items, merchant, numbers)
}

func oldestRefund(ctx context.Context, reader client.Reader, refunds []v1alpha1.Refund, merchant types.NamespacedName, numbers RefundNumbers) (found *v1alpha1.Refund, of *v1alpha1.Order, err error) {
	for i := range refunds {
		refund := &refunds[i]
		if refund.Number() != numbers.OutRefundNo || settlement.SucceededReason(refund) == v1alpha1.ReasonNumberInUse {
			continue
		}
		order := &v1alpha1.Order{}
		err := reader.Get(ctx, types.NamespacedName{Namespace: refund.Namespace, Name: refund.Spec.OrderRef.Name}, order)
		if client.IgnoreNotFound(err) != nil {
			return nil, nil, err
		}
		namespace, name := order.MerchantKey()
		if err != nil || order.Number() != numbers.OutTradeNo || namespace != merchant.Namespace || name != merchant.Name {
			continue
		}
		if found == nil || settlement.OlderRefund(refund, found) {
			found, of = refund, order
		}
	}
	return found, of, nil
}
