package events

import (
	"container/heap"
	"slices"
	"time"

	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/wechatpay-operator/wechatpay-operator/api/v1alpha1"
)

// failing is the number of consecutive failures from which on the whole sink is paused, and not only the event.
const failing = 3

// queue has the pending events of one sink. It is a data structure without locks, goroutines and clock.
type queue struct {
	timing Timing
	// began is when this process started to deliver to the sink.
	began time.Time
	// since: every event recorded before it is finished, which means delivered or given up.
	since time.Time
	types []v1alpha1.EventType
	// backlogs are the objects with pending events. ready has those of them that are not being sent, the next one
	// first.
	backlogs map[types.UID]*backlog
	ready    readyHeap
	// finished are the finished events that were recorded after since, by ID.
	finished map[string]time.Time
	// failures counts consecutive failures of any events. If there are too many, nothing is sent until resume.
	failures int
	resume   time.Time
	// inFlight counts deliveries in progress, and pending all events that are not finished.
	inFlight, pending int
	// retrying counts the objects whose next event has failed before.
	retrying int
}

// backlog has the pending events of one object, which are sent one after the other.
type backlog struct {
	// object is the latest known version.
	object client.Object
	events []Event
	// attempts counts failed attempts of the first event, and next is when it is sent next.
	attempts int
	next     time.Time
	// deleted is when the object was found deleted; zero while it exists.
	deleted time.Time
	// position is the position in the heap; -1 while an event is being sent.
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
	// deleted: the object was deleted; otherwise the event was too old.
	deleted bool
}

func newQueue(timing Timing, since, now time.Time, chosen []v1alpha1.EventType) *queue {
	return &queue{
		timing: timing, began: now, since: since.Truncate(time.Second), types: chosen,
		backlogs: map[types.UID]*backlog{}, finished: map[string]time.Time{},
	}
}

func (q *queue) wants(event Event) bool {
	return len(q.types) == 0 || slices.Contains(q.types, event.Type)
}

// isFinished reports whether an event that is not pending was delivered or given up.
func (q *queue) isFinished(event Event) bool {
	_, finished := q.finished[event.ID()]
	return finished || event.Recorded.Before(q.since)
}

// offer adds the events of an object that are neither pending nor finished. An event that follows from this change of
// the object is always added: the clock of the replica that recorded it may be slow, so its time may be before since.
// before is the previous version; nil if unknown.
func (q *queue) offer(before, object client.Object, now time.Time) {
	known := q.backlogs[object.GetUID()]
	if known != nil {
		known.object = object
	}
	for _, event := range Of(object) {
		isNew := before != nil && before.GetUID() == object.GetUID() && !implies(before, event)
		if !q.wants(event) || known.has(event) || q.isFinished(event) && !isNew {
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

// undelivered returns the events of an object that the sink has not accepted yet.
func (q *queue) undelivered(object client.Object) []Event {
	return slices.DeleteFunc(Of(object), func(event Event) bool {
		return !q.wants(event) || !q.backlogs[object.GetUID()].has(event) && q.isFinished(event)
	})
}

// take returns the next event to send, if there is one and the sink may be called. Otherwise it returns how long to
// wait; zero means until the next change.
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

// delivered records that the sink accepted an event. It reports whether that was the object's last pending event.
func (q *queue) delivered(sent *delivery, now time.Time) (last bool) {
	q.inFlight--
	recovered := q.failures >= failing
	q.failures, q.resume = 0, time.Time{}
	if q.isCurrent(sent) {
		q.finishFirst(sent.from, now)
	}
	if recovered {
		q.retryNow(now)
	}
	return q.backlogs[sent.event.UID] == nil
}

// failed records that the sink did not accept an event, and returns the events that are given up.
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

// abandoned records that a delivery was cancelled. It does not count as a failure of the sink.
func (q *queue) abandoned(sent *delivery, now time.Time) {
	q.inFlight--
	if q.isCurrent(sent) {
		sent.from.next = now
		heap.Push(&q.ready, sent.from)
	}
}

// isCurrent reports whether the event of a delivery is still pending.
func (q *queue) isCurrent(sent *delivery) bool { return q.backlogs[sent.event.UID] == sent.from }

// expire gives up all events that are overdue. It is used while the sink accepts nothing; otherwise only an event whose
// delivery just failed is given up (expireOne).
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
		q.finishFirst(known, now)
	}
	return lost
}

// isOverdue reports whether an event was tried for long enough. Events that became old while no operator was running
// are tried for a while too.
func (q *queue) isOverdue(event Event, now time.Time) bool {
	return now.Sub(event.Recorded) >= q.timing.GiveUpAfter && now.Sub(q.began) >= min(q.timing.ObjectWaits, q.timing.GiveUpAfter)
}

// giveUp gives up the remaining events of an object that does not wait any longer.
func (q *queue) giveUp(object client.Object) (lost []loss) {
	for _, event := range q.undelivered(object) {
		q.finish(event)
		lost = append(lost, loss{event, object, true})
	}
	if known := q.backlogs[object.GetUID()]; known != nil {
		q.remove(known)
	}
	return lost
}

// remove removes an object. The result of a delivery in progress is ignored.
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

// deleted records that an object was deleted. Its pending events are still sent for a while.
func (q *queue) deleted(uid types.UID, now time.Time) {
	if known := q.backlogs[uid]; known != nil && known.deleted.IsZero() {
		known.deleted = now
	}
}

// retryNow makes all events due now, because the sink works again or its settings have changed.
func (q *queue) retryNow(now time.Time) {
	q.failures, q.resume = 0, time.Time{}
	for _, known := range q.ready {
		known.next = now
	}
	heap.Init(&q.ready)
}

// setTypes sets the types of events, and reports whether they changed.
func (q *queue) setTypes(chosen []v1alpha1.EventType) bool {
	if slices.Equal(chosen, q.types) {
		return false
	}
	q.types = chosen
	for _, known := range q.backlogs {
		if known.position < 0 {
			continue // it is being sent, and the receiver ignores unknown types
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

// finishFirst removes the first event of an object that is not in the heap, and makes the next one due.
func (q *queue) finishFirst(known *backlog, now time.Time) {
	q.finish(known.events[0])
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

func (q *queue) finish(event Event) {
	if !event.Recorded.Before(q.since) {
		q.finished[event.ID()] = event.Recorded
	}
}

// oldest returns when the oldest pending event was recorded; zero if none is pending.
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

// advance moves since to the oldest pending event, or close to now if none is pending. It does so only if that passes a
// finished event: the status should not be written just because time passes.
func (q *queue) advance(now time.Time) {
	reached := now.Add(-q.timing.Overlap).Truncate(time.Second)
	if oldest := q.oldest(); !oldest.IsZero() && oldest.Before(reached) {
		reached = oldest
	}
	passed := false
	for id, recorded := range q.finished {
		if recorded.Before(reached) {
			passed = true
			delete(q.finished, id)
		}
	}
	if passed && reached.After(q.since) {
		q.since = reached
	}
}

// readyHeap orders objects by the time at which their next event is sent.
type readyHeap []*backlog

func (h readyHeap) Len() int { return len(h) }

func (h readyHeap) Less(i, j int) bool { return h[i].next.Before(h[j].next) }

func (h readyHeap) Swap(i, j int) {
	h[i], h[j] = h[j], h[i]
	h[i].position, h[j].position = i, j
}

// Push implements heap.Interface.
func (h *readyHeap) Push(added any) {
	known := added.(*backlog)
	known.position = len(*h)
	*h = append(*h, known)
}

// Pop implements heap.Interface.
func (h *readyHeap) Pop() any {
	last := len(*h) - 1
	known := (*h)[last]
	(*h)[last] = nil
	*h = (*h)[:last]
	known.position = -1
	return known
}
