package controllers

import (
	"context"
	"errors"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	ctrl "sigs.k8s.io/controller-runtime"

	"github.com/wechatpay-operator/wechatpay-operator/internal/status"
)

// progress is the result of a step.
type progress struct {
	stop  bool
	after time.Duration
	err   error
}

// conflictPause gives the cache time to receive the other write.
const conflictPause = 500 * time.Millisecond

// next continues with the following step.
func next() progress { return progress{} }

// done ends the reconcile. A change of the object, such as a write of this reconcile, or of what it refers
// to starts the next one.
func done() progress { return progress{stop: true} }

// again ends the reconcile and schedules the next one.
func again(after time.Duration) progress {
	return progress{stop: true, after: max(after, time.Millisecond)}
}

// failed ends the reconcile with an error of the API server; the workqueue repeats it with backoff.
func failed(err error) progress { return progress{stop: true, err: err} }

// stop ends the reconcile with the result of a write.
func stop(err error) progress { return progress{stop: true, err: err} }

// afterWrite returns then, unless the write failed.
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

// soonest returns the earlier of two ends of a reconcile.
func soonest(a, b progress) progress {
	if b.after > 0 && (a.after == 0 || b.after < a.after) {
		return b
	}
	return a
}

// step is a part of a reconcile. Its result says whether the next step runs.
type step[S any] func(context.Context, S) progress

// run runs the steps in order until one stops.
func run[S any](ctx context.Context, scope S, steps ...step[S]) (ctrl.Result, error) {
	for _, step := range steps {
		if p := step(ctx, scope); p.stop {
			if apierrors.IsConflict(p.err) {
				// Another write came first, or the cache lags. That is not an error worth
				// reporting.
				return ctrl.Result{RequeueAfter: conflictPause}, nil
			}
			return ctrl.Result{RequeueAfter: p.after}, p.err
		}
	}
	return ctrl.Result{}, nil
}
