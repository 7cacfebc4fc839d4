package webhookserver

import (
	"maps"
	"sync"
	"time"

	"golang.org/x/time/rate"
)

// sweepEvery is how often buckets are looked through for those that are full again. A full bucket is like a new one, so that it
// can be dropped: what is kept is of those who took something a moment ago, not of all who ever did.
const sweepEvery = 10 * time.Second

// bucket holds tokens, and how often there was none since the last one that was given.
type bucket struct {
	*rate.Limiter
	denied int
}

// buckets are token buckets by key.
type buckets[Key comparable] struct {
	mutex sync.Mutex
	by    map[Key]*bucket
	swept time.Time
}

// take takes a token from the bucket of a key, which holds burst and gets perSecond. With it comes how often there was none
// since the last time.
func (b *buckets[Key]) take(of Key, perSecond, burst int, now time.Time) (taken bool, denied int) {
	b.mutex.Lock()
	defer b.mutex.Unlock()
	b.sweep(now)
	known := b.by[of]
	if known == nil {
		known = &bucket{Limiter: rate.NewLimiter(rate.Limit(perSecond), burst)}
		b.by[of] = known
	}
	if !known.AllowN(now, 1) {
		known.denied++
		return false, 0
	}
	denied, known.denied = known.denied, 0
	return true, denied
}

// deny counts what was given and then not used.
func (b *buckets[Key]) deny(of Key, times int) {
	b.mutex.Lock()
	defer b.mutex.Unlock()
	if known := b.by[of]; known != nil {
		known.denied += times
	}
}

func (b *buckets[Key]) sweep(now time.Time) {
	if b.by != nil && now.Sub(b.swept) < sweepEvery {
		return
	}
	b.swept = now
	left := map[Key]*bucket{} // a map that grew keeps its size
	maps.Copy(left, b.by)
	maps.DeleteFunc(left, func(_ Key, known *bucket) bool { return known.TokensAt(now) >= float64(known.Burst()) })
	b.by = left
}
