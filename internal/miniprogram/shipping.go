package miniprogram

import (
	"cmp"
	"slices"
	"time"

	"github.com/wechatpay-operator/wechatpay-operator/api/v1alpha1"
	"github.com/wechatpay-operator/wechatpay-operator/internal/lifecycle"
	"github.com/wechatpay-operator/wechatpay-operator/internal/weixin"
)

var logistics = map[v1alpha1.Logistics]weixin.Logistics{
	v1alpha1.LogisticsExpress:    weixin.Express,
	v1alpha1.LogisticsSameCity:   weixin.SameCity,
	v1alpha1.LogisticsVirtual:    weixin.Virtual,
	v1alpha1.LogisticsSelfPickup: weixin.SelfPickup,
}

// Shipping returns what is uploaded for a Shipment of a paid Order. It follows from immutable
// fields and recorded facts only, so a repetition is identical. others are the other Shipments of
// the Order.
func Shipping(shipment *v1alpha1.Shipment, order *v1alpha1.Order, merchant *v1alpha1.Merchant, others []v1alpha1.Shipment) weixin.Shipping {
	s := weixin.Shipping{
		Order: OrderRef(order, merchant), OpenID: openID(order, merchant), Logistics: logistics[shipment.Spec.Logistics],
		Complete: shipment.IsComplete(), UploadTime: uploadTime(shipment, others),
	}
	s.Split = !s.Complete || len(shipment.Spec.Parcels) > 1 || len(Before(shipment, others)) > 0
	for _, p := range shipment.Spec.Parcels {
		s.Parcels = append(s.Parcels, weixin.Parcel{
			TrackingNumber: p.TrackingNumber, Carrier: p.Carrier, Items: p.Items,
			ConsignorContact: p.ConsignorContact, ReceiverContact: p.ReceiverContact,
		})
	}
	return s
}

// OrderRef names an Order in order shipping management.
func OrderRef(order *v1alpha1.Order, merchant *v1alpha1.Merchant) weixin.OrderRef {
	ref := weixin.OrderRef{MchID: merchant.Spec.MchID, OutTradeNo: order.Number()}
	if merchant.Spec.Partner != nil {
		ref.SubMchID = merchant.Spec.Partner.SubMchID
	}
	return ref
}

// openID returns the payer's openid under the appid in which they pay: as the Order names it, or as
// WeChat Pay reported it with the payment.
func openID(order *v1alpha1.Order, merchant *v1alpha1.Merchant) string {
	var named v1alpha1.Payer
	if order.Spec.Payer != nil {
		named = *order.Spec.Payer
	}
	var paid v1alpha1.Transaction
	if order.Status.Transaction != nil {
		paid = *order.Status.Transaction
	}
	if lifecycle.PayerAppID(order, merchant) != lifecycle.AppID(order, merchant) {
		return cmp.Or(named.SubOpenID, paid.SubOpenID, named.OpenID)
	}
	return cmp.Or(named.OpenID, paid.OpenID)
}

// uploadTime is the creation of the Shipment, which every repetition has. WeChat wants each upload
// of an order to be later than the one before, and creations have whole seconds only: so it is a
// second later than an upload of another Shipment that was recorded with the same or a later time.
// Later Shipments wait until this one is final, so its time does not change.
func uploadTime(shipment *v1alpha1.Shipment, others []v1alpha1.Shipment) time.Time {
	at := shipment.CreationTimestamp.Time
	for i := range others {
		if known := others[i].Status.UploadTime; known != nil && !known.Time.Before(at) {
			at = known.Add(time.Second)
		}
	}
	return at
}

// Before returns the Shipments of an Order that come before one: in the order of their creation, and
// of their names where that is the same second.
func Before(shipment *v1alpha1.Shipment, others []v1alpha1.Shipment) []v1alpha1.Shipment {
	return slices.DeleteFunc(slices.Clone(others), func(other v1alpha1.Shipment) bool {
		return other.UID == shipment.UID ||
			cmp.Or(other.CreationTimestamp.Compare(shipment.CreationTimestamp.Time), cmp.Compare(other.Name, shipment.Name)) >= 0
	})
}
