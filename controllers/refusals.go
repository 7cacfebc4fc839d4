package controllers

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"sync"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/wechatpay-operator/wechatpay-operator/api/v1alpha1"
	"github.com/wechatpay-operator/wechatpay-operator/internal/lifecycle"
	"github.com/wechatpay-operator/wechatpay-operator/internal/metrics"
)

// A cluster may refuse a write of the operator, by a policy, a quota, or an unavailable webhook.
// Each such write is counted, an event has the error, and the condition shows it if the status can
// be written. What does not depend on the write continues.

// isRefused reports whether the cluster refuses a write, and will do so until somebody changes its
// configuration.
func isRefused(err error) bool {
	var refusal apierrors.APIStatus
	if !errors.As(err, &refusal) {
		return false
	}
	switch code := refusal.Status().Code; code {
	case http.StatusNotFound, http.StatusConflict, http.StatusGone, http.StatusRequestTimeout, http.StatusTooManyRequests, http.StatusUnauthorized:
		return false
	default:
		return code >= 400 && code < 500 || apierrors.IsInternalError(err) && strings.Contains(err.Error(), "webhook") // a webhook that can't be called
	}
}

// refusals records the refused writes, so that each is reported once.
type refusals struct {
	mutex    sync.Mutex
	messages map[types.UID]map[string]string
}

// mostRefusals limits the memory.
const mostRefusals = 10_000

// note records the error of a write, and reports whether it is new.
func (r *refusals) note(uid types.UID, write, said string) bool {
	r.mutex.Lock()
	defer r.mutex.Unlock()
	if len(r.messages) > mostRefusals {
		r.messages = nil // mostly of deleted objects; the others are reported once more
	}
	if r.messages == nil {
		r.messages = map[types.UID]map[string]string{}
	}
	if r.messages[uid] == nil {
		r.messages[uid] = map[string]string{}
	}
	news := r.messages[uid][write] != said
	r.messages[uid][write] = said
	return news
}

// message returns the error of a write, or "" if it is not refused.
func (r *refusals) message(uid types.UID, write string) string {
	r.mutex.Lock()
	defer r.mutex.Unlock()
	return r.messages[uid][write]
}

func (r *refusals) clear(uid types.UID, write string) {
	r.mutex.Lock()
	defer r.mutex.Unlock()
	if delete(r.messages[uid], write); len(r.messages[uid]) == 0 {
		delete(r.messages, uid)
	}
}

func (r *refusals) forget(uid types.UID) {
	r.mutex.Lock()
	defer r.mutex.Unlock()
	delete(r.messages, uid)
}

// wrote records a successful write or reports a refused one, and returns the error unchanged.
func (b *Base) wrote(ctx context.Context, object client.Object, write string, err error) error {
	if err == nil {
		b.written.note(object)
	}
	if b.refusals == nil {
		return err
	}
	if !isRefused(err) {
		if err == nil {
			b.refusals.clear(object.GetUID(), write)
		}
		return err
	}
	kind := b.kindOf(object)
	metrics.WritesRefused.WithLabelValues(kind, write).Inc()
	if b.refusals.note(object.GetUID(), write, err.Error()) {
		b.warn(object, v1alpha1.ReasonWriteRefused, "Write", "The cluster refuses %s: %v", writePurpose[write], err)
		b.log(ctx).Info("The cluster refuses a write", "kind", kind, "object", client.ObjectKeyFromObject(object).String(), "write", write, "problem", err.Error())
	}
	return err
}

// writePurpose describes each write.
var writePurpose = map[string]string{
	metrics.WriteHold:    "to have the finalizer " + v1alpha1.Finalizer + " added",
	metrics.WriteRelease: "to have the finalizer " + v1alpha1.Finalizer + " taken off",
	metrics.WriteStatus:  "to have the status written",
	metrics.WriteCreate:  "the Refund of a late payment",
	metrics.WriteDelete:  "to have it deleted after ttlSecondsAfterFinished",
}

// refusal returns the text of a condition about a refused write.
func refusal(write string, err error) string {
	return fmt.Sprintf("the operator is not allowed %s: %v. It is retried automatically", writePurpose[write], err)
}

// reportAbandoned reports that a finalizer is removed although its object is not settled at WeChat.
func (b *Base) reportAbandoned(ctx context.Context, object client.Object, format string, arguments ...any) {
	if b.refusals.message(object.GetUID(), metrics.WriteRelease) == "" { // otherwise it was reported before
		b.reporter(ctx).FinalizerAbandoned(object, b.kindOf(object), format, arguments...)
	}
}

// unwritable returns why the status of an object that was deleted long ago can't be written, so that
// its end can't be recorded; empty if it can.
func (b *Base) unwritable(object client.Object) string {
	if !isDeleted(object) || !isHeld(object) || b.Clock.Since(object.GetDeletionTimestamp().Time) <= b.Timing.AbandonAtLast {
		return ""
	}
	return b.refusals.message(object.GetUID(), metrics.WriteStatus)
}

func (b *Base) kindOf(object client.Object) string {
	kind, _ := b.Client.GroupVersionKindFor(object) // an error: not one of the operator's kinds
	return kind.Kind
}

// showRefusal adds a note about a refused write to the condition Paid; nil removes it. It does not
// matter if the status can't be written either: an event was written.
func (r *OrderReconciler) showRefusal(ctx context.Context, o *order, write string, refused error) error {
	note := ""
	if refused != nil {
		note = refusal(write, refused)
	}
	err := r.record(ctx, o, func(order *v1alpha1.Order) { lifecycle.OrderWriteRefused(order, note, r.Clock.Now()) })
	if isRefused(err) {
		return nil
	}
	return err
}

// finishDeletion removes the finalizer of an Order without open work.
func (r *OrderReconciler) finishDeletion(ctx context.Context, o *order) progress {
	if wait := r.awaitSinks(ctx, o.Order, o.DeletionTimestamp.Time); wait.stop {
		return wait
	}
	objects, err := r.withWhatNeedsIt(ctx, o.Order)
	if err != nil {
		return failed(err)
	}
	if wait := r.awaitLedger(ctx, o.DeletionTimestamp.Time, objects...); wait.stop {
		return wait
	}
	r.deleted.settled(o.Order)
	err = r.release(ctx, o.Order)
	if !isRefused(err) {
		r.refusals.forget(o.UID)
		return stop(err)
	}
	return afterWrite(r.showRefusal(ctx, o, metrics.WriteRelease, err), again(r.Timing.SecretsCheck))
}

// abandonIfUnwritable limits how long a deleted Order waits if its status can't be written, so that
// its end can't be recorded.
func (r *OrderReconciler) abandonIfUnwritable(ctx context.Context, o *order) progress {
	if said := r.unwritable(o); said != "" {
		return r.abandonFinalizer(ctx, o, "the cluster refuses to have its status written: "+said)
	}
	return next()
}

// notHeld shows that no call is made for an Order without finalizer. One that was started or is to
// be closed continues.
func (r *OrderReconciler) notHeld(ctx context.Context, o *order, refused error) progress {
	if lifecycle.Started(o.Order) {
		return afterWrite(r.showRefusal(ctx, o, metrics.WriteHold, refused), next())
	}
	if reason, why := r.closeReason(o); reason != "" {
		return r.endUnpaid(ctx, o, reason, why+"; WeChat Pay was not asked")
	}
	err := r.recordNotPrepared(ctx, o, metav1.ConditionFalse, v1alpha1.ReasonWriteRefused,
		"Nothing is sent to WeChat Pay without it, but "+refusal(metrics.WriteHold, refused))
	return afterWrite(err, again(r.Timing.SecretsCheck))
}

// finishDeletion removes the finalizer of a Refund without open work.
func (r *RefundReconciler) finishDeletion(ctx context.Context, f *refund) progress {
	if wait := r.awaitSinks(ctx, f.Refund, f.DeletionTimestamp.Time); wait.stop {
		return wait
	}
	if wait := r.awaitLedger(ctx, f.DeletionTimestamp.Time, f.Refund); wait.stop {
		return wait
	}
	r.forget(f.UID)
	r.settled(f.Refund)
	refused := r.release(ctx, f.Refund)
	if !isRefused(refused) {
		r.refusals.forget(f.UID)
		return stop(refused)
	}
	err := r.record(ctx, f, func(refund *v1alpha1.Refund) {
		lifecycle.RefundWriteRefused(refund, refusal(metrics.WriteRelease, refused), r.Clock.Now())
	})
	if err != nil && !isRefused(err) {
		return stoppedBy(err)
	}
	return again(r.Timing.SecretsCheck)
}

// abandonIfUnwritable limits how long a deleted Refund waits if its status can't be written, so
// that its end can't be recorded.
func (r *RefundReconciler) abandonIfUnwritable(ctx context.Context, f *refund) progress {
	if said := r.unwritable(f); said != "" {
		return r.abandonFinalizer(ctx, f, "the cluster refuses to have its status written: "+said)
	}
	return next()
}

// checkHeld stops a Refund without finalizer.
func (r *RefundReconciler) checkHeld(ctx context.Context, f *refund) progress {
	if isHeld(f) {
		return next()
	}
	return r.waitFor(ctx, f, v1alpha1.ReasonWriteRefused, "Nothing is sent to WeChat Pay without it, but "+refusal(metrics.WriteHold, f.holdError))
}

// finishDeletion removes the finalizer of an unused Merchant. If the cluster refuses that, the
// Merchant is reconciled like any other.
func (r *MerchantReconciler) finishDeletion(ctx context.Context, m *v1alpha1.Merchant) progress {
	err := r.release(ctx, m)
	if !isRefused(err) {
		r.refusals.forget(m.UID)
		return stop(err)
	}
	return next()
}

const writeRefusedNote = ". The cluster refuses a write: "

// withRefusal adds refused writes to the message of Ready.
func (r *MerchantReconciler) withRefusal(m *v1alpha1.Merchant, message string) string {
	for _, write := range []string{metrics.WriteRelease, metrics.WriteHold} {
		if said := r.refusals.message(m.UID, write); said != "" {
			return message + writeRefusedNote + refusal(write, errors.New(said))
		}
	}
	return message
}
