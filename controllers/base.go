package controllers

import (
	"context"
	"errors"
	"time"

	"github.com/go-logr/logr"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/tools/events"
	"k8s.io/client-go/util/workqueue"
	"k8s.io/utils/clock"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/controller/controllerutil"

	"github.com/wechatpay-operator/wechatpay-operator/api/v1alpha1"
	"github.com/wechatpay-operator/wechatpay-operator/internal/account"
	"github.com/wechatpay-operator/wechatpay-operator/internal/claims"
	"github.com/wechatpay-operator/wechatpay-operator/internal/metrics"
	"github.com/wechatpay-operator/wechatpay-operator/internal/status"
	"github.com/wechatpay-operator/wechatpay-operator/internal/wechatpay"
)

// Base is what the reconcilers share.
type Base struct {
	// Client reads from the cache and writes to the API server.
	Client client.Client
	// APIReader reads from the API server.
	APIReader client.Reader
	// Registry hands out Gateways.
	Registry *account.Registry
	// Claims decides whose numbers at WeChat are.
	Claims *claims.Claims
	// Callbacks are what test callbacks told.
	Callbacks *CallbackFindings
	// Guard tells whether approvals can be believed.
	Guard Guard
	// Recorder writes events: what needs a person's eye, and decisions.
	Recorder events.EventRecorder
	// Log gets one line for each change of state.
	Log logr.Logger
	// Timing holds the intervals.
	Timing Timing
	// Clock is the real one but in tests.
	Clock clock.PassiveClock
	// MaxConcurrentReconciles of each kind, beside those that wait for WeChat.
	MaxConcurrentReconciles int

	// refusals are the writes that the cluster refuses, and written those that went through lately.
	refusals *refusals
	written  *ownWrites
}

// retries count the failed attempts for each object, for waits that grow.
type retries struct {
	limiter workqueue.TypedRateLimiter[types.UID]
}

func newRetries(timing Timing) *retries {
	return &retries{workqueue.NewTypedItemExponentialFailureRateLimiter[types.UID](timing.RetryFirst, timing.RetryMost)}
}

func (r *retries) next(uid types.UID) time.Duration { return r.limiter.When(uid) }

// after is the wait after an error: growing, unless limits of our own say when to come again. That wait does not grow, so that
// those who waited longest do not stand behind newcomers.
func (r *retries) after(uid types.UID, err error) time.Duration {
	if wait := wechatpay.RetryAfter(err); wait > 0 {
		return wait
	}
	return r.next(uid)
}

func (r *retries) forget(uid types.UID) { r.limiter.Forget(uid) }

// hold adds the finalizer, so that the object stays until what is about to be started at WeChat is settled.
func (b *Base) hold(ctx context.Context, object client.Object) error {
	if controllerutil.ContainsFinalizer(object, v1alpha1.Finalizer) {
		return nil
	}
	patch := client.MergeFromWithOptions(object.DeepCopyObject().(client.Object), client.MergeFromWithOptimisticLock{})
	controllerutil.AddFinalizer(object, v1alpha1.Finalizer)
	err := b.Client.Patch(ctx, object, patch)
	if err != nil {
		controllerutil.RemoveFinalizer(object, v1alpha1.Finalizer) // it is not there
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
		controllerutil.AddFinalizer(object, v1alpha1.Finalizer) // it is still there
	}
	return client.IgnoreNotFound(b.wrote(ctx, object, metrics.WriteRelease, err))
}

func ignoreNotFound(err error) error { return client.IgnoreNotFound(err) }

func isDeleted(object client.Object) bool { return object.GetDeletionTimestamp() != nil }

func isHeld(object client.Object) bool {
	return controllerutil.ContainsFinalizer(object, v1alpha1.Finalizer)
}

// warn writes an event for a person's eye. It is not tried again: the status carries the same fact.
func (b *Base) warn(regarding runtime.Object, reason, action, format string, args ...any) {
	b.Recorder.Eventf(regarding, nil, "Warning", reason, action, format, args...)
}

func (b *Base) note(regarding runtime.Object, reason, action, format string, args ...any) {
	b.Recorder.Eventf(regarding, nil, "Normal", reason, action, format, args...)
}

// stoppedBy turns the error of a write into progress: an object that is gone needs nothing more.
func stoppedBy(err error) progress {
	if errors.Is(err, status.ErrReplaced) {
		return done()
	}
	return failed(err)
}
