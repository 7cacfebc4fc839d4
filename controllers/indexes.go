package controllers

import (
	"context"

	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/wechatpay-operator/wechatpay-operator/api/v1alpha1"
	"github.com/wechatpay-operator/wechatpay-operator/internal/lookup"
)

// The indexes of the cache that only reconcilers use; those that the callback server uses as well are in internal/lookup.
const (
	// indexOrderMerchant finds Orders by the "namespace/name" of their Merchant.
	indexOrderMerchant = "merchant"
	// indexRefundOrder finds Refunds by the name of their Order, within a namespace.
	indexRefundOrder = "order"
)

// SetupIndexes adds the indexes to the manager's cache.
func SetupIndexes(ctx context.Context, indexer client.FieldIndexer) error {
	if err := lookup.SetupIndexes(ctx, indexer); err != nil {
		return err
	}
	if err := indexer.IndexField(ctx, &v1alpha1.Order{}, indexOrderMerchant, func(object client.Object) []string {
		namespace, name := object.(*v1alpha1.Order).MerchantKey()
		return []string{namespace + "/" + name}
	}); err != nil {
		return err
	}
	return indexer.IndexField(ctx, &v1alpha1.Refund{}, indexRefundOrder, func(object client.Object) []string {
		return []string{object.(*v1alpha1.Refund).Spec.OrderRef.Name}
	})
}
