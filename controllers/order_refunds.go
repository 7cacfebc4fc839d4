package controllers

import (
	"context"
	"fmt"

	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/wechatpay-operator/wechatpay-operator/api/v1alpha1"
	"github.com/wechatpay-operator/wechatpay-operator/internal/index"
	"github.com/wechatpay-operator/wechatpay-operator/internal/lifecycle"
)

// sumRefunds updates status.refunded.
func (r *OrderReconciler) sumRefunds(ctx context.Context, o *order) progress {
	if !lifecycle.IsPaid(o.Order) {
		return next()
	}
	refunds, err := r.refundsOf(ctx, r.Client, o.Namespace, o.Name)
	if err != nil {
		return failed(err)
	}
	if err := r.record(ctx, o, func(order *v1alpha1.Order) { lifecycle.Refunded(order, refunds) }); isRefused(err) {
		o.requeueAfter = r.Timing.SecretsCheck // it was reported, and no later step needs the sum
	} else if err != nil {
		return stoppedBy(err)
	}
	return next()
}

// hasOpenRefunds reports whether a Refund of the Order is not final yet, awaiting approval
// included.
func (r *OrderReconciler) hasOpenRefunds(ctx context.Context, o *order) (bool, error) {
	if !lifecycle.IsPaid(o.Order) {
		return false, nil
	}
	// Live: a Refund that was just created must not lose its Order.
	refunds, err := r.refundsOf(ctx, r.APIReader, o.Namespace, o.Name)
	if err != nil {
		return false, err
	}
	for i := range refunds {
		if !lifecycle.RefundFinal(&refunds[i]) && !isDeletedAndFree(&refunds[i]) {
			return true, nil
		}
	}
	return false, nil
}

func isDeletedAndFree(refund *v1alpha1.Refund) bool {
	return isDeleted(refund) && !hasFinalizer(refund)
}

// refundsOf lists the Refunds of an Order, from the cache by its index or live by the selectable
// field.
func (b *Base) refundsOf(ctx context.Context, reader client.Reader, namespace, name string) ([]v1alpha1.Refund, error) {
	field := index.RefundOrder
	if reader == b.APIReader {
		field = "spec.orderRef.name"
	}
	var refunds v1alpha1.RefundList
	err := reader.List(ctx, &refunds, client.InNamespace(namespace), client.MatchingFields{field: name}, index.WithoutOwnWrites)
	if err != nil {
		return nil, fmt.Errorf("listing the Refunds of Order %s: %w", name, err)
	}
	return refunds.Items, nil
}
