package events

import (
	"time"

	"k8s.io/apimachinery/pkg/types"
)

// Snapshot is the delivery state of a sink.
type Snapshot struct {
	// Since: every event recorded before it was delivered or given up.
	Since time.Time
	// Pending counts pending events, and Retrying the objects whose next event has failed before. Oldest is when the
	// oldest pending event was recorded.
	Pending, Retrying int
	Oldest            time.Time
	// Taken: the last attempt succeeded. Lost: an event was given up and none was delivered since.
	Taken, Lost bool
	GivenUp     int64
	LastError   string
	// Written is when the status was last written by this process.
	Written time.Time
}

// Snapshot returns the state of a sink for its status, and false if it is not served.
func (d *Dispatcher) Snapshot(key types.NamespacedName) (Snapshot, bool) {
	s := d.find(key)
	if s == nil {
		return Snapshot{}, false
	}
	s.mutex.Lock()
	defer s.mutex.Unlock()
	s.statusRequested = false
	s.queue.advance(d.Clock.Now())
	return Snapshot{
		Since: s.queue.since, Pending: s.queue.pending, Retrying: s.queue.retrying, Oldest: s.queue.oldest(),
		Taken: s.taken, Lost: s.lost, GivenUp: s.givenUp, LastError: s.lastError, Written: s.written,
	}, true
}

// Wrote records that the status of a sink was written now.
func (d *Dispatcher) Wrote(key types.NamespacedName) {
	if s := d.find(key); s != nil {
		s.mutex.Lock()
		defer s.mutex.Unlock()
		s.written = d.Clock.Now()
	}
}

// requestStatus requests a status write from the reconciler, at the earliest time at which it may write.
func (d *Dispatcher) requestStatus(s *sink) {
	s.mutex.Lock()
	requested := s.statusRequested
	s.statusRequested = true
	wait := s.written.Add(d.Timing.StatusInterval).Sub(d.Clock.Now())
	s.mutex.Unlock()
	if requested {
		return
	}
	d.mutex.Lock()
	listener := d.changed
	d.mutex.Unlock()
	if listener != nil {
		listener(s.key, max(wait, 0))
	}
}
