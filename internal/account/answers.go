package account

import (
	"crypto/sha256"
	"time"

	"github.com/wechatpay-operator/wechatpay-operator/internal/wechatpay"
)

// answersOfKey are the answers that were taken under one key. A recorded one fits wherever that key is used, whatever the
// Merchant is called and through whatever host it calls, and outlives the connection: a Secret that is read again, or an endpoint
// that is changed, must not make it new.
type answersOfKey struct {
	taken *wechatpay.TakenAnswers
	used  time.Time
}

// answersKey stands for a merchant number and a key, which are kept nowhere else.
type answersKey [sha256.Size]byte

// answersKeptFor is how long they are kept after the last Merchant with the key.
const answersKeptFor = 24 * time.Hour

// answersOf returns what was taken. The caller holds the mutex.
func (r *Registry) answersOf(mchID, key string, now time.Time) *wechatpay.TakenAnswers {
	id := answersKey(sha256.Sum256([]byte(mchID + "/" + key)))
	known := r.answers[id]
	if known == nil {
		known = &answersOfKey{taken: wechatpay.NewTakenAnswers()}
		r.answers[id] = known
	}
	known.used = now
	return known.taken
}

func (r *Registry) dropUnusedAnswers(now time.Time) {
	for key, known := range r.answers {
		if now.Sub(known.used) > answersKeptFor {
			delete(r.answers, key)
		}
	}
}
