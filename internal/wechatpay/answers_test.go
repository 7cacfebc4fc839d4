package wechatpay

import (
	"encoding/binary"
	"sync"
	"sync/atomic"
	"testing"
)

func markOf(i int) (mark AnswerMark) {
	binary.BigEndian.PutUint64(mark[:], uint64(i))
	return mark
}

func TestTakenAnswersAreBounded(t *testing.T) {
	answers := NewTakenAnswers()
	for i := range 5 * answersKept {
		if !answers.Take(markOf(i)) {
			t.Fatalf("the answer %d was never given", i)
		}
		if back := max(0, i-answersKept+1); answers.Take(markOf(back)) {
			t.Fatalf("after the answer %d, %d is taken again", i, back)
		}
	}
	if kept := len(answers.recent) + len(answers.before); kept > 2*answersKept {
		t.Errorf("%d are kept", kept)
	}
}

func TestAnAnswerIsTakenOnceHoweverManyAsk(t *testing.T) {
	answers := NewTakenAnswers()
	var taken atomic.Int32
	var all sync.WaitGroup
	for range 50 {
		all.Go(func() {
			if answers.Take(markOf(1)) {
				taken.Add(1)
			}
		})
	}
	all.Wait()
	if taken.Load() != 1 {
		t.Errorf("taken %d times", taken.Load())
	}
}
