package controllers

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"sync"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
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
	metrics.WriteRelease: "to have the finalizer " + v1alpha1.Finalizer + " removed",
	metrics.WriteStatus:  "to have the status written",
	metrics.WriteCreate:  "the Refund of a late payment",
	metrics.WriteDelete:  "to have it deleted after ttlSecondsAfterFinished",
}

// refusal returns the text of a condition about a refused write.
func refusal(write string, err error) string {
	return fmt.Sprintf("the operator is not allowed %s: %v. It is retried automatically", writePurpose[write], err)
}

// reportAbandoned reports that a finalizer is removed although its order or refund has not ended at
// WeChat.
func (b *Base) reportAbandoned(ctx context.Context, object client.Object, format string, arguments ...any) {
	if b.refusals.message(object.GetUID(), metrics.WriteRelease) == "" { // otherwise it was reported before
		b.reporter(ctx).FinalizerAbandoned(object, b.kindOf(object), format, arguments...)
	}
}

// unwritable returns why the status of an object that was deleted long ago can't be written, so that
// its end can't be recorded; empty if it can.
func (b *Base) unwritable(object client.Object) string {
	if !isDeleted(object) || !hasFinalizer(object) || b.Clock.Since(object.GetDeletionTimestamp().Time) <= b.Timing.AbandonAtLast {
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
