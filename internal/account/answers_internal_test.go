package account

import (
	"testing"
	"time"
)

func TestAcceptedAnswersBelongToTheKey(t *testing.T) {
	r := NewRegistry(nil, Options{})
	now := time.Now()
	first := r.answersOf("1900000109", "key1", now)
	if r.answersOf("1900000109", "key1", now) != first {
		t.Error("another connection has not seen the answers")
	}
	if r.answersOf("1900000109", "key2", now) == first || r.answersOf("1900000110", "key1", now) == first {
		t.Error("a Merchant without the key shares the answers")
	}
	now = now.Add(answersTTL)
	if r.answersOf("1900000109", "key1", now) != first {
		t.Error("they are forgotten too early")
	}
	r.dropUnusedAnswers(now.Add(answersTTL))
	if r.answersOf("1900000109", "key1", now) != first {
		t.Error("they are forgotten while in use")
	}
	r.dropUnusedAnswers(now.Add(answersTTL + 1))
	if r.answersOf("1900000109", "key1", now) == first || len(r.answers) != 1 {
		t.Error("they are kept for ever")
	}
}
