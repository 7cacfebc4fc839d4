package controllers

import (
	"sync"
	"time"

	"k8s.io/apimachinery/pkg/types"
	"k8s.io/utils/clock"
)

// recent remembers something of objects, by their names, for at least one age and for less than two. It costs the same however many
// there are: two generations, of which the older one is dropped as a whole.
type recent[T any] struct {
	age   time.Duration
	clock clock.PassiveClock

	mutex       sync.Mutex
	turned      time.Time
	young, aged map[types.NamespacedName]T
}

func newRecent[T any](age time.Duration, clock clock.PassiveClock) *recent[T] {
	return &recent[T]{age: age, clock: clock, young: map[types.NamespacedName]T{}}
}

func (r *recent[T]) set(key types.NamespacedName, value T) {
	r.mutex.Lock()
	defer r.mutex.Unlock()
	r.turn()
	r.young[key] = value
}

// take returns what is remembered of an object, and forgets it, if it is what the caller means.
func (r *recent[T]) take(key types.NamespacedName, meant func(T) bool) (T, bool) {
	r.mutex.Lock()
	defer r.mutex.Unlock()
	r.turn()
	for _, generation := range []map[types.NamespacedName]T{r.young, r.aged} {
		if value, ok := generation[key]; ok && meant(value) {
			delete(generation, key)
			return value, true
		}
	}
	var none T
	return none, false
}

func (r *recent[T]) turn() {
	now := r.clock.Now()
	switch passed := now.Sub(r.turned); {
	case passed >= 2*r.age:
		r.young, r.aged, r.turned = map[types.NamespacedName]T{}, nil, now
	case passed >= r.age:
		r.young, r.aged, r.turned = map[types.NamespacedName]T{}, r.young, now
	}
}
