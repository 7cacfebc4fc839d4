package webhookserver

import (
	"sync"
	"time"

	"golang.org/x/time/rate"
	"k8s.io/apimachinery/pkg/types"
)

// queriesPerSecond of one Merchant that refund callbacks may cause. A refund callback has no signature and no time, so that
// whoever saw one can send it for ever; the reconcilers shall have calls left all the same. It is what WeChat allows a merchant
// of refunds that succeed, so that genuine callbacks stay below it.
const queriesPerSecond = 100

// budgets are the token buckets of Merchants. There are as many as Merchants: what names none is refused before.
type budgets struct {
	mutex  sync.Mutex
	tokens map[types.NamespacedName]*rate.Limiter
}

func (b *budgets) take(of types.NamespacedName, now time.Time) bool {
	b.mutex.Lock()
	defer b.mutex.Unlock()
	bucket := b.tokens[of]
	if bucket == nil {
		if b.tokens == nil {
			b.tokens = map[types.NamespacedName]*rate.Limiter{}
		}
		bucket = rate.NewLimiter(queriesPerSecond, queriesPerSecond)
		b.tokens[of] = bucket
	}
	return bucket.AllowN(now, 1)
}
