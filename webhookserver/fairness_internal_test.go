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

// lined has somebody wait in line for the one place of a room, in which two may wait.
func lined(ctx context.Context, r *keyedSemaphore, in tenantKey) <-chan bool {
	let := make(chan bool, 1)
	go func() { let <- r.acquire(ctx, in, 1, 2) }()
	synctest.Wait() // until it does
	return let
}

// TestPlacesGoToWhoWaitsLongest: nobody overtakes, no more wait than may, and in the end nothing is left of a room.
func TestPlacesGoToWhoWaitsLongest(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := &keyedSemaphore{}
		if !r.acquire(t.Context(), full, 1, 2) {
			t.Fatal("there was a place")
		}
		first, second := lined(t.Context(), r, full), lined(t.Context(), r, full)
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
		newcomer := lined(t.Context(), r, full)
		r.release(full)
		if !<-second {
			t.Error("the second did not get the place")
		}
		if r.release(full); !<-newcomer {
			t.Error("the last did not get the place")
		}
		r.release(full)
		if len(r.open) > 0 {
			t.Errorf("left: %v", r.open)
		}
	})
}

// TestWhoGivesUpTakesNoPlace: one that waited in vain neither holds a place nor is given one.
func TestWhoGivesUpTakesNoPlace(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := &keyedSemaphore{}
		r.acquire(t.Context(), full, 1, 2)
		ctx, giveUp := context.WithCancel(t.Context())
		impatient, patient := lined(ctx, r, full), lined(t.Context(), r, full)
		giveUp()
		if <-impatient {
			t.Error("there was no place")
		}
		if r.release(full); !<-patient {
			t.Error("the place was lost")
		}
		r.release(full)
		if len(r.open) > 0 {
			t.Errorf("left: %v", r.open)
		}
	})
}

// TestPaymentsWaitForAPlace: a payment more than may be stored at once is settled when another one is, or refused after a while.
func TestPaymentsWaitForAPlace(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := &Handler{}
		c := &callback{kind: full.kind, merchant: &v1alpha1.Merchant{ObjectMeta: metav1.ObjectMeta{Namespace: full.merchant.Namespace, Name: full.merchant.Name}}}
		for range settledAtOnce {
			if !h.awaitPlace(t.Context(), c) {
				t.Fatal("there was a place")
			}
		}
		let := make(chan bool, 1)
		go func() { let <- h.awaitPlace(t.Context(), c) }()
		synctest.Wait()
		h.inFlight.release(full)
		if !<-let {
			t.Error("it did not get the place")
		}
		if h.awaitPlace(t.Context(), c) {
			t.Error("nobody left, and yet there was a place")
		}
	})
}
