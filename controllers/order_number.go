package controllers

import (
	"context"
	"fmt"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/wechatpay-operator/wechatpay-operator/api/v1alpha1"
	"github.com/wechatpay-operator/wechatpay-operator/internal/account"
	"github.com/wechatpay-operator/wechatpay-operator/internal/claims"
	"github.com/wechatpay-operator/wechatpay-operator/internal/lifecycle"
	"github.com/wechatpay-operator/wechatpay-operator/internal/wechatpay"
)

// claimNumber checks that the Order owns its number before its first call. A started Order owns its
// number; that is checked again before a payment is recorded.
func (r *OrderReconciler) claimNumber(ctx context.Context, o *order) progress {
	if lifecycle.Started(o.Order) {
		return next()
	}
	owner, err := r.Claims.OwnerOfOrder(ctx, o.Order, o.merchant)
	if err != nil {
		return failed(err)
	}
	switch {
	case owner.UID == o.UID:
		return next()
	case hideOwner(o.merchant, o.Namespace, owner.Namespace):
		return r.waitForProof(ctx, o)
	case claims.IsDecided(owner) || isDeleted(o):
		return r.loseNumber(ctx, o, numberOwnedBy(o.Order, owner)+". WeChat Pay was not asked")
	default:
		return r.waitForNumber(ctx, o)
	}
}

// waitForNumber handles an Order after an older one whose number WeChat has not confirmed yet.
// After a restore without status the operator does not know which of them used the number, and
// WeChat's first answer about the older one decides it. So this one does not end before.
func (r *OrderReconciler) waitForNumber(ctx context.Context, o *order) progress {
	return r.showPending(ctx, o, fmt.Sprintf("An older Order of the same merchant number comes first for the number %s, and WeChat Pay has not said yet whose it is. "+
		"Then this Order goes on or ends; if that takes long, create another Order with another name or spec.outTradeNo", o.Number()), min(r.retries.next(o.UID), r.Timing.SecretsCheck))
}

// showPending shows what an Order waits for before its first call, and retries after a wait.
func (r *OrderReconciler) showPending(ctx context.Context, o *order, message string, wait time.Duration) progress {
	err := r.recordNotPrepared(ctx, o, metav1.ConditionUnknown, v1alpha1.ReasonPending, message)
	return afterWrite(err, again(wait))
}

// recordNotPrepared records why the payer can't pay.
func (r *OrderReconciler) recordNotPrepared(ctx context.Context, o *order, status metav1.ConditionStatus, reason, message string) error {
	return r.record(ctx, o, func(order *v1alpha1.Order) { lifecycle.NotPrepared(order, status, reason, message, r.Clock.Now()) })
}

// hideOwner reports whether the owner of a number in another namespace must not be shown to an
// object, because WeChat has not accepted the key of its Merchant. Otherwise anyone could name a
// shop's merchant number and find its numbers by trying them.
func hideOwner(of *v1alpha1.Merchant, namespace, ownerNamespace string) bool {
	return namespace != ownerNamespace && !account.IsProven(of)
}

// keyNotAcceptedMessage is the message of what waits for a key, whether its number is used or not.
func keyNotAcceptedMessage(of *v1alpha1.Merchant) string {
	return fmt.Sprintf("WeChat Pay has not accepted the key of Merchant %s yet, and no call is made before: see the Merchant's condition Ready", of.Name)
}

// waitForProof delays an Order until WeChat has accepted its Merchant's key, which starts the next
// reconcile.
func (r *OrderReconciler) waitForProof(ctx context.Context, o *order) progress {
	if reason, why := r.closeReason(o); reason != "" {
		return r.endUnpaid(ctx, o, reason, why+"; WeChat Pay was not asked")
	}
	return r.showPending(ctx, o, keyNotAcceptedMessage(o.merchant), min(r.Timing.SecretsCheck, max(o.Deadline().Sub(r.Clock.Now()), time.Second)))
}

// numberOwnedBy describes the owner of the number. It names the owner only within the namespace.
func numberOwnedBy(order, owner *v1alpha1.Order) string {
	if owner.Namespace == order.Namespace {
		return fmt.Sprintf("The number %s belongs to Order %s of the same merchant number", order.Number(), owner.Name)
	}
	return fmt.Sprintf("The number %s belongs to an Order in another namespace with the same merchant number", order.Number())
}

// beginCall records that the first call is about to be made, so that no other Order takes the
// number before its answer is recorded.
func (r *OrderReconciler) beginCall(o *order) bool {
	return lifecycle.Started(o.Order) || r.Claims.BeginOrder(o.Order, o.merchant)
}

// awaitOtherCall handles an Order whose number may be used by a call of another object, such as a
// deleted one with the same name.
func (r *OrderReconciler) awaitOtherCall(ctx context.Context, o *order) progress {
	return r.showPending(ctx, o, fmt.Sprintf("A call for the number %s by an object that is gone may still be in flight; this Order is sent within two minutes", o.Number()), r.Timing.RetryFirst)
}

// loseNumber records, finally, that the number belongs to another order.
func (r *OrderReconciler) loseNumber(ctx context.Context, o *order, why string) progress {
	if lifecycle.IsFinished(o.Order) {
		return r.lateCheckDone(o, true) // it has ended already
	}
	return r.endUnpaid(ctx, o, v1alpha1.ReasonNumberInUse, why+". Create another Order with another name or spec.outTradeNo")
}

// ownsPayment goes on if the Order may record a payment, and ends the reconcile otherwise.
func (r *OrderReconciler) ownsPayment(ctx context.Context, o *order, transactionID string) progress {
	if lifecycle.IsPaid(o.Order) {
		return next()
	}
	holder, err := r.Claims.HolderOfPayment(ctx, o.Order, o.merchant, transactionID)
	if err != nil {
		return failed(err)
	}
	if holder != nil {
		return r.loseNumber(ctx, o, numberOwnedBy(o.Order, holder))
	}
	return r.ownsNumber(ctx, o)
}

// ownsNumber goes on if the Order owns its number, and ends the reconcile otherwise.
func (r *OrderReconciler) ownsNumber(ctx context.Context, o *order) progress {
	if lifecycle.IsPaid(o.Order) {
		return next()
	}
	owner, err := r.Claims.OwnerOfOrder(ctx, o.Order, o.merchant)
	switch {
	case err != nil:
		return failed(err)
	case owner.UID == o.UID:
		return next()
	case claims.IsDecided(owner):
		return r.loseNumber(ctx, o, numberOwnedBy(o.Order, owner))
	case isDeleted(o) && r.Clock.Since(o.DeletionTimestamp.Time) > r.Timing.AbandonAtLast:
		return r.abandonFinalizer(ctx, o, "another Order of the number comes first, and WeChat Pay has not said whose it is")
	default:
		end := r.waitForNumber(ctx, o)
		r.closeHoldoffs.until(o, r.Clock.Now().Add(r.Timing.CloseRetry)) // no query about it meanwhile
		return end
	}
}

// otherPayment handles a payment that WeChat reports for the number but that is not this Order's.
// The status shows nothing about it.
func (r *OrderReconciler) otherPayment(ctx context.Context, o *order, attach string) progress {
	switch {
	case lifecycle.PaidReason(o.Order) == v1alpha1.ReasonNumberInUse:
		return done()
	case o.Status.Prepay != nil:
		return r.showOtherAttach(ctx, o) // WeChat returned a prepay for this object, so one contradicting answer ends nothing
	case lifecycle.NamesAnotherNamespace(attach, o.Order):
		return r.loseNumber(ctx, o, fmt.Sprintf("WeChat Pay has the number %s for an Order in another namespace", o.Number()))
	}
	if shown := r.usedAtWeChat(ctx, o); shown.stop {
		return shown
	}
	return r.pause(o, r.Timing.RetrySlowly)
}

// showOtherAttach handles a contradiction: WeChat returned a prepay for this object, and now
// reports the number with another attach. It is shown and queried again, and does not end the
// Order.
func (r *OrderReconciler) showOtherAttach(ctx context.Context, o *order) progress {
	err := r.record(ctx, o, func(order *v1alpha1.Order) {
		lifecycle.PaymentDiffers(order, "WeChat Pay reports a payment of the number with another attach than this Order sent. The Order does not count as paid: compare with the merchant platform", r.Clock.Now())
	})
	if err != nil {
		return stoppedBy(err)
	}
	return r.closeLater(o, r.Timing.RetrySlowly)
}

// isOurs reports whether the order that WeChat has under the number is this Order's: WeChat
// returned a prepay for this object, or reports the attach that this Order sends. Anything else may
// belong to another tenant or system, whatever its state.
func isOurs(o *order, trade wechatpay.Trade) bool {
	return o.Status.Prepay != nil || trade.Attach == o.payee.Attach
}

// numberUsed handles a number that WeChat has with other parameters than this Order sends: another
// Order owns it, or one of another namespace had it, or its owner is unknown.
func (r *OrderReconciler) numberUsed(ctx context.Context, o *order, trade wechatpay.Trade) progress {
	if !isOurs(o, trade) && lifecycle.NamesAnotherNamespace(trade.Attach, o.Order) {
		return r.loseNumber(ctx, o, fmt.Sprintf("WeChat Pay has the number %s for an Order in another namespace", o.Number()))
	}
	if end := r.ownsNumber(ctx, o); end.stop {
		return end
	}
	return r.usedAtWeChat(ctx, o)
}

const usedAtWeChatMessage = "WeChat Pay has the number %s with other parameters, and no other Order that may use this merchant number is known to own it. If it is this Order from before a change, what may differ is the callback address " +
	"(spec.notifyBaseURL of the Merchant or --notify-base-url, and the Merchant's name and namespace), the Merchant's signType or protocol, or the spec itself: set them as they were, and it is prepared again. " +
	"Otherwise create another Order with another name or spec.outTradeNo. The operator queries it until it expires, and never closes it"

// usedAtWeChat shows that the number is used, and keeps polling: the payment may be this Order's.
func (r *OrderReconciler) usedAtWeChat(ctx context.Context, o *order) progress {
	err := r.record(ctx, o, func(order *v1alpha1.Order) {
		lifecycle.UsedAtWeChat(order, fmt.Sprintf(usedAtWeChatMessage, order.Number()), r.Clock.Now())
	})
	if err != nil {
		return stoppedBy(err)
	}
	r.callHoldoffs.until(o, r.Clock.Now().Add(r.Timing.RetrySlowly))
	return next() // to the poll
}
