package lifecycle

import (
	"slices"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/wechatpay-operator/wechatpay-operator/api/v1alpha1"
	"github.com/wechatpay-operator/wechatpay-operator/internal/text"
	"github.com/wechatpay-operator/wechatpay-operator/internal/wechatpay"
)

// PrepayLifetime is how long a prepay_id and a code_url work (chapter 9_1).
const PrepayLifetime = 2 * time.Hour

// IsPaid says whether the Order was paid. Once true it stays true.
func IsPaid(order *v1alpha1.Order) bool {
	return statusOf(order.Status.Conditions, v1alpha1.ConditionPaid) == metav1.ConditionTrue
}

// IsFinished says whether nothing more is to be done to get the Order paid or closed.
func IsFinished(order *v1alpha1.Order) bool {
	return IsPaid(order) || statusOf(order.Status.Conditions, v1alpha1.ConditionPaid) == metav1.ConditionFalse
}

// IsPrepared says whether the payer can pay now.
func IsPrepared(order *v1alpha1.Order) bool {
	return statusOf(order.Status.Conditions, v1alpha1.ConditionPrepared) == metav1.ConditionTrue
}

// FinishedTime is when the Order was paid, closed, expired or rejected; zero if it was not.
func FinishedTime(order *v1alpha1.Order) time.Time {
	if !IsFinished(order) {
		return time.Time{}
	}
	return since(order.Status.Conditions, v1alpha1.ConditionPaid)
}

// PaidReason is the reason of the condition Paid.
func PaidReason(order *v1alpha1.Order) string {
	return reasonOf(order.Status.Conditions, v1alpha1.ConditionPaid)
}

// PreparedReason is the reason of the condition Prepared.
func PreparedReason(order *v1alpha1.Order) string {
	return reasonOf(order.Status.Conditions, v1alpha1.ConditionPrepared)
}

// MayBeAtWeChat says whether a call was made whose answer is not known for sure, so that WeChat may have the order
// although we hold no prepay.
func MayBeAtWeChat(order *v1alpha1.Order) bool {
	switch PreparedReason(order) {
	case v1alpha1.ReasonOutcomeUnknown, v1alpha1.ReasonRefused:
		return true
	default:
		return false
	}
}

// Started says whether, as far as the status tells, WeChat may have the order. Only what was started can be paid: the payer
// pays with what stands in status.prepay. The finalizer does not tell it: anybody may create an Order with it.
func Started(order *v1alpha1.Order) bool {
	return order.Status.Prepay != nil || MayBeAtWeChat(order) || IsUsedAtWeChat(order)
}

// IsUsedAtWeChat says whether WeChat has the number with other parameters, and no object of ours owns it. It stays so to the
// end of the Order, unless WeChat takes its parameters after all, or another Order turns out to own the number.
func IsUsedAtWeChat(order *v1alpha1.Order) bool {
	return PreparedReason(order) == v1alpha1.ReasonUsedAtWeChat
}

// PreparedSince is when Prepared last changed its status.
func PreparedSince(order *v1alpha1.Order) time.Time {
	return since(order.Status.Conditions, v1alpha1.ConditionPrepared)
}

// Begin fills in what follows from the spec alone, and the conditions that are not there yet.
func Begin(order *v1alpha1.Order, now time.Time) {
	status := &order.Status
	status.OutTradeNo = order.Number()
	deadline := metav1.NewTime(order.Deadline())
	status.ExpireTime = &deadline
	if PreparedReason(order) == "" {
		setOrder(order, now, v1alpha1.ConditionPrepared, metav1.ConditionUnknown, v1alpha1.ReasonPending, "WeChat Pay has not been asked yet")
	}
	if PaidReason(order) == "" {
		setOrder(order, now, v1alpha1.ConditionPaid, metav1.ConditionUnknown, v1alpha1.ReasonPending, "The order is not ready to be paid yet")
	}
}

// Prepared records what the payer's client needs to pay. It changes nothing when the Order is finished by now, as when a
// callback was faster than the answer to unifiedorder was recorded.
func Prepared(order *v1alpha1.Order, prepay v1alpha1.OrderPrepay, now time.Time) {
	Begin(order, now)
	if IsFinished(order) {
		return
	}
	order.Status.Prepay = &prepay
	setOrder(order, now, v1alpha1.ConditionPrepared, metav1.ConditionTrue, v1alpha1.ReasonPrepared, "The payer can pay now")
	if PaidReason(order) == v1alpha1.ReasonPending {
		setOrder(order, now, v1alpha1.ConditionPaid, metav1.ConditionUnknown, v1alpha1.ReasonAwaitingPayment, waitingForThePayer)
	}
}

// RefreshAnswered records that a wish for a new prepay was dealt with although none came of it, so that it is not
// repeated for ever.
func RefreshAnswered(order *v1alpha1.Order) {
	if order.Status.Prepay != nil {
		order.Status.Prepay.RefreshRequest = RefreshRequest(order)
	}
}

// RefreshRequest is the wish for a new prepay that stands in the annotation, cut to what the status can hold.
func RefreshRequest(order *v1alpha1.Order) string {
	wish := order.Annotations[v1alpha1.AnnotationRefreshPrepay]
	return text.AtMost(256, wish)
}

// NeedsPrepay says whether unifiedorder is due: there is no prepay yet, it is older than two hours, or somebody wished
// for a new one.
func NeedsPrepay(order *v1alpha1.Order, now time.Time) bool {
	prepay := order.Status.Prepay
	switch {
	case prepay == nil:
		return true
	case prepay.ExpireTime == nil || !now.Before(prepay.ExpireTime.Time):
		return true
	default:
		return prepay.RefreshRequest != RefreshRequest(order)
	}
}

// NotPrepared records why the payer can't pay. A prepay that still works is not talked down by a failed refresh, and a
// doubt (a lost answer, an unsigned refusal) stays until an answer that proves something comes: a later call that was never
// sent tells nothing about the first.
func NotPrepared(order *v1alpha1.Order, status metav1.ConditionStatus, reason, message string, now time.Time) {
	Begin(order, now)
	if IsFinished(order) || IsUsedAtWeChat(order) {
		return
	}
	if prepay := order.Status.Prepay; prepay != nil && prepay.ExpireTime != nil && now.Before(prepay.ExpireTime.Time) {
		return
	}
	if MayBeAtWeChat(order) && provesNothing(reason) {
		status = metav1.ConditionUnknown
		reason, message = stillUnknown(PreparedReason(order), reason, message)
	}
	setOrder(order, now, v1alpha1.ConditionPrepared, status, reason, message)
}

// NotPreparedBy records the error of unifiedorder. It does not decide what is final: see Rejected.
func NotPreparedBy(order *v1alpha1.Order, err error, now time.Time) {
	status, reason, message := Explain(err)
	NotPrepared(order, status, reason, message, now)
}

// UsedAtWeChat records that WeChat has the number with other parameters, while no object here owns it. It may be this Order's
// own, from a time before a change of the Merchant or a restore, so it is not the end.
func UsedAtWeChat(order *v1alpha1.Order, message string, now time.Time) {
	Begin(order, now)
	if IsFinished(order) || order.Status.Prepay != nil {
		return
	}
	setOrder(order, now, v1alpha1.ConditionPrepared, metav1.ConditionFalse, v1alpha1.ReasonUsedAtWeChat, message)
}

// Rejected records that WeChat will never take this order.
func Rejected(order *v1alpha1.Order, message string, now time.Time) {
	end(order, v1alpha1.ReasonRejected, message, now)
}

// NumberLost records, finally, that the number belongs to another order. An Order that is paid stays so.
func NumberLost(order *v1alpha1.Order, message string, now time.Time) {
	end(order, v1alpha1.ReasonNumberInUse, message, now)
}

// Closed records that the order was closed at WeChat, unpaid. The reason is Closed or Expired.
func Closed(order *v1alpha1.Order, reason, message string, now time.Time) {
	end(order, reason, message, now)
}

// ClosedAtWeChat records that WeChat has the order, and has closed it, unpaid. An Order that was not told its prepay, since it lost its
// status or was closed before, has begun all the same and keeps its number: WeChat never gives it anew.
func ClosedAtWeChat(order *v1alpha1.Order, attach, reason, message string, now time.Time) {
	if !IsFinished(order) && order.Status.Prepay == nil && !IsUsedAtWeChat(order) {
		order.Status.Prepay = &v1alpha1.OrderPrepay{Attach: attach}
	}
	end(order, reason, message, now)
}

func end(order *v1alpha1.Order, reason, message string, now time.Time) {
	Begin(order, now)
	if IsFinished(order) {
		return
	}
	if !IsUsedAtWeChat(order) || reason == v1alpha1.ReasonNumberInUse {
		setOrder(order, now, v1alpha1.ConditionPrepared, metav1.ConditionFalse, reason, message)
	}
	setOrder(order, now, v1alpha1.ConditionPaid, metav1.ConditionFalse, reason, message)
}

// Closing shows that the order is to be closed and why it is not yet.
func Closing(order *v1alpha1.Order, message string, now time.Time) {
	Begin(order, now)
	if IsFinished(order) || PaidReason(order) == v1alpha1.ReasonAmountMismatch {
		return
	}
	setOrder(order, now, v1alpha1.ConditionPaid, metav1.ConditionUnknown, v1alpha1.ReasonClosing, message)
}

// Refunded adds the Refunds that succeeded to those that the Order remembers, by their numbers. Nothing is ever taken away:
// the object of a finished Refund may be deleted, what it paid back stays paid back.
func Refunded(order *v1alpha1.Order, refunds []v1alpha1.Refund) {
	remembered := order.Status.Refunded
	for i := range refunds {
		if !RefundSucceeded(&refunds[i]) || HasRefunded(order, refunds[i].Number()) {
			continue
		}
		if remembered == nil {
			remembered = &v1alpha1.Refunded{}
			order.Status.Refunded = remembered
		}
		if len(remembered.Refunds) >= MaxRefunds {
			return // more than WeChat makes of one order
		}
		remembered.Refunds = append(remembered.Refunds, v1alpha1.RefundedItem{OutRefundNo: refunds[i].Number(), Amount: refunds[i].Spec.Amount})
		remembered.Total += refunds[i].Spec.Amount
		remembered.Count++
	}
}

// HasRefunded says whether the Order remembers a refund.
func HasRefunded(order *v1alpha1.Order, outRefundNo string) bool {
	return order.Status.Refunded != nil && slices.ContainsFunc(order.Status.Refunded.Refunds, func(item v1alpha1.RefundedItem) bool {
		return item.OutRefundNo == outRefundNo
	})
}

func setOrder(order *v1alpha1.Order, now time.Time, kind string, status metav1.ConditionStatus, reason, message string) {
	set(&order.Status.Conditions, order.Generation, now, kind, status, reason, message)
}

// JSAPI turns signed parameters into the status's spelling.
func JSAPI(p wechatpay.JSAPIParameters) *v1alpha1.JSAPIParameters {
	return &v1alpha1.JSAPIParameters{AppID: p.AppID, TimeStamp: p.TimeStamp, NonceStr: p.NonceStr, Package: p.Package, SignType: p.SignType, PaySign: p.PaySign}
}

// App turns signed parameters into the status's spelling.
func App(p wechatpay.AppParameters) *v1alpha1.AppParameters {
	return &v1alpha1.AppParameters{AppID: p.AppID, PartnerID: p.PartnerID, PrepayID: p.PrepayID, Package: p.Package, NonceStr: p.NonceStr, Timestamp: p.Timestamp, Sign: p.Sign}
}
