package webhookserver

import (
	"context"
	"errors"
	"runtime"

	"github.com/wechatpay-operator/wechatpay-operator/internal/wechatpay"
)

// Reading and verifying uses only CPU. More concurrency would not make it faster, but takes memory.
const (
	// smallBodySize is far more than the 4 KiB of a usual callback. Larger bodies, up to maxBody,
	// cost as much as a hundred usual ones, so they have a queue of their own, and one is parsed at
	// a time.
	smallBodySize         = 16 << 10
	concurrentLargeBodies = 1
	// queuedLargeBodies is how many of them may wait for one tenant. Their bodies are in memory.
	queuedLargeBodies = 32
)

// parseSemaphores limit how many callbacks are read and verified at a time.
type parseSemaphores struct{ small, large *fairSemaphore }

func newParseSemaphores() *parseSemaphores {
	return &parseSemaphores{small: newFairSemaphore(2*runtime.GOMAXPROCS(0), maxConnections), large: newFairSemaphore(concurrentLargeBodies, queuedLargeBodies)}
}

// forBody returns the semaphore for a body.
func (p *parseSemaphores) forBody(body []byte) *fairSemaphore {
	if len(body) > smallBodySize {
		return p.large
	}
	return p.small
}

var errBusy = errors.New("too many callbacks of one namespace at once")

// parse reads and verifies a callback after it has acquired the semaphore. What it needs of WeChat
// is fetched before that: a merchant's host may hang, and must not keep others waiting.
func (h *Handler) parse(ctx context.Context, c *callback, kind wechatpay.CallbackKind) (wechatpay.Notification, error) {
	delivery := wechatpay.Delivery{Kind: kind, Header: c.header, Body: c.body, Time: h.Clock.Now()}
	c.connection.Receiver.Prepare(ctx, delivery)
	semaphore := h.parseSemaphores.forBody(c.body)
	if !semaphore.acquire(ctx, c.merchant.Namespace) {
		return wechatpay.Notification{}, errBusy
	}
	defer semaphore.release()
	notification, err := c.connection.Receiver.Parse(delivery)
	if err == nil && !isAbout(kind, notification) {
		err = errOtherSubject
	}
	return notification, err
}

var errOtherSubject = errors.New("the callback is about something else than its path, or a payment that is not proven")

// isAbout reports whether a notification is about the subject of its path. A payment counts only if
// WeChat signed it, whatever a protocol returns; a refund that is not signed is queried.
func isAbout(kind wechatpay.CallbackKind, notification wechatpay.Notification) bool {
	if isOfOthers(notification) {
		return true
	}
	if kind == wechatpay.RefundCallback {
		return notification.Refund != nil
	}
	return notification.Payment != nil && notification.Proven
}

// isOfOthers reports whether a genuine callback is about something that is not this operator's.
func isOfOthers(notification wechatpay.Notification) bool {
	return notification.Proven && notification.Payment == nil && notification.Refund == nil
}
