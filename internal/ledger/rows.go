package ledger

import (
	"strconv"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/wechatpay-operator/wechatpay-operator/api/v1alpha1"
	"github.com/wechatpay-operator/wechatpay-operator/internal/account"
	"github.com/wechatpay-operator/wechatpay-operator/internal/lifecycle"
)

// common are the columns that all tables have. The names in JSON are those of the columns.
type common struct {
	Account    string    `json:"account"`
	OutTradeNo string    `json:"out_trade_no"`
	MchID      string    `json:"merchant_number"`
	SubMchID   *string   `json:"sub_merchant_number"`
	Namespace  string    `json:"namespace"`
	Name       string    `json:"name"`
	UID        string    `json:"uid"`
	State      string    `json:"state"`
	StateTime  time.Time `json:"state_time"`
	Revision   int64     `json:"revision"`
}

// orderRow is a row of wechatpay.orders. It has no data about the payer.
type orderRow struct {
	common
	AppID             string     `json:"app_id"`
	Protocol          *string    `json:"protocol"`
	TradeType         string     `json:"trade_type"`
	MerchantNamespace string     `json:"merchant_namespace"`
	MerchantName      string     `json:"merchant_name"`
	Description       string     `json:"description"`
	Currency          string     `json:"currency"`
	Total             int64      `json:"total"`
	CreatedTime       time.Time  `json:"created_time"`
	TransactionID     *string    `json:"transaction_id"`
	PaidTime          *time.Time `json:"paid_time"`
	CashTotal         *int64     `json:"cash_total"`
	CouponTotal       *int64     `json:"coupon_total"`
	SettlementTotal   *int64     `json:"settlement_total"`
	BankType          *string    `json:"bank_type"`
}

// refundRow is a row of wechatpay.refunds.
type refundRow struct {
	common
	OutRefundNo   string     `json:"out_refund_no"`
	OrderName     string     `json:"order_name"`
	Reason        *string    `json:"reason"`
	Currency      string     `json:"currency"`
	Amount        int64      `json:"amount"`
	RefundID      *string    `json:"refund_id"`
	RequestedTime time.Time  `json:"requested_time"`
	AcceptedTime  *time.Time `json:"accepted_time"`
	SucceededTime *time.Time `json:"succeeded_time"`
}

// shipmentRow is a row of wechatpay.shipments. It has no telephone numbers.
type shipmentRow struct {
	common
	OrderName       string     `json:"order_name"`
	Logistics       string     `json:"logistics"`
	Complete        bool       `json:"complete"`
	Carriers        []string   `json:"carriers"`
	TrackingNumbers []string   `json:"tracking_numbers"`
	Items           []string   `json:"items"`
	UploadedTime    *time.Time `json:"uploaded_time"`
}

// isFact reports whether an Order ended at WeChat Pay under its number. An Order that lost its number, or that WeChat
// Pay never accepted, must not overwrite the row of the Order that has the number.
func isFact(order *v1alpha1.Order) bool {
	switch lifecycle.PaidReason(order) {
	case v1alpha1.ReasonClosed, v1alpha1.ReasonExpired:
		return order.Status.Prepay != nil
	default:
		return lifecycle.IsPaid(order) && order.Status.Transaction != nil
	}
}

// isRefundFact reports whether WeChat Pay has a Refund.
func isRefundFact(refund *v1alpha1.Refund) bool {
	return lifecycle.RefundAccepted(refund) || lifecycle.RefundSucceeded(refund)
}

// commonOf returns the common columns of an Order, or of a Refund or Shipment with its Order.
func commonOf(object client.Object, state metav1.Condition, order *v1alpha1.Order, merchant *v1alpha1.Merchant) common {
	return common{
		Account: account.IDOf(merchant).String(), OutTradeNo: order.Number(), MchID: merchant.Spec.MchID, SubMchID: subMchID(merchant),
		Namespace: object.GetNamespace(), Name: object.GetName(), UID: string(object.GetUID()),
		State: state.Reason, StateTime: state.LastTransitionTime.UTC(),
	}
}

// rowOfOrder is pure: the same Order and Merchant always result in the same row.
func rowOfOrder(order *v1alpha1.Order, merchant *v1alpha1.Merchant) orderRow {
	merchantNamespace, merchantName := order.MerchantKey()
	row := orderRow{
		common: commonOf(order, lifecycle.Condition(order.Status.Conditions, v1alpha1.ConditionPaid), order, merchant),
		AppID:  lifecycle.AppID(order, merchant), Protocol: protocolOf(order), TradeType: string(order.Spec.TradeType),
		MerchantNamespace: merchantNamespace, MerchantName: merchantName,
		Description: order.Spec.Description, Currency: string(order.Spec.Amount.Currency), Total: order.Spec.Amount.Total,
		CreatedTime: order.CreationTimestamp.UTC(),
	}
	if paid := order.Status.Transaction; paid != nil && lifecycle.IsPaid(order) {
		row.TransactionID, row.PaidTime, row.BankType = optional(paid.ID), utc(paid.PaidTime), optional(paid.BankType)
		row.CashTotal, row.CouponTotal, row.SettlementTotal = paid.CashTotal, paid.CouponTotal, paid.SettlementTotal
	}
	return row
}

func rowOfRefund(refund *v1alpha1.Refund, order *v1alpha1.Order, merchant *v1alpha1.Merchant) refundRow {
	return refundRow{
		common:      commonOf(refund, lifecycle.Condition(refund.Status.Conditions, v1alpha1.ConditionSucceeded), order, merchant),
		OutRefundNo: refund.Number(), OrderName: refund.Spec.OrderRef.Name,
		Reason: optional(refund.Spec.Reason), Currency: string(order.Spec.Amount.Currency), Amount: refund.Spec.Amount,
		RefundID:      optional(refund.Status.RefundID),
		RequestedTime: refund.CreationTimestamp.UTC(), AcceptedTime: utc(refund.Status.AcceptedTime), SucceededTime: utc(refund.Status.SucceededTime),
	}
}

func rowOfShipment(shipment *v1alpha1.Shipment, order *v1alpha1.Order, merchant *v1alpha1.Merchant) shipmentRow {
	row := shipmentRow{
		common:    commonOf(shipment, lifecycle.Condition(shipment.Status.Conditions, v1alpha1.ConditionUploaded), order, merchant),
		OrderName: shipment.Spec.OrderRef.Name,
		Logistics: string(shipment.Spec.Logistics), Complete: shipment.IsComplete(),
		Carriers: []string{}, TrackingNumbers: []string{}, Items: []string{},
		UploadedTime: utc(shipment.Status.UploadTime),
	}
	for _, parcel := range shipment.Spec.Parcels {
		row.Carriers = append(row.Carriers, parcel.Carrier)
		row.TrackingNumbers = append(row.TrackingNumbers, parcel.TrackingNumber)
		row.Items = append(row.Items, parcel.Items)
	}
	return row
}

// revision orders the versions of an object by resourceVersion. Kubernetes guarantees this order since 1.35; etcd
// always had it. If it is not a number, revision returns zero, and only the time of the state decides.
func revision(object client.Object) int64 {
	number, err := strconv.ParseInt(object.GetResourceVersion(), 10, 64)
	if err != nil {
		return 0
	}
	return number
}

func subMchID(merchant *v1alpha1.Merchant) *string {
	if merchant.Spec.Partner == nil {
		return nil
	}
	return optional(merchant.Spec.Partner.SubMchID)
}

func protocolOf(order *v1alpha1.Order) *string {
	if order.Status.Prepay == nil {
		return nil
	}
	return optional(string(order.Status.Prepay.Protocol))
}

func optional(text string) *string {
	if text == "" {
		return nil
	}
	return &text
}

func utc(at *metav1.Time) *time.Time {
	if at == nil {
		return nil
	}
	moment := at.UTC()
	return &moment
}
