package controllers

import (
	"context"
	"slices"
	"time"

	"github.com/wechatpay-operator/wechatpay-operator/api/v1alpha1"
	"github.com/wechatpay-operator/wechatpay-operator/internal/lifecycle"
	"github.com/wechatpay-operator/wechatpay-operator/internal/wechatpay"
)

// poll queries an open Order periodically, in case its callback got lost.
func (r *OrderReconciler) poll(ctx context.Context, o *order) progress {
	now := r.Clock.Now()
	due := r.nextPolls.setIfUnknown(o.UID, r.nextPoll(o, now))
	if now.Before(due) {
		return again(r.untilNext(o, due, now))
	}
	trade, err := o.account.QueryOrder(ctx, o.ref())
	due = r.nextPoll(o, r.Clock.Now())
	r.nextPolls.set(o.UID, due)
	r.notePoll(o, due, err)
	if err == nil && (trade.State.Paid() || trade.State.Closed() && isOurs(o, trade)) {
		return r.applyTrade(ctx, o, trade)
	}
	err = r.showPoll(ctx, o, trade, err)
	return afterWrite(err, again(r.untilNext(o, due, r.Clock.Now())))
}

// nextPoll follows the schedule, which starts when the Order was prepared.
func (r *OrderReconciler) nextPoll(o *order, now time.Time) time.Time {
	start := lifecycle.PreparedSince(o.Order)
	age, _ := r.Timing.OrderPoll.Next(now.Sub(start), string(o.UID))
	return start.Add(age)
}

// untilNext returns the time until the next event: the poll, the refresh of the prepay, or the
// deadline.
func (r *OrderReconciler) untilNext(o *order, poll, now time.Time) time.Duration {
	events := []time.Time{poll, o.Deadline()}
	// An expired prepay that is not refreshed, because the grant was removed or a person has to
	// act, causes no wake-up.
	if prepay := o.Status.Prepay; prepay != nil && prepay.ExpireTime != nil && prepay.ExpireTime.After(now) {
		events = append(events, prepay.ExpireTime.Time)
	}
	if o.revoked != nil {
		events = append(events, now.Add(r.Timing.SecretsCheck)) // the grant may be restored by a label, which causes no event
	}
	return max(slices.MinFunc(events, time.Time.Compare).Sub(now), time.Second/10)
}

// notePoll records a failed poll: it is repeated as soon as the Merchant's credentials are
// restored.
func (r *OrderReconciler) notePoll(o *order, due time.Time, err error) {
	if err == nil || wechatpay.Means(err, wechatpay.OrderNotExist) {
		r.failedPolls.clear(o.UID)
		return
	}
	r.failedPolls.until(o, due)
}

// showPoll shows the result of a poll for an order that is neither paid nor closed at WeChat.
// Nothing is written while the result does not change.
func (r *OrderReconciler) showPoll(ctx context.Context, o *order, trade wechatpay.Trade, cause error) error {
	if cause != nil {
		return r.pollFailed(ctx, o, cause)
	}
	return r.record(withCallOutcome(ctx, wechatpay.OperationQueryOrder, nil), o, func(order *v1alpha1.Order) {
		lifecycle.Polled(order, trade.State, r.Clock.Now())
	})
}

// pollFailed shows the error of a poll, in WeChat's words. A denial by the operator's own limits is
// not worth a write, and a closed order that no longer exists is not an error.
func (r *OrderReconciler) pollFailed(ctx context.Context, o *order, cause error) error {
	if wechatpay.RetryAfter(cause) > 0 || lifecycle.IsFinished(o.Order) && wechatpay.Means(cause, wechatpay.OrderNotExist) {
		return nil
	}
	return r.record(withCallError(ctx, cause), o, func(order *v1alpha1.Order) { lifecycle.PollFailed(order, cause, r.Clock.Now()) })
}
