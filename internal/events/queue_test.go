package events

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"k8s.io/apimachinery/pkg/types"
	"pgregory.net/rapid"

	"github.com/wechatpay-operator/wechatpay-operator/api/v1alpha1"
)

func (d *delivery) String() string { return fmt.Sprintf("%s of %s", d.event.Type, d.event.UID) }

func takeOne(t testing.TB, q *queue, now time.Time) *delivery {
	t.Helper()
	next, wait := q.take(now, perSink)
	if next == nil {
		t.Fatalf("nothing to send, for %s", wait)
	}
	return next
}

func TestEventsOfAnObjectGoOneAfterTheOther(t *testing.T) {
	q := newQueue(DefaultTiming(), start, start, nil)
	q.offer(nil, refundWith(1, condition("Succeeded", "True/Succeeded", 2)), start)
	first := takeOne(t, q, start)
	if next, _ := q.take(start, perSink); next != nil || first.event.Type != v1alpha1.EventRefundRequested {
		t.Fatalf("%v, then %v", first, next)
	}
	q.failed(first, start)
	if next, wait := q.take(start, perSink); next != nil || wait != DefaultTiming().RetryFirst {
		t.Fatalf("%v after %s", next, wait)
	}
	now := start.Add(time.Minute)
	if q.delivered(takeOne(t, q, now), now) {
		t.Error("one is left")
	}
	if last := takeOne(t, q, now); !q.delivered(last, now) || last.event.Type != v1alpha1.EventRefundSucceeded || q.pending != 0 {
		t.Errorf("%v, %d pending", last, q.pending)
	}
}

func TestPastIsSettledUnlessItIsNews(t *testing.T) {
	q := newQueue(DefaultTiming(), start.Add(time.Hour), start, nil)
	paid := orderWith("a", condition("Paid", "True/Paid", 1))
	q.offer(nil, paid, start)
	if q.pending != 0 {
		t.Error("the past is offered")
	}
	q.offer(orderWith("a", condition("Paid", "Unknown/Pending", 0)), paid, start) // by a slow clock
	if q.pending != 1 {
		t.Error("the change is not offered")
	}
}

func TestOtherTypesAreNotTold(t *testing.T) {
	q := newQueue(DefaultTiming(), start, start, []v1alpha1.EventType{v1alpha1.EventRefundSucceeded})
	refund := refundWith(1, condition("Succeeded", "True/Succeeded", 2))
	q.offer(nil, refund, start)
	if q.pending != 1 || len(q.undelivered(refund)) != 1 {
		t.Errorf("%d pending", q.pending)
	}
	if !q.setTypes([]v1alpha1.EventType{v1alpha1.EventOrderPaid}) || q.pending != 0 || len(q.backlogs) != 0 || len(q.ready) != 0 {
		t.Errorf("%d pending", q.pending)
	}
}

func TestASinkThatFailsIsTriedByOneDeliveryAtATime(t *testing.T) {
	q := newQueue(DefaultTiming(), start, start, nil)
	for i := range 10 {
		q.offer(nil, orderWith(types.UID(fmt.Sprint(i)), condition("Paid", "True/Paid", 1)), start)
	}
	var underWay []*delivery
	for range perSink {
		underWay = append(underWay, takeOne(t, q, start))
	}
	if next, _ := q.take(start, perSink); next != nil {
		t.Error("too many")
	}
	for _, sent := range underWay {
		q.failed(sent, start)
	}
	if next, wait := q.take(start, perSink); next != nil || wait == 0 {
		t.Error("no pause")
	}
	now := start.Add(time.Hour)
	probe := takeOne(t, q, now)
	if next, _ := q.take(now, perSink); next != nil {
		t.Error("more than one")
	}
	q.delivered(probe, now)
	for range perSink {
		takeOne(t, q, now) // at once
	}
}

func TestGivingUp(t *testing.T) {
	timing := DefaultTiming()
	q := newQueue(timing, start, start.Add(48*time.Hour), nil) // the operator did not run for two days
	order := orderWith("a", condition("Paid", "True/Paid", 1))
	now := start.Add(48 * time.Hour)
	q.offer(nil, order, now)
	if lost := q.failed(takeOne(t, q, now), now); lost != nil {
		t.Errorf("given up at the first attempt: %v", lost)
	}
	now = now.Add(timing.ObjectWaits)
	if lost := q.failed(takeOne(t, q, now), now); len(lost) != 1 || lost[0].deleted || q.pending != 0 || q.retrying != 0 {
		t.Errorf("%v", lost)
	}
	q.offer(nil, order, now)
	if q.pending != 0 {
		t.Error("it comes back")
	}
}

func TestDeletedObjectsAreToldForAWhile(t *testing.T) {
	timing := DefaultTiming()
	q := newQueue(timing, start, start, nil)
	q.offer(nil, orderWith("a", condition("Paid", "True/Paid", 1)), start)
	q.deleted("a", start)
	if lost := q.failed(takeOne(t, q, start), start); lost != nil {
		t.Errorf("%v", lost)
	}
	now := start.Add(timing.ObjectWaits)
	if lost := q.failed(takeOne(t, q, now), now); len(lost) != 1 || !lost[0].deleted {
		t.Errorf("%v", lost)
	}
}

func TestLetGoDuringADelivery(t *testing.T) {
	q := newQueue(DefaultTiming(), start, start, nil)
	order := orderWith("a", condition("Paid", "True/Paid", 1))
	q.offer(nil, order, start)
	sent := takeOne(t, q, start)
	if lost := q.giveUp(order); len(lost) != 1 || q.pending != 0 {
		t.Errorf("%v", lost)
	}
	q.offer(nil, order, start)
	q.delivered(sent, start)
	if q.pending != 0 || q.inFlight != 0 || len(q.ready) != 0 {
		t.Errorf("%+v", q)
	}
}

// TestNothingIsLostAcrossRestarts: for any sequence of operations, with a restart from the stored time at any moment,
// each event is delivered, and those of an object in order.
func TestNothingIsLostAcrossRestarts(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		timing := DefaultTiming()
		timing.RetryMost, timing.Overlap = time.Second, 2*time.Second
		now, stored := start, start
		q := newQueue(timing, stored, now, nil)
		objects := map[types.UID]*v1alpha1.Order{}
		heard := map[types.UID][]v1alpha1.EventType{}
		var underWay []*delivery
		hear := func(sent *delivery) {
			if !slices.Contains(heard[sent.event.UID], sent.event.Type) {
				heard[sent.event.UID] = append(heard[sent.event.UID], sent.event.Type)
			}
			q.delivered(sent, now)
		}
		change := func(uid types.UID, conditions ...string) {
			before, order := objects[uid], orderWith(uid)
			for _, c := range conditions {
				kind, state, _ := strings.Cut(c, "=")
				order.Status.Conditions = append(order.Status.Conditions, condition(kind, state, int(now.Sub(start).Seconds())))
			}
			objects[uid] = order
			if before == nil {
				q.offer(nil, order, now)
			} else {
				q.offer(before, order, now)
			}
		}
		for range rapid.IntRange(1, 60).Draw(t, "steps") {
			uid := types.UID(rapid.SampledFrom([]string{"a", "b", "c"}).Draw(t, "object"))
			switch rapid.SampledFrom([]string{"pay", "close", "late", "send", "succeed", "fail", "time", "store", "restart"}).Draw(t, "step") {
			case "pay":
				if objects[uid] == nil {
					change(uid, "Paid=True/Paid")
				}
			case "close":
				if objects[uid] == nil {
					change(uid, "Prepared=False/Closed", "Paid=False/Closed")
				}
			case "late":
				if order := objects[uid]; order != nil && summaryTypes(order) == "OrderClosed" {
					change(uid, "Prepared=False/Closed", "Paid=True/PaidLate")
				}
			case "send":
				if next, _ := q.take(now, perSink); next != nil {
					underWay = append(underWay, next)
				}
			case "succeed":
				if len(underWay) > 0 {
					hear(underWay[0])
					underWay = underWay[1:]
				}
			case "fail":
				if len(underWay) > 0 {
					q.failed(underWay[0], now)
					underWay = underWay[1:]
				}
			case "time":
				now = now.Add(time.Duration(rapid.IntRange(1, 5).Draw(t, "seconds")) * time.Second)
			case "store":
				q.advance(now)
				stored = q.since
			case "restart":
				underWay = nil
				q = newQueue(timing, stored, now, nil)
				for _, order := range objects {
					q.offer(nil, order, now)
				}
			}
		}
		for _, sent := range underWay {
			q.failed(sent, now)
		}
		for now = now.Add(time.Hour); q.pending > 0; {
			next, _ := q.take(now, perSink)
			if next == nil {
				t.Fatalf("%d pending and nothing to send", q.pending)
			}
			hear(next)
		}
		for uid, order := range objects {
			if got, want := fmt.Sprint(heard[uid]), "["+summaryTypes(order)+"]"; got != want {
				t.Fatalf("heard of %s: %s, want %s", uid, got, want)
			}
		}
		if len(q.ready) != 0 || len(q.backlogs) != 0 || q.inFlight != 0 || q.retrying != 0 {
			t.Fatalf("%+v", q)
		}
	})
}

func summaryTypes(order *v1alpha1.Order) string {
	var kinds []string
	for _, event := range Of(order) {
		kinds = append(kinds, string(event.Type))
	}
	return strings.Join(kinds, " ")
}

// TestIdleSinksAreNotWritten: the time in the status moves after a delivery, not with the clock alone.
func TestIdleSinksAreNotWritten(t *testing.T) {
	q := newQueue(DefaultTiming(), start, start, nil)
	now := start.Add(time.Hour)
	if q.advance(now); !q.since.Equal(start) {
		t.Error("it moved")
	}
	q.offer(nil, orderWith("a", condition("Paid", "True/Paid", 3600)), now)
	q.delivered(takeOne(t, q, now), now)
	if q.advance(now); !q.since.Equal(start) {
		t.Error("it moved too early")
	}
	now = now.Add(2 * time.Minute)
	q.advance(now)
	reached := q.since
	if !reached.After(start.Add(time.Hour)) || len(q.finished) != 0 {
		t.Errorf("%s", reached)
	}
	if q.advance(now.Add(time.Hour)); !q.since.Equal(reached) {
		t.Error("it moves by itself")
	}
}
