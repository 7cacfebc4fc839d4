package index

import (
	"context"
	"slices"

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
	return add(ctx, indexer,
		of(&v1alpha1.Order{}, OrderMerchant, func(order *v1alpha1.Order) []string { return []string{MerchantOf(order)} }),
		of(&v1alpha1.Order{}, OrderWaiting, merchantWaitedFor),
		of(&v1alpha1.Order{}, OrderPrepay, PrepayOf),
		of(&v1alpha1.Order{}, OrderPaid, paidIn),
		of(&v1alpha1.Refund{}, RefundOrder, func(refund *v1alpha1.Refund) []string { return []string{refund.Spec.OrderRef.Name} }),
		of(&v1alpha1.Refund{}, RefundWaiting, func(refund *v1alpha1.Refund) []string { return waitingIf(WaitsForAcceptance(refund)) }),
		of(&v1alpha1.Refund{}, RefundAccepted, acceptedIn),
		of(&v1alpha1.Statement{}, StatementMerchant, func(s *v1alpha1.Statement) []string { return []string{s.Spec.MerchantRef.Name} }),
		of(&v1alpha1.MiniProgram{}, MiniProgramAppID, func(m *v1alpha1.MiniProgram) []string { return []string{m.Spec.AppID} }),
		of(&v1alpha1.Shipment{}, ShipmentOrder, func(s *v1alpha1.Shipment) []string { return []string{s.Spec.OrderRef.Name} }),
		of(&v1alpha1.Shipment{}, ShipmentWaiting, func(s *v1alpha1.Shipment) []string { return waitingIf(!lifecycle.ShipmentFinal(s)) }),
	)
}

func waitingIf(waits bool) []string {
	if waits {
		return []string{Waiting}
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
func PrepayValues(id, codeURL, mwebURL string) []string {
	return slices.DeleteFunc([]string{id, codeURL, mwebURL}, func(value string) bool { return value == "" })
}
