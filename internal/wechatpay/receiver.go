package wechatpay

import (
	"net/http"
	"time"
)

// Receiver reads the callbacks of one account. It is safe for concurrent use.
type Receiver interface {
	// Parse verifies a callback as its protocol demands, and returns what it says. Every error is an *Error with the outcome
	// Refused: what can't be verified proves nothing. Its text never holds any of the callback.
	Parse(delivery Delivery) (Notification, error)
}

// CallbackKind is what a callback is about, the last segment of its path.
type CallbackKind string

// The kinds of callbacks.
const (
	PaymentCallback CallbackKind = "payment"
	RefundCallback  CallbackKind = "refund"
)

// Delivery is a callback as it came in.
type Delivery struct {
	Kind   CallbackKind
	Header http.Header
	Body   []byte
	// Time is when it came in.
	Time time.Time
}

// Notification is a callback that was verified, or decrypted.
type Notification struct {
	// Payment is set for a payment, and Refund for a refund.
	Payment *Payment
	Refund  *RefundFact
	// Proven says that WeChat signed it. A refund that is not proven only tells which refund to ask for.
	Proven bool
	// Scheme is the algorithm that it was found signed with.
	Scheme Scheme
	// KeyID is that of the key that it was verified or decrypted with.
	KeyID string
}

// Reply is the answer to a callback.
type Reply struct {
	// Stored says that the fact is durable. It is the one thing that WeChat is told success for.
	Stored bool
	// Status is the HTTP status of an answer that is no success.
	Status int
	// Reason is told with it. It is a constant, never anything of the callback or of an error.
	Reason string
}
