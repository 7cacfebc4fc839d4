package controllers

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/wechatpay-operator/wechatpay-operator/api/v1alpha1"
	"github.com/wechatpay-operator/wechatpay-operator/internal/index"
	"github.com/wechatpay-operator/wechatpay-operator/internal/lifecycle"
	"github.com/wechatpay-operator/wechatpay-operator/internal/metrics"
	"github.com/wechatpay-operator/wechatpay-operator/internal/wechatpay"
)

// applyTrade records the result of QueryOrder for an order that is paid or closed.
func (r *OrderReconciler) applyTrade(ctx context.Context, o *order, trade wechatpay.Trade) progress {
	return r.applyTradeAs(ctx, o, trade, v1alpha1.ReasonClosed, "WeChat Pay says that the order is closed")
}

func (r *OrderReconciler) applyTradeAs(ctx context.Context, o *order, trade wechatpay.Trade, reason, why string) progress {
	ctx = withCallOutcome(ctx, wechatpay.OperationQueryOrder, nil)
	if !trade.State.Paid() {
		return r.endClosed(ctx, o, reason, why)
	}
	if end := r.ownsPayment(ctx, o, trade.Payment.TransactionID); end.stop {
		return end
	}
	var verdict lifecycle.Verdict
	var message string
	err := r.record(ctx, o, func(order *v1alpha1.Order) {
		verdict, message = lifecycle.Paid(order, o.payee, trade.Payment, r.Clock.Now())
	})
	if err != nil {
		return stoppedBy(err)
	}
	r.reporter(ctx).Payment(o.Order, o.merchant, verdict, message)
	switch verdict {
	case lifecycle.Recorded, lifecycle.AlreadyRecorded:
		return done() // the write starts the next reconcile
	case lifecycle.NotOurs:
		return r.otherPayment(ctx, o, trade.Payment.Attach)
	}
	if isDeleted(o) {
		return r.releaseUnlessRefunding(ctx, o) // paid, although differently: there is nothing to close
	}
	// A person has to act. Until then it is rarely queried, in case the account is corrected.
	return r.closeLater(o, r.Timing.RetrySlowly)
}

// poll queries an open Order periodically, in case its callback got lost.
func (r *OrderReconciler) poll(ctx context.Context, o *order) progress {
	now := r.Clock.Now()
	due := r.polls.setIfUnknown(o.UID, r.nextPoll(o, now))
	if now.Before(due) {
		return again(r.untilNext(o, due, now))
	}
	trade, err := o.account.QueryOrder(ctx, o.ref())
	due = r.nextPoll(o, r.Clock.Now())
	r.polls.set(o.UID, due)
	r.notePoll(o, due, err)
	if err == nil && (trade.State.Paid() || trade.State.Closed() && isOurs(o, trade)) {
		return r.applyTrade(ctx, o, trade)
	}
	err = r.showPoll(ctx, o, trade, err)
	return afterWrite(err, again(r.untilNext(o, due, r.Clock.Now())))
}

// notePoll records a failed poll: it is repeated as soon as the Merchant's credentials are
// restored.
func (r *OrderReconciler) notePoll(o *order, due time.Time, err error) {
	if err == nil || wechatpay.Means(err, wechatpay.OrderNotExist) {
		r.polled.clear(o.UID)
		return
	}
	r.polled.until(o, due)
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

// waitForLateCheck delays a closed Order until it is queried once more, so that a payment with a
// lost callback is found.
func (r *OrderReconciler) waitForLateCheck(_ context.Context, o *order) progress {
	now := r.Clock.Now()
	if due := r.polls.setIfUnknown(o.UID, r.nextLateCheck(o, now)); now.Before(due) {
		return r.restUntil(o, due)
	}
	return next()
}

// checkLatePayment queries a closed Order. It is the last step of a finished one.
func (r *OrderReconciler) checkLatePayment(ctx context.Context, o *order) progress {
	trade, err := o.account.QueryOrder(ctx, o.ref())
	if err == nil && trade.State.Paid() {
		r.polls.clear(o.UID)
		return r.applyTrade(ctx, o, trade)
	}
	r.notePoll(o, farFuture, err)
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
	r.polls.set(o.UID, due)
	return r.restUntil(o, due)
}

// giveUpLateChecks is how long after it was closed an Order is still queried again after a failed
// check.
const giveUpLateChecks = 48 * time.Hour

// nextLateCheck returns the next time of the schedule, or farFuture.
func (r *OrderReconciler) nextLateCheck(o *order, now time.Time) time.Time {
	closed := lifecycle.FinishedTime(o.Order)
	age, more := r.Timing.LateCheck.Next(now.Sub(closed), string(o.UID))
	if !more {
		return farFuture
	}
	return closed.Add(age)
}

// restUntil ends the reconcile of a finished Order until its next check or its TTL.
func (r *OrderReconciler) restUntil(o *order, due time.Time) progress {
	if due.Equal(farFuture) {
		return r.untilTTL(o)
	}
	return soonest(again(due.Sub(r.Clock.Now())), r.untilTTL(o))
}

// followLatePayment applies the Merchant's latePayment policy to a payment that arrived after the
// Order was closed.
func (r *OrderReconciler) followLatePayment(ctx context.Context, o *order) progress {
	if lifecycle.PaidReason(o.Order) != v1alpha1.ReasonPaidLate || o.Status.LateRefund != "" {
		return next()
	}
	found := &v1alpha1.Merchant{}
	if err := r.Client.Get(ctx, merchantKeyOf(o.Order), found); apierrors.IsNotFound(err) {
		return next()
	} else if err != nil {
		return failed(err)
	}
	if found.Spec.LatePayment != v1alpha1.LatePaymentRefund || o.Status.Transaction == nil {
		return next()
	}
	return r.createLateRefund(ctx, o)
}

// createLateRefund creates the Refund of a late payment, once: status.lateRefund records it, so
// that a Refund that was denied and deleted is not created again. If the cluster refuses the write,
// only the deletion by ttlSecondsAfterFinished waits for it, since nobody would notice the missing
// refund afterwards.
func (r *OrderReconciler) createLateRefund(ctx context.Context, o *order) progress {
	refund, existing := lateRefund(o.Order), &v1alpha1.Refund{}
	err := r.Client.Get(ctx, client.ObjectKeyFromObject(refund), existing)
	switch {
	case err == nil && !sameRefund(existing, refund):
		if r.refusals.note(o.UID, metrics.WriteCreate, "another one") {
			r.warn(o.Order, "LateRefund", "Refund", "The late payment is not refunded automatically: another Refund with the name %s exists", refund.Name)
		}
		return next()
	case err == nil:
		return r.noteLateRefund(ctx, o, refund)
	case !apierrors.IsNotFound(err):
		return failed(err)
	}
	err = r.Client.Create(ctx, refund)
	switch {
	case err == nil:
		r.note(o.Order, "LateRefund", "Refund", "Created Refund %s over %d (minor units): the payment came after the Order was closed", refund.Name, refund.Spec.Amount)
		return r.noteLateRefund(ctx, o, refund)
	case apierrors.IsAlreadyExists(err):
		return again(r.Timing.RetryFirst) // the cache lags
	case apierrors.HasStatusCause(err, corev1.NamespaceTerminatingCause):
		r.warn(o.Order, "LateRefund", "Refund", "The late payment of order %s is not refunded: the namespace is being deleted", o.Number())
		return next()
	case !isRefused(r.wrote(ctx, o.Order, metrics.WriteCreate, err)):
		return failed(err)
	}
	if err := r.showRefusal(ctx, o, metrics.WriteCreate, err); err != nil {
		return stoppedBy(err)
	}
	o.requeueAfter = r.Timing.SecretsCheck
	return next()
}

func sameRefund(a, b *v1alpha1.Refund) bool {
	return a.Spec.OrderRef == b.Spec.OrderRef && a.Spec.Amount == b.Spec.Amount && a.Number() == b.Number()
}

// noteLateRefund records that the Refund was created. If the cluster refuses that write, the other
// steps continue.
func (r *OrderReconciler) noteLateRefund(ctx context.Context, o *order, refund *v1alpha1.Refund) progress {
	r.refusals.clear(o.UID, metrics.WriteCreate)
	err := r.record(ctx, o, func(order *v1alpha1.Order) {
		order.Status.LateRefund = refund.Name
		lifecycle.OrderWriteRefused(order, "", r.Clock.Now())
	})
	if isRefused(err) {
		o.requeueAfter = r.Timing.SecretsCheck
	} else if err != nil {
		return stoppedBy(err)
	}
	return next()
}

// owesLateRefund reports whether the Refund of a late payment could not be created yet.
func (r *OrderReconciler) owesLateRefund(o *order) bool {
	return o.Status.LateRefund == "" && r.refusals.message(o.UID, metrics.WriteCreate) != ""
}

// lateRefund returns the Refund of a late payment. Its number is derived from the Order's, so that
// it is refunded once, however often it is created.
func lateRefund(order *v1alpha1.Order) *v1alpha1.Refund {
	refund := &v1alpha1.Refund{
		ObjectMeta: metav1.ObjectMeta{
			Namespace: order.Namespace,
			Name:      cutName(order.Name, 253-len(lateSuffix)) + lateSuffix,
			// So it has the finalizer from its creation on.
			Finalizers: []string{v1alpha1.Finalizer},
		},
		Spec: v1alpha1.RefundSpec{
			OrderRef: v1alpha1.OrderReference{Name: order.Name},
			Amount:   order.Status.Transaction.Total,
			Reason:   "订单关闭后到账，退款",
		},
	}
	if number := order.Number() + lateSuffix; number != refund.Name {
		refund.Spec.OutRefundNo = number
	}
	return refund
}

const lateSuffix = "-late"

// cutName keeps a name valid: it must not end in a dot or hyphen before the suffix.
func cutName(name string, most int) string {
	if len(name) > most {
		return strings.TrimRight(name[:most], ".-")
	}
	return name
}

// sumRefunds updates status.refunded.
func (r *OrderReconciler) sumRefunds(ctx context.Context, o *order) progress {
	if !lifecycle.IsPaid(o.Order) {
		return next()
	}
	refunds, err := r.refundsOf(ctx, r.Client, o.Namespace, o.Name)
	if err != nil {
		return failed(err)
	}
	if err := r.record(ctx, o, func(order *v1alpha1.Order) { lifecycle.Refunded(order, refunds) }); isRefused(err) {
		o.requeueAfter = r.Timing.SecretsCheck // it was reported, and no later step needs the sum
	} else if err != nil {
		return stoppedBy(err)
	}
	return next()
}

// hasOpenRefunds reports whether a Refund of the Order is not final yet, awaiting approval
// included.
func (r *OrderReconciler) hasOpenRefunds(ctx context.Context, o *order) (bool, error) {
	if !lifecycle.IsPaid(o.Order) {
		return false, nil
	}
	// Live: a Refund that was just created must not lose its Order.
	refunds, err := r.refundsOf(ctx, r.APIReader, o.Namespace, o.Name)
	if err != nil {
		return false, err
	}
	for i := range refunds {
		if !lifecycle.RefundFinal(&refunds[i]) && !isDeletedAndFree(&refunds[i]) {
			return true, nil
		}
	}
	return false, nil
}

func isDeletedAndFree(refund *v1alpha1.Refund) bool {
	return isDeleted(refund) && !isHeld(refund)
}

// refundsOf lists the Refunds of an Order, from the cache by its index or live by the selectable
// field.
func (b *Base) refundsOf(ctx context.Context, reader client.Reader, namespace, name string) ([]v1alpha1.Refund, error) {
	field := index.RefundOrder
	if reader == b.APIReader {
		field = "spec.orderRef.name"
	}
	var refunds v1alpha1.RefundList
	err := reader.List(ctx, &refunds, client.InNamespace(namespace), client.MatchingFields{field: name}, index.WithoutOwnWrites)
	if err != nil {
		return nil, fmt.Errorf("listing the Refunds of Order %s: %w", name, err)
	}
	return refunds.Items, nil
}
