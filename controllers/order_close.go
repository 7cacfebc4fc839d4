package controllers

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/wechatpay-operator/wechatpay-operator/api/v1alpha1"
	"github.com/wechatpay-operator/wechatpay-operator/internal/lifecycle"
	"github.com/wechatpay-operator/wechatpay-operator/internal/wechatpay"
)

// closeIfDue closes an Order by request, by deletion, or because its time to pay is over. The payer
// may be paying at this moment, so it queries, closes and queries again: the status shows which
// came first.
func (r *OrderReconciler) closeIfDue(ctx context.Context, o *order) progress {
	reason, why := r.closeReason(o)
	if reason == "" {
		return next()
	}
	if wait := r.closeHoldoffs.wait(o, r.Clock.Now()); wait > 0 {
		return again(wait)
	}
	if lifecycle.IsUsedAtWeChat(o.Order) {
		return r.endUsed(ctx, o, reason, why)
	}
	trade, err := o.account.QueryOrder(ctx, o.ref())
	switch {
	case wechatpay.Means(err, wechatpay.OrderNotExist):
		return r.closeUnknown(ctx, o, reason, why, err)
	case err != nil:
		return r.closingFails(ctx, o, why, err)
	}
	r.firstAnswers.clear(o.UID) // WeChat has it, despite an earlier answer
	switch {
	case !isOurs(o, trade):
		return r.numberUsed(ctx, o, trade) // this Order must not close it
	case trade.State.Paid() || trade.State.Closed():
		return r.applyTradeAs(ctx, o, trade, reason, why)
	}
	if err := o.account.CloseOrder(ctx, o.ref()); err != nil {
		return r.closingFails(ctx, o, why, err)
	}
	return r.confirmClosed(ctx, o, reason, why)
}

// closeReason returns why the Order is to be closed, or "".
func (r *OrderReconciler) closeReason(o *order) (reason, why string) {
	switch {
	case isDeleted(o):
		return v1alpha1.ReasonClosed, "The Order is being deleted"
	case o.Spec.DesiredState == v1alpha1.DesiredStateClosed:
		return v1alpha1.ReasonClosed, "spec.desiredState is Closed"
	case !r.Clock.Now().Before(o.Deadline()):
		return v1alpha1.ReasonExpired, "The time to pay is over"
	default:
		return "", ""
	}
}

// closeUnknown handles an Order that WeChat says it does not have. A single answer that names no
// order never ends an Order that had a prepay; for others a second one is needed.
func (r *OrderReconciler) closeUnknown(ctx context.Context, o *order, reason, why string, cause error) progress {
	if o.Status.Prepay != nil || r.mayStillArrive(o) {
		return r.closingFails(ctx, o, why, cause)
	}
	ends, wait := r.confirmedBySecondAnswer(o)
	if ends {
		return r.endUnpaid(withCallError(ctx, cause), o, reason, why+"; WeChat Pay never had it")
	}
	err := r.record(withCallError(ctx, cause), o, func(order *v1alpha1.Order) {
		lifecycle.Closing(order, why+". WeChat Pay says that it does not have it, and is queried once more", r.Clock.Now())
	})
	if err != nil {
		return stoppedBy(err)
	}
	return r.closeLater(o, wait)
}

// mayStillArrive reports whether a CreateOrder whose answer was lost may still reach WeChat. It
// counts from the first doubt, not from the last call: an order that arrives after it was given up
// can't be paid, since nobody has its prepay_id.
func (r *OrderReconciler) mayStillArrive(o *order) bool {
	return lifecycle.MayBeAtWeChat(o.Order) && r.Clock.Since(lifecycle.PreparedSince(o.Order)) < r.Timing.NotExistGrace
}

// confirmedBySecondAnswer reports whether an answer that names no number may end the Order: another
// one was received at least a minute ago. WeChat's errors don't name the order, so a single one, or
// a replayed one, ends nothing. The first is in memory only: after a restart two are needed again.
func (r *OrderReconciler) confirmedBySecondAnswer(o *order) (ends bool, wait time.Duration) {
	now := r.Clock.Now()
	wait = r.firstAnswers.setIfUnknown(o.UID, now).Add(r.Timing.SecondAnswer).Sub(now)
	return wait <= 0, wait
}

// confirmClosed ends an Order that WeChat says it closed, after QueryOrder has confirmed it: the
// answer to CloseOrder does not name the order, and the payer may have paid first.
func (r *OrderReconciler) confirmClosed(ctx context.Context, o *order, reason, why string) progress {
	trade, err := o.account.QueryOrder(ctx, o.ref())
	switch {
	case err != nil:
		return r.closingFails(ctx, o, why, err)
	case trade.State.Paid():
		return r.applyTrade(ctx, o, trade)
	case trade.State.Closed():
		return r.endClosed(withCallOutcome(ctx, wechatpay.OperationCloseOrder, nil), o, reason, why+"; closed at WeChat Pay")
	default:
		return r.closingFails(ctx, o, why, errQueryLags)
	}
}

// errQueryLags: QueryOrder does not show the effect of CloseOrder yet.
var errQueryLags = errors.New("WeChat Pay accepted the request to close it, but its query does not show it closed yet")

// closingFails shows why the Order is not closed yet, and retries. WeChat may refuse to close an
// order in its first five minutes (chapter 9_3).
func (r *OrderReconciler) closingFails(ctx context.Context, o *order, why string, cause error) progress {
	err := r.record(withCallError(ctx, cause), o, func(order *v1alpha1.Order) {
		lifecycle.Closing(order, fmt.Sprintf("%s, but it is not closed at WeChat Pay yet; the operator tries again. %v", why, cause), r.Clock.Now())
	})
	if err != nil {
		return stoppedBy(err)
	}
	if isDeleted(o) && r.Clock.Since(o.DeletionTimestamp.Time) > r.Timing.AbandonAtLast {
		return r.abandonFinalizer(ctx, o, fmt.Sprintf("WeChat Pay could not be made to close it for %s: %v", r.Timing.AbandonAtLast, cause))
	}
	wait := r.Timing.CloseRetry
	if wechatpay.MeaningOf(cause) == wechatpay.OrderPaid || errors.Is(cause, errQueryLags) {
		// The next query shows that it was paid in between, or that it is closed.
		wait = r.retries.next(o.UID)
	}
	return r.closeLater(o, wait)
}

// closeLater delays the next attempt to close an Order, whatever else starts a reconcile until then.
func (r *OrderReconciler) closeLater(o *order, wait time.Duration) progress {
	r.closeHoldoffs.until(o, r.Clock.Now().Add(wait))
	return again(wait)
}

// endUsed ends an Order whose number WeChat has with other parameters. It queries once more, and
// does not close the order, which may belong to another system.
func (r *OrderReconciler) endUsed(ctx context.Context, o *order, reason, why string) progress {
	trade, err := o.account.QueryOrder(ctx, o.ref())
	switch {
	case err == nil && trade.State.Paid():
		if trade.Payment.Attach == o.payee.Attach {
			return r.applyTrade(ctx, o, trade)
		}
	case wechatpay.Means(err, wechatpay.OrderNotExist):
		if ends, wait := r.confirmedBySecondAnswer(o); !ends {
			return r.closeLater(o, wait)
		}
	case err != nil:
		return r.closingFails(ctx, o, why, err)
	}
	return r.endUnpaid(ctx, o, reason, why+"; what WeChat Pay has under the number was left as it is")
}

// endUnpaid ends an Order, finally, that nobody paid.
func (r *OrderReconciler) endUnpaid(ctx context.Context, o *order, reason, message string) progress {
	err := r.record(ctx, o, func(order *v1alpha1.Order) { lifecycle.Closed(order, reason, message, r.Clock.Now()) })
	return afterWrite(err, done())
}

// endClosed ends an Order that WeChat has closed.
func (r *OrderReconciler) endClosed(ctx context.Context, o *order, reason, message string) progress {
	err := r.record(ctx, o, func(order *v1alpha1.Order) {
		lifecycle.ClosedAtWeChat(order, o.payee.Attach, reason, message, r.Clock.Now())
	})
	return afterWrite(err, done())
}
