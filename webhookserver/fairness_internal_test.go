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
	full    = room{"payment", types.NamespacedName{Namespace: "default", Name: "shop"}}
	another = room{"payment", types.NamespacedName{Namespace: "default", Name: "another"}}
)

// lined has somebody wait in line for the one place of a room, in which two may wait.
func lined(ctx context.Context, r *rooms, in room) <-chan bool {
	let := make(chan bool, 1)
	go func() { let <- r.enter(ctx, in, 1, 2) }()
	synctest.Wait() // until it does
	return let
}

// TestPlacesGoToWhoWaitsLongest: nobody overtakes, no more wait than may, and in the end nothing is left of a room.
func TestPlacesGoToWhoWaitsLongest(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := &rooms{}
		if !r.enter(t.Context(), full, 1, 2) {
			t.Fatal("there was a place")
		}
		first, second := lined(t.Context(), r, full), lined(t.Context(), r, full)
		if r.enter(t.Context(), full, 1, 2) {
			t.Error("more may wait than two")
		}
		if !r.enter(t.Context(), another, 1, 0) {
			t.Error("another Merchant has places of its own")
		}
		r.leave(another)
		r.leave(full)
		if !<-first {
			t.Error("the first did not get the place")
		}
		newcomer := lined(t.Context(), r, full)
		r.leave(full)
		if !<-second {
			t.Error("the second did not get the place")
		}
		if r.leave(full); !<-newcomer {
			t.Error("the last did not get the place")
		}
		r.leave(full)
		if len(r.open) > 0 {
			t.Errorf("left: %v", r.open)
		}
	})
}

// TestWhoGivesUpTakesNoPlace: one that waited in vain neither holds a place nor is given one.
func TestWhoGivesUpTakesNoPlace(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := &rooms{}
		r.enter(t.Context(), full, 1, 2)
		ctx, giveUp := context.WithCancel(t.Context())
		impatient, patient := lined(ctx, r, full), lined(t.Context(), r, full)
		giveUp()
		if <-impatient {
			t.Error("there was no place")
		}
		if r.leave(full); !<-patient {
			t.Error("the place was lost")
		}
		r.leave(full)
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
		h.waiting.leave(full)
		if !<-let {
			t.Error("it did not get the place")
		}
		if h.awaitPlace(t.Context(), c) {
			t.Error("nobody left, and yet there was a place")
		}
	})
}
