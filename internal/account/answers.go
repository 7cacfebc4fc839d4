package account

import (
	"crypto/sha256"
	"maps"
	"time"

	"github.com/wechatpay-operator/wechatpay-operator/internal/wechatpay"
)

// memoryOfKey holds what is remembered about WeChat's answers under one key at one endpoint: those
// that were accepted, and the certificates that were downloaded. A replayed answer is valid wherever
// that key is used, whatever the Merchant's name and host, so the record of answers is shared by all
// endpoints. It outlives the connection: reading the Secret again or changing the endpoint must not
// make a replayed answer acceptable.
type memoryOfKey struct {
	answers      *wechatpay.TakenAnswers
	certificates *wechatpay.PlatformCertificates
	used         time.Time
}

// answersKey is a digest of a merchant number and a key, so that the map does not store them, and
// an endpoint where that matters.
type answersKey [sha256.Size]byte

func answersKeyOf(mchID, key, endpoint string) answersKey {
	return sha256.Sum256([]byte(mchID + "/" + key + "/" + endpoint))
}

// answersTTL is how long answers are kept after the last Merchant with the key was used.
const answersTTL = 24 * time.Hour

// memory returns what is remembered under a key. The caller must hold the mutex. Certificates of one
// endpoint are never used at another: only answers are shared.
func (r *Registry) memory(mchID, key, endpoint string, now time.Time) *memoryOfKey {
	shared := r.remembered(answersKeyOf(mchID, key, ""), now)
	own := r.remembered(answersKeyOf(mchID, key, endpoint), now)
	own.answers = shared.answers
	return own
}

func (r *Registry) remembered(id answersKey, now time.Time) *memoryOfKey {
	memory := r.answers[id]
	if memory == nil {
		memory = &memoryOfKey{answers: wechatpay.NewTakenAnswers(), certificates: wechatpay.NewPlatformCertificates()}
		r.answers[id] = memory
	}
	memory.used = now
	return memory
}

func (r *Registry) dropUnusedAnswers(now time.Time) {
	maps.DeleteFunc(r.answers, func(_ answersKey, memory *memoryOfKey) bool { return now.Sub(memory.used) > answersTTL })
}
