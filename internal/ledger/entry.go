package ledger

import (
	"context"
	"encoding/json"
	"fmt"
	"hash/fnv"

	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/wechatpay-operator/wechatpay-operator/api/v1alpha1"
	"github.com/wechatpay-operator/wechatpay-operator/internal/account"
	"github.com/wechatpay-operator/wechatpay-operator/internal/lifecycle"
)

// entry is an object with its row.
type entry struct {
	object client.Object
	// key identifies the row: the table, the account and the number.
	key [3]string
	// row is an *orderRow, *refundRow or *shipmentRow, and common points to its common columns.
	row    any
	common *common
	// sum is a hash of the row, by which a changed row is recognized.
	sum uint64
}

// hasFact reports whether an object has something to record. All callers check this first: most objects are open, and a
// row needs other objects as well.
func hasFact(object client.Object) bool {
	switch object := object.(type) {
	case *v1alpha1.Order:
		return isFact(object)
	case *v1alpha1.Refund:
		return isRefundFact(object)
	case *v1alpha1.Shipment:
		return lifecycle.IsUploaded(object)
	default:
		return false
	}
}

// entryOf derives the row of an object that has a fact; nil if its Order or Merchant is gone. An Order stays until its
// row and those of its dependents are written (awaitLedger), so nil means that the row was written before.
func (w *Writer) entryOf(ctx context.Context, object client.Object) (*entry, error) {
	made := &entry{object: object}
	switch object := object.(type) {
	case *v1alpha1.Order:
		merchant, err := w.merchantOf(ctx, object)
		if err != nil || merchant == nil {
			return nil, err
		}
		row := rowOfOrder(object, merchant)
		made.row, made.common, made.key = &row, &row.common, [3]string{"orders", row.Account, row.OutTradeNo}
	case *v1alpha1.Refund:
		order, merchant, err := w.orderOf(ctx, object.Namespace, object.Spec.OrderRef.Name)
		if err != nil || merchant == nil {
			return nil, err
		}
		row := rowOfRefund(object, order, merchant)
		made.row, made.common, made.key = &row, &row.common, [3]string{"refunds", row.Account, row.OutRefundNo}
	case *v1alpha1.Shipment:
		order, merchant, err := w.orderOf(ctx, object.Namespace, object.Spec.OrderRef.Name)
		if err != nil || merchant == nil {
			return nil, err
		}
		row := rowOfShipment(object, order, merchant)
		made.row, made.common, made.key = &row, &row.common, [3]string{"shipments", row.Account, row.OutTradeNo + "/" + row.Name}
	}
	sum := fnv.New64a()
	err := json.NewEncoder(sum).Encode(made.row)
	made.sum = sum.Sum64()
	// The revision is set after the sum is taken, so a new resourceVersion alone does not cause a write.
	made.common.Revision = revision(object)
	return made, err
}

// orderOf returns the Order that an object names, and its Merchant; nil if one of them is gone.
func (w *Writer) orderOf(ctx context.Context, namespace, name string) (*v1alpha1.Order, *v1alpha1.Merchant, error) {
	order := &v1alpha1.Order{}
	if found, err := w.find(ctx, types.NamespacedName{Namespace: namespace, Name: name}, order); err != nil || !found {
		return nil, nil, err
	}
	merchant, err := w.merchantOf(ctx, order)
	return order, merchant, err
}

// merchantOf returns the Merchant of an Order. It returns an error unless WeChat Pay has accepted a key of the
// Merchant: without that, anybody could record payments under another merchant's number.
func (w *Writer) merchantOf(ctx context.Context, order *v1alpha1.Order) (*v1alpha1.Merchant, error) {
	merchant := &v1alpha1.Merchant{}
	namespace, name := order.MerchantKey()
	found, err := w.find(ctx, types.NamespacedName{Namespace: namespace, Name: name}, merchant)
	if err != nil || !found {
		return nil, err
	}
	if !account.WasProven(merchant) {
		return nil, fmt.Errorf("WeChat Pay has accepted no key of Merchant %s/%s for its merchant number %s", namespace, name, merchant.Spec.MchID)
	}
	return merchant, nil
}

func (w *Writer) find(ctx context.Context, key types.NamespacedName, object client.Object) (bool, error) {
	err := w.Reader.Get(ctx, key, object)
	return err == nil, client.IgnoreNotFound(err)
}

// batchOf sorts the rows of entries by table.
func batchOf(entries []*entry) batch {
	var b batch
	for _, e := range entries {
		switch row := e.row.(type) {
		case *orderRow:
			b.orders = append(b.orders, *row)
		case *refundRow:
			b.refunds = append(b.refunds, *row)
		case *shipmentRow:
			b.shipments = append(b.shipments, *row)
		}
	}
	return b
}
