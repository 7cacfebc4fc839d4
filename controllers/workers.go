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

// failurePause bounds the growing wait after the API server refused something: a policy or a quota that is mended is found within a
// minute, since nothing tells of it.
const failurePause = 45 * time.Second

// controllerOptions set a limiter that is fit for a payment API (the default one starts at 5 ms), and a queue that takes from
// each namespace in turn. controller-runtime's own queue, with priorities, prepared a steady stream of new Orders later, and a
// start cost no less.
func (b *Base) controllerOptions() controller.Options {
	return controller.Options{
		MaxConcurrentReconciles: max(b.MaxConcurrentReconciles, 1),
		RateLimiter:             workqueue.NewTypedItemExponentialFailureRateLimiter[reconcile.Request](500*time.Millisecond, failurePause),
		ReconciliationTimeout:   reconcileDeadline,
		NewQueue:                newFairQueue,
	}
}

// waitingOptions are for a reconciler that waits for WeChat: beside the workers that it works with it has one for each call that
// may be under way, so that calls without an answer never take the last one.
func (b *Base) waitingOptions() controller.Options {
	options := b.controllerOptions()
	options.MaxConcurrentReconciles += b.Registry.Places()
	return options
}

// working has a reconciler begin to work on at most MaxConcurrentReconciles objects at a time, and go on with as many that WeChat
// has answered for. Those that wait for WeChat do not count. The two are apart, since an answer must be written down at once: in
// a burst it would stand behind all that has not begun, while its payer waits, or has paid.
func (b *Base) working(workers account.Workers, reconciler reconcile.Reconciler) reconcile.Reconciler {
	most := int64(max(b.MaxConcurrentReconciles, 1))
	beginning, answered := semaphore.NewWeighted(most), semaphore.NewWeighted(most)
	return reconcile.Func(func(ctx context.Context, request ctrl.Request) (ctrl.Result, error) {
		if err := beginning.Acquire(ctx, 1); errors.Is(err, context.Canceled) {
			return ctrl.Result{}, nil // the manager stops
		} else if err != nil {
			return ctrl.Result{}, err
		}
		held := beginning
		defer func() { held.Release(1) }()
		waiting := func() (over func()) {
			held.Release(1)
			return func() {
				// What WeChat answered is written down also when the manager stops.
				_ = answered.Acquire(context.WithoutCancel(ctx), 1)
				held = answered
			}
		}
		return reconciler.Reconcile(account.WithCaller(ctx, account.Caller{
			Namespace: request.Namespace, Workers: workers, Waiting: waiting,
		}), request)
	})
}

// newFairQueue is a workqueue that takes from each namespace in turn.
func newFairQueue(name string, limiter workqueue.TypedRateLimiter[reconcile.Request]) workqueue.TypedRateLimitingInterface[reconcile.Request] {
	queue := workqueue.NewTypedWithConfig(workqueue.TypedQueueConfig[reconcile.Request]{Name: name, Queue: newFairStorage()})
	delaying := workqueue.NewTypedDelayingQueueWithConfig(workqueue.TypedDelayingQueueConfig[reconcile.Request]{Name: name, Queue: queue})
	return workqueue.NewTypedRateLimitingQueueWithConfig(limiter, workqueue.TypedRateLimitingQueueConfig[reconcile.Request]{Name: name, DelayingQueue: delaying})
}

// fairStorage holds what waits in a workqueue: however much a namespace has in it, the next one's turn comes after one of its.
type fairStorage struct {
	// turns are the namespaces that something waits in, the next one first.
	turns   []string
	waiting map[string][]reconcile.Request
	length  int
}

var _ workqueue.Queue[reconcile.Request] = &fairStorage{}

func newFairStorage() *fairStorage { return &fairStorage{waiting: map[string][]reconcile.Request{}} }

// Touch is called for what waits already; it keeps its place.
func (f *fairStorage) Touch(reconcile.Request) {}

// Len is how much waits.
func (f *fairStorage) Len() int { return f.length }

// Push adds to what waits in a namespace.
func (f *fairStorage) Push(request reconcile.Request) {
	if len(f.waiting[request.Namespace]) == 0 {
		f.turns = append(f.turns, request.Namespace)
	}
	f.waiting[request.Namespace] = append(f.waiting[request.Namespace], request)
	f.length++
}

// Pop takes the first of the namespace whose turn it is.
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
