package webhookserver

import (
	"context"
	"maps"
	"sync"
	"time"

	"k8s.io/apimachinery/pkg/types"

	"github.com/wechatpay-operator/wechatpay-operator/internal/wechatpay"
)

const (
	// inquiryPause is how long WeChat is not asked for a refund again after it has answered.
	inquiryPause = time.Second
	// sharingAtOnce are the callbacks for one Refund that may wait for an answer of WeChat's that another one asked for. WeChat sends
	// one after the other, so that more are somebody's who repeats them, and would hold connections while WeChat hangs.
	sharingAtOnce = 8
)

// inquiries ask WeChat for the refunds that callbacks name: for one refund once at a time, and a pause apart. A refund callback
// has no signature of its own and no time, so that whoever saw one can send it for ever, thousands a second. All that come while
// WeChat is asked, or right after, share one answer. If WeChat knew more by the time that one of them came, that one is told to come
// again, which WeChat does, as with any answer of ours that is no yes.
type inquiries struct {
	mutex sync.Mutex
	of    map[types.UID]*inquiry
	swept time.Time
}

// inquiry is one question for one Refund.
type inquiry struct {
	// done is closed when the rest is there, and sharing are those who wait for it.
	done    chan struct{}
	sharing int
	// learned is what came of it, and until is the end of the pause behind it.
	learned learned
	until   time.Time
}

// learned is what an inquiry found, and what became of that.
type learned struct {
	// asked says that WeChat was asked.
	asked bool
	// status is what it said, and result how that was stored, or why not.
	status wechatpay.RefundStatus
	result result
}

// answerTo is the answer to a callback that claims a status. One that is ahead of QueryRefund has to come again; one that is
// behind it, since it came late, has nothing to add to the end that is stored.
func (l learned) answerTo(claimed wechatpay.RefundStatus) result {
	ended := l.status == wechatpay.RefundStatusSucceeded || l.status == wechatpay.RefundStatusClosed
	if l.result.stored && l.status != claimed && !ended {
		return failed("WeChat Pay does not say so yet")
	}
	return l.result
}

// shared is the same for callbacks that did not ask themselves: they stored nothing.
func (l learned) shared() learned {
	if l.result.stored {
		l.result = repeated()
	}
	return l
}

// learn asks for a Refund, unless that is being done or was a moment ago.
func (i *inquiries) learn(ctx context.Context, refund types.UID, now func() time.Time, ask func() learned) learned {
	under, mine := i.begin(refund, now())
	switch {
	case under == nil:
		return learned{result: failed("too many callbacks")}
	case !mine:
		select {
		case <-under.done:
			return under.learned.shared()
		case <-ctx.Done():
			return learned{result: failed("refund could not be confirmed in time")}
		}
	}
	found := learned{result: failed("refund could not be confirmed")} // should it panic
	defer func() { i.end(refund, under, found, now()) }()
	found = ask()
	return found
}

// begin returns the inquiry that is under way, or was a moment ago, or a new one; none when too many wait for it already.
func (i *inquiries) begin(refund types.UID, now time.Time) (under *inquiry, mine bool) {
	i.mutex.Lock()
	defer i.mutex.Unlock()
	i.sweep(now)
	if under = i.of[refund]; under != nil && !under.over(now) {
		if under.until.IsZero() && under.sharing == sharingAtOnce {
			return nil, false
		}
		under.sharing++
		return under, false
	}
	under = &inquiry{done: make(chan struct{})}
	i.of[refund] = under
	return under, true
}

func (i *inquiries) end(refund types.UID, under *inquiry, found learned, now time.Time) {
	i.mutex.Lock()
	defer i.mutex.Unlock()
	under.learned = found
	if found.asked {
		under.until = now.Add(inquiryPause)
	} else {
		delete(i.of, refund) // somebody else may have more luck at once
	}
	close(under.done)
}

// over says whether an inquiry was answered, and the pause behind it has passed.
func (q *inquiry) over(now time.Time) bool { return !q.until.IsZero() && !now.Before(q.until) }

// sweep drops what is over, so that what is kept is of the last moment only.
func (i *inquiries) sweep(now time.Time) {
	if i.of != nil && now.Sub(i.swept) < sweepEvery {
		return
	}
	i.swept = now
	left := map[types.UID]*inquiry{} // a map that grew keeps its size
	maps.Copy(left, i.of)
	maps.DeleteFunc(left, func(_ types.UID, under *inquiry) bool { return under.over(now) })
	i.of = left
}
