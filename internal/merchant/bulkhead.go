package merchant

import (
	"context"
	"math/rand/v2"
	"sync"
	"time"

	"golang.org/x/sync/semaphore"
)

// bulkhead keeps one Merchant from holding all workers. While its calls come back, a call waits a moment for a place; when
// none has come or gone for that long, WeChat hangs, and nobody waits for it.
type bulkhead struct {
	places *semaphore.Weighted

	mutex sync.Mutex
	moved time.Time
}

// patience is how long a call waits for a place, and how long nothing moves before none does.
const patience = time.Second

func newBulkhead(places int) *bulkhead {
	return &bulkhead{places: semaphore.NewWeighted(int64(places))}
}

func (b *bulkhead) enter(ctx context.Context) error {
	if b.places.TryAcquire(1) {
		b.move()
		return nil
	}
	waiting, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	if b.hangs() || b.places.Acquire(waiting, 1) != nil {
		return &denial{
			limit:  "Concurrency",
			reason: "too many calls for this Merchant are under way and have no answer yet",
			// Apart from each other, so that they do not all come at once when it goes on.
			retryAfter: patience + rand.N(2*patience),
		}
	}
	b.move()
	return nil
}

func (b *bulkhead) leave() {
	b.places.Release(1)
	b.move()
}

func (b *bulkhead) move() {
	b.mutex.Lock()
	defer b.mutex.Unlock()
	b.moved = time.Now()
}

func (b *bulkhead) hangs() bool {
	b.mutex.Lock()
	defer b.mutex.Unlock()
	return time.Since(b.moved) >= patience
}
