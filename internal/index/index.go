// Package index finds Orders and Refunds by their numbers at WeChat.
package index

import (
	"context"
	"strings"

	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/wechatpay-operator/wechatpay-operator/api/v1alpha1"
)

// The indexes of the cache.
const (
	// OrderNumber finds Orders by out_trade_no.
	OrderNumber = "outTradeNo"
	// RefundNumber finds Refunds by out_refund_no.
	RefundNumber = "outRefundNo"
)

// WithoutOwnWrites lists what the cache has now. The operator's client waits for its own writes before it lists, for all of a kind that are
// under way: each callback and each worker would wait for the others, and one write that hangs would hold up all. It is for what
// need not see them: a cache may be behind anyway, and the API server refuses to overwrite what is newer.
const WithoutOwnWrites = client.DisableReadYourWritesConsistency

// longestNumber that an object can have: out_refund_no has 64 characters at most, out_trade_no 32. A callback may claim any.
const longestNumber = 64

// SetupNumbers adds the indexes by numbers, which callbacks need too, to a cache. The numbers follow from the spec, so an object is found even when its status
// was lost.
func SetupNumbers(ctx context.Context, indexer client.FieldIndexer) error {
	if err := indexer.IndexField(ctx, &v1alpha1.Order{}, OrderNumber, func(object client.Object) []string {
		return []string{strings.ToLower(object.(*v1alpha1.Order).Number())}
	}); err != nil {
		return err
	}
	return indexer.IndexField(ctx, &v1alpha1.Refund{}, RefundNumber, func(object client.Object) []string {
		return []string{strings.ToLower(object.(*v1alpha1.Refund).Number())}
	})
}

// OrdersByNumber lists the Orders that claim a number, whoever their Merchant is. Numbers that differ in letter case only
// count as one: WeChat does not promise to tell them apart. What it returns is the cache's own and must not be changed: anybody
// may create thousands of Orders of one number, and a copy of each would cost whoever has a right to it.
func OrdersByNumber(ctx context.Context, cached client.Reader, outTradeNo string) ([]v1alpha1.Order, error) {
	var orders v1alpha1.OrderList
	err := cached.List(ctx, &orders, client.MatchingFields{OrderNumber: strings.ToLower(outTradeNo)}, WithoutOwnWrites, client.UnsafeDisableDeepCopy)
	return orders.Items, err
}

// OrderOf finds the Order that is chosen among those that have a number. A cache may lag, so that what it does not have is
// asked of the API server before it is said not to be. Nil means there is none.
func OrderOf(ctx context.Context, cached, live client.Reader, outTradeNo string, choose func([]v1alpha1.Order) (*v1alpha1.Order, error)) (*v1alpha1.Order, error) {
	if len(outTradeNo) > longestNumber {
		return nil, nil
	}
	orders, err := OrdersByNumber(ctx, cached, outTradeNo)
	if err != nil {
		return nil, err
	}
	found, err := choose(orders)
	if err != nil {
		return nil, err
	}
	if found != nil {
		return withOwnWrites(ctx, cached, found, &v1alpha1.Order{})
	}
	// The status has the number from the first write on, and before that nobody can have paid.
	var recent v1alpha1.OrderList
	if err := live.List(ctx, &recent, client.MatchingFields{"status.outTradeNo": outTradeNo}); err != nil {
		return nil, err
	}
	return choose(recent.Items)
}

// withOwnWrites reads what was found once more, when the cache has our own writes of that one object: a callback often comes a moment
// after a reconciler's write, and a write from an older copy is refused and costs another one. When it is gone, or another one has
// its name by now, the copy that was found stays: the API server refuses a write of it.
func withOwnWrites[T client.Object](ctx context.Context, cached client.Reader, found, newer T) (T, error) {
	err := cached.Get(ctx, client.ObjectKeyFromObject(found), newer)
	if err != nil || newer.GetUID() != found.GetUID() {
		return found.DeepCopyObject().(T), client.IgnoreNotFound(err) // found is the cache's own
	}
	return newer, nil
}

// RefundsByNumber lists the Refunds that claim a number, whoever their Merchant is. As for Orders, letter case does not count, and
// what it returns is the cache's own.
func RefundsByNumber(ctx context.Context, cached client.Reader, outRefundNo string) ([]v1alpha1.Refund, error) {
	var refunds v1alpha1.RefundList
	err := cached.List(ctx, &refunds, client.MatchingFields{RefundNumber: strings.ToLower(outRefundNo)}, WithoutOwnWrites, client.UnsafeDisableDeepCopy)
	return refunds.Items, err
}

// RefundOf finds the Refund that is chosen among those that have a number, as OrderOf does.
func RefundOf(ctx context.Context, cached, live client.Reader, outRefundNo string, choose func(client.Reader, []v1alpha1.Refund) (*v1alpha1.Refund, error)) (*v1alpha1.Refund, error) {
	if len(outRefundNo) > longestNumber {
		return nil, nil
	}
	known, err := RefundsByNumber(ctx, cached, outRefundNo)
	if err != nil {
		return nil, err
	}
	found, err := choose(cached, known)
	if err != nil {
		return nil, err
	}
	if found != nil {
		return withOwnWrites(ctx, cached, found, &v1alpha1.Refund{})
	}
	var recent v1alpha1.RefundList
	if err := live.List(ctx, &recent, client.MatchingFields{"status.outRefundNo": outRefundNo}); err != nil {
		return nil, err
	}
	return choose(live, recent.Items)
}
