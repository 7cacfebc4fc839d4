package controllers

import (
	"context"
	"errors"
	"time"

	"golang.org/x/sync/semaphore"
	"k8s.io/client-go/util/workqueue"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/controller"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"

	"github.com/wechatpay-operator/wechatpay-operator/internal/account"
)

// reconcileDeadline is longer than the longest chain of calls within one reconcile.
const reconcileDeadline = 2 * time.Minute

// failurePause limits the backoff after errors of the API server: a corrected policy or quota is
// noticed within a minute, since no event reports it.
const failurePause = 45 * time.Second

// controllerOptions sets a rate limiter that suits a payment API (the default starts at 5 ms), and
// a queue that serves namespaces in turn. With controller-runtime's own priority queue a steady
// stream of new Orders was prepared later, and a start cost no less.
func (b *Base) controllerOptions() controller.Options {
	return controller.Options{
		MaxConcurrentReconciles: max(b.MaxConcurrentReconciles, 1),
		RateLimiter:             workqueue.NewTypedItemExponentialFailureRateLimiter[reconcile.Request](500*time.Millisecond, failurePause),
		ReconciliationTimeout:   reconcileDeadline,
		NewQueue:                newFairQueue,
	}
}

// waitingOptions is for a reconciler that waits for WeChat: it has an additional worker for each
// call that may be in flight, so that calls without an answer never use the last one.
func (b *Base) waitingOptions() controller.Options {
	options := b.controllerOptions()
	options.MaxConcurrentReconciles += b.Registry.MaxInFlight()
	return options
}

// limitWorkers lets a reconciler start on at most MaxConcurrentReconciles objects at a time, and
// continue with as many after WeChat has answered. Those that wait for WeChat do not count. There
// are two limits because an answer must be recorded at once: in a burst it would wait for all
// objects that have not started, while the payer waits or has paid.
func (b *Base) limitWorkers(workers account.Workers, reconciler reconcile.Reconciler) reconcile.Reconciler {
	most := int64(max(b.MaxConcurrentReconciles, 1))
	beginning, answered := semaphore.NewWeighted(most), semaphore.NewWeighted(most)
	return reconcile.Func(func(ctx context.Context, request ctrl.Request) (ctrl.Result, error) {
		if err := beginning.Acquire(ctx, 1); errors.Is(err, context.Canceled) {
			return ctrl.Result{}, nil // the manager is stopping
		} else if err != nil {
			return ctrl.Result{}, err
		}
		held := beginning
		defer func() { held.Release(1) }()
		waiting := func() (over func()) {
			held.Release(1)
			return func() {
				// WeChat's answer is recorded even while the manager stops.
				_ = answered.Acquire(context.WithoutCancel(ctx), 1)
				held = answered
			}
		}
		return reconciler.Reconcile(account.WithCaller(ctx, account.Caller{
			Namespace: request.Namespace, Workers: workers, Waiting: waiting,
		}), request)
	})
}

// newFairQueue returns a workqueue that serves namespaces in turn.
func newFairQueue(name string, limiter workqueue.TypedRateLimiter[reconcile.Request]) workqueue.TypedRateLimitingInterface[reconcile.Request] {
	queue := workqueue.NewTypedWithConfig(workqueue.TypedQueueConfig[reconcile.Request]{Name: name, Queue: newFairStorage()})
	delaying := workqueue.NewTypedDelayingQueueWithConfig(workqueue.TypedDelayingQueueConfig[reconcile.Request]{Name: name, Queue: queue})
	return workqueue.NewTypedRateLimitingQueueWithConfig(limiter, workqueue.TypedRateLimitingQueueConfig[reconcile.Request]{Name: name, DelayingQueue: delaying})
}

// fairStorage holds the queued requests. Namespaces are served in turn, however many requests each
// has.
type fairStorage struct {
	// turns are the namespaces with queued requests, the next one first.
	turns   []string
	waiting map[string][]reconcile.Request
	length  int
}

var _ workqueue.Queue[reconcile.Request] = &fairStorage{}

func newFairStorage() *fairStorage { return &fairStorage{waiting: map[string][]reconcile.Request{}} }

// Touch is called for a queued request, which keeps its position.
func (f *fairStorage) Touch(reconcile.Request) {}

// Len returns the number of queued requests.
func (f *fairStorage) Len() int { return f.length }

// Push adds a request to the queue of its namespace.
func (f *fairStorage) Push(request reconcile.Request) {
	if len(f.waiting[request.Namespace]) == 0 {
		f.turns = append(f.turns, request.Namespace)
	}
	f.waiting[request.Namespace] = append(f.waiting[request.Namespace], request)
	f.length++
}

// Pop returns the first request of the next namespace.
func (f *fairStorage) Pop() reconcile.Request {
	namespace := f.turns[0]
	f.turns = f.turns[1:]
	waiting := f.waiting[namespace]
	next := waiting[0]
	if len(waiting) == 1 {
		delete(f.waiting, namespace)
	} else {
		f.waiting[namespace] = waiting[1:]
		f.turns = append(f.turns, namespace)
	}
	f.length--
	return next
}
