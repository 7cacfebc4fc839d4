// Package index finds Orders and Refunds by their numbers at WeChat Pay.
package index

import (
	"context"
	"strings"

	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/wechatpay-operator/wechatpay-operator/api/v1alpha1"
)

// Names of the cache indexes.
const (
	// OrderNumber indexes Orders by out_trade_no.
	OrderNumber = "outTradeNo"
	// RefundNumber indexes Refunds by out_refund_no.
	RefundNumber = "outRefundNo"
)

// WithoutOwnWrites lists the current content of the cache. By default the operator's client waits
// for all of its own writes of a kind before it lists, so each callback and worker would wait for
// all others, and one hanging write would block them all. Use it where own writes need not be
// visible: a cache may be stale anyway, and the API server rejects writes based on an old version.
const WithoutOwnWrites = client.DisableReadYourWritesConsistency

// longestNumber is the longest number an object can have: 64 characters for out_refund_no, 32 for
// out_trade_no. A callback may contain any string.
const longestNumber = 64

// SetupNumbers adds the indexes by numbers, which callbacks need too, to a cache. The numbers are
// derived from the spec, so objects that lost their status are found too.
func SetupNumbers(ctx context.Context, indexer client.FieldIndexer) error {
	return add(ctx, indexer,
		of(&v1alpha1.Order{}, OrderNumber, func(order *v1alpha1.Order) []string { return []string{strings.ToLower(order.Number())} }),
		of(&v1alpha1.Refund{}, RefundNumber, func(refund *v1alpha1.Refund) []string { return []string{strings.ToLower(refund.Number())} }),
	)
}

// field is an index of a kind by values of its objects.
type field struct {
	kind   client.Object
	name   string
	values client.IndexerFunc
}

func of[T client.Object](kind T, name string, values func(T) []string) field {
	return field{kind, name, func(object client.Object) []string { return values(object.(T)) }}
}

func add(ctx context.Context, indexer client.FieldIndexer, fields ...field) error {
	for _, field := range fields {
		if err := indexer.IndexField(ctx, field.kind, field.name, field.values); err != nil {
			return err
		}
	}
	return nil
}

// OrdersByNumber lists the Orders with a number, of any Merchant. It ignores letter case, because
// WeChat Pay does not guarantee to distinguish it. The result belongs to the cache and must not be
// modified: copying it would be expensive when someone created thousands of Orders with one number.
func OrdersByNumber(ctx context.Context, cached client.Reader, outTradeNo string) ([]v1alpha1.Order, error) {
	var orders v1alpha1.OrderList
	err := cached.List(ctx, &orders, client.MatchingFields{OrderNumber: strings.ToLower(outTradeNo)}, WithoutOwnWrites, client.UnsafeDisableDeepCopy)
	return orders.Items, err
}

// OrderOf returns the Order that choose selects among those with a number. The cache may lag, so
// OrderOf reads from the API server before it reports that there is none (nil).
func OrderOf(ctx context.Context, cached, live client.Reader, outTradeNo string, choose func(client.Reader, []v1alpha1.Order) (*v1alpha1.Order, error)) (*v1alpha1.Order, error) {
	return find(ctx, cached, live, outTradeNo, OrdersByNumber, choose, func() ([]v1alpha1.Order, error) {
		var recent v1alpha1.OrderList
		err := live.List(ctx, &recent, client.MatchingFields{"status.outTradeNo": outTradeNo})
		return recent.Items, err
	})
}

// find calls choose with the cached objects that have a number, and if that selects none, with those
// of the API server.
func find[T any, P interface {
	*T
	client.Object
}](ctx context.Context, cached, live client.Reader, number string, byNumber func(context.Context, client.Reader, string) ([]T, error),
	choose func(client.Reader, []T) (P, error), recent func() ([]T, error),
) (P, error) {
	if len(number) > longestNumber {
		return nil, nil
	}
	known, err := byNumber(ctx, cached, number)
	if err != nil {
		return nil, err
	}
	found, err := choose(cached, known)
	if err != nil {
		return nil, err
	}
	if found != nil {
		return withOwnWrites(ctx, cached, found, P(new(T)))
	}
	// Every status has the number from its first write on, and nothing can have happened before.
	latest, err := recent()
	if err != nil {
		return nil, err
	}
	return choose(live, latest)
}

// withOwnWrites reads a found object again once the cache has this process's writes of it: a
// callback often arrives just after a reconciler's write, and a write based on an older version is
// rejected and must be repeated. If the object is gone or was replaced, the found copy is returned:
// the API server rejects a write of it.
func withOwnWrites[T client.Object](ctx context.Context, cached client.Reader, found, newer T) (T, error) {
	err := cached.Get(ctx, client.ObjectKeyFromObject(found), newer)
	if err != nil || newer.GetUID() != found.GetUID() {
		return found.DeepCopyObject().(T), client.IgnoreNotFound(err) // found belongs to the cache
	}
	return newer, nil
}

// RefundsByNumber lists the Refunds with a number, of any Merchant. As in OrdersByNumber, letter
// case is ignored and the result belongs to the cache.
func RefundsByNumber(ctx context.Context, cached client.Reader, outRefundNo string) ([]v1alpha1.Refund, error) {
	var refunds v1alpha1.RefundList
	err := cached.List(ctx, &refunds, client.MatchingFields{RefundNumber: strings.ToLower(outRefundNo)}, WithoutOwnWrites, client.UnsafeDisableDeepCopy)
	return refunds.Items, err
}

// RefundOf returns the Refund that choose selects among those with a number, see OrderOf.
func RefundOf(ctx context.Context, cached, live client.Reader, outRefundNo string, choose func(client.Reader, []v1alpha1.Refund) (*v1alpha1.Refund, error)) (*v1alpha1.Refund, error) {
	return find(ctx, cached, live, outRefundNo, RefundsByNumber, choose, func() ([]v1alpha1.Refund, error) {
		var recent v1alpha1.RefundList
		err := live.List(ctx, &recent, client.MatchingFields{"status.outRefundNo": outRefundNo})
		return recent.Items, err
	})
}
