package controllers

import (
	"context"
	"errors"
	"fmt"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/wechatpay-operator/wechatpay-operator/api/v1alpha1"
	"github.com/wechatpay-operator/wechatpay-operator/internal/lifecycle"
	"github.com/wechatpay-operator/wechatpay-operator/internal/miniprogram"
	"github.com/wechatpay-operator/wechatpay-operator/internal/wechatpay"
	"github.com/wechatpay-operator/wechatpay-operator/internal/weixin"
)

// upload asks WeChat what it has before it uploads. So a lost answer does not lead to a second
// upload, which would use up the one correction that WeChat allows. If a Shipment of the Order was
// already uploaded as the last one, this one is only compared: after a restore the Shipments may
// have been applied in another order.
func (r *ShipmentReconciler) upload(ctx context.Context, s *shipment) progress {
	shipping := miniprogram.Shipping(s.Shipment, s.order, s.merchant, s.others)
	known, err := s.account.GetOrder(ctx, shipping.Order)
	if err != nil {
		return r.failed(ctx, s, err)
	}
	if end := r.compare(ctx, s, shipping, known, false); end.stop {
		return end
	}
	r.firstAnswers.clear(s.UID)
	if s.last != "" {
		return r.ended(ctx, s, v1alpha1.ReasonRejected, fmt.Sprintf(
			"WeChat does not have it, and it was not uploaded: Shipment %s was uploaded before it as the last one of the Order (complete: true). "+
				"To change what WeChat has, which it accepts once, delete both and create one with everything", s.last), known)
	}
	// WeChat has parts of this delivery whose Shipments may be gone: the split delivery is
	// continued.
	shipping.Split = shipping.Split || !known.Complete && len(known.Parcels) > 0
	err = s.account.UploadShipping(ctx, shipping)
	switch {
	case err == nil:
		return r.uploaded(ctx, s, v1alpha1.ReasonUploaded, "WeChat has the shipping information", shipping, stateAfter(shipping))
	case weixin.Means(err, weixin.AlreadyShipped), weixin.Means(err, weixin.NotShippable), weixin.Means(err, weixin.NothingLeft):
		return r.queryAfterRefusal(ctx, s, shipping, err)
	default:
		return r.failed(ctx, s, err)
	}
}

func stateAfter(shipping weixin.Shipping) string {
	if shipping.Complete {
		return stateNames[weixin.StateShipped]
	}
	return stateNames[weixin.StateToShip]
}

// stateNames are the names of WeChat's states in status.weChatState.
var stateNames = map[weixin.OrderState]string{
	weixin.StateToShip: "ToShip", weixin.StateShipped: "Shipped", weixin.StateConfirmed: "Confirmed", weixin.StateCompleted: "Completed",
	weixin.StateRefunded: "Refunded", weixin.StateSettlementPending: "SettlementPending",
}

func stateName(state weixin.OrderState) string {
	if name, known := stateNames[state]; known {
		return name
	}
	return fmt.Sprintf("State%d", state)
}

// compare ends the reconcile if what WeChat has leaves nothing to upload, and goes on otherwise.
// refused says that WeChat has refused the upload for the state of the order.
//
// Answers of this API are not signed. An answer that names the payment and all parcels proves that
// WeChat has them. An answer that only states a final state could be wrong, so it needs a second
// confirmation (notShippable).
func (r *ShipmentReconciler) compare(ctx context.Context, s *shipment, shipping weixin.Shipping, known weixin.Order, refused bool) progress {
	switch {
	case s.order.Status.Transaction != nil && known.TransactionID != s.order.Status.Transaction.ID:
		return r.failed(ctx, s, &weixin.Error{Operation: weixin.OperationGetOrder, Outcome: wechatpay.Unknown, Meaning: weixin.Repeat,
			Err: errors.New("GetOrder: the answer is about another payment")})
	case known.Has(shipping):
		return r.uploaded(ctx, s, v1alpha1.ReasonAlreadyShipped, "WeChat has this shipping information already", shipping, stateName(known.State))
	case known.State == weixin.StateRefunded:
		return r.notShippable(ctx, s, "WeChat says that the order is refunded, so nothing is shipped any more", known, refused || isRefunded(s.order))
	case known.State >= weixin.StateConfirmed:
		return r.notShippable(ctx, s, fmt.Sprintf(
			"WeChat accepts no more shipping information for this order: its state at WeChat is %s, and the shipping information there differs from this", stateName(known.State)), known, refused)
	default:
		return next()
	}
}

// isRefunded reports whether all that was paid went back, by the Refunds of the Order.
func isRefunded(order *v1alpha1.Order) bool {
	return order.Status.Refunded != nil && order.Status.Refunded.Total >= order.Spec.Amount.Total
}

// notShippable ends a Shipment if there is a second witness: the refusal of the upload, the Order's
// own Refunds, or the same answer at least a minute ago. The first answer is in memory only: after a
// restart two are needed again.
func (r *ShipmentReconciler) notShippable(ctx context.Context, s *shipment, message string, known weixin.Order, witnessed bool) progress {
	now := r.Clock.Now()
	wait := r.firstAnswers.setIfUnknown(s.UID, now).Add(r.Timing.SecondAnswer).Sub(now)
	if witnessed || wait <= 0 {
		return r.ended(ctx, s, v1alpha1.ReasonNotShippable, message, known)
	}
	return r.show(ctx, s, metav1.ConditionFalse, v1alpha1.ReasonRefused, message+". The operator asks once more before this is final", r.later(s, wait))
}

// queryAfterRefusal asks WeChat what it has after it refused an upload, and ends the Shipment by that.
func (r *ShipmentReconciler) queryAfterRefusal(ctx context.Context, s *shipment, shipping weixin.Shipping, refused error) progress {
	known, err := s.account.GetOrder(ctx, shipping.Order)
	if err != nil {
		return r.failed(ctx, s, err)
	}
	if end := r.compare(ctx, s, shipping, known, weixin.Means(refused, weixin.NotShippable)); end.stop {
		return end
	}
	switch {
	case weixin.Means(refused, weixin.NotShippable): // too early, for one
		return r.failed(ctx, s, refused)
	case !known.Complete:
		return r.failed(ctx, s, refused) // a contradiction ends nothing
	}
	return r.ended(ctx, s, v1alpha1.ReasonNothingLeft, fmt.Sprintf(
		"WeChat has other shipping information of this order, which stays: %v. Change it in mp.weixin.qq.com if it is wrong", refused), known)
}

func (r *ShipmentReconciler) uploaded(ctx context.Context, s *shipment, reason, message string, shipping weixin.Shipping, state string) progress {
	ctx = withCallOutcome(ctx, weixin.OperationUploadShipping, nil)
	err := r.record(ctx, s, func(shipment *v1alpha1.Shipment) {
		lifecycle.Uploaded(shipment, reason, message, shipping.UploadTime, r.Clock.Now())
		shipment.Status.WeChatState = state
	})
	if err != nil {
		return stoppedBy(err)
	}
	r.forget(s.UID)
	return done()
}

func (r *ShipmentReconciler) ended(ctx context.Context, s *shipment, reason, message string, known weixin.Order) progress {
	err := r.record(ctx, s, func(shipment *v1alpha1.Shipment) {
		lifecycle.NotUploaded(shipment, metav1.ConditionFalse, reason, message, r.Clock.Now())
		shipment.Status.WeChatState = stateName(known.State)
	})
	if err != nil {
		return stoppedBy(err)
	}
	r.warn(s.Shipment, reason, "Upload", "%s", message)
	r.forget(s.UID)
	return done()
}

// failed shows why a call failed, and when it is repeated.
func (r *ShipmentReconciler) failed(ctx context.Context, s *shipment, err error) progress {
	failure := weixin.AsError(err)
	is := func(status metav1.ConditionStatus, reason, message string, wait time.Duration) progress {
		return r.show(withCallOutcome(ctx, failure.Operation, err), s, status, reason, message, r.later(s, wait))
	}
	switch failure.Meaning {
	case weixin.NotYetKnown:
		return r.notYetKnown(ctx, s, err)
	case weixin.CredentialsRejected, weixin.AddressNotAllowed, weixin.QuotaExhausted, weixin.TokenRejected:
		return is(metav1.ConditionFalse, v1alpha1.ReasonMiniProgramNotReady, r.problemOf(s, err.Error()), r.Timing.ProbeRejected)
	case weixin.Rejected:
		if failure.Operation == weixin.OperationUploadShipping {
			message := fmt.Sprintf("WeChat will never accept this shipping information: %v. Create a corrected Shipment", err)
			r.warn(s.Shipment, v1alpha1.ReasonRejected, "Upload", "%s", message)
			return r.show(ctx, s, metav1.ConditionFalse, v1alpha1.ReasonRejected, message, done())
		}
		fallthrough
	case weixin.NeedsAttention, weixin.NotShippable, weixin.NothingLeft, weixin.AlreadyShipped:
		return is(metav1.ConditionFalse, v1alpha1.ReasonRefused, fmt.Sprintf("WeChat refuses: %v. The operator tries again automatically", err), r.Timing.RetrySlowly)
	}
	wait := r.retries.next(s.UID)
	if failure.Outcome == wechatpay.Unknown && failure.Operation == weixin.OperationUploadShipping {
		return is(metav1.ConditionUnknown, v1alpha1.ReasonOutcomeUnknown, fmt.Sprintf(
			"%v. It is unknown whether WeChat has the shipping information; the operator asks, and repeats the same upload if it does not", err), wait)
	}
	return is(metav1.ConditionUnknown, v1alpha1.ReasonNotSent, fmt.Sprintf("%v. Nothing was uploaded yet; the operator tries again automatically", err), wait)
}

// notYetKnown waits for the payment to reach order shipping management, which takes up to a minute.
// What stays unknown for longer is asked for rarely.
func (r *ShipmentReconciler) notYetKnown(ctx context.Context, s *shipment, err error) progress {
	wait, hint := r.retries.next(s.UID), ""
	paid := lifecycle.Condition(s.order.Status.Conditions, v1alpha1.ConditionPaid).LastTransitionTime.Time
	if age := r.Clock.Since(paid); age > r.Timing.ShippingUnknown {
		wait = max(wait, min(age/4, time.Hour))
		hint = " It will never know it if the payment was made in the development version of the mini program, from an overseas wallet, or before the mini program got order shipping management; delete the Shipment then."
	}
	return r.show(ctx, s, metav1.ConditionUnknown, v1alpha1.ReasonNotYetKnown, fmt.Sprintf(
		"WeChat's order shipping management does not know the payment yet (%v), which can take a minute. The operator asks again automatically.%s", err, hint), r.later(s, wait))
}
