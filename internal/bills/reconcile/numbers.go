package reconcile

import "hash/maphash"

// numberSet remembers which numbers it has seen, in 16 bytes each. It keeps a hash of 128 bits under
// a seed of its own, so two numbers count as the same once in a number of bills that is never made.
type numberSet struct {
	seeds [2]maphash.Seed
	seen  map[[2]uint64]struct{}
}

func newNumberSet() *numberSet {
	return &numberSet{
		seeds: [2]maphash.Seed{maphash.MakeSeed(), maphash.MakeSeed()},
		seen:  map[[2]uint64]struct{}{},
	}
}

// add reports whether the number is new, and remembers it.
func (s *numberSet) add(number string) (isNew bool) {
	key := [2]uint64{maphash.String(s.seeds[0], number), maphash.String(s.seeds[1], number)}
	before := len(s.seen)
	s.seen[key] = struct{}{}
	return len(s.seen) > before
}
