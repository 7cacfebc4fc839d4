package controllers

import (
	"context"
	"fmt"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/wechatpay-operator/wechatpay-operator/api/v1alpha1"
	"github.com/wechatpay-operator/wechatpay-operator/internal/lifecycle"
	"github.com/wechatpay-operator/wechatpay-operator/internal/wechatpay"
)

// withdrawIfDeleted ends a deleted Refund that WeChat has not taken: nothing is sent any more, and it goes as soon as it is
// sure that WeChat does not have it.
func (r *RefundReconciler) withdrawIfDeleted(ctx context.Context, f *refund) progress {
	if !isDeleted(f) {
		return next()
	}
	if r.wasNeverSent(f) {
		return r.goes(ctx, f)
	}
	if wait := r.calls.wait(f, r.Clock.Now()); wait > 0 {
		return again(wait)
	}
	fact, err := f.account.QueryRefund(ctx, f.ref())
	switch {
	case err == nil:
		return r.applyFact(ctx, f, fact)
	case wechatpay.Means(err, wechatpay.RefundNotExist) && r.nothingUnderWay(f):
		return r.goes(ctx, f)
	case r.Clock.Since(f.DeletionTimestamp.Time) > r.Timing.AbandonAtLast:
		return r.abandonFinalizer(ctx, f, err.Error())
	default:
		return r.askFails(ctx, f, err, max(r.Timing.NotExistGrace/4, r.Timing.RetryFirst))
	}
}

// askFails shows, in WeChat's words, that it could not be asked whether it has the refund, and asks again after a wait. That it does
// not have it, but may still get it, is no error.
func (r *RefundReconciler) askFails(ctx context.Context, f *refund, cause error, wait time.Duration) progress {
	if !wechatpay.Means(cause, wechatpay.RefundNotExist) && wechatpay.RetryAfter(cause) == 0 {
		if err := r.record(because(ctx, cause), f, func(refund *v1alpha1.Refund) { lifecycle.AskFailed(refund, cause, r.Clock.Now()) }); err != nil {
			return stoppedBy(err)
		}
	}
	return r.rest(f, wait)
}

// settleContradiction asks again about a refund that WeChat stated with another amount or order, before anything else is done under
// its number.
func (r *RefundReconciler) settleContradiction(ctx context.Context, f *refund) progress {
	if !lifecycle.RefundMismatched(f.Refund) {
		return next()
	}
	if wait := r.calls.wait(f, r.Clock.Now()); wait > 0 {
		return again(wait)
	}
	fact, err := f.account.QueryRefund(ctx, f.ref())
	switch {
	case err == nil:
		return r.applyFact(ctx, f, fact)
	case wechatpay.Means(err, wechatpay.RefundNotExist) && r.nothingUnderWay(f):
		r.contradictions.clear(f.UID)
		if err := r.record(ctx, f, func(refund *v1alpha1.Refund) { lifecycle.NoMismatch(refund, r.Clock.Now()) }); err != nil {
			return stoppedBy(err)
		}
		return next()
	case isDeleted(f) && r.Clock.Since(f.DeletionTimestamp.Time) > r.Timing.AbandonAtLast:
		return r.abandonFinalizer(ctx, f, err.Error())
	default:
		return r.askFails(ctx, f, err, r.retries.after(f.UID, err))
	}
}

// contradicted decides what it means that WeChat states a refund of this number with another amount or order. An end takes two
// answers, at least NotExistGrace apart. That goes for a request in doubt as well: WeChat has one refund of a number, and when it goes on
// to state another one, ours is not there and can't get there. (One that WeChat took is never ended like this, see follow.) How long it
// is so is memory of this process: a restart waits anew.
func (r *RefundReconciler) contradicted(ctx context.Context, f *refund) progress {
	now := r.Clock.Now()
	first, known := r.contradictions.get(f.UID)
	if !known {
		first = now
		r.contradictions.set(f.UID, first)
	}
	switch {
	case isDeleted(f) && now.Sub(f.DeletionTimestamp.Time) > r.Timing.AbandonAtLast:
		return r.abandonFinalizer(ctx, f, "WeChat Pay goes on to state another refund of this number")
	case now.Sub(first) < r.Timing.NotExistGrace:
		return r.rest(f, r.Timing.NotExistGrace-now.Sub(first))
	}
	return r.end(ctx, f, v1alpha1.ReasonNumberInUse, fmt.Sprintf(
		"WeChat Pay has another refund of the number %s, with another amount or of another order, and said so twice. Create another Refund with another name or spec.outRefundNo", f.Number()))
}

// wasNeverSent says whether it is sure, without asking, that no request was made: nobody allowed one.
func (r *RefundReconciler) wasNeverSent(f *refund) bool {
	return lifecycle.NeverRequested(f.Refund) && !lifecycle.MayBeSent(f.Refund, f.merchant.Spec.RefundApproval)
}

// nothingUnderWay says whether no request can still be on its way to WeChat: the last one is long enough ago. Without a
// recorded request one may have been made just before the deletion.
func (r *RefundReconciler) nothingUnderWay(f *refund) bool {
	last := f.CreationTimestamp.Time
	if f.DeletionTimestamp != nil {
		last = f.DeletionTimestamp.Time
	}
	if f.Status.LastRequestTime != nil {
		last = f.Status.LastRequestTime.Time
	}
	return r.Clock.Since(last) >= r.Timing.NotExistGrace
}

// askForLostAnswer asks what became of a request whose answer was lost, before the same request is made again.
func (r *RefundReconciler) askForLostAnswer(ctx context.Context, f *refund) progress {
	if !lifecycle.RefundMayBeAtWeChat(f.Refund) {
		return next()
	}
	if wait := r.calls.wait(f, r.Clock.Now()); wait > 0 {
		return again(wait)
	}
	fact, err := f.account.QueryRefund(ctx, f.ref())
	switch {
	case err == nil:
		return r.applyFact(ctx, f, fact)
	case wechatpay.Means(err, wechatpay.RefundNotExist) && r.nothingUnderWay(f):
		return next() // the same request again, when its turn comes
	default:
		return r.askFails(ctx, f, err, r.retries.after(f.UID, err))
	}
}

// mayLook says whether WeChat may be asked now what it has of the Refund, before anything is sent: when its turn comes, and within
// the account's budget for looks.
func (r *RefundReconciler) mayLook(ctx context.Context, f *refund) (allowed bool, wait time.Duration) {
	if wait := r.calls.wait(f, r.Clock.Now()); wait > 0 {
		return false, wait
	}
	return f.account.AllowLookup(ctx, f.Number(), r.Clock.Now())
}

// lookBeforeDecision asks WeChat once for a Refund that waits for a decision, or was denied: one that was paid back before
// this object was created (a restore, a re-applied file) is shown as it is.
func (r *RefundReconciler) lookBeforeDecision(ctx context.Context, f *refund) progress {
	undecided := ""
	switch lifecycle.ApprovedReason(f.Refund) {
	case undecided, v1alpha1.ReasonPending:
	default:
		return next()
	}
	if lifecycle.MayBeSent(f.Refund, f.merchant.Spec.RefundApproval) {
		return next() // the request itself finds it, and pays nothing twice
	}
	if mayLook, wait := r.mayLook(ctx, f); !mayLook {
		return again(wait)
	}
	fact, err := f.account.QueryRefund(ctx, f.ref())
	switch {
	case err == nil:
		return r.recover(ctx, f, fact)
	case wechatpay.Means(err, wechatpay.RefundNotExist):
		return next()
	default:
		return r.lookFails(ctx, f, err)
	}
}

func (r *RefundReconciler) lookFails(ctx context.Context, f *refund, cause error) progress {
	err := r.record(because(ctx, cause), f, func(refund *v1alpha1.Refund) {
		lifecycle.BeginRefund(refund, r.Clock.Now())
		lifecycle.LookFailed(refund, cause, r.Clock.Now())
	})
	if err != nil {
		return stoppedBy(err)
	}
	return r.rest(f, r.retries.after(f.UID, cause))
}

func (r *RefundReconciler) recover(ctx context.Context, f *refund, fact wechatpay.RefundFact) progress {
	if end := r.ownsNumber(ctx, f, fact.RefundID); end != nil {
		return *end
	}
	if err := r.learn(ctx, f, fact); err != nil {
		return stoppedBy(err)
	}
	if lifecycle.RefundMismatched(f.Refund) {
		return r.contradicted(ctx, f)
	}
	if lifecycle.ApprovedReason(f.Refund) == v1alpha1.ReasonRecovered {
		r.note(f.Refund, v1alpha1.ReasonRecovered, "Refund", "WeChat Pay has refund %s already (%s)", f.Number(), fact.Status)
	}
	return done() // the write starts the next reconcile
}

// decide shows the decision, and ends the reconcile unless it is yes.
func (r *RefundReconciler) decide(ctx context.Context, f *refund) progress {
	before := lifecycle.ApprovedReason(f.Refund)
	allowed := lifecycle.MayBeSent(f.Refund, f.merchant.Spec.RefundApproval)
	err := r.decideNow(ctx, f, allowed)
	if err != nil {
		return stoppedBy(err)
	}
	if f.Spec.Approval != "" && before != v1alpha1.ReasonRecovered && before != string(f.Spec.Approval) {
		r.note(f.Refund, string(f.Spec.Approval), "Decide", "Refund of %d (minor units) of Order %s was decided: %s", f.Spec.Amount, f.order.Name, f.Spec.Approval)
	}
	if !allowed {
		return done() // a decision starts the next reconcile
	}
	return next()
}

// decideNow writes a decision that ends the reconcile, and only notes one that goes on: it is written with what comes of it.
func (r *RefundReconciler) decideNow(ctx context.Context, f *refund, allowed bool) error {
	now := r.Clock.Now()
	switch {
	case allowed:
		return nil
	case f.Spec.Approval == v1alpha1.ApprovalDenied:
		return r.record(ctx, f, func(refund *v1alpha1.Refund) { lifecycle.Denied(refund, now) })
	default:
		return r.record(ctx, f, func(refund *v1alpha1.Refund) { lifecycle.AwaitingApproval(refund, now) })
	}
}

// takeTurn keeps refunds of one Order one at a time, apart, and within what was paid.
func (r *RefundReconciler) takeTurn(ctx context.Context, f *refund) progress {
	if wait := r.calls.wait(f, r.Clock.Now()); wait > 0 {
		return again(wait)
	}
	// Live: a decision about a sum is not made on a cache that may be behind. The Refunds come first, since the Order counts
	// one before it goes.
	all, err := r.refundsOf(ctx, r.APIReader, f.Namespace, f.order.Name)
	if err == nil {
		err = r.APIReader.Get(ctx, client.ObjectKeyFromObject(f.order), f.order)
	}
	if err != nil {
		return failed(ignoreNotFound(err))
	}
	if !lifecycle.IsPaid(f.order) {
		return again(r.Timing.RetryFirst) // it lost its status, or was created again; it finds out that it is paid
	}
	turn := lifecycle.TakeTurn(f.Refund, f.order, all, r.Timing.RefundSpacing, r.Clock.Now())
	switch {
	case turn.Go:
		return r.stillThere(f, all)
	case turn.Never:
		return r.endUnlessAtWeChat(ctx, f, turn.Message)
	case turn.NotBefore.IsZero():
		return r.waitForTurn(ctx, f, turn.Message, r.Timing.RetryFirst)
	default:
		return r.waitForTurn(ctx, f, turn.Message, turn.NotBefore.Sub(r.Clock.Now()))
	}
}

// endUnlessAtWeChat ends a Refund that does not fit what was paid, unless WeChat has it: a Refund that lost its status is
// itself part of what was paid back.
func (r *RefundReconciler) endUnlessAtWeChat(ctx context.Context, f *refund, why string) progress {
	if mayLook, wait := r.mayLook(ctx, f); !mayLook {
		return again(wait)
	}
	fact, err := f.account.QueryRefund(ctx, f.ref())
	switch {
	case err == nil:
		return r.applyFact(ctx, f, fact)
	case wechatpay.Means(err, wechatpay.RefundNotExist):
		return r.end(ctx, f, v1alpha1.ReasonExceedsPaid, why)
	default:
		return r.askFails(ctx, f, err, r.retries.after(f.UID, err))
	}
}

func (r *RefundReconciler) waitForTurn(ctx context.Context, f *refund, message string, wait time.Duration) progress {
	err := r.record(ctx, f, func(refund *v1alpha1.Refund) {
		lifecycle.Approved(refund, r.Clock.Now())
		if !isWaitingForAnything(refund) {
			lifecycle.NotAccepted(refund, metav1.ConditionUnknown, v1alpha1.ReasonWaitingForTurn, message, r.Clock.Now())
		}
	})
	if err != nil {
		return stoppedBy(err)
	}
	return again(wait)
}

// isWaitingForAnything says whether the status shows a reason that tells more than that a turn has to come.
func isWaitingForAnything(refund *v1alpha1.Refund) bool {
	switch lifecycle.AcceptedReason(refund) {
	case v1alpha1.ReasonInsufficientBalance, v1alpha1.ReasonRejected, v1alpha1.ReasonRateLimited,
		v1alpha1.ReasonOutcomeUnknown, v1alpha1.ReasonRefused:
		return true
	default:
		return false
	}
}

// end records, finally, that no money goes back by this Refund.
func (r *RefundReconciler) end(ctx context.Context, f *refund, reason, message string) progress {
	err := r.record(ctx, f, func(refund *v1alpha1.Refund) {
		if lifecycle.MayBeSent(refund, f.merchant.Spec.RefundApproval) {
			lifecycle.Approved(refund, r.Clock.Now())
		}
		lifecycle.EndRefund(refund, reason, message, r.Clock.Now())
	})
	if err != nil {
		return stoppedBy(err)
	}
	r.warn(f.Refund, reason, "Refund", "Refund %s of Order %s ends without money going back: %s", f.Number(), f.order.Name, message)
	return done()
}
