package controllers

import (
	"slices"
	"time"

	"k8s.io/utils/ptr"

	"github.com/wechatpay-operator/wechatpay-operator/api/v1alpha1"
	"github.com/wechatpay-operator/wechatpay-operator/internal/bills"
	"github.com/wechatpay-operator/wechatpay-operator/internal/bills/matching"
	"github.com/wechatpay-operator/wechatpay-operator/internal/lifecycle"
	"github.com/wechatpay-operator/wechatpay-operator/internal/statement"
	"github.com/wechatpay-operator/wechatpay-operator/internal/wechatpay"
)

// mostRepairs is how often a bill is compared again soon after the missed objects were queried. After that a person
// has to look.
const mostRepairs = 6

// afterComparison returns when a bill is compared again, and false if it is not, unless somebody
// creates another Statement.
func (r *StatementReconciler) afterComparison(s *statementScope, found *statement.Finding) (at time.Time, more bool) {
	timing, now := r.Timing.Bills, r.Clock.Now()
	missed := found.Counts[matching.PaymentNotRecorded]+found.Counts[matching.RefundNotRecorded] > 0 && len(found.Orders)+len(found.Refunds) > 0
	var times []time.Time
	if missed && r.repairs.count(s.UID) < mostRepairs {
		times = append(times, now.Add(r.repairs.next(s.UID)))
	} else if !missed {
		r.repairs.forget(s.UID)
	}
	if found.AwaitsNext {
		times = append(times, timing.Policy.Ready(s.day.Next()).Add(r.spread(s.Namespace, s.merchant.Name)))
	}
	if found.Neighbour != nil && len(found.PendingCounts) > 0 {
		times = append(times, now.Add(max(r.failures.next(s.UID), wechatpay.RetryAfter(found.Neighbour))))
	}
	if found.Verdict == matching.Differs {
		if daily, more := r.daily(s.day, now); more {
			times = append(times, daily)
		}
	}
	if len(times) == 0 {
		return time.Time{}, false
	}
	return slices.MinFunc(times, time.Time.Compare), true
}

// daily returns the time of the next daily comparison of a Statement that differs.
func (r *StatementReconciler) daily(day bills.Day, last time.Time) (at time.Time, more bool) {
	at = last.Add(r.Timing.Bills.Again)
	return at, at.Before(r.Timing.Bills.Policy.Ready(day).Add(r.Timing.Bills.AgainFor))
}

// nextComparison is afterComparison for a Statement that an earlier process compared: it uses the
// status.
func (r *StatementReconciler) nextComparison(s *statementScope) (at time.Time, more bool) {
	last := r.Clock.Now()
	if s.Status.ComparedTime != nil {
		last = s.Status.ComparedTime.Time
	}
	if lifecycle.BalancedReason(s.Statement) != v1alpha1.ReasonUndecided && ptr.Deref(s.Status.Undecided, 0) == 0 {
		return r.daily(s.day, last)
	}
	nextBill := r.Timing.Bills.Policy.Ready(s.day.Next()).Add(r.spread(s.Namespace, s.merchant.Name))
	if last.Before(nextBill) {
		return nextBill, true
	}
	return last.Add(r.Timing.Bills.RetryMost), true
}
