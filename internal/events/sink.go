package events

import (
	"context"
	"errors"
	"sync"
	"time"

	"k8s.io/apimachinery/pkg/types"
	"k8s.io/utils/ptr"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/wechatpay-operator/wechatpay-operator/api/v1alpha1"
)

// sink delivers to one EventSink.
type sink struct {
	key types.NamespacedName
	uid types.UID
	// wake wakes the runner, and stop ends it.
	wake chan struct{}
	stop context.CancelFunc

	mutex sync.Mutex
	// object is the EventSink that Serve got last, for Warning events.
	object *v1alpha1.EventSink
	queue  *queue
	// settings are nil while nothing can be sent.
	settings *Settings
	// seeded: the objects that existed before were offered.
	seeded bool
	// answered: the host of these settings has answered at least once.
	answered bool
	// taken: the last attempt succeeded. lost: an event was given up, and none was delivered since.
	taken, lost bool
	givenUp     int64
	lastError   string
	// logged is the last failure in the log.
	logged string
	// statusRequested: a status write was requested. written is when the status was last written.
	statusRequested bool
	written         time.Time
}

// startOf returns the time from which on facts are sent to an EventSink.
func startOf(object *v1alpha1.EventSink) time.Time {
	if object.Status.DeliveredTime != nil {
		return object.Status.DeliveredTime.Time
	}
	return object.CreationTimestamp.Time
}

func newSink(object *v1alpha1.EventSink, timing Timing, now time.Time) *sink {
	return &sink{
		key: client.ObjectKeyFromObject(object), uid: object.UID, wake: make(chan struct{}, 1), stop: func() {},
		object: object, queue: newQueue(timing, startOf(object), now, object.Spec.Types),
		givenUp: ptr.Deref(object.Status.GivenUp, 0), lastError: object.Status.LastError,
	}
}

// configure applies the spec and the Secret. After a change all events are tried at once. It returns the events that
// are given up because nothing can be sent.
func (s *sink) configure(object *v1alpha1.EventSink, settings *Settings, now time.Time) []loss {
	s.mutex.Lock()
	defer s.mutex.Unlock()
	s.object = object
	if s.queue.setTypes(object.Spec.Types) {
		s.seeded = false // there may be events of types that were not sent before
	}
	before := s.settings
	switch {
	case settings == nil:
		s.settings = nil
		before.close()
		lost := s.queue.expire(now)
		s.noteLost(lost)
		return lost
	case before != nil && before.version == settings.version:
		settings.close()
	default:
		s.settings = settings
		s.answered = s.answered && before != nil && before.address == settings.address
		s.queue.retryNow(now)
		before.close()
	}
	return nil
}

// offer adds the events of an object to the queue. before is its previous version; nil if unknown.
func (s *sink) offer(before, object client.Object, now time.Time) {
	s.mutex.Lock()
	pending := s.queue.pending
	s.queue.offer(before, object, now)
	added := s.queue.pending > pending
	s.mutex.Unlock()
	if added {
		s.wakeUp()
	}
}

// wakeUp wakes the runner.
func (s *sink) wakeUp() {
	select {
	case s.wake <- struct{}{}:
	default:
	}
}

// take returns the next event to send and the settings, or how long to wait.
func (s *sink) take(now time.Time, most int) (*delivery, *Settings, time.Duration) {
	s.mutex.Lock()
	defer s.mutex.Unlock()
	if s.settings == nil {
		return nil, nil, 0
	}
	next, wait := s.queue.take(now, most)
	return next, s.settings, wait
}

// ended records the result of a delivery. logs is the error to log; empty if it was logged before.
func (s *sink) ended(sent *delivery, used *Settings, answered bool, err error, now time.Time) (last bool, lost []loss, logs string) {
	s.mutex.Lock()
	defer s.mutex.Unlock()
	current := used == s.settings
	s.answered = s.answered || answered && current
	if err == nil {
		s.taken, s.lost, s.logged = true, false, ""
		return s.queue.delivered(sent, now), nil, ""
	}
	if !current {
		s.queue.abandoned(sent, now) // it is tried again at once with the new settings
		return false, nil, ""
	}
	s.taken = false
	if logged := err.Error(); logged != s.logged {
		s.logged, logs = logged, logged
	}
	if !answered && !s.answered {
		err = errUnreachable
	}
	s.lastError = err.Error()
	lost = s.queue.failed(sent, now)
	s.noteLost(lost)
	return false, lost, logs
}

func (s *sink) noteLost(lost []loss) {
	if len(lost) > 0 {
		s.givenUp += int64(len(lost))
		s.lost = true
	}
}

func (s *sink) abandoned(sent *delivery, now time.Time) {
	s.mutex.Lock()
	defer s.mutex.Unlock()
	s.queue.abandoned(sent, now)
}

// close closes idle connections.
func (s *sink) close() {
	s.mutex.Lock()
	defer s.mutex.Unlock()
	s.settings.close()
}

func (s *sink) undelivered(object client.Object) []Event {
	s.mutex.Lock()
	defer s.mutex.Unlock()
	return s.queue.undelivered(object)
}

func (s *sink) giveUp(object client.Object) []loss {
	s.mutex.Lock()
	defer s.mutex.Unlock()
	lost := s.queue.giveUp(object)
	s.noteLost(lost)
	return lost
}

func (s *sink) deleted(object client.Object, now time.Time) {
	s.offer(nil, object, now)
	s.mutex.Lock()
	defer s.mutex.Unlock()
	s.queue.deleted(object.GetUID(), now)
}

// isBroken reports whether a delivery was cancelled because the operator stops.
func isBroken(ctx context.Context, err error) bool {
	return err != nil && (ctx.Err() != nil || errors.Is(err, context.Canceled))
}
