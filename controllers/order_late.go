package controllers

import (
	"context"
	"time"

	"github.com/wechatpay-operator/wechatpay-operator/internal/lifecycle"
	"github.com/wechatpay-operator/wechatpay-operator/internal/wechatpay"
)

// waitForLateCheck delays a closed Order until it is queried once more, so that a payment with a
// lost callback is found.
func (r *OrderReconciler) waitForLateCheck(_ context.Context, o *order) progress {
	now := r.Clock.Now()
	if due := r.nextPolls.setIfUnknown(o.UID, r.nextLateCheck(o, now)); now.Before(due) {
		return r.restUntil(o, due)
	}
	return next()
}

// checkLatePayment queries a closed Order. It is the last step of a finished one.
func (r *OrderReconciler) checkLatePayment(ctx context.Context, o *order) progress {
	trade, err := o.account.QueryOrder(ctx, o.ref())
	if err == nil && trade.State.Paid() {
		r.nextPolls.clear(o.UID)
		return r.applyTrade(ctx, o, trade)
	}
	r.notePoll(o, neverDue, err)
	if err := r.showPoll(ctx, o, trade, err); err != nil {
		return stoppedBy(err)
	}
	return r.lateCheckDone(o, err == nil || wechatpay.Means(err, wechatpay.OrderNotExist))
}

// lateCheckDone schedules the next check. A failed one is repeated soon, until giveUpLateChecks.
func (r *OrderReconciler) lateCheckDone(o *order, conclusive bool) progress {
	now := r.Clock.Now()
	due := r.nextLateCheck(o, now)
	if !conclusive && now.Sub(lifecycle.FinishedTime(o.Order)) < giveUpLateChecks {
		due = now.Add(r.Timing.RetrySlowly)
	}
	r.nextPolls.set(o.UID, due)
	return r.restUntil(o, due)
}

// giveUpLateChecks is how long after it was closed an Order is still queried again after a failed
// check.
const giveUpLateChecks = 48 * time.Hour

// nextLateCheck returns the next time of the schedule, or neverDue.
func (r *OrderReconciler) nextLateCheck(o *order, now time.Time) time.Time {
	closed := lifecycle.FinishedTime(o.Order)
	age, more := r.Timing.LateCheck.Next(now.Sub(closed), string(o.UID))
	if !more {
		return neverDue
	}
	return closed.Add(age)
}

// restUntil ends the reconcile of a finished Order until its next check or its TTL.
func (r *OrderReconciler) restUntil(o *order, due time.Time) progress {
	if due.Equal(neverDue) {
		return r.untilTTL(o)
	}
	return soonest(again(due.Sub(r.Clock.Now())), r.untilTTL(o))
}
