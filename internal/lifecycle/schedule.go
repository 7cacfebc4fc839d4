package lifecycle

import (
	"hash/fnv"
	"math"
	"time"
)

// Schedule lists the ages, in ascending order, at which something is queried again. If Repeat is
// set, the last gap repeats after the last entry.
type Schedule struct {
	Ages   []time.Duration
	Repeat bool
}

// Next returns the first age after elapsed, plus a jitter of up to a tenth of the gap. The jitter
// is constant for a seed and spreads objects created at the same moment. The second result is false
// if nothing more is due.
func (s Schedule) Next(elapsed time.Duration, seed string) (time.Duration, bool) {
	if len(s.Ages) == 0 {
		return 0, false
	}
	previous := time.Duration(0)
	for _, age := range s.Ages {
		due := age + jitter(age-previous, seed)
		if due > elapsed {
			return due, true
		}
		previous = age
	}
	if !s.Repeat {
		return 0, false
	}
	last := s.Ages[len(s.Ages)-1]
	gap := last
	if len(s.Ages) > 1 {
		gap = last - s.Ages[len(s.Ages)-2]
	}
	if gap <= 0 {
		return 0, false
	}
	offset := jitter(gap, seed)
	due := elapsed - (elapsed-last-offset)%gap // the last due time that is not after elapsed
	if due > math.MaxInt64-gap {
		// Centuries: the age was computed from a zero time.
		return math.MaxInt64, true
	}
	return due + gap, true
}

func jitter(gap time.Duration, seed string) time.Duration {
	hash := fnv.New32a()
	_, _ = hash.Write([]byte(seed))
	return gap / 10_000 * time.Duration(hash.Sum32()%1000)
}
