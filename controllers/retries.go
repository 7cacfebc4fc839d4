package controllers

import (
	"time"

	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/util/workqueue"

	"github.com/wechatpay-operator/wechatpay-operator/internal/wechatpay"
)

// retries counts the failed attempts for each object, for exponential backoff.
type retries struct {
	limiter workqueue.TypedRateLimiter[types.UID]
}

func newRetries(timing Timing) *retries {
	return &retries{workqueue.NewTypedItemExponentialFailureRateLimiter[types.UID](timing.RetryFirst, timing.RetryMost)}
}

func (r *retries) next(uid types.UID) time.Duration { return r.limiter.When(uid) }

// after returns the wait after an error: the exponential backoff, unless the operator's own limits
// say when to retry. That wait does not grow, so objects that have waited longest are not served
// after new ones.
func (r *retries) after(uid types.UID, err error) time.Duration {
	if wait := wechatpay.RetryAfter(err); wait > 0 {
		return wait
	}
	return r.next(uid)
}

// count returns the number of failed attempts.
func (r *retries) count(uid types.UID) int { return r.limiter.NumRequeues(uid) }

func (r *retries) forget(uid types.UID) { r.limiter.Forget(uid) }
