package index

import (
	"context"

	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/wechatpay-operator/wechatpay-operator/api/v1alpha1"
	"github.com/wechatpay-operator/wechatpay-operator/internal/lifecycle"
)

// The indexes that only reconcilers use.
const (
	// OrderMerchant finds Orders by the "namespace/name" of their Merchant.
	OrderMerchant = "merchant"
	// OrderWaiting finds, by the same, those that a change of their Merchant may help.
	OrderWaiting = "waiting"
	// OrderPrepay finds Orders by what their payers pay with.
	OrderPrepay = "prepay"
	// RefundOrder finds Refunds by the name of their Order, within a namespace.
	RefundOrder = "order"
	// RefundWaiting finds the Refunds that WeChat has not taken yet, wherever they are; Waiting is its only value.
	RefundWaiting = "waiting"
	Waiting       = "yes"
	// MiniProgramAppID finds MiniPrograms by their appid, wherever they are.
	MiniProgramAppID = "appID"
	// ShipmentOrder finds Shipments by the name of their Order, within a namespace.
	ShipmentOrder = "order"
	// ShipmentWaiting finds the Shipments that are not final, wherever they are; Waiting is its only value.
	ShipmentWaiting = "waiting"
	// StatementMerchant finds Statements by the name of their Merchant, within a namespace.
	StatementMerchant = "merchant"
)

// Setup adds all indexes to a cache.
func Setup(ctx context.Context, indexer client.FieldIndexer) error {
	if err := SetupNumbers(ctx, indexer); err != nil {
		return err
	}
	for name, values := range map[string]func(*v1alpha1.Order) []string{
		OrderMerchant: func(order *v1alpha1.Order) []string { return []string{MerchantOf(order)} },
		OrderWaiting:  merchantWaitedFor,
		OrderPrepay:   PrepayOf,
	} {
		if err := add(ctx, indexer, &v1alpha1.Order{}, name, values); err != nil {
			return err
		}
	}
	for name, values := range map[string]func(*v1alpha1.Refund) []string{
		RefundOrder:   func(refund *v1alpha1.Refund) []string { return []string{refund.Spec.OrderRef.Name} },
		RefundWaiting: waitsForAcceptance,
	} {
		if err := add(ctx, indexer, &v1alpha1.Refund{}, name, values); err != nil {
			return err
		}
	}
	if err := setupDays(ctx, indexer); err != nil {
		return err
	}
	if err := setupStatements(ctx, indexer); err != nil {
		return err
	}
	return setupShipping(ctx, indexer)
}

func setupStatements(ctx context.Context, indexer client.FieldIndexer) error {
	return add(ctx, indexer, &v1alpha1.Statement{}, StatementMerchant, func(s *v1alpha1.Statement) []string { return []string{s.Spec.MerchantRef.Name} })
}

func setupShipping(ctx context.Context, indexer client.FieldIndexer) error {
	if err := add(ctx, indexer, &v1alpha1.MiniProgram{}, MiniProgramAppID, func(m *v1alpha1.MiniProgram) []string { return []string{m.Spec.AppID} }); err != nil {
		return err
	}
	for name, values := range map[string]func(*v1alpha1.Shipment) []string{
		ShipmentOrder: func(shipment *v1alpha1.Shipment) []string { return []string{shipment.Spec.OrderRef.Name} },
		ShipmentWaiting: func(shipment *v1alpha1.Shipment) []string {
			if lifecycle.ShipmentFinal(shipment) {
				return nil
			}
			return []string{Waiting}
		},
	} {
		if err := add(ctx, indexer, &v1alpha1.Shipment{}, name, values); err != nil {
			return err
		}
	}
	return nil
}

// MerchantOf is the "namespace/name" of an Order's Merchant.
func MerchantOf(order *v1alpha1.Order) string {
	namespace, name := order.MerchantKey()
	return namespace + "/" + name
}

// merchantWaitedFor is the Merchant of an Order that can't be paid yet, or is being deleted. The others go on as they are, and a
// change of their Merchant costs nothing, however many they are.
func merchantWaitedFor(order *v1alpha1.Order) []string {
	if order.DeletionTimestamp != nil || !lifecycle.IsFinished(order) && !lifecycle.IsPrepared(order) {
		return []string{MerchantOf(order)}
	}
	return nil
}

func waitsForAcceptance(refund *v1alpha1.Refund) []string {
	if WaitsForAcceptance(refund) {
		return []string{Waiting}
	}
	return nil
}

// WaitsForAcceptance says whether WeChat has not taken a Refund yet, and may.
func WaitsForAcceptance(refund *v1alpha1.Refund) bool {
	return !lifecycle.RefundFinal(refund) && !lifecycle.RefundAccepted(refund)
}

// PrepayOf are the values that lead the payer of an Order to it, once it has them.
func PrepayOf(order *v1alpha1.Order) []string {
	prepay := order.Status.Prepay
	if prepay == nil {
		return nil
	}
	return PrepayValues(prepay.ID, prepay.CodeURL, prepay.MWEBURL)
}

// PrepayValues are those of a prepay: its prepay_id, the content of its QR code, its link.
func PrepayValues(id, codeURL, mwebURL string) (values []string) {
	for _, value := range []string{id, codeURL, mwebURL} {
		if value != "" {
			values = append(values, value)
		}
	}
	return values
}
