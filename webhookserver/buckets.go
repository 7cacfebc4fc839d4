package webhookserver

import (
	"maps"
	"sync"
	"time"

	"golang.org/x/time/rate"
)

// sweepEvery is the interval at which full buckets are dropped. A full bucket equals a new one, so
// only those that were used recently are kept.
const sweepEvery = 10 * time.Second

// bucket holds tokens, and the number of denials since the last token was taken.
type bucket struct {
	*rate.Limiter
	denied int
}

// buckets are token buckets by key.
type buckets[Key comparable] struct {
	mutex sync.Mutex
	byKey map[Key]*bucket
	swept time.Time
}

// take takes a token from the bucket of a key, which holds burst tokens and gets perSecond. It
// returns the number of denials since the last token.
func (b *buckets[Key]) take(key Key, perSecond, burst int, now time.Time) (taken bool, denied int) {
	b.mutex.Lock()
	defer b.mutex.Unlock()
	b.sweep(now)
	known := b.byKey[key]
	if known == nil {
		known = &bucket{Limiter: rate.NewLimiter(rate.Limit(perSecond), burst)}
		b.byKey[key] = known
	}
	if !known.AllowN(now, 1) {
		known.denied++
		return false, 0
	}
	denied, known.denied = known.denied, 0
	return true, denied
}

// deny counts denials of tokens that were taken and not used.
func (b *buckets[Key]) deny(key Key, times int) {
	b.mutex.Lock()
	defer b.mutex.Unlock()
	if known := b.byKey[key]; known != nil {
		known.denied += times
	}
}

func (b *buckets[Key]) sweep(now time.Time) {
	if b.byKey != nil && now.Sub(b.swept) < sweepEvery {
		return
	}
	b.swept = now
	remaining := map[Key]*bucket{} // a map that grew keeps its size
	maps.Copy(remaining, b.byKey)
	maps.DeleteFunc(remaining, func(_ Key, known *bucket) bool { return known.TokensAt(now) >= float64(known.Burst()) })
	b.byKey = remaining
}
