package v2

import (
	"crypto/sha256"
	"sync"
)

// Replies remembers the signatures of accepted replies, so that a recorded reply is not accepted
// again. WeChat Pay signs a new nonce in every reply, so a genuine one never repeats. The memory
// belongs to the account, not to a connection or a key: it outlives the Client, and several Clients
// of one account share it.
//
// It is limited and in memory: another process, or this one after thousands of other replies, can
// accept a reply once more. Replies is safe for concurrent use.
type Replies struct {
	mutex sync.Mutex
	// recent is filled up to repliesKept and then becomes before, so that at least repliesKept are
	// remembered.
	recent, before map[replyMark]struct{}
}

// replyMark is the truncated signature: half the size, and still unique.
type replyMark [16]byte

// repliesKept takes about 200 KB per account when full, at most twice.
const repliesKept = 4096

// NewReplies returns an empty Replies.
func NewReplies() *Replies { return &Replies{recent: map[replyMark]struct{}{}} }

// take records a verified reply and reports whether it is the first time. A reply without a nonce
// can't be distinguished from another one with the same text, so it is not recorded.
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
