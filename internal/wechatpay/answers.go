package wechatpay

import "sync"

// TakenAnswers remembers answers of WeChat's that were taken, so that a recorded one is not taken again. What was taken is an
// account's, not a connection's: it outlives the Caller, and several Callers of one account share it.
//
// It is bounded and lives in memory: an answer can be taken once more by another process, and after thousands of others.
// It is safe for concurrent use.
type TakenAnswers struct {
	mutex sync.Mutex
	// recent is filled up to answersKept and then becomes the one before, so that at least so many are remembered.
	recent, before map[AnswerMark]struct{}
}

// AnswerMark is the beginning of a digest of what makes an answer unique: no two are alike by chance.
type AnswerMark [16]byte

// answersKept takes some 200 KB, twice at most, of an account that uses all of it.
const answersKept = 4096

// NewTakenAnswers remembers nothing yet.
func NewTakenAnswers() *TakenAnswers {
	return &TakenAnswers{recent: map[AnswerMark]struct{}{}}
}

// Take remembers a verified answer and says whether it is the first time.
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
