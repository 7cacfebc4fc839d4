package webhookserver

import (
	"context"
	"testing"
	"testing/synctest"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	"github.com/wechatpay-operator/wechatpay-operator/api/v1alpha1"
)

var (
	full    = tenantKey{"payment", types.NamespacedName{Namespace: "default", Name: "shop"}}
	another = tenantKey{"payment", types.NamespacedName{Namespace: "default", Name: "another"}}
)

// queued starts a caller that waits for a semaphore of size one, for which two may wait.
func queued(ctx context.Context, r *keyedSemaphore, in tenantKey) <-chan bool {
	let := make(chan bool, 1)
	go func() { let <- r.acquire(ctx, in, 1, 2) }()
	synctest.Wait() // until it waits
	return let
}

// TestSemaphoreIsFIFO: callers are served in order, no more wait than allowed, and the
// semaphore is removed at the end.
func TestSemaphoreIsFIFO(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := &keyedSemaphore{}
		if !r.acquire(t.Context(), full, 1, 2) {
			t.Fatal("there was a place")
		}
		first, second := queued(t.Context(), r, full), queued(t.Context(), r, full)
		if r.acquire(t.Context(), full, 1, 2) {
			t.Error("more may wait than two")
		}
		if !r.acquire(t.Context(), another, 1, 0) {
			t.Error("another Merchant has places of its own")
		}
		r.release(another)
		r.release(full)
		if !<-first {
			t.Error("the first did not get the place")
		}
		newcomer := queued(t.Context(), r, full)
		r.release(full)
		if !<-second {
			t.Error("the second did not get the place")
		}
		if r.release(full); !<-newcomer {
			t.Error("the last did not get the place")
		}
		r.release(full)
		if len(r.semaphores) > 0 {
			t.Errorf("left: %v", r.semaphores)
		}
	})
}

// TestTimedOutCallerLeavesTheQueue: a caller that timed out neither holds the semaphore nor gets it
// later.
func TestTimedOutCallerLeavesTheQueue(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := &keyedSemaphore{}
		r.acquire(t.Context(), full, 1, 2)
		ctx, giveUp := context.WithCancel(t.Context())
		impatient, patient := queued(ctx, r, full), queued(t.Context(), r, full)
		giveUp()
		if <-impatient {
			t.Error("there was no place")
		}
		if r.release(full); !<-patient {
			t.Error("the place was lost")
		}
		r.release(full)
		if len(r.semaphores) > 0 {
			t.Errorf("left: %v", r.semaphores)
		}
	})
}

// TestPaymentsAreQueued: if too many payments are being stored, the next one waits for one of
// them, or is refused after a timeout.
func TestPaymentsAreQueued(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := &Handler{}
		c := &callback{kind: full.kind, merchant: &v1alpha1.Merchant{ObjectMeta: metav1.ObjectMeta{Namespace: full.merchant.Namespace, Name: full.merchant.Name}}}
		for range concurrentCallbacks {
			if !h.acquirePaymentSlot(t.Context(), c) {
				t.Fatal("there was a place")
			}
		}
		let := make(chan bool, 1)
		go func() { let <- h.acquirePaymentSlot(t.Context(), c) }()
		synctest.Wait()
		h.inFlight.release(full)
		if !<-let {
			t.Error("it did not get the place")
		}
		if h.acquirePaymentSlot(t.Context(), c) {
			t.Error("nobody left, and yet there was a place")
		}
	})
}
