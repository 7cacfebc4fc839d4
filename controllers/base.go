package controllers

import (
	"context"
	"errors"
	"time"

	"github.com/go-logr/logr"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/types"
	kubeevents "k8s.io/client-go/tools/events"
	"k8s.io/client-go/util/workqueue"
	"k8s.io/utils/clock"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/controller/controllerutil"

	"github.com/wechatpay-operator/wechatpay-operator/api/v1alpha1"
	"github.com/wechatpay-operator/wechatpay-operator/internal/account"
	"github.com/wechatpay-operator/wechatpay-operator/internal/claims"
	"github.com/wechatpay-operator/wechatpay-operator/internal/events"
	"github.com/wechatpay-operator/wechatpay-operator/internal/metrics"
	"github.com/wechatpay-operator/wechatpay-operator/internal/status"
	"github.com/wechatpay-operator/wechatpay-operator/internal/wechatpay"
)

// Base is shared by the reconcilers.
type Base struct {
	// Client reads from the cache and writes to the API server.
	Client client.Client
	// APIReader reads from the API server.
	APIReader client.Reader
	// Registry returns the Accounts.
	Registry *account.Registry
	// Claims decides which object owns a number at WeChat.
	Claims *claims.Claims
	// Callbacks are the results of test callbacks.
	Callbacks *CallbackFindings
	// Guard reports whether approvals can be trusted.
	Guard Guard
	// Events delivers to EventSinks; nil in tests about something else.
	Events *events.Dispatcher
	// Ledger records what happened; nil if there is none.
	Ledger Ledger
	// Wakeups start the queries of what a bill says was missed.
	Wakeups *Wakeups
	// Recorder writes events for decisions and for what needs a person's attention.
	Recorder kubeevents.EventRecorder
	// Log gets one line for each change of state.
	Log logr.Logger
	// Timing holds the intervals.
	Timing Timing
	// Clock is replaced only in tests.
	Clock clock.PassiveClock
	// MaxConcurrentReconciles of each kind, not counting those that wait for WeChat.
	MaxConcurrentReconciles int

	// refusals are the writes that the cluster refuses, and written the recent successful ones.
	refusals *refusals
	written  *ownWrites
}

// retries counts the failed attempts for each object, for exponential backoff.
type retries struct {
	limiter workqueue.TypedRateLimiter[types.UID]
}

func newRetries(timing Timing) *retries {
	return &retries{workqueue.NewTypedItemExponentialFailureRateLimiter[types.UID](timing.RetryFirst, timing.RetryMost)}
}

func (r *retries) next(uid types.UID) time.Duration { return r.limiter.When(uid) }

// after returns the wait after an error: the exponential backoff, unless the operator's own limits
// say when to retry. That wait does not grow, so that objects that have waited longest are not
// served after new ones.
func (r *retries) after(uid types.UID, err error) time.Duration {
	if wait := wechatpay.RetryAfter(err); wait > 0 {
		return wait
	}
	return r.next(uid)
}

// count returns the number of failed attempts.
func (r *retries) count(uid types.UID) int { return r.limiter.NumRequeues(uid) }

func (r *retries) forget(uid types.UID) { r.limiter.Forget(uid) }

// hold adds the finalizer, so that the object remains until what is about to be started at WeChat
// is settled.
func (b *Base) hold(ctx context.Context, object client.Object) error {
	if isHeld(object) {
		return nil
	}
	patch := client.MergeFromWithOptions(object.DeepCopyObject().(client.Object), client.MergeFromWithOptimisticLock{})
	controllerutil.AddFinalizer(object, v1alpha1.Finalizer)
	err := b.Client.Patch(ctx, object, patch)
	if err != nil {
		controllerutil.RemoveFinalizer(object, v1alpha1.Finalizer) // it was not added
	}
	return b.wrote(ctx, object, metrics.WriteHold, err)
}

// release removes the finalizer.
func (b *Base) release(ctx context.Context, object client.Object) error {
	patch := client.MergeFromWithOptions(object.DeepCopyObject().(client.Object), client.MergeFromWithOptimisticLock{})
	if !controllerutil.RemoveFinalizer(object, v1alpha1.Finalizer) {
		return nil
	}
	err := b.Client.Patch(ctx, object, patch)
	if err != nil {
		controllerutil.AddFinalizer(object, v1alpha1.Finalizer) // it was not removed
	}
	return client.IgnoreNotFound(b.wrote(ctx, object, metrics.WriteRelease, err))
}

func isDeleted(object client.Object) bool { return object.GetDeletionTimestamp() != nil }

func isHeld(object client.Object) bool {
	return controllerutil.ContainsFinalizer(object, v1alpha1.Finalizer)
}

// warn writes a Warning event. It is not retried: the status holds the same fact.
func (b *Base) warn(regarding runtime.Object, reason, action, format string, args ...any) {
	b.Recorder.Eventf(regarding, nil, "Warning", reason, action, format, args...)
}

func (b *Base) note(regarding runtime.Object, reason, action, format string, args ...any) {
	b.Recorder.Eventf(regarding, nil, "Normal", reason, action, format, args...)
}

// afterWrite goes on, or ends the reconcile, as said, unless the write failed.
func afterWrite(err error, then progress) progress {
	if err != nil {
		return stoppedBy(err)
	}
	return then
}

// stoppedBy converts the error of a write. A deleted object needs nothing more.
func stoppedBy(err error) progress {
	if errors.Is(err, status.ErrReplaced) {
		return done()
	}
	return failed(err)
}
