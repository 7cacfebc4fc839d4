package wechatpay

import "sync"

// TakenAnswers remembers accepted answers of WeChat, so that a replayed one is refused. They belong
// to an account, not to a connection: they outlive the Caller, and several Callers of one account
// share them.
//
// It is bounded and in memory: an answer can be accepted again by another process, and after
// thousands of others. It is safe for concurrent use.
type TakenAnswers struct {
	mutex sync.Mutex
	// recent is filled up to answersKept and then becomes before, so that at least that many are
	// remembered.
	recent, before map[AnswerMark]struct{}
}

// AnswerMark is a prefix of a digest of what makes an answer unique. It is long enough to exclude
// collisions.
type AnswerMark [16]byte

// answersKept limits the memory to some 200 KB, at most twice, per account.
const answersKept = 4096

// NewTakenAnswers returns an empty TakenAnswers.
func NewTakenAnswers() *TakenAnswers {
	return &TakenAnswers{recent: map[AnswerMark]struct{}{}}
}

// Take records a verified answer, and reports whether it is new.
func (t *TakenAnswers) Take(mark AnswerMark) bool {
	t.mutex.Lock()
	defer t.mutex.Unlock()
	if _, taken := t.recent[mark]; taken {
		return false
	}
	if _, taken := t.before[mark]; taken {
		return false
	}
	if len(t.recent) == answersKept {
		t.before, t.recent = t.recent, make(map[AnswerMark]struct{}, answersKept)
	}
	t.recent[mark] = struct{}{}
	return true
}
