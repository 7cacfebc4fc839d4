package events

import (
	"container/heap"
	"slices"
	"time"

	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/wechatpay-operator/wechatpay-operator/api/v1alpha1"
)

// failing is how many failures in a row pause a whole sink and not only the event.
const failing = 3

// queue is what one sink has to be told. It is a data structure without locks, goroutines and a
// clock of its own.
type queue struct {
	timing Timing
	// began is when this process began to deliver to the sink.
	began time.Time
	// since: every event recorded before it is settled, which means delivered or given up.
	since time.Time
	types []v1alpha1.EventType
	// backlogs are the objects with pending events, and ready those of them that are not being sent,
	// the next one first.
	backlogs map[types.UID]*backlog
	ready    readyHeap
	// settled are the events settled since, by their ID.
	settled map[string]time.Time
	// failures in a row, of any event, and until when the sink is left alone because of them.
	failures int
	resume   time.Time
	// inFlight are the deliveries under way, and pending all events that are not settled.
	inFlight, pending int
	// retrying are the objects whose next event was sent before, in vain.
	retrying int
}

// backlog holds the pending events of one object, which are sent one after the other.
type backlog struct {
	// object is the latest version that was seen.
	object client.Object
	events []Event
	// attempts in vain at the first event, and when it is sent next.
	attempts int
	next     time.Time
	// deleted is when the object was found deleted; zero while it exists.
	deleted time.Time
	// position in the heap; -1 while an event is being sent.
	position int
}

// delivery is one event to send.
type delivery struct {
	event  Event
	object client.Object
	from   *backlog
}

// loss is an event that was given up.
type loss struct {
	event  Event
	object client.Object
	// deleted: the object is gone; otherwise the time is over.
	deleted bool
}

func newQueue(timing Timing, since, now time.Time, chosen []v1alpha1.EventType) *queue {
	return &queue{
		timing: timing, began: now, since: since.Truncate(time.Second), types: chosen,
		backlogs: map[types.UID]*backlog{}, settled: map[string]time.Time{},
	}
}

func (q *queue) wants(event Event) bool {
	return len(q.types) == 0 || slices.Contains(q.types, event.Type)
}

// isSettled reports whether an event that is not pending needs nothing more.
func (q *queue) isSettled(event Event) bool {
	_, settled := q.settled[event.ID()]
	return settled || event.Recorded.Before(q.since)
}

// offer adds the events of an object that are neither pending nor settled. An event that this
// change of the object brought about is added whatever time it was recorded at, because the clock
// of the replica that recorded it can be late. before is nil if it is not known.
func (q *queue) offer(before, object client.Object, now time.Time) {
	known := q.backlogs[object.GetUID()]
	if known != nil {
		known.object = object
	}
	for _, event := range Of(object) {
		isNew := before != nil && before.GetUID() == object.GetUID() && !implies(before, event)
		if !q.wants(event) || known.has(event) || q.isSettled(event) && !isNew {
			continue
		}
		if known == nil {
			known = &backlog{object: object, next: now}
			q.backlogs[object.GetUID()] = known
			heap.Push(&q.ready, known)
		}
		known.events = append(known.events, event)
		q.pending++
	}
}

func implies(object client.Object, event Event) bool {
	return slices.ContainsFunc(Of(object), func(other Event) bool { return other.Type == event.Type })
}

func (b *backlog) has(event Event) bool {
	return b != nil && slices.ContainsFunc(b.events, func(other Event) bool { return other.Type == event.Type })
}

// undelivered returns the events of an object that the sink has not taken yet.
func (q *queue) undelivered(object client.Object) []Event {
	return slices.DeleteFunc(Of(object), func(event Event) bool {
		return !q.wants(event) || !q.backlogs[object.GetUID()].has(event) && q.isSettled(event)
	})
}

// take returns the next event to send, if there is one and the sink may be called. Otherwise it
// returns when to look again; zero means after the next change.
func (q *queue) take(now time.Time, most int) (*delivery, time.Duration) {
	if q.failures >= failing {
		most = 1
	}
	if q.inFlight >= most || len(q.ready) == 0 {
		return nil, 0
	}
	due := q.ready[0].next
	if q.failures >= failing && due.Before(q.resume) {
		due = q.resume
	}
	if wait := due.Sub(now); wait > 0 {
		return nil, wait
	}
	first := heap.Pop(&q.ready).(*backlog)
	q.inFlight++
	return &delivery{first.events[0], first.object, first}, 0
}

// delivered records that the sink took an event. It reports whether its object has no other.
func (q *queue) delivered(sent *delivery, now time.Time) (last bool) {
	q.inFlight--
	recovered := q.failures >= failing
	q.failures, q.resume = 0, time.Time{}
	if q.isCurrent(sent) {
		q.settleFirst(sent.from, now)
	}
	if recovered {
		q.hurry(now)
	}
	return q.backlogs[sent.event.UID] == nil
}

// failed records that the sink did not take an event, and returns what is given up.
func (q *queue) failed(sent *delivery, now time.Time) []loss {
	q.inFlight--
	q.failures++
	if q.failures >= failing {
		q.resume = now.Add(q.timing.retryAfter(q.failures - failing + 1))
	}
	if known := sent.from; q.isCurrent(sent) {
		if known.attempts++; known.attempts == 1 {
			q.retrying++
		}
		known.next = now.Add(q.timing.retryAfter(known.attempts))
		heap.Push(&q.ready, known)
		if q.failures < failing {
			return q.expireOne(known, now)
		}
	}
	if q.failures < failing {
		return nil
	}
	return q.expire(now)
}

// abandoned ends a delivery that was broken off, which says nothing about the sink.
func (q *queue) abandoned(sent *delivery, now time.Time) {
	q.inFlight--
	if q.isCurrent(sent) {
		sent.from.next = now
		heap.Push(&q.ready, sent.from)
	}
}

// isCurrent reports whether an event is still pending whose delivery ends.
func (q *queue) isCurrent(sent *delivery) bool { return q.backlogs[sent.event.UID] == sent.from }

// expire gives up what is over time. It is for a sink that takes nothing; of one that does, only an
// event that it was just sent in vain is given up.
func (q *queue) expire(now time.Time) (lost []loss) {
	for _, known := range q.backlogs {
		if known.position >= 0 {
			lost = append(lost, q.expireOne(known, now)...)
		}
	}
	return lost
}

func (q *queue) expireOne(known *backlog, now time.Time) (lost []loss) {
	for len(known.events) > 0 {
		deleted := !known.deleted.IsZero() && now.Sub(known.deleted) >= q.timing.ObjectWaits
		if !deleted && !q.isOverdue(known.events[0], now) {
			break
		}
		lost = append(lost, loss{known.events[0], known.object, deleted})
		heap.Remove(&q.ready, known.position)
		q.settleFirst(known, now)
	}
	return lost
}

// isOverdue reports whether an event was tried for long enough. One that became old while no operator
// was running is tried for a while too.
func (q *queue) isOverdue(event Event, now time.Time) bool {
	return now.Sub(event.Recorded) >= q.timing.GiveUpAfter && now.Sub(q.began) >= min(q.timing.ObjectWaits, q.timing.GiveUpAfter)
}

// letGo gives up what is left of an object that does not wait any longer.
func (q *queue) letGo(object client.Object) (lost []loss) {
	for _, event := range q.undelivered(object) {
		q.settle(event)
		lost = append(lost, loss{event, object, true})
	}
	if known := q.backlogs[object.GetUID()]; known != nil {
		q.remove(known)
	}
	return lost
}

// remove takes an object out. A delivery under way ends without effect.
func (q *queue) remove(known *backlog) {
	q.pending -= len(known.events)
	if known.attempts > 0 {
		q.retrying--
	}
	if known.position >= 0 {
		heap.Remove(&q.ready, known.position)
	}
	delete(q.backlogs, known.object.GetUID())
}

// deleted records that an object is gone. What it left is still sent for a while.
func (q *queue) deleted(uid types.UID, now time.Time) {
	if known := q.backlogs[uid]; known != nil && known.deleted.IsZero() {
		known.deleted = now
	}
}

// hurry makes everything due now: the sink works again, or its settings were changed.
func (q *queue) hurry(now time.Time) {
	q.failures, q.resume = 0, time.Time{}
	for _, known := range q.ready {
		known.next = now
	}
	heap.Init(&q.ready)
}

// choose sets the types of events, and reports whether they changed.
func (q *queue) choose(chosen []v1alpha1.EventType) bool {
	if slices.Equal(chosen, q.types) {
		return false
	}
	q.types = chosen
	for _, known := range q.backlogs {
		if known.position < 0 {
			continue // it is being sent; the receiver ignores what it does not know
		}
		before := len(known.events)
		known.events = slices.DeleteFunc(known.events, func(event Event) bool { return !q.wants(event) })
		q.pending -= before - len(known.events)
		if len(known.events) == 0 {
			q.remove(known)
		}
	}
	return true
}

// settleFirst ends the first event of an object that is not in the heap, and makes the next one due.
func (q *queue) settleFirst(known *backlog, now time.Time) {
	q.settle(known.events[0])
	known.events = known.events[1:]
	q.pending--
	if known.attempts > 0 {
		q.retrying--
	}
	known.attempts, known.next = 0, now
	if len(known.events) == 0 {
		delete(q.backlogs, known.object.GetUID())
		return
	}
	heap.Push(&q.ready, known)
}

func (q *queue) settle(event Event) {
	if !event.Recorded.Before(q.since) {
		q.settled[event.ID()] = event.Recorded
	}
}

// oldest returns when the fact was recorded of the event that is pending for longest; zero if none
// is pending.
func (q *queue) oldest() (oldest time.Time) {
	for _, known := range q.backlogs {
		for _, event := range known.events {
			if oldest.IsZero() || event.Recorded.Before(oldest) {
				oldest = event.Recorded
			}
		}
	}
	return oldest
}

// advance moves since as far as everything is settled, unless that would tell nothing: then the
// status would be written for the time that passes and not for a delivery.
func (q *queue) advance(now time.Time) {
	reached := now.Add(-q.timing.Overlap).Truncate(time.Second)
	if oldest := q.oldest(); !oldest.IsZero() && oldest.Before(reached) {
		reached = oldest
	}
	passed := false
	for id, recorded := range q.settled {
		if recorded.Before(reached) {
			passed = true
			delete(q.settled, id)
		}
	}
	if passed && reached.After(q.since) {
		q.since = reached
	}
}

// readyHeap orders objects by when their next event is sent.
type readyHeap []*backlog

func (h readyHeap) Len() int { return len(h) }

func (h readyHeap) Less(i, j int) bool { return h[i].next.Before(h[j].next) }

func (h readyHeap) Swap(i, j int) {
	h[i], h[j] = h[j], h[i]
	h[i].position, h[j].position = i, j
}

// Push is for container/heap.
func (h *readyHeap) Push(added any) {
	known := added.(*backlog)
	known.position = len(*h)
	*h = append(*h, known)
}

// Pop is for container/heap.
func (h *readyHeap) Pop() any {
	last := len(*h) - 1
	known := (*h)[last]
	(*h)[last] = nil
	*h = (*h)[:last]
	known.position = -1
	return known
}
