package wechatpay

import (
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/wechatpay-operator/wechatpay-operator/internal/text"
)

// Operation names a call to WeChat, or a callback. It is ours: each protocol has paths of its own.
type Operation string

// The calls and the callbacks.
const (
	OperationCreateOrder     Operation = "CreateOrder"
	OperationQueryOrder      Operation = "QueryOrder"
	OperationCloseOrder      Operation = "CloseOrder"
	OperationCreateRefund    Operation = "CreateRefund"
	OperationQueryRefund     Operation = "QueryRefund"
	OperationPaymentCallback Operation = "payment callback"
	OperationRefundCallback  Operation = "refund callback"
)

// Outcome says what is known of a call that did not succeed.
type Outcome string

const (
	// NotSent: the request never reached WeChat (DNS, connect, TLS, our own limiter or validation). Nothing happened.
	NotSent Outcome = "NotSent"
	// Failed: a verified reply says that it was not done.
	Failed Outcome = "Failed"
	// Refused: a reply without a signature says that it was not done. It proves nothing about money and is never final.
	Refused Outcome = "Refused"
	// Unknown: it may have been done. Query, and repeat the same call with the same number and parameters.
	Unknown Outcome = "Unknown"
)

// Meaning is what an error asks of the caller, whatever code WeChat's protocol has for it.
type Meaning string

const (
	// Repeat: the same call later may succeed; nothing is wrong with it.
	Repeat Meaning = "Repeat"
	// SlowDown: WeChat's rate limit, or ours. Repeat after a pause.
	SlowDown Meaning = "SlowDown"
	// OrderPaid: the order is paid already. Query and record the payment.
	OrderPaid Meaning = "OrderPaid"
	// OrderClosed: the order is closed already.
	OrderClosed Meaning = "OrderClosed"
	// OrderNotExist: WeChat does not know the order (or not yet, right after an Unknown outcome).
	OrderNotExist Meaning = "OrderNotExist"
	// NumberUsed: the number was used with other parameters, or is closed or expired. Query tells which.
	NumberUsed Meaning = "NumberUsed"
	// StateConflict: the order's state does not allow the call now. Query.
	StateConflict Meaning = "StateConflict"
	// RefundNotExist: WeChat does not know the refund (or not yet).
	RefundNotExist Meaning = "RefundNotExist"
	// InsufficientBalance: somebody must top up; then the same call succeeds.
	InsufficientBalance Meaning = "InsufficientBalance"
	// AmountConflict: the refund's number was used with other amounts, or the amounts do not fit the order. Query.
	AmountConflict Meaning = "AmountConflict"
	// NeedsAttention: somebody must set something right outside (a permission, a binding); repeat slowly.
	NeedsAttention Meaning = "NeedsAttention"
	// Rejected: this call will never succeed with these parameters.
	Rejected Meaning = "Rejected"
	// CredentialsRejected: WeChat does not take the key.
	CredentialsRejected Meaning = "CredentialsRejected"
	// CertificateRejected: WeChat does not take the client certificate, or got none.
	CertificateRejected Meaning = "CertificateRejected"
	// CertificateMissing: the call needs a client certificate and the Caller has none that is valid. Always NotSent.
	CertificateMissing Meaning = "CertificateMissing"
)

// Error is a call to WeChat that did not succeed, or a callback that was refused. Its text is for users: it names
// the operation, WeChat's code and WeChat's words, and never holds a key, a certificate or a raw body.
type Error struct {
	Operation Operation
	Outcome   Outcome
	Meaning   Meaning
	// Code and Description are WeChat's ; empty when the
	// trouble is ours or the transport's.
	Code, Description string
	// Err is the cause when it is not WeChat's word: transport, verification, validation.
	Err error
	// RetryAfter is when to come again with a call that limits of our own held back; zero leaves that to the caller.
	RetryAfter time.Duration
}

// Error says it in one line with stable wording, so that it can stand in a condition without causing writes. Words from outside
// are in it, so it is cleaned.
func (e *Error) Error() string { return text.Clean(e.words()) }

func (e *Error) words() string {
	switch {
	case e.Code != "" && e.Description != "":
		return fmt.Sprintf("%s: WeChat Pay answered %s: %s", e.Operation, e.Code, e.Description)
	case e.Code != "":
		return fmt.Sprintf("%s: WeChat Pay answered %s", e.Operation, e.Code)
	case e.Err != nil:
		return fmt.Sprintf("%s: %v", e.Operation, e.Err)
	default:
		return fmt.Sprintf("%s: %s", e.Operation, e.Outcome)
	}
}

// Unwrap returns the cause.
func (e *Error) Unwrap() error { return e.Err }

// OutcomeOf returns the outcome of an error of a Caller; an error that is none is Unknown, the careful reading.
func OutcomeOf(err error) Outcome {
	if e, ok := errors.AsType[*Error](err); ok {
		return e.Outcome
	}
	return Unknown
}

// MeaningOf returns the meaning of an error of a Caller; an error that is none means Repeat.
func MeaningOf(err error) Meaning {
	if e, ok := errors.AsType[*Error](err); ok {
		return e.Meaning
	}
	return Repeat
}

// RetryAfter is when to come again with a call that limits of our own held back; zero when it was not, or they do not say.
func RetryAfter(err error) time.Duration {
	if e, ok := errors.AsType[*Error](err); ok {
		return e.RetryAfter
	}
	return 0
}

// Means says whether err carries one of the meanings as a verified fact. Unsigned refusals never do: they prove nothing.
func Means(err error, meanings ...Meaning) bool {
	e, ok := errors.AsType[*Error](err)
	return ok && e.Outcome == Failed && slices.Contains(meanings, e.Meaning)
}
