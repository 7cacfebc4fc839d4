package account

import (
	"crypto/sha256"
	"time"

	v2 "github.com/wechatpay-operator/wechatpay-operator/internal/wechatpay/v2"
)

// takenReplies are the replies that were taken under one API key. A recorded one fits wherever that key is used, whatever the
// Merchant is called and through whatever host it calls, and outlives the Client: a Secret that is read again, or an endpoint that
// is changed, must not make it new.
type takenReplies struct {
	replies *v2.Replies
	used    time.Time
}

// keyOfReplies stands for a merchant number and a key, which are kept nowhere else.
type keyOfReplies [sha256.Size]byte

// repliesKeptFor is how long they are kept after the last Merchant with the key.
const repliesKeptFor = 24 * time.Hour

// repliesOf returns what was taken. The caller holds the mutex.
func (r *Registry) repliesOf(options v2.Options, now time.Time) *v2.Replies {
	key := keyOfReplies(sha256.Sum256([]byte(options.MchID + "/" + options.APIKey)))
	taken := r.replies[key]
	if taken == nil {
		taken = &takenReplies{replies: v2.NewReplies()}
		r.replies[key] = taken
	}
	taken.used = now
	return taken.replies
}

func (r *Registry) dropUnusedReplies(now time.Time) {
	for key, taken := range r.replies {
		if now.Sub(taken.used) > repliesKeptFor {
			delete(r.replies, key)
		}
	}
}
