package account

import (
	"crypto/sha256"
	"time"

	"github.com/wechatpay-operator/wechatpay-operator/internal/wechatpay"
)

// answersOfKey holds the answers that were accepted under one key. A replayed answer is valid
// wherever that key is used, whatever the Merchant's name and host, so the record outlives the
// connection: reading the Secret again or changing the endpoint must not make a replayed answer
// acceptable.
type answersOfKey struct {
	taken *wechatpay.TakenAnswers
	used  time.Time
}

// answersKey is a digest of a merchant number and a key, so that the map does not store them.
type answersKey [sha256.Size]byte

// answersTTL is how long answers are kept after the last Merchant with the key was used.
const answersTTL = 24 * time.Hour

// answersOf returns the accepted answers of a key. The caller must hold the mutex.
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
		if now.Sub(known.used) > answersTTL {
			delete(r.answers, key)
		}
	}
}
