package v2

import (
	"crypto/sha256"
	"sync"
)

// Replies remembers the signatures of replies that were taken, so that a recorded one is not taken again. WeChat puts a nonce of
// its own into every reply and signs it, so a genuine one never comes twice. What was taken is an account's, not a connection's
// or a key's: it outlives the Client, and several Clients of one account share it.
//
// It is bounded and lives in memory: a reply can be taken once more by another process, and after thousands of others.
// It is safe for concurrent use.
type Replies struct {
	mutex sync.Mutex
	// recent is filled up to repliesKept and then becomes the one before, so that at least so many are remembered.
	recent, before map[replyMark]struct{}
}

// replyMark stands for a signature: half the size, and no two are alike by chance.
type replyMark [16]byte

// repliesKept takes some 200 KB, twice at most, of an account that uses all of it.
const repliesKept = 4096

// NewReplies remembers nothing yet.
func NewReplies() *Replies { return &Replies{recent: map[replyMark]struct{}{}} }

// take remembers a verified reply and says whether it is the first time. A reply without a nonce can't be told from another of the
// same words, so it is not remembered.
func (r *Replies) take(reply fields) bool {
	if reply.get("nonce_str") == "" {
		return true
	}
	digest := sha256.Sum256([]byte(reply.get(signField)))
	mark := replyMark(digest[:])
	r.mutex.Lock()
	defer r.mutex.Unlock()
	if _, taken := r.recent[mark]; taken {
		return false
	}
	if _, taken := r.before[mark]; taken {
		return false
	}
	if len(r.recent) == repliesKept {
		r.before, r.recent = r.recent, make(map[replyMark]struct{}, repliesKept)
	}
	r.recent[mark] = struct{}{}
	return true
}
