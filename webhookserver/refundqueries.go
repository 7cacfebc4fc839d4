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
	// refundQueryInterval is how long a refund is not queried again after an answer.
	refundQueryInterval = time.Second
	// maxSharedWaiters is how many callbacks for one Refund may wait for a query that another one
	// started. WeChat sends them one after the other, so more than that are replays, which would
	// hold connections while WeChat hangs.
	maxSharedWaiters = 8
)

// refundQueries queries the refunds that callbacks name: each refund at most once at a time and
// once per refundQueryInterval. A refund callback that is not signed has no time either, so anyone
// who has seen one can repeat it forever, thousands of times a second. All callbacks that arrive
// during a query or shortly after share its result. If such a callback reports more than the
// result, the answer is an error, and WeChat repeats the callback.
type refundQueries struct {
	mutex    sync.Mutex
	byRefund map[types.UID]*refundQuery
	swept    time.Time
}

// refundQuery is one query for one Refund.
type refundQuery struct {
	// done is closed when the other fields are set. waiters is how many callbacks wait for that.
	done    chan struct{}
	waiters int
	// result is the result of the query, and until the end of the interval after it.
	result queryResult
	until  time.Time
}

// queryResult is what a query returned, and whether that was stored.
type queryResult struct {
	// queried reports whether WeChat was queried.
	queried bool
	// status is what WeChat returned, and result how it was stored, or why not.
	status wechatpay.RefundStatus
	result result
}

// replyTo returns the answer to a callback that claims a status. If the claim differs from the
// stored status, the callback has to be repeated, unless the stored status is final: then it was
// only late.
func (r queryResult) replyTo(claimed wechatpay.RefundStatus) result {
	ended := r.status == wechatpay.RefundStatusSucceeded || r.status == wechatpay.RefundStatusClosed
	if r.result.confirm && r.status != claimed && !ended {
		return failed("WeChat Pay does not say so yet")
	}
	return r.result
}

// shared returns the result for the callbacks that did not query themselves, and so stored nothing.
func (r queryResult) shared() queryResult {
	if r.result.confirm {
		r.result = repeated()
	}
	return r
}

// do queries a Refund, unless a query is running or was made a moment ago.
func (q *refundQueries) do(ctx context.Context, refund types.UID, now func() time.Time, queryNow func() queryResult) queryResult {
	query, started := q.join(refund, now())
	switch {
	case query == nil:
		return queryResult{result: failed("too many callbacks")}
	case !started:
		select {
		case <-query.done:
			return query.result.shared()
		case <-ctx.Done():
			return queryResult{result: failed("refund could not be confirmed in time")}
		}
	}
	result := queryResult{result: failed("refund could not be confirmed")} // if query panics
	defer func() { q.finish(refund, query, result, now()) }()
	result = queryNow()
	return result
}

// join returns the running or recent query, or a new one, or nil if too many callbacks wait for it
// already.
func (q *refundQueries) join(refund types.UID, now time.Time) (query *refundQuery, started bool) {
	q.mutex.Lock()
	defer q.mutex.Unlock()
	q.sweep(now)
	if query = q.byRefund[refund]; query != nil && !query.expired(now) {
		if query.until.IsZero() && query.waiters == maxSharedWaiters {
			return nil, false
		}
		query.waiters++
		return query, false
	}
	query = &refundQuery{done: make(chan struct{})}
	q.byRefund[refund] = query
	return query, true
}

func (q *refundQueries) finish(refund types.UID, query *refundQuery, result queryResult, now time.Time) {
	q.mutex.Lock()
	defer q.mutex.Unlock()
	query.result = result
	if result.queried {
		query.until = now.Add(refundQueryInterval)
	} else {
		delete(q.byRefund, refund) // the next callback may query at once
	}
	close(query.done)
}

// expired reports whether a query was answered and its interval is over.
func (q *refundQuery) expired(now time.Time) bool { return !q.until.IsZero() && !now.Before(q.until) }

// sweep drops expired queries.
func (q *refundQueries) sweep(now time.Time) {
	if q.byRefund != nil && now.Sub(q.swept) < sweepEvery {
		return
	}
	q.swept = now
	remaining := map[types.UID]*refundQuery{} // a map that grew keeps its size
	maps.Copy(remaining, q.byRefund)
	maps.DeleteFunc(remaining, func(_ types.UID, query *refundQuery) bool { return query.expired(now) })
	q.byRefund = remaining
}
