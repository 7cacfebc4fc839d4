package controllers

import (
	"context"
	"time"

	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/wechatpay-operator/wechatpay-operator/api/v1alpha1"
	"github.com/wechatpay-operator/wechatpay-operator/internal/index"
	"github.com/wechatpay-operator/wechatpay-operator/internal/lifecycle"
)

// awaitShipments delays the end of a paid Order until its Shipments are uploaded, a day at most: they
// need what it knows. since is when it could have ended otherwise.
func (b *Base) awaitShipments(ctx context.Context, order *v1alpha1.Order, since time.Time) progress {
	left := since.Add(b.Timing.ShipmentsKeepOrder).Sub(b.Clock.Now())
	if left <= 0 || !lifecycle.IsPaid(order) {
		return next()
	}
	wait := again(min(left, b.Timing.SecretsCheck))
	due, err := b.awaitsVirtualShipment(ctx, order)
	if err != nil {
		return failed(err)
	}
	if due {
		return wait
	}
	shipments, err := b.shipmentsOf(ctx, order)
	if err != nil {
		return failed(err)
	}
	for i := range shipments {
		if !lifecycle.ShipmentFinal(&shipments[i]) && !isDeleted(&shipments[i]) {
			return wait
		}
	}
	return next()
}

func (b *Base) shipmentsOf(ctx context.Context, order *v1alpha1.Order) ([]v1alpha1.Shipment, error) {
	var shipments v1alpha1.ShipmentList
	err := b.Client.List(ctx, &shipments, client.InNamespace(order.Namespace), client.MatchingFields{index.ShipmentOrder: order.Name}, index.WithoutOwnWrites)
	return shipments.Items, err
}
