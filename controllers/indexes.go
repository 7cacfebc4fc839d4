package controllers

import (
	"context"

	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/wechatpay-operator/wechatpay-operator/api/v1alpha1"
	"github.com/wechatpay-operator/wechatpay-operator/internal/index"
	"github.com/wechatpay-operator/wechatpay-operator/internal/lifecycle"
)

// The indexes of the cache that only reconcilers use; those that the callback server uses as well are in internal/index.
const (
	// indexOrderMerchant finds Orders by the "namespace/name" of their Merchant.
	indexOrderMerchant = "merchant"
	// indexOrderWaiting finds, by the same, those that a change of their Merchant may help.
	indexOrderWaiting = "waiting"
	// indexRefundOrder finds Refunds by the name of their Order, within a namespace.
	indexRefundOrder = "order"
	// indexRefundWaiting finds the Refunds that WeChat has not taken yet, wherever they are; waits is its only value.
	indexRefundWaiting = "waiting"
	waits              = "yes"
)

// SetupIndexes adds the indexes to the manager's cache.
func SetupIndexes(ctx context.Context, indexer client.FieldIndexer) error {
	if err := index.Setup(ctx, indexer); err != nil {
		return err
	}
	for name, values := range map[string]func(*v1alpha1.Order) []string{
		indexOrderMerchant: func(order *v1alpha1.Order) []string { return []string{merchantOf(order)} },
		indexOrderWaiting:  merchantWaitedFor,
		indexOrderPrepay:   prepayOfOrder,
	} {
		if err := indexer.IndexField(ctx, &v1alpha1.Order{}, name, func(object client.Object) []string { return values(object.(*v1alpha1.Order)) }); err != nil {
			return err
		}
	}
	for name, values := range map[string]func(*v1alpha1.Refund) []string{
		indexRefundOrder:   func(refund *v1alpha1.Refund) []string { return []string{refund.Spec.OrderRef.Name} },
		indexRefundWaiting: waitsForAcceptance,
	} {
		if err := indexer.IndexField(ctx, &v1alpha1.Refund{}, name, func(object client.Object) []string { return values(object.(*v1alpha1.Refund)) }); err != nil {
			return err
		}
	}
	return nil
}

// merchantOf is the "namespace/name" of an Order's Merchant.
func merchantOf(order *v1alpha1.Order) string {
	namespace, name := order.MerchantKey()
	return namespace + "/" + name
}

// merchantWaitedFor is the Merchant of an Order that can't be paid yet, or is being deleted. The others go on as they are, and a
// change of their Merchant costs nothing, however many they are.
func merchantWaitedFor(order *v1alpha1.Order) []string {
	if isDeleted(order) || !lifecycle.IsFinished(order) && !lifecycle.IsPrepared(order) {
		return []string{merchantOf(order)}
	}
	return nil
}

func waitsForAcceptance(refund *v1alpha1.Refund) []string {
	if lifecycle.RefundFinal(refund) || lifecycle.RefundAccepted(refund) {
		return nil
	}
	return []string{waits}
}
