package lifecycle

import (
	"slices"
	"time"

	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/wechatpay-operator/wechatpay-operator/api/v1alpha1"
	"github.com/wechatpay-operator/wechatpay-operator/internal/text"
)

// PrepayLifetime is how long a prepay_id and a code_url are valid (chapter 9_1).
const PrepayLifetime = 2 * time.Hour

// IsPaid reports whether the Order was paid. Once true, it stays true.
func IsPaid(order *v1alpha1.Order) bool {
	return meta.IsStatusConditionTrue(order.Status.Conditions, v1alpha1.ConditionPaid)
}

// IsFinished reports whether the Order has ended: the condition Paid is True or False.
func IsFinished(order *v1alpha1.Order) bool {
	return IsPaid(order) || meta.IsStatusConditionFalse(order.Status.Conditions, v1alpha1.ConditionPaid)
}

// IsPrepared reports whether the payer can pay now.
func IsPrepared(order *v1alpha1.Order) bool {
	return meta.IsStatusConditionTrue(order.Status.Conditions, v1alpha1.ConditionPrepared)
}

// FinishedTime returns when the Order ended; zero if it has not.
func FinishedTime(order *v1alpha1.Order) time.Time {
	if !IsFinished(order) {
		return time.Time{}
	}
	return Condition(order.Status.Conditions, v1alpha1.ConditionPaid).LastTransitionTime.Time
}

// PaidReason returns the reason of the condition Paid.
func PaidReason(order *v1alpha1.Order) string {
	return Condition(order.Status.Conditions, v1alpha1.ConditionPaid).Reason
}

// PreparedReason returns the reason of the condition Prepared.
func PreparedReason(order *v1alpha1.Order) string {
	return Condition(order.Status.Conditions, v1alpha1.ConditionPrepared).Reason
}

// MayBeAtWeChat reports whether a CreateOrder call has an unknown outcome, so that WeChat Pay may
// have the order although the status has no prepay.
func MayBeAtWeChat(order *v1alpha1.Order) bool {
	return isInDoubt(PreparedReason(order))
}

// Started reports whether, judging by the status, WeChat Pay may have the order. Only a started
// Order can be paid, because the payer pays with status.prepay. The finalizer proves nothing:
// anyone can create an Order with it.
func Started(order *v1alpha1.Order) bool {
	return order.Status.Prepay != nil || MayBeAtWeChat(order) || IsUsedAtWeChat(order)
}

// IsUsedAtWeChat reports whether WeChat Pay has the number with other parameters and no object in
// the cluster owns it. This lasts until the Order ends, unless WeChat Pay accepts its parameters
// after all or another Order turns out to own the number.
func IsUsedAtWeChat(order *v1alpha1.Order) bool {
	return PreparedReason(order) == v1alpha1.ReasonUsedAtWeChat
}

// PreparedSince returns when Prepared last changed its status.
func PreparedSince(order *v1alpha1.Order) time.Time {
	return Condition(order.Status.Conditions, v1alpha1.ConditionPrepared).LastTransitionTime.Time
}

// Begin sets the status fields that follow from the spec alone, and adds missing conditions.
func Begin(order *v1alpha1.Order, now time.Time) {
	order.Status.OutTradeNo = order.Number()
	order.Status.ExpireTime = new(metav1.NewTime(order.Deadline()))
	if PreparedReason(order) == "" {
		setOrder(order, now, v1alpha1.ConditionPrepared, metav1.ConditionUnknown, v1alpha1.ReasonPending, "WeChat Pay has not been asked yet")
	}
	if PaidReason(order) == "" {
		setOrder(order, now, v1alpha1.ConditionPaid, metav1.ConditionUnknown, v1alpha1.ReasonPending, notReadyToBePaid)
	}
}

// Prepared records what the payer's client needs to pay. It changes nothing if the Order is already
// finished, e.g. if the payment callback arrived before the CreateOrder result was recorded.
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

// RefreshAnswered marks a refresh request as handled although it produced no new prepay, so that it
// is not repeated forever.
func RefreshAnswered(order *v1alpha1.Order) {
	if order.Status.Prepay != nil {
		order.Status.Prepay.RefreshRequest = RefreshRequest(order)
	}
}

// RefreshRequest returns the refresh request in the annotation, truncated to what the status can
// hold.
func RefreshRequest(order *v1alpha1.Order) string {
	return text.AtMost(256, order.Annotations[v1alpha1.AnnotationRefreshPrepay])
}

// NeedsPrepay reports whether CreateOrder is due: there is no prepay, it is older than two hours,
// or a new one was requested.
func NeedsPrepay(order *v1alpha1.Order, now time.Time) bool {
	return !isUsable(order.Status.Prepay, now) || order.Status.Prepay.RefreshRequest != RefreshRequest(order)
}

func isUsable(prepay *v1alpha1.OrderPrepay, now time.Time) bool {
	return prepay != nil && prepay.ExpireTime != nil && now.Before(prepay.ExpireTime.Time)
}

// NotPrepared records why the payer can't pay. A failed refresh does not invalidate a usable
// prepay. An unknown outcome (a lost response, an unsigned refusal) stays until a response proves
// something: a later call that was never sent says nothing about the first one.
func NotPrepared(order *v1alpha1.Order, status metav1.ConditionStatus, reason, message string, now time.Time) {
	Begin(order, now)
	if IsFinished(order) || IsUsedAtWeChat(order) || isUsable(order.Status.Prepay, now) {
		return
	}
	if MayBeAtWeChat(order) && provesNothing(reason) {
		status = metav1.ConditionUnknown
		reason, message = stillUnknown(PreparedReason(order), reason, message)
	}
	setOrder(order, now, v1alpha1.ConditionPrepared, status, reason, message)
	showNotReady(order, now)
}

const notReadyToBePaid = "The order is not ready to be paid yet"

// showNotReady names the reason of Prepared in Paid, the only message that kubectl get prints. It is
// written together with Prepared, and keeps the notes.
func showNotReady(order *v1alpha1.Order, now time.Time) {
	shown := Condition(order.Status.Conditions, v1alpha1.ConditionPaid)
	if shown.Reason != v1alpha1.ReasonPending {
		return
	}
	n := notesOf(shown.Message)
	n.message = notReadyToBePaid
	if reason := PreparedReason(order); reason != v1alpha1.ReasonPending {
		n.message += "; see the condition Prepared: " + reason
	}
	setOrder(order, now, v1alpha1.ConditionPaid, shown.Status, shown.Reason, n.String())
}

// NotPreparedBy records the error of CreateOrder. It does not make the Order final: see Closed.
func NotPreparedBy(order *v1alpha1.Order, err error, now time.Time) {
	status, reason, message := Explain(err)
	NotPrepared(order, status, reason, message, now)
}

// UsedAtWeChat records that WeChat Pay has the number with other parameters and no object in the
// cluster owns it. It may be this Order's own number, from before a change of the Merchant or a
// restore, so the Order does not end.
func UsedAtWeChat(order *v1alpha1.Order, message string, now time.Time) {
	Begin(order, now)
	if IsFinished(order) || order.Status.Prepay != nil {
		return
	}
	setOrder(order, now, v1alpha1.ConditionPrepared, metav1.ConditionFalse, v1alpha1.ReasonUsedAtWeChat, message)
	showNotReady(order, now)
}

// ClosedAtWeChat records that WeChat Pay has the order and closed it, unpaid. If the Order has no
// prepay (it lost its status, or was closed before the prepay was recorded), an empty prepay marks
// it as started, so that it keeps its number: WeChat Pay never reuses a number.
func ClosedAtWeChat(order *v1alpha1.Order, attach, reason, message string, now time.Time) {
	if !IsFinished(order) && order.Status.Prepay == nil && !IsUsedAtWeChat(order) {
		order.Status.Prepay = &v1alpha1.OrderPrepay{Attach: attach}
	}
	Closed(order, reason, message, now)
}

// Closed records, finally, that the Order ended unpaid. The reason is Closed or Expired if it was
// closed at WeChat Pay or never made there, Rejected if WeChat Pay will never accept it, NumberInUse
// if its number belongs to another order. A paid Order stays paid.
func Closed(order *v1alpha1.Order, reason, message string, now time.Time) {
	Begin(order, now)
	if IsFinished(order) {
		return
	}
	if !IsUsedAtWeChat(order) || reason == v1alpha1.ReasonNumberInUse {
		setOrder(order, now, v1alpha1.ConditionPrepared, metav1.ConditionFalse, reason, message)
	}
	setOrder(order, now, v1alpha1.ConditionPaid, metav1.ConditionFalse, reason, message)
}

// Closing records that the order is to be closed, and why it is not closed yet.
func Closing(order *v1alpha1.Order, message string, now time.Time) {
	Begin(order, now)
	if IsFinished(order) || PaidReason(order) == v1alpha1.ReasonAmountMismatch {
		return
	}
	setOrder(order, now, v1alpha1.ConditionPaid, metav1.ConditionUnknown, v1alpha1.ReasonClosing, message)
}

// Refunded adds succeeded Refunds to status.refunded, by number. Entries are never removed: the
// object of a finished Refund may be deleted, but its amount stays refunded.
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
			return // WeChat Pay allows no more per order
		}
		remembered.Refunds = append(remembered.Refunds, v1alpha1.RefundedItem{OutRefundNo: refunds[i].Number(), Amount: refunds[i].Spec.Amount})
		remembered.Total += refunds[i].Spec.Amount
		remembered.Count++
	}
}

// HasRefunded reports whether status.refunded contains the refund.
func HasRefunded(order *v1alpha1.Order, outRefundNo string) bool {
	return order.Status.Refunded != nil && slices.ContainsFunc(order.Status.Refunded.Refunds, func(item v1alpha1.RefundedItem) bool {
		return item.OutRefundNo == outRefundNo
	})
}

func setOrder(order *v1alpha1.Order, now time.Time, kind string, status metav1.ConditionStatus, reason, message string) {
	set(&order.Status.Conditions, order.Generation, now, kind, status, reason, message)
}
