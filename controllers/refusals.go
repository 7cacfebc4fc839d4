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

// A cluster may refuse a write of ours: by a policy, a quota, a webhook that is away. Each such write is counted, an event tells what
// was said, the condition shows it as far as the status can be written, and what does not need the write goes on.

// isRefused says whether the cluster refuses a write, and will again until somebody changes something there.
func isRefused(err error) bool {
	var refusal apierrors.APIStatus
	if !errors.As(err, &refusal) {
		return false
	}
	switch code := refusal.Status().Code; code {
	case http.StatusNotFound, http.StatusConflict, http.StatusGone, http.StatusRequestTimeout, http.StatusTooManyRequests, http.StatusUnauthorized:
		return false
	default:
		return code >= 400 && code < 500 || apierrors.IsInternalError(err) && strings.Contains(err.Error(), "webhook") // one that can't be called
	}
}

// refusals remember what is refused, so that it is told once.
type refusals struct {
	mutex sync.Mutex
	told  map[types.UID]map[string]string
}

// mostRefusals bounds the memory.
const mostRefusals = 10_000

// note remembers what was said about a write, and says whether that is news.
func (r *refusals) note(uid types.UID, write, said string) bool {
	r.mutex.Lock()
	defer r.mutex.Unlock()
	if len(r.told) > mostRefusals {
		r.told = nil // of objects that are long gone, for the most part; the others are told once more
	}
	if r.told == nil {
		r.told = map[types.UID]map[string]string{}
	}
	if r.told[uid] == nil {
		r.told[uid] = map[string]string{}
	}
	news := r.told[uid][write] != said
	r.told[uid][write] = said
	return news
}

// about is what was said about a write; empty when it is not refused.
func (r *refusals) about(uid types.UID, write string) string {
	r.mutex.Lock()
	defer r.mutex.Unlock()
	return r.told[uid][write]
}

func (r *refusals) over(uid types.UID, write string) {
	r.mutex.Lock()
	defer r.mutex.Unlock()
	if delete(r.told[uid], write); len(r.told[uid]) == 0 {
		delete(r.told, uid)
	}
}

func (r *refusals) forget(uid types.UID) {
	r.mutex.Lock()
	defer r.mutex.Unlock()
	delete(r.told, uid)
}

// wrote notes a write, or tells that the cluster refuses it, and returns the error as it is.
func (b *Base) wrote(ctx context.Context, object client.Object, write string, err error) error {
	if err == nil {
		b.written.note(object)
	}
	if b.refusals == nil {
		return err
	}
	if !isRefused(err) {
		if err == nil {
			b.refusals.over(object.GetUID(), write)
		}
		return err
	}
	kind := kindOf(object)
	metrics.WritesRefused.WithLabelValues(kind, write).Inc()
	if b.refusals.note(object.GetUID(), write, err.Error()) {
		b.warn(object, v1alpha1.ReasonWriteRefused, "Write", "The cluster refuses %s: %v", refusedWhat[write], err)
		b.log(ctx).Info("The cluster refuses a write", "kind", kind, "object", client.ObjectKeyFromObject(object).String(), "write", write, "problem", err.Error())
	}
	return err
}

// refusedWhat is what each write is for, in words.
var refusedWhat = map[string]string{
	metrics.WriteHold:    "to have the finalizer " + v1alpha1.Finalizer + " added",
	metrics.WriteRelease: "to have the finalizer " + v1alpha1.Finalizer + " taken off",
	metrics.WriteStatus:  "to have the status written",
	metrics.WriteCreate:  "the Refund of a late payment",
	metrics.WriteDelete:  "to have it deleted after ttlSecondsAfterFinished",
}

// refusal is what a condition says about a write that is refused.
func refusal(write string, err error) string {
	return fmt.Sprintf("the operator is not allowed %s: %v. It is tried again by itself", refusedWhat[write], err)
}

func kindOf(object client.Object) string {
	switch object.(type) {
	case *v1alpha1.Order:
		return "Order"
	case *v1alpha1.Refund:
		return "Refund"
	default:
		return "Merchant"
	}
}

// showRefusal notes in the condition Paid that a write is refused; nil takes the note away. That the status can't be written either
// does not matter here: it was told.
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

// goes takes the finalizer off an Order of which nothing is open.
func (r *OrderReconciler) goes(ctx context.Context, o *order) progress {
	r.gone.settled(o.Order)
	err := r.release(ctx, o.Order)
	if !isRefused(err) {
		r.refusals.forget(o.UID)
		return stop(err)
	}
	if err := r.showRefusal(ctx, o, metrics.WriteRelease, err); err != nil {
		return stoppedBy(err)
	}
	return again(r.Timing.SecretsCheck)
}

// abandonIfUnwritable bounds the wait of a deleted Order whose status can't be written, so that no end of it can be recorded.
func (r *OrderReconciler) abandonIfUnwritable(ctx context.Context, o *order) progress {
	if !isHeld(o) || r.Clock.Since(o.DeletionTimestamp.Time) <= r.Timing.AbandonAtLast {
		return next()
	}
	if said := r.refusals.about(o.UID, metrics.WriteStatus); said != "" {
		return r.abandonFinalizer(ctx, o, "the cluster refuses to have its status written: "+said)
	}
	return next()
}

// notHeld shows that no call is made for an Order that can't be held. What was started, or is to be closed, needs no hold.
func (r *OrderReconciler) notHeld(ctx context.Context, o *order, refused error) progress {
	if lifecycle.Started(o.Order) {
		if err := r.showRefusal(ctx, o, metrics.WriteHold, refused); err != nil {
			return stoppedBy(err)
		}
		return next()
	}
	if reason, why := r.closeReason(o); reason != "" {
		return r.endUnpaid(ctx, o, reason, why+"; WeChat Pay was not asked")
	}
	err := r.record(ctx, o, func(order *v1alpha1.Order) {
		lifecycle.NotPrepared(order, metav1.ConditionFalse, v1alpha1.ReasonWriteRefused,
			"Nothing is sent to WeChat Pay without it, but "+refusal(metrics.WriteHold, refused), r.Clock.Now())
	})
	if err != nil {
		return stoppedBy(err)
	}
	return again(r.Timing.SecretsCheck)
}

// goes takes the finalizer off a Refund of which nothing is open.
func (r *RefundReconciler) goes(ctx context.Context, f *refund) progress {
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

// abandonIfUnwritable bounds the wait of a deleted Refund whose status can't be written, so that no end of it can be recorded.
func (r *RefundReconciler) abandonIfUnwritable(ctx context.Context, f *refund) progress {
	if !isDeleted(f) || !isHeld(f) || r.Clock.Since(f.DeletionTimestamp.Time) <= r.Timing.AbandonAtLast {
		return next()
	}
	if said := r.refusals.about(f.UID, metrics.WriteStatus); said != "" {
		return r.abandonFinalizer(ctx, f, "the cluster refuses to have its status written: "+said)
	}
	return next()
}

// checkHeld waits with a Refund that can't be held.
func (r *RefundReconciler) checkHeld(ctx context.Context, f *refund) progress {
	if isHeld(f) {
		return next()
	}
	return r.waitFor(ctx, f, v1alpha1.ReasonWriteRefused, "Nothing is sent to WeChat Pay without it, but "+refusal(metrics.WriteHold, f.unheld))
}

// goes takes the finalizer off a Merchant that nobody needs any more. Where the cluster refuses that, it is looked after like any other.
func (r *MerchantReconciler) goes(ctx context.Context, m *v1alpha1.Merchant) progress {
	err := r.release(ctx, m)
	if !isRefused(err) {
		r.refusals.forget(m.UID)
		return stop(err)
	}
	return next()
}

// withRefusal adds to the message of Ready what the cluster refuses.
func (r *MerchantReconciler) withRefusal(m *v1alpha1.Merchant, message string) string {
	for _, write := range []string{metrics.WriteRelease, metrics.WriteHold} {
		if said := r.refusals.about(m.UID, write); said != "" {
			return message + ". The cluster refuses a write: " + refusal(write, errors.New(said))
		}
	}
	return message
}
