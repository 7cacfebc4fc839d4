package controllers

import (
	"context"
	"fmt"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/util/workqueue"
	"pgregory.net/rapid"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"

	"github.com/wechatpay-operator/wechatpay-operator/internal/account"
)

func requestOf(namespace string, i int) ctrl.Request {
	return ctrl.Request{NamespacedName: types.NamespacedName{Namespace: namespace, Name: fmt.Sprint(i)}}
}

// TestQueueServesNamespacesInTurn: thousands of another tenant's objects are queued, and
// the shop's single one is the next but one.
func TestQueueServesNamespacesInTurn(t *testing.T) {
	t.Parallel()
	queue := newFairQueue("", workqueue.DefaultTypedControllerRateLimiter[reconcile.Request]())
	defer queue.ShutDown()
	for i := range 5000 {
		queue.Add(requestOf("stranger", i))
	}
	queue.Add(requestOf("shop", 0))
	queue.Add(requestOf("shop", 0)) // it is queued already
	queue.Add(requestOf("shop", 1))
	for _, want := range []ctrl.Request{requestOf("stranger", 0), requestOf("shop", 0), requestOf("stranger", 1), requestOf("shop", 1), requestOf("stranger", 2), requestOf("stranger", 3)} {
		got, _ := queue.Get()
		if got != want {
			t.Fatalf("got %v, want %v", got, want)
		}
		queue.Done(got)
	}
	if queue.Len() != 5000-4 {
		t.Errorf("%d wait", queue.Len())
	}
}

// TestQueueLosesNothing: it keeps the order within a namespace, and an object waits for at most
// one of each other namespace.
func TestQueueLosesNothing(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		storage, pushed, popped := newFairStorage(), map[string]int{}, map[string]int{}
		since := map[string]int{}
		for range rapid.IntRange(1, 200).Draw(t, "moves") {
			if storage.Len() == 0 || rapid.Bool().Draw(t, "push") {
				namespace := rapid.SampledFrom([]string{"a", "b", "c", "d"}).Draw(t, "namespace")
				storage.Push(requestOf(namespace, pushed[namespace]))
				pushed[namespace]++
				continue
			}
			request := storage.Pop()
			if request != requestOf(request.Namespace, popped[request.Namespace]) {
				t.Fatalf("%v came out of turn", request)
			}
			popped[request.Namespace]++
			since[request.Namespace] = 0
			for namespace := range pushed {
				if namespace != request.Namespace && pushed[namespace] > popped[namespace] {
					if since[namespace]++; since[namespace] > 4 {
						t.Fatalf("%s has waited for %d others", namespace, since[namespace])
					}
				}
			}
		}
		waiting := 0
		for namespace := range pushed {
			waiting += pushed[namespace] - popped[namespace]
		}
		if storage.Len() != waiting {
			t.Fatalf("%d wait, and it says %d", waiting, storage.Len())
		}
		for range waiting {
			storage.Pop()
		}
		if len(storage.waiting) != 0 || len(storage.turns) != 0 {
			t.Fatal("something is left of what is gone")
		}
	})
}

// TestAnswersDoNotWaitForNewReconciles: an answer of WeChat is recorded while all workers
// that may start are busy.
func TestAnswersDoNotWaitForNewReconciles(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		base := Base{MaxConcurrentReconciles: 2}
		answer, never := make(chan struct{}), make(chan struct{})
		written := false
		limited := base.limitWorkers(account.OrderWorkers, reconcile.Func(func(ctx context.Context, request ctrl.Request) (ctrl.Result, error) {
			if request == requestOf("shop", 0) {
				over := account.CallerWaits(ctx)
				<-answer
				over()
				written = true
				return ctrl.Result{}, nil
			}
			<-never
			return ctrl.Result{}, nil
		}))
		var workers sync.WaitGroup
		for i := range 20 {
			workers.Go(func() { _, _ = limited.Reconcile(t.Context(), requestOf("shop", i)) })
			synctest.Wait() // in this order
		}
		close(answer)
		synctest.Wait()
		if !written {
			t.Error("the answer waits")
		}
		close(never)
		workers.Wait()
	})
}

// TestWaitingReconcilesDoNotCount: others work meanwhile, but never more at a time than allowed.
func TestWaitingReconcilesDoNotCount(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		base := Base{MaxConcurrentReconciles: 2}
		var working, most, waiting atomic.Int64
		answer := make(chan struct{})
		work := func() {
			most.Store(max(most.Load(), working.Add(1)))
			time.Sleep(time.Second)
			working.Add(-1)
		}
		limited := base.limitWorkers(account.OrderWorkers, reconcile.Func(func(ctx context.Context, _ ctrl.Request) (ctrl.Result, error) {
			work()
			over := account.CallerWaits(ctx)
			waiting.Add(1)
			<-answer
			waiting.Add(-1)
			over()
			work()
			return ctrl.Result{}, nil
		}))
		ctx, stop := context.WithCancel(t.Context())
		var workers sync.WaitGroup
		for i := range 20 {
			workers.Go(func() {
				if _, err := limited.Reconcile(ctx, requestOf("shop", i)); err != nil {
					t.Error(err)
				}
			})
		}
		time.Sleep(time.Minute)
		if waiting.Load() != 20 || working.Load() != 0 {
			t.Errorf("%d wait, %d work", waiting.Load(), working.Load())
		}
		stop() // the answer is recorded nevertheless
		close(answer)
		workers.Wait()
		if most.Load() != 2 {
			t.Errorf("%d worked at a time", most.Load())
		}
		if result, err := limited.Reconcile(ctx, requestOf("shop", 0)); err != nil || !result.IsZero() {
			t.Errorf("a manager that stops has begun another: %v", err)
		}
	})
}
