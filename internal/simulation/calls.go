package simulation

import "maps"

// Calls records calls: the latest ones, and how many there were in total.
type Calls[O ~string, C any] struct {
	// Counts are by operation and outcome.
	Counts map[O]map[string]int

	most   int
	latest []C
}

// NewCalls keeps at most the given number of calls.
func NewCalls[O ~string, C any](most int) *Calls[O, C] {
	return &Calls[O, C]{Counts: map[O]map[string]int{}, most: most}
}

// Add adds a call.
func (l *Calls[O, C]) Add(call C, operation O, outcome string) {
	if l.Counts[operation] == nil {
		l.Counts[operation] = map[string]int{}
	}
	l.Counts[operation][outcome]++
	l.latest = append(l.latest, call)
	if len(l.latest) >= 2*l.most { // drop many at once, so that a full list costs nothing per call
		l.latest = l.Latest()
	}
}

// Latest returns a copy of the latest calls.
func (l *Calls[O, C]) Latest() []C {
	return append([]C{}, l.latest[max(0, len(l.latest)-l.most):]...)
}

// Counted returns a copy of Counts.
func (l *Calls[O, C]) Counted() map[O]map[string]int {
	counted := maps.Clone(l.Counts)
	for operation := range counted {
		counted[operation] = maps.Clone(counted[operation])
	}
	return counted
}
