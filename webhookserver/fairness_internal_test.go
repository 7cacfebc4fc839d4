package webhookserver

import (
	"context"
	"runtime"
	"testing"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	"github.com/wechatpay-operator/wechatpay-operator/api/v1alpha1"
)

var (
	full    = room{"payment", types.NamespacedName{Namespace: "default", Name: "shop"}}
	another = room{"payment", types.NamespacedName{Namespace: "default", Name: "another"}}
)

// queued has somebody wait for the one place of a room, after so many others.
func queued(ctx context.Context, r *rooms, in room, others int) <-chan bool {
	let := make(chan bool, 1)
	go func() { let <- r.queue(ctx, in, 1, 2) }()
	awaitQueue(r, in, others+1)
	return let
}

// awaitQueue waits until so many wait.
func awaitQueue(r *rooms, in room, length int) {
	for {
		r.mutex.Lock()
		waiting := len(r.queues[in])
		r.mutex.Unlock()
		if waiting == length {
			return
		}
		runtime.Gosched()
	}
}

// TestPlacesGoToWhoWaitsLongest: nobody overtakes, no more wait than may, and in the end nothing is left of a room.
func TestPlacesGoToWhoWaitsLongest(t *testing.T) {
	t.Parallel()
	r := &rooms{}
	if !r.queue(t.Context(), full, 1, 2) {
		t.Fatal("there was a place")
	}
	first, second := queued(t.Context(), r, full, 0), queued(t.Context(), r, full, 1)
	if r.queue(t.Context(), full, 1, 2) {
		t.Error("more may wait than two")
	}
	if !r.enter(another, 1) {
		t.Error("another Merchant has places of its own")
	}
	r.leave(another)
	r.leave(full)
	if !<-first {
		t.Error("the first did not get the place")
	}
	if r.enter(full, 1) {
		t.Error("a newcomer overtook the second")
	}
	r.leave(full)
	if !<-second {
		t.Error("the second did not get the place")
	}
	r.leave(full)
	if len(r.taken) > 0 || len(r.queues) > 0 {
		t.Errorf("left: %v %v", r.taken, r.queues)
	}
}

// TestWhoGivesUpTakesNoPlace: one that waited in vain neither holds a place nor is given one.
func TestWhoGivesUpTakesNoPlace(t *testing.T) {
	t.Parallel()
	r := &rooms{}
	r.enter(full, 1)
	ctx, giveUp := context.WithCancel(t.Context())
	impatient, patient := queued(ctx, r, full, 0), queued(t.Context(), r, full, 1)
	giveUp()
	if <-impatient {
		t.Error("there was no place")
	}
	r.leave(full)
	if !<-patient {
		t.Error("the place was lost")
	}
	r.leave(full)
	if len(r.taken) > 0 || len(r.queues) > 0 {
		t.Errorf("left: %v %v", r.taken, r.queues)
	}
}

// TestPaymentsWaitForAPlace: a payment more than may be stored at once is settled when another one is.
func TestPaymentsWaitForAPlace(t *testing.T) {
	t.Parallel()
	h := &Handler{}
	c := &callback{kind: full.kind, merchant: &v1alpha1.Merchant{ObjectMeta: metav1.ObjectMeta{Namespace: full.merchant.Namespace, Name: full.merchant.Name}}}
	for range settledAtOnce {
		if !h.awaitPlace(t.Context(), c) {
			t.Fatal("there was a place")
		}
	}
	let := make(chan bool, 1)
	go func() { let <- h.awaitPlace(t.Context(), c) }()
	awaitQueue(&h.waiting, full, 1)
	h.waiting.leave(full)
	if !<-let {
		t.Error("it did not get the place")
	}
}
