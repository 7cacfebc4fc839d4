package controllers

import (
	"sync"
	"time"

	"k8s.io/utils/clock"
)

// recent remembers values by key for at least one age and for less than two. It keeps two
// generations and drops the older one as a whole, so its cost does not depend on the number of
// values.
type recent[K comparable, T any] struct {
	age   time.Duration
	clock clock.PassiveClock

	mutex             sync.Mutex
	rotatedTime       time.Time
	current, previous map[K]T
}

func newRecent[K comparable, T any](age time.Duration, clock clock.PassiveClock) *recent[K, T] {
	return &recent[K, T]{age: age, clock: clock, current: map[K]T{}}
}

func (r *recent[K, T]) set(key K, value T) {
	r.mutex.Lock()
	defer r.mutex.Unlock()
	r.rotate()
	r.current[key] = value
}

// get returns the value of a key.
func (r *recent[K, T]) get(key K) (T, bool) {
	r.mutex.Lock()
	defer r.mutex.Unlock()
	r.rotate()
	value, ok := r.current[key]
	if !ok {
		value, ok = r.previous[key]
	}
	return value, ok
}

// setUnless stores a value, unless the key has one that conflicts. It returns that one.
func (r *recent[K, T]) setUnless(key K, value T, minds func(T) bool) (T, bool) {
	r.mutex.Lock()
	defer r.mutex.Unlock()
	r.rotate()
	for _, generation := range []map[K]T{r.current, r.previous} {
		if there, ok := generation[key]; ok && minds(there) {
			return there, true
		}
	}
	r.current[key] = value
	var none T
	return none, false
}

// take returns and removes the value of a key if it matches.
func (r *recent[K, T]) take(key K, meant func(T) bool) (T, bool) {
	r.mutex.Lock()
	defer r.mutex.Unlock()
	r.rotate()
	for _, generation := range []map[K]T{r.current, r.previous} {
		if value, ok := generation[key]; ok && meant(value) {
			delete(generation, key)
			return value, true
		}
	}
	var none T
	return none, false
}

func (r *recent[K, T]) rotate() {
	now := r.clock.Now()
	switch passed := now.Sub(r.rotatedTime); {
	case passed >= 2*r.age:
		r.current, r.previous, r.rotatedTime = map[K]T{}, nil, now
	case passed >= r.age:
		r.current, r.previous, r.rotatedTime = map[K]T{}, r.current, now
	}
}
