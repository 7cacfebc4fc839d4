package controllers

import (
	"sync"
	"time"

	"k8s.io/utils/clock"
)

// recent remembers something by a key for at least one age and for less than two. It costs the same however many there are: two
// generations, of which the older one is dropped as a whole.
type recent[K comparable, T any] struct {
	age   time.Duration
	clock clock.PassiveClock

	mutex       sync.Mutex
	turned      time.Time
	young, aged map[K]T
}

func newRecent[K comparable, T any](age time.Duration, clock clock.PassiveClock) *recent[K, T] {
	return &recent[K, T]{age: age, clock: clock, young: map[K]T{}}
}

func (r *recent[K, T]) set(key K, value T) {
	r.mutex.Lock()
	defer r.mutex.Unlock()
	r.turn()
	r.young[key] = value
}

// get returns what is remembered by a key.
func (r *recent[K, T]) get(key K) (T, bool) {
	r.mutex.Lock()
	defer r.mutex.Unlock()
	r.turn()
	value, ok := r.young[key]
	if !ok {
		value, ok = r.aged[key]
	}
	return value, ok
}

// setUnless remembers a value, unless there is one by that key already that the caller minds. That one it returns.
func (r *recent[K, T]) setUnless(key K, value T, minds func(T) bool) (T, bool) {
	r.mutex.Lock()
	defer r.mutex.Unlock()
	r.turn()
	for _, generation := range []map[K]T{r.young, r.aged} {
		if there, ok := generation[key]; ok && minds(there) {
			return there, true
		}
	}
	r.young[key] = value
	var none T
	return none, false
}

// take returns what is remembered by a key, and forgets it, if it is what the caller means.
func (r *recent[K, T]) take(key K, meant func(T) bool) (T, bool) {
	r.mutex.Lock()
	defer r.mutex.Unlock()
	r.turn()
	for _, generation := range []map[K]T{r.young, r.aged} {
		if value, ok := generation[key]; ok && meant(value) {
			delete(generation, key)
			return value, true
		}
	}
	var none T
	return none, false
}

func (r *recent[K, T]) turn() {
	now := r.clock.Now()
	switch passed := now.Sub(r.turned); {
	case passed >= 2*r.age:
		r.young, r.aged, r.turned = map[K]T{}, nil, now
	case passed >= r.age:
		r.young, r.aged, r.turned = map[K]T{}, r.young, now
	}
}
