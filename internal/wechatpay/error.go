package wechatpay

import (
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/wechatpay-operator/wechatpay-operator/internal/text"
)

// Operation names a call to WeChat, or a callback. The names are the operator's own: each protocol
// has paths of its own.
type Operation string

// The calls and the callbacks.
const (
	OperationCreateOrder  Operation = "CreateOrder"
	OperationQueryOrder   Operation = "QueryOrder"
	OperationCloseOrder   Operation = "CloseOrder"
	OperationCreateRefund Operation = "CreateRefund"
	OperationQueryRefund  Operation = "QueryRefund"
	// OperationResolveAbnormalRefund says where the money of an Abnormal refund goes.
	OperationResolveAbnormalRefund Operation = "ResolveAbnormalRefund"
	// OperationGetCertificates downloads WeChat's certificates.
	OperationGetCertificates Operation = "GetCertificates"
	// OperationDownloadBill asks for a bill, and OperationFetchBill gets it from the address that
	// the answer names, in a protocol that does it in two steps.
	OperationDownloadBill    Operation = "DownloadBill"
	OperationFetchBill       Operation = "FetchBill"
	OperationPaymentCallback Operation = "payment callback"
	OperationRefundCallback  Operation = "refund callback"
)

// PaysBack reports whether a call may give money back. Calls for one refund must be a minute apart
// (WeChat Pay's limits), so one that may have arrived is never repeated at once; and WeChat blocks a
// merchant number of which too many of them fail.
func (o Operation) PaysBack() bool {
	return o == OperationCreateRefund || o == OperationResolveAbnormalRefund
}

// Outcome is what is known about a call that did not succeed.
type Outcome string

const (
	// NotSent: the request never reached WeChat (DNS, connect, TLS, the operator's own limits or
	// validation). It had no effect.
	NotSent Outcome = "NotSent"
	// Failed: a verified answer says that it was not executed.
	Failed Outcome = "Failed"
	// Refused: an unsigned answer says that it was not executed. It proves nothing about money and
	// is never final.
	Refused Outcome = "Refused"
	// Unknown: it may have been executed. Query, and repeat the same call with the same number and
	// parameters.
	Unknown Outcome = "Unknown"
)

// Meaning is what the caller should do about an error, whatever code WeChat's protocol has for it.
type Meaning string

const (
	// Repeat: the same call may succeed later; nothing is wrong with it.
	Repeat Meaning = "Repeat"
	// SlowDown: a rate limit of WeChat or of the operator. Repeat after a pause.
	SlowDown Meaning = "SlowDown"
	// OrderPaid: the order is already paid. Query and record the payment.
	OrderPaid Meaning = "OrderPaid"
	// OrderClosed: the order is already closed.
	OrderClosed Meaning = "OrderClosed"
	// OrderNotExist: WeChat does not know the order (or not yet, right after an Unknown outcome).
	OrderNotExist Meaning = "OrderNotExist"
	// NumberUsed: the number was used with other parameters, or is closed or expired. Query to find
	// out.
	NumberUsed Meaning = "NumberUsed"
	// StateConflict: the order's state does not allow the call now. Query.
	StateConflict Meaning = "StateConflict"
	// RefundNotExist: WeChat does not know the refund (or not yet).
	RefundNotExist Meaning = "RefundNotExist"
	// InsufficientBalance: the same call succeeds after a top-up of the account.
	InsufficientBalance Meaning = "InsufficientBalance"
	// AmountConflict: the refund's number was used with other amounts, or the amounts do not fit
	// the order. Query.
	AmountConflict Meaning = "AmountConflict"
	// NoRight: the merchant number, or the sub merchant's grant to it, does not permit the operation.
	NoRight Meaning = "NoRight"
	// NotOffered: the protocol has no such call. Always NotSent.
	NotOffered Meaning = "NotOffered"
	// NoStatement: there is no bill. The day had no payments and no refunds, or the bill is not made
	// yet.
	NoStatement Meaning = "NoStatement"
	// StatementCreating: the bill is being made. Ask again in half an hour.
	StatementCreating Meaning = "StatementCreating"
	// AddressExpired: the address of the bill is no longer valid. Ask for the bill again.
	AddressExpired Meaning = "AddressExpired"
	// NeedsAttention: a person must correct something at WeChat (a permission, a binding); repeat
	// slowly.
	NeedsAttention Meaning = "NeedsAttention"
	// Rejected: this call will never succeed with these parameters.
	Rejected Meaning = "Rejected"
	// CredentialsRejected: WeChat does not accept the key.
	CredentialsRejected Meaning = "CredentialsRejected"
	// CertificateRejected: WeChat does not accept the client certificate, or got none.
	CertificateRejected Meaning = "CertificateRejected"
	// KeyMismatch: what WeChat encrypted for the merchant can't be opened with the merchant's key.
	KeyMismatch Meaning = "KeyMismatch"
	// VerifiersMissing: WeChat has no certificates for this merchant number, and the Merchant names
	// no public key.
	VerifiersMissing Meaning = "VerifiersMissing"
	// NotVerified: none of WeChat's known keys verifies the answer.
	NotVerified Meaning = "NotVerified"
	// CertificateMissing: the call needs a client certificate and the Caller has no valid one.
	// Always NotSent.
	CertificateMissing Meaning = "CertificateMissing"
)

// Error describes a call to WeChat that did not succeed, or a callback that was refused. Its text
// is for users: it has the operation, WeChat's code and WeChat's words, and never a key, a
// certificate or a raw body.
type Error struct {
	Operation Operation
	Outcome   Outcome
	Meaning   Meaning
	// Code and Description are WeChat's; empty if the error is the operator's or the transport's.
	Code, Description string
	// Err is the cause if it is not WeChat's answer: transport, verification, validation.
	Err error
	// RetryAfter is when to retry a call that the operator's own limits denied; zero leaves that to
	// the caller.
	RetryAfter time.Duration
}

// Error returns one line with stable wording, so that a condition with it is not written
// repeatedly. It may contain external text, so it is cleaned.
func (e *Error) Error() string { return text.Clean(e.words()) }

func (e *Error) words() string {
	switch {
	case e.Code != "" && e.Description != "":
		return fmt.Sprintf("%s: WeChat Pay answered %s: %s", e.Operation, e.Code, e.Description)
	case e.Code != "":
		return fmt.Sprintf("%s: WeChat Pay answered %s", e.Operation, e.Code)
	case e.Err != nil:
		if cause, ok := errors.AsType[*Error](e.Err); ok && cause.Operation == e.Operation {
			return cause.words() // it names the operation itself
		}
		return fmt.Sprintf("%s: %v", e.Operation, e.Err)
	default:
		return fmt.Sprintf("%s: %s", e.Operation, e.Outcome)
	}
}

// Unwrap returns the cause.
func (e *Error) Unwrap() error { return e.Err }

// OutcomeOf returns the outcome of an error of a Caller. It returns Unknown, the safe assumption,
// for any other error.
func OutcomeOf(err error) Outcome {
	if e, ok := errors.AsType[*Error](err); ok {
		return e.Outcome
	}
	return Unknown
}

// MeaningOf returns the meaning of an error of a Caller. It returns Repeat for any other error.
func MeaningOf(err error) Meaning {
	if e, ok := errors.AsType[*Error](err); ok {
		return e.Meaning
	}
	return Repeat
}

// RetryAfter returns when to retry a call that the operator's own limits denied, or zero.
func RetryAfter(err error) time.Duration {
	if e, ok := errors.AsType[*Error](err); ok {
		return e.RetryAfter
	}
	return 0
}

// Means reports whether err has one of the meanings as a verified fact. Unsigned refusals never do:
// they prove nothing.
func Means(err error, meanings ...Meaning) bool {
	e, ok := errors.AsType[*Error](err)
	return ok && e.Outcome == Failed && slices.Contains(meanings, e.Meaning)
}
