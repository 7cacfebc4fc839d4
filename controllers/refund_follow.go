package controllers

import (
	"context"
	"fmt"
	"time"

	"github.com/wechatpay-operator/wechatpay-operator/api/v1alpha1"
	"github.com/wechatpay-operator/wechatpay-operator/internal/lifecycle"
	"github.com/wechatpay-operator/wechatpay-operator/internal/wechatpay"
)

// follow queries an accepted Refund until it is final, first a minute after acceptance, then less
// and less often.
func (r *RefundReconciler) follow(ctx context.Context, f *refund) progress {
	if !lifecycle.RefundAccepted(f.Refund) {
		return next()
	}
	now := r.Clock.Now()
	due := r.nextPolls.setIfUnknown(f.UID, r.nextPoll(f, now))
	if now.Before(due) {
		return again(due.Sub(now))
	}
	fact, err := f.account.QueryRefund(ctx, f.ref())
	answered := err == nil
	if answered {
		if end := r.ownsNumber(ctx, f, fact.RefundID); end.stop {
			return end
		}
		err = r.recordFact(ctx, f, fact)
	} else {
		err = r.followFails(ctx, f, err)
	}
	due = r.nextPollAfter(f, r.Clock.Now())
	r.nextPolls.set(f.UID, due)
	if answered {
		r.failedPolls.clear(f.UID)
	} else {
		r.failedPolls.until(f, due)
	}
	if err != nil {
		return stoppedBy(err)
	}
	if r.waitedLongEnough(f, r.Clock.Now()) {
		return r.abandonFinalizer(ctx, f, fmt.Sprintf("WeChat Pay has not confirmed for %s that it is paying back (%s)", r.Timing.AbandonAtLast, lifecycle.SucceededReason(f.Refund)))
	}
	return again(due.Sub(r.Clock.Now()))
}

// followFails shows WeChat's error. A denial by the operator's own limits is not worth a write,
// unless the Refund is being deleted.
func (r *RefundReconciler) followFails(ctx context.Context, f *refund, cause error) error {
	if wechatpay.RetryAfter(cause) > 0 && !isDeleted(f) {
		return nil
	}
	return r.record(withCallError(ctx, cause), f, func(refund *v1alpha1.Refund) { lifecycle.FollowFailed(refund, cause, r.Clock.Now()) })
}

// waitedLongEnough limits how long a deleted Refund waits for a person to act in the merchant
// platform, or for WeChat to answer. The wait starts with the deletion, and again each time WeChat
// reports that it is processing the refund, which ends without help.
func (r *RefundReconciler) waitedLongEnough(f *refund, now time.Time) bool {
	stalled := f.Status.StalledTime
	if !isDeleted(f) || stalled == nil || lifecycle.RefundFinal(f.Refund) {
		return false
	}
	return now.Sub(laterOf(stalled.Time, f.DeletionTimestamp.Time)) > r.Timing.AbandonAtLast
}

func laterOf(a, b time.Time) time.Time {
	if a.After(b) {
		return a
	}
	return b
}

// nextPollAfter returns the time of the next poll. A contradiction is queried again soon, whatever
// the schedule says.
func (r *RefundReconciler) nextPollAfter(f *refund, now time.Time) time.Time {
	due := r.nextPoll(f, now)
	if soon := now.Add(r.Timing.RetrySlowly); lifecycle.RefundMismatched(f.Refund) && soon.Before(due) {
		return soon
	}
	return due
}

func (r *RefundReconciler) nextPoll(f *refund, now time.Time) time.Time {
	start := now
	if f.Status.AcceptedTime != nil {
		start = f.Status.AcceptedTime.Time
	}
	age, _ := r.Timing.RefundPoll.Next(now.Sub(start), string(f.UID))
	return start.Add(age)
}
