package simulation

import (
	"math/rand/v2"
	"slices"
	"strconv"
	"sync"
)

// Terms define when a fault is injected. The fields are pointers into the fault, because each simulator has its own
// type of fault.
type Terms struct {
	// ID and Struck are set here.
	ID     *string
	Struck *int
	// Count limits how often it is injected, and Probability is the chance for each call; 0 is unlimited and always.
	Count       int
	Probability float64
	// Seed seeds the fault's own random source.
	Seed uint64
	// DelayMillis must not be negative.
	DelayMillis int64
}

// InRange reports whether the numbers of a fault are valid.
func (t Terms) InRange() bool {
	return t.Count >= 0 && t.Probability >= 0 && t.Probability <= 1 && t.DelayMillis >= 0
}

// Faults are the faults of a simulator. If several match a call, the one added first is injected.
type Faults[F any] struct {
	termsOf func(*F) Terms
	chance  *rand.Rand

	mu     sync.Mutex
	number int
	faults []*fault[F]
}

type fault[F any] struct {
	of     F
	chance *rand.Rand
}

// NewFaults returns an empty set. seed seeds the choice for faults with a Probability and no Seed.
func NewFaults[F any](seed uint64, termsOf func(*F) Terms) *Faults[F] {
	return &Faults[F]{termsOf: termsOf, chance: rand.New(rand.NewPCG(seed, 0))}
}

// Add adds a fault and returns it with its ID.
func (s *Faults[F]) Add(f F) F {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.number++
	terms := s.termsOf(&f)
	*terms.ID, *terms.Struck = strconv.Itoa(s.number), 0
	added := &fault[F]{of: f, chance: s.chance}
	if terms.Seed != 0 {
		added.chance = rand.New(rand.NewPCG(terms.Seed, 0))
	}
	s.faults = append(s.faults, added)
	return f
}

// List returns the faults, including exhausted ones.
func (s *Faults[F]) List() []F {
	s.mu.Lock()
	defer s.mu.Unlock()
	out := make([]F, 0, len(s.faults))
	for _, f := range s.faults {
		out = append(out, f.of)
	}
	return out
}

// Remove removes one fault and reports whether it existed.
func (s *Faults[F]) Remove(id string) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	before := len(s.faults)
	s.faults = slices.DeleteFunc(s.faults, func(f *fault[F]) bool { return *s.termsOf(&f.of).ID == id })
	return len(s.faults) < before
}

// Clear removes all faults.
func (s *Faults[F]) Clear() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.faults = nil
}

// Strike chooses the fault for a call; nil if none applies.
func (s *Faults[F]) Strike(matches func(*F) bool) *F {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, f := range s.faults {
		terms := s.termsOf(&f.of)
		usedUp := terms.Count > 0 && *terms.Struck >= terms.Count
		if !matches(&f.of) || usedUp || terms.Probability > 0 && f.chance.Float64() >= terms.Probability {
			continue
		}
		*terms.Struck++
		struck := f.of
		return &struck
	}
	return nil
}
