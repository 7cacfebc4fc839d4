package index

import (
	"strconv"
	"time"

	"github.com/wechatpay-operator/wechatpay-operator/api/v1alpha1"
	"github.com/wechatpay-operator/wechatpay-operator/internal/lifecycle"
)

// The indexes by which a day is read in pieces: a list of all Orders of a large day at once would take hundreds of megabytes.
const (
	// OrderPaid finds Orders by PaidIn.
	OrderPaid = "paid"
	// RefundAccepted finds Refunds by AcceptedIn, wherever they are.
	RefundAccepted = "accepted"
)

// Piece is the length of a piece of a day.
const Piece = 5 * time.Minute

// PaidIn is the value of OrderPaid for the Orders of a Merchant, "namespace/name", that were paid in the piece that begins at a time.
func PaidIn(merchant string, at time.Time) string { return merchant + "@" + AcceptedIn(at) }

// AcceptedIn is the value of RefundAccepted for the piece that begins at a time.
func AcceptedIn(at time.Time) string {
	return strconv.FormatInt(at.Unix()/int64(Piece.Seconds()), 10)
}

// PaidTime returns when an Order was paid, by WeChat's clock if it said so.
func PaidTime(order *v1alpha1.Order) (at time.Time, local bool) {
	if paid := order.Status.Transaction; paid != nil && paid.PaidTime != nil {
		return paid.PaidTime.Time, false
	}
	return lifecycle.Condition(order.Status.Conditions, v1alpha1.ConditionPaid).LastTransitionTime.Time, true
}

func paidIn(order *v1alpha1.Order) []string {
	if !lifecycle.IsPaid(order) {
		return nil
	}
	at, _ := PaidTime(order)
	return []string{PaidIn(MerchantOf(order), at)}
}

func acceptedIn(refund *v1alpha1.Refund) []string {
	if refund.Status.AcceptedTime == nil {
		return nil
	}
	return []string{AcceptedIn(refund.Status.AcceptedTime.Time)}
}
