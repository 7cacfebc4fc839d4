package account

import (
	"testing"
	"time"
)

func TestAcceptedAnswersBelongToTheKey(t *testing.T) {
	r := NewRegistry(nil, Options{})
	now := time.Now()
	first := r.memory("1900000109", "key1", "e", now).answers
	if r.memory("1900000109", "key1", "e", now).answers != first {
		t.Error("another connection has not seen the answers")
	}
	if r.memory("1900000109", "key2", "e", now).answers == first || r.memory("1900000110", "key1", "e", now).answers == first {
		t.Error("a Merchant without the key shares the answers")
	}
	now = now.Add(answersTTL)
	if r.memory("1900000109", "key1", "e", now).answers != first {
		t.Error("they are forgotten too early")
	}
	r.dropUnusedAnswers(now.Add(answersTTL))
	if r.memory("1900000109", "key1", "e", now).answers != first {
		t.Error("they are forgotten while in use")
	}
	r.dropUnusedAnswers(now.Add(answersTTL + 1))
	if r.memory("1900000109", "key1", "e", now).answers == first || len(r.answers) != 2 {
		t.Error("they are kept for ever")
	}
}
