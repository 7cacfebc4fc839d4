package events

import "time"

// Timing holds the intervals of deliveries. Tests shorten them; production uses DefaultTiming.
type Timing struct {
	// Timeout limits one delivery.
	Timeout time.Duration
	// RetryFirst and RetryMost limit the growing waits after a failure.
	RetryFirst, RetryMost time.Duration
	// GiveUpAfter is how long after it was recorded an event is retried.
	GiveUpAfter time.Duration
	// ObjectWaits is how long an object is kept for its sinks after it could be deleted.
	ObjectWaits time.Duration
	// StatusInterval is the shortest time between two writes of a sink's status.
	StatusInterval time.Duration
	// Overlap is how far status.deliveredTime stays behind. A fact can be stored later than its recorded time: the
	// write is retried for up to 15 seconds, and the clocks of replicas differ.
	Overlap time.Duration
}

// DefaultTiming returns the timing of production.
func DefaultTiming() Timing {
	return Timing{
		Timeout:    10 * time.Second,
		RetryFirst: time.Second, RetryMost: 5 * time.Minute,
		GiveUpAfter:    24 * time.Hour,
		ObjectWaits:    10 * time.Minute,
		StatusInterval: 5 * time.Second,
		Overlap:        time.Minute,
	}
}

// retryAfter returns the wait after a number of consecutive failures.
func (t Timing) retryAfter(failures int) time.Duration {
	wait := t.RetryFirst
	for ; failures > 1 && wait < t.RetryMost; failures-- {
		wait *= 2
	}
	return min(wait, t.RetryMost)
}
