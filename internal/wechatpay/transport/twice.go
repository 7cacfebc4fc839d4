package transport

import (
	"context"
	"net/url"
	"time"

	"github.com/wechatpay-operator/wechatpay-operator/internal/wechatpay"
)

// Attempt makes one attempt at a call on a host.
type Attempt[T any] func(host *url.URL, limit time.Duration) (T, *wechatpay.Error)

// Twice makes a call on the endpoint of the settings, and once more on the backup endpoint if mayRepeat
// says that an immediate repetition may help.
func Twice[T any](ctx context.Context, s wechatpay.Settings, operation wechatpay.Operation,
	mayRepeat func(*wechatpay.Error) bool, try Attempt[T],
) (T, *wechatpay.Error) {
	limit := Limit(s.Timeouts, operation)
	answer, first := try(s.Endpoint, firstLimit(ctx, operation, limit))
	if first == nil || !mayRepeat(first) {
		return answer, first
	}
	answer, second := try(s.BackupEndpoint, limit)
	if second == nil {
		return answer, nil
	}
	return answer, combineFailures(first, second)
}

// firstLimit reserves half of the caller's time for the retry. A refund may use all of it, because
// it is retried only if it was not sent, which is known early.
func firstLimit(ctx context.Context, operation wechatpay.Operation, limit time.Duration) time.Duration {
	deadline, hasDeadline := ctx.Deadline()
	if !hasDeadline || operation.PaysBack() {
		return limit
	}
	return min(limit, time.Until(deadline)/2)
}

// combineFailures combines the errors of two attempts and keeps the uncertainty: an attempt that
// may have arrived stays unknown, even if the retry was not sent or got an unsigned refusal. Only a
// verified reply resolves it.
func combineFailures(first, second *wechatpay.Error) *wechatpay.Error {
	switch {
	case second.Outcome == wechatpay.NotSent:
		return first
	case second.Outcome == wechatpay.Refused && first.Outcome == wechatpay.Unknown:
		doubtful := *second
		doubtful.Outcome = wechatpay.Unknown
		return &doubtful
	case second.Outcome == wechatpay.Unknown && first.Outcome == wechatpay.Unknown && second.Code == "":
		return first
	default:
		return second
	}
}
