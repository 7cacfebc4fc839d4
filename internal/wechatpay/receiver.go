package wechatpay

import (
	"context"
	"net/http"
	"time"
)

// Receiver parses the callbacks of one account. It is safe for concurrent use.
type Receiver interface {
	// Prepare gets what Parse needs to verify a callback, if that is not known yet: it may ask
	// WeChat, at most once a minute for an account, and wait for the answer until ctx ends. Parse
	// only computes.
	Prepare(ctx context.Context, delivery Delivery)
	// Parse verifies a callback as its protocol demands, and returns its content. Every error is an
	// *Error with the outcome Refused: what can't be verified proves nothing. Its text never
	// contains parts of the callback.
	Parse(delivery Delivery) (Notification, error)
}

// CallbackKind is the subject of a callback, the last segment of its path.
type CallbackKind string

// The kinds of callbacks.
const (
	PaymentCallback CallbackKind = "payment"
	RefundCallback  CallbackKind = "refund"
)

// Delivery is a callback as received.
type Delivery struct {
	Kind   CallbackKind
	Header http.Header
	Body   []byte
	// Time is when it was received.
	Time time.Time
}

// Notification is a callback that was verified or decrypted.
type Notification struct {
	// Payment is set for a payment, and Refund for a refund. Neither is set for a genuine callback
	// about something that is not this operator's.
	Payment *Payment
	Refund  *RefundFact
	// Proven reports whether WeChat signed it. A refund that is not proven only names the refund to
	// query.
	Proven bool
	// Scheme is the algorithm of its signature.
	Scheme Scheme
	// KeyID identifies the key that verified it (Verifier.Fingerprint or Connection.KeyIDs), or that
	// decrypted it where callbacks are not signed.
	KeyID string
}

// Reply is the answer to a callback.
type Reply struct {
	// Confirm reports that WeChat need not repeat the callback: its fact is stored, or there is
	// nothing to store.
	Confirm bool
	// Status is the HTTP status of an answer that does not confirm.
	Status int
	// Reason is sent with it. It is a constant, never part of the callback or of an error.
	Reason string
}
