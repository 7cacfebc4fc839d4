package lifecycle

import (
	"cmp"
	"fmt"
	"time"

	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/wechatpay-operator/wechatpay-operator/api/v1alpha1"
	"github.com/wechatpay-operator/wechatpay-operator/internal/text"
	"github.com/wechatpay-operator/wechatpay-operator/internal/wechatpay"
)

// Verdict is the result of matching a payment with an Order.
type Verdict string

const (
	// Recorded: this payment pays the Order. The status changed and must be written.
	Recorded Verdict = "Recorded"
	// AlreadyRecorded: the status already holds this payment.
	AlreadyRecorded Verdict = "AlreadyRecorded"
	// Mismatch: the payment differs from the Order in appid, merchant number, out_trade_no, amount or currency.
	// The status shows the difference.
	Mismatch Verdict = "Mismatch"
	// StillMismatch: the status already shows this difference.
	StillMismatch Verdict = "StillMismatch"
	// Conflict: another transaction already paid the Order, which WeChat Pay's protocol rules out.
	// The status is unchanged.
	Conflict Verdict = "Conflict"
	// NotOurs: the payment belongs to another order. Either the Order lost its number, or WeChat
	// Pay returned another attach than the one this Order sends. The status is unchanged and
	// reveals nothing about the payment.
	NotOurs Verdict = "NotOurs"
)

// Payee is what a payment must match besides the Order's spec: the immutable identity of the
// merchant, and the attach that distinguishes this Order's payments from those of other namespaces.
type Payee struct {
	MchID, AppID, Attach string
}

// PayeeOf returns the Payee of an Order.
func PayeeOf(order *v1alpha1.Order, merchant *v1alpha1.Merchant) Payee {
	return Payee{MchID: merchant.Spec.MchID, AppID: AppID(order, merchant), Attach: Attach(order, merchant)}
}

// Paid records a verified payment. Callbacks and queries both end here.
func Paid(order *v1alpha1.Order, account Payee, payment wechatpay.Payment, now time.Time) (Verdict, string) {
	Begin(order, now)
	if PaidReason(order) == v1alpha1.ReasonNumberInUse {
		return NotOurs, fmt.Sprintf("the number %s belongs to another order", order.Number())
	}
	if payment.Attach != account.Attach {
		return NotOurs, fmt.Sprintf("WeChat Pay reports a payment of the number %s with another attach than this Order sends", order.Number())
	}
	if difference := differenceBetween(order, account, payment); difference != "" {
		return mismatch(order, difference, now)
	}
	if IsPaid(order) {
		if recorded := order.Status.Transaction; recorded != nil && recorded.ID == text.AtMost(maxTransactionID, payment.TransactionID) {
			return AlreadyRecorded, ""
		}
		return Conflict, fmt.Sprintf("WeChat Pay reports the payment %s for an order that is paid by another transaction", text.AtMost(maxTransactionID, payment.TransactionID))
	}

	reason, message := whenPaid(order, payment)
	order.Status.Transaction = transactionOf(payment)
	if !IsFinished(order) && !IsPrepared(order) && !IsUsedAtWeChat(order) {
		// The reason why it was not prepared no longer matters.
		setOrder(order, now, v1alpha1.ConditionPrepared, metav1.ConditionFalse, v1alpha1.ReasonAlreadyPaid, "The order is paid; nothing is left to pay")
	}
	setOrder(order, now, v1alpha1.ConditionPaid, metav1.ConditionTrue, reason, message)
	return Recorded, ""
}

// differenceBetween compares the fields that must be equal before a payment counts: amount and
// currency before coupons, never what was paid in cash, which coupons reduce.
func differenceBetween(order *v1alpha1.Order, account Payee, payment wechatpay.Payment) string {
	switch {
	case payment.OutTradeNo != order.Number():
		return fmt.Sprintf("out_trade_no %q, not %q", payment.OutTradeNo, order.Number())
	case payment.MchID != account.MchID:
		return fmt.Sprintf("merchant number %q, not %q", payment.MchID, account.MchID)
	case payment.AppID != account.AppID:
		return fmt.Sprintf("appid %q, not %q", payment.AppID, account.AppID)
	case payment.Total != order.Spec.Amount.Total:
		return fmt.Sprintf("amount %d, not %d", payment.Total, order.Spec.Amount.Total)
	case paymentCurrency(payment) != currency(order):
		return fmt.Sprintf("currency %q, not %q", paymentCurrency(payment), currency(order))
	case payment.TransactionID == "":
		return "no transaction_id"
	default:
		return ""
	}
}

func mismatch(order *v1alpha1.Order, difference string, now time.Time) (Verdict, string) {
	message := fmt.Sprintf("WeChat Pay reports a payment with %.512s. The Order does not count as paid: compare with the merchant platform, and refund or settle the payment there", difference)
	return PaymentDiffers(order, message, now), message
}

// PaymentDiffers records that WeChat Pay reports a payment with this number that does not match the
// Order.
func PaymentDiffers(order *v1alpha1.Order, message string, now time.Time) Verdict {
	Begin(order, now)
	shown := meta.FindStatusCondition(order.Status.Conditions, v1alpha1.ConditionPaid)
	switch {
	case shown.Message == presentable(message):
		return StillMismatch
	case IsPaid(order):
		// The verified payment stands. The caller reports the other one; the status does not
		// change.
	case IsFinished(order):
		// The Order stays closed. Otherwise the operator would close it again, and a matching
		// payment afterwards would not count as late.
		setOrder(order, now, v1alpha1.ConditionPaid, shown.Status, shown.Reason, message)
	default:
		setOrder(order, now, v1alpha1.ConditionPaid, metav1.ConditionUnknown, v1alpha1.ReasonAmountMismatch, message)
	}
	return Mismatch
}

func whenPaid(order *v1alpha1.Order, payment wechatpay.Payment) (reason, message string) {
	switch previous := PaidReason(order); {
	case IsUsedAtWeChat(order):
		return v1alpha1.ReasonPaidUnderOtherParameters, "Paid as this Order says, but WeChat Pay has the number with parameters that this object did not send: " +
			"compare with the merchant platform before you deliver"
	case order.Status.Prepay == nil && !payment.PaidTime.IsZero() && order.CreationTimestamp.Sub(payment.PaidTime) > clocksDiffer:
		return v1alpha1.ReasonPaidEarlier, "Paid before this object was created: it was restored, applied again, or its name was used before"
	case IsFinished(order):
		return v1alpha1.ReasonPaidLate, fmt.Sprintf("Paid although the order was %s before; the Merchant's latePayment says what follows", map[string]string{
			v1alpha1.ReasonClosed: "closed", v1alpha1.ReasonExpired: "expired", v1alpha1.ReasonRejected: "rejected",
		}[previous])
	default:
		return v1alpha1.ReasonPaid, "Paid"
	}
}

// clocksDiffer is the tolerated clock skew between WeChat Pay and the cluster: a payment less than
// this before the object's creation may have been made after it. A payment with a prepay that this
// object recorded is never earlier.
const clocksDiffer = 5 * time.Minute

// maxTransactionID is the maximum length in the status; WeChat Pay's IDs have 28 digits.
const maxTransactionID = 64

func paymentCurrency(payment wechatpay.Payment) string {
	return cmp.Or(payment.Currency, string(v1alpha1.CurrencyCNY))
}

// transactionOf truncates values to the API's limits, because an overlong value must not prevent a
// payment from being recorded.
func transactionOf(payment wechatpay.Payment) *v1alpha1.Transaction {
	return &v1alpha1.Transaction{
		ID:              text.AtMost(maxTransactionID, payment.TransactionID),
		Total:           payment.Total,
		Currency:        text.AtMost(16, paymentCurrency(payment)),
		CashTotal:       payment.CashTotal,
		CashCurrency:    text.AtMost(16, payment.CashCurrency),
		SettlementTotal: payment.SettlementTotal,
		CouponTotal:     payment.CouponTotal,
		OpenID:          text.AtMost(128, payment.OpenID),
		SubOpenID:       text.AtMost(128, payment.SubOpenID),
		BankType:        text.AtMost(32, payment.BankType),
		PaidTime:        statusTime(payment.PaidTime),
	}
}

// PreparedProtocol returns the protocol that an Order was prepared with, which it keeps for what its
// payer needs. It is empty while the Order has no prepay: then the Merchant's is taken.
func PreparedProtocol(order *v1alpha1.Order) v1alpha1.Protocol {
	prepay := order.Status.Prepay
	if prepay == nil || prepay.ID == "" && prepay.CodeURL == "" && prepay.MWEBURL == "" {
		return "" // not all of them come with each trade type
	}
	// Orders that were prepared before there was a second protocol do not say it.
	return cmp.Or(prepay.Protocol, v1alpha1.ProtocolV2)
}

// PreparedScheme is the algorithm that an Order was prepared with, or that of its Merchant where none is recorded.
func PreparedScheme(order *v1alpha1.Order, merchant *v1alpha1.Merchant) wechatpay.Scheme {
	if prepay := order.Status.Prepay; prepay != nil && prepay.SignType != "" {
		return wechatpay.Scheme(prepay.SignType)
	}
	return wechatpay.Scheme(merchant.Spec.SignType)
}
