package controllers

import (
	"context"
	"fmt"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/wechatpay-operator/wechatpay-operator/api/v1alpha1"
	"github.com/wechatpay-operator/wechatpay-operator/internal/account"
	"github.com/wechatpay-operator/wechatpay-operator/internal/lifecycle"
	"github.com/wechatpay-operator/wechatpay-operator/internal/wechatpay"
)

// queryIfTooLate queries before the first call of an Order that has little time left, or lost its
// status: WeChat would refuse a new order, but may have this one already.
func (r *OrderReconciler) queryIfTooLate(ctx context.Context, o *order) progress {
	now := r.Clock.Now()
	tooLate := o.Deadline().Sub(now) < r.Timing.MinimumLeft
	if lifecycle.Started(o.Order) || !tooLate {
		return next()
	}
	if wait := r.callHoldoffs.wait(o, now); wait > 0 {
		return again(wait)
	}
	trade, err := o.account.QueryOrder(ctx, o.ref())
	switch {
	case wechatpay.Means(err, wechatpay.OrderNotExist):
		if ends, wait := r.confirmedBySecondAnswer(o); !ends {
			return r.confirmTooLate(ctx, o, wait)
		}
		return r.endUnpaid(ctx, o, v1alpha1.ReasonExpired, "Too little time was left to pay (WeChat Pay wants 5 minutes), so the order was not created")
	case err != nil:
		return r.queryFailed(ctx, o, err)
	case !isOurs(o, trade):
		return r.numberUsed(ctx, o, trade)
	case trade.State.Paid() || trade.State.Closed():
		return r.applyTrade(ctx, o, trade)
	default:
		return next()
	}
}

// confirmTooLate queries once more, after a wait, before an answer that does not name the Order
// ends it.
func (r *OrderReconciler) confirmTooLate(ctx context.Context, o *order, wait time.Duration) progress {
	err := r.recordNotPrepared(ctx, o, metav1.ConditionUnknown, v1alpha1.ReasonPending,
		"Too little time is left to pay (WeChat Pay wants 5 minutes), so the order is not created. The operator asks WeChat Pay once more whether it has it from before")
	if err != nil {
		return stoppedBy(err)
	}
	return r.pause(o, wait)
}

// queryFailed shows that WeChat could not be queried. Nothing was ordered, so the outcome is not
// unknown.
func (r *OrderReconciler) queryFailed(ctx context.Context, o *order, cause error) progress {
	err := r.recordNotPrepared(withCallError(ctx, cause), o, metav1.ConditionUnknown, v1alpha1.ReasonPending,
		fmt.Sprintf("WeChat Pay could not be asked yet whether it has this order; the operator asks again. %v", cause))
	if err != nil {
		return stoppedBy(err)
	}
	r.callHoldoffs.until(o, r.Clock.Now().Add(r.waitAfter(o, cause)))
	return again(r.callHoldoffs.wait(o, r.Clock.Now()))
}

// prepare gets the first prepay of the Order, or a new one.
func (r *OrderReconciler) prepare(ctx context.Context, o *order) progress {
	if !lifecycle.NeedsPrepay(o.Order, r.Clock.Now()) || lifecycle.PaidReason(o.Order) == v1alpha1.ReasonAmountMismatch {
		return next()
	}
	if o.revoked != nil {
		return r.stopNewPrepay(ctx, o)
	}
	if !r.mayTryAgain(o) {
		return next() // to the poll
	}
	if wait := r.callHoldoffs.wait(o, r.Clock.Now()); wait > 0 {
		return again(wait)
	}
	if !r.beginCall(o) {
		return r.awaitOtherCall(ctx, o)
	}
	connection, err := o.account.In(lifecycle.PreparedProtocol(o.Order))
	if err != nil {
		return r.cannotRefresh(ctx, o, err)
	}
	answer, err := r.create(ctx, o, connection)
	if err != nil {
		return r.handleOrderError(ctx, o, err)
	}
	return r.recordPrepay(ctx, o, connection, answer)
}

// stopNewPrepay prevents a new prepay for an Order whose grant was removed. An existing one remains
// valid.
func (r *OrderReconciler) stopNewPrepay(ctx context.Context, o *order) progress {
	err := r.recordNotPrepared(ctx, o, metav1.ConditionFalse, v1alpha1.ReasonNotPermitted,
		o.revoked.Message+". What was started is followed to its end")
	return afterWrite(err, next()) // to the poll
}

// mayTryAgain reports whether to try again if WeChat accepts the parameters: periodically, and at
// once after a change of the Merchant.
func (r *OrderReconciler) mayTryAgain(o *order) bool {
	return !lifecycle.IsUsedAtWeChat(o.Order) || r.callHoldoffs.wait(o, r.Clock.Now()) <= 0
}

// create creates the order in a protocol.
func (r *OrderReconciler) create(ctx context.Context, o *order, connection *account.Connection) (wechatpay.Prepay, error) {
	r.deleted.note(o)
	answer, err := connection.CreateOrder(ctx, lifecycle.OrderRequest(o.Order, o.merchant, connection.PaymentNotifyURL))
	if err == nil {
		err = r.checkPrepayIsNew(ctx, o, answer)
	}
	if err != nil {
		r.forgetIfNotCreated(o, err)
	}
	return answer, err
}

func (r *OrderReconciler) recordPrepay(ctx context.Context, o *order, connection *account.Connection, answer wechatpay.Prepay) progress {
	prepay := r.prepayOf(o, connection, answer)
	err := r.record(withCallOutcome(ctx, wechatpay.OperationCreateOrder, nil), o, func(order *v1alpha1.Order) { lifecycle.Prepared(order, prepay, r.Clock.Now()) })
	if err != nil {
		return r.stoppedDuringCreate(ctx, o, err)
	}
	r.deleted.forget(o.Order) // from now on a payer may have the prepay: if the object is lost, it is applied again
	r.retries.forget(o.UID)
	r.callHoldoffs.clear(o.UID)
	return next()
}

// cannotRefresh shows why the prepay can't be refreshed: only the protocol that created the order
// can do that, and its credentials can't be used. Queries, closing and refunds use the Merchant's
// protocol and go on.
func (r *OrderReconciler) cannotRefresh(ctx context.Context, o *order, cause error) progress {
	problem, ok := account.AsProblem(cause)
	if !ok {
		return failed(cause)
	}
	message := problem.Message
	if o.merchant.Namespace != o.Namespace {
		message = fmt.Sprintf("Merchant %s in namespace %s can't be used in the protocol in which the order was made (%s); its owner can see the cause", o.merchant.Name, o.merchant.Namespace, problem.Reason)
	}
	if err := r.recordNotPrepared(ctx, o, metav1.ConditionFalse, v1alpha1.ReasonMerchantNotReady, message); err != nil {
		return stoppedBy(err)
	}
	r.callHoldoffs.until(o, r.Clock.Now().Add(r.Timing.SecretsCheck))
	return next() // to the poll
}

func (r *OrderReconciler) prepayOf(o *order, connection *account.Connection, answer wechatpay.Prepay) v1alpha1.OrderPrepay {
	now := r.Clock.Now()
	expires := metav1.NewTime(now.Add(r.Timing.PrepayLifetime))
	request := lifecycle.OrderRequest(o.Order, o.merchant, connection.PaymentNotifyURL)
	return v1alpha1.OrderPrepay{
		ID: answer.ID, ExpireTime: &expires, CodeURL: answer.CodeURL, MWEBURL: answer.MWEBURL, JSAPI: answer.JSAPI, App: answer.App,
		Protocol: connection.Protocol, SignType: v1alpha1.SignType(answer.Scheme), NotifyURL: request.NotifyURL, Attach: request.Attach,
		RefreshRequest: lifecycle.RefreshRequest(o.Order),
	}
}

// handleOrderError handles an error of CreateOrder. Only a verified answer ends the Order.
func (r *OrderReconciler) handleOrderError(ctx context.Context, o *order, err error) progress {
	switch {
	case wechatpay.Means(err, wechatpay.OrderPaid, wechatpay.OrderClosed, wechatpay.NumberUsed, wechatpay.StateConflict):
		return r.queryState(ctx, o, err)
	case wechatpay.Means(err, wechatpay.Rejected) && o.Status.Prepay == nil:
		return r.queryBeforeReject(ctx, o, err)
	default:
		return r.notPreparedBy(ctx, o, err)
	}
}

// queryBeforeReject ends an Order that WeChat will never accept, unless WeChat has it from an
// earlier call whose answer or recorded status was lost.
func (r *OrderReconciler) queryBeforeReject(ctx context.Context, o *order, cause error) progress {
	trade, err := o.account.QueryOrder(ctx, o.ref())
	switch {
	case wechatpay.Means(err, wechatpay.OrderNotExist) && !r.mayStillArrive(o):
		if ends, wait := r.confirmedBySecondAnswer(o); !ends {
			if err := r.record(withCallError(ctx, cause), o, func(order *v1alpha1.Order) { lifecycle.NotPreparedBy(order, cause, r.Clock.Now()) }); err != nil {
				return stoppedBy(err)
			}
			return r.pause(o, wait)
		}
		_, _, message := lifecycle.Explain(cause)
		return r.endUnpaid(withCallError(ctx, cause), o, v1alpha1.ReasonRejected, message)
	case err == nil && !isOurs(o, trade):
		return r.numberUsed(ctx, o, trade)
	case err == nil && (trade.State.Paid() || trade.State.Closed()):
		return r.applyTrade(ctx, o, trade)
	default:
		return r.notPreparedBy(ctx, o, cause)
	}
}

// queryState handles an answer that says that the order exists in another state: the result of
// QueryOrder decides.
func (r *OrderReconciler) queryState(ctx context.Context, o *order, cause error) progress {
	trade, err := o.account.QueryOrder(ctx, o.ref())
	if err != nil {
		if shown := r.showPoll(ctx, o, trade, err); shown != nil { // also where the payer has a prepay that works
			return stoppedBy(shown)
		}
		// An answer that contradicts the query is trusted when both agree; until then the order may
		// exist.
		return r.notPreparedBy(ctx, o, &wechatpay.Error{Operation: wechatpay.OperationCreateOrder, Outcome: wechatpay.Unknown, Meaning: wechatpay.Repeat, Err: cause})
	}
	if !isOurs(o, trade) {
		return r.numberUsed(ctx, o, trade)
	}
	if trade.State.Paid() || trade.State.Closed() {
		return r.applyTrade(ctx, o, trade)
	}
	if o.Status.Prepay != nil {
		// The order is open at WeChat with the same parameters; status.prepay remains valid.
		if err := r.record(ctx, o, lifecycle.RefreshAnswered); err != nil {
			return stoppedBy(err)
		}
		return r.pause(o, r.Timing.RetrySlowly)
	}
	if !wechatpay.Means(cause, wechatpay.NumberUsed, wechatpay.StateConflict) {
		return r.notPreparedBy(ctx, o, cause)
	}
	for _, other := range o.account.Others() {
		// If the answer to the first CreateOrder was lost and the Merchant's protocol changed
		// since, WeChat has the order with the other protocol's parameters.
		if answer, err := r.create(ctx, o, other); err == nil {
			return r.recordPrepay(ctx, o, other, answer)
		}
	}
	if wechatpay.Means(cause, wechatpay.NumberUsed) {
		return r.numberUsed(ctx, o, trade)
	}
	return r.notPreparedBy(ctx, o, cause)
}

// notPreparedBy shows the error and schedules the same call again.
func (r *OrderReconciler) notPreparedBy(ctx context.Context, o *order, cause error) progress {
	err := r.record(withCallError(ctx, cause), o, func(order *v1alpha1.Order) { lifecycle.NotPreparedBy(order, cause, r.Clock.Now()) })
	if err != nil {
		return r.stoppedDuringCreate(ctx, o, err)
	}
	return r.pause(o, r.waitAfter(o, cause))
}

// pause delays the next call, whatever else starts a reconcile until then.
func (r *OrderReconciler) pause(o *order, wait time.Duration) progress {
	r.callHoldoffs.until(o, r.Clock.Now().Add(wait))
	return again(min(wait, max(o.Deadline().Sub(r.Clock.Now()), time.Second)))
}

// waitAfter returns the wait after an error: a backoff if a repetition may help, long if a person
// has to act. A repetition may help whenever there was no trustworthy answer, and the payer is
// waiting.
func (r *OrderReconciler) waitAfter(o *order, err error) time.Duration {
	if wechatpay.OutcomeOf(err) == wechatpay.Unknown {
		return r.retries.after(o.UID, err)
	}
	switch wechatpay.MeaningOf(err) {
	case wechatpay.Repeat, wechatpay.SlowDown, wechatpay.OrderNotExist, wechatpay.OrderPaid, wechatpay.OrderClosed:
		return r.retries.after(o.UID, err)
	default:
		return r.Timing.RetrySlowly
	}
}
