package weixin

import (
	"errors"
	"fmt"

	"github.com/wechatpay-operator/wechatpay-operator/internal/text"
	"github.com/wechatpay-operator/wechatpay-operator/internal/wechatpay"
)

// Operation names a call.
type Operation = wechatpay.Operation

// The calls.
const (
	OperationGetToken       Operation = "GetAccessToken"
	OperationIsTradeManaged Operation = "IsTradeManaged"
	OperationUploadShipping Operation = "UploadShipping"
	OperationGetOrder       Operation = "GetOrder"
)

// Meaning is what to do about an error, whatever errcode WeChat has for it.
type Meaning string

const (
	// Repeat: the same call may succeed later; nothing is wrong with it.
	Repeat Meaning = "Repeat"
	// SlowDown: too many calls within a minute, or no free slot of the operator's own limit.
	SlowDown Meaning = "SlowDown"
	// QuotaExhausted: too many calls within a day.
	QuotaExhausted Meaning = "QuotaExhausted"
	// TokenRejected: the access token ended; another one is needed.
	TokenRejected Meaning = "TokenRejected"
	// CredentialsRejected: WeChat does not accept the appid with this AppSecret.
	CredentialsRejected Meaning = "CredentialsRejected"
	// AddressNotAllowed: the address of the operator is not on the mini program's allow-list.
	AddressNotAllowed Meaning = "AddressNotAllowed"
	// NeedsAttention: a person has to correct something, such as a right of the mini program.
	NeedsAttention Meaning = "NeedsAttention"
	// NotYetKnown: order shipping management does not know the payment, or not yet.
	NotYetKnown Meaning = "NotYetKnown"
	// AlreadyShipped: there is nothing left to upload; GetOrder returns what was uploaded.
	AlreadyShipped Meaning = "AlreadyShipped"
	// NothingLeft: the one chance to ship again is used.
	NothingLeft Meaning = "NothingLeft"
	// NotShippable: the state of the order allows no upload; GetOrder returns the state.
	NotShippable Meaning = "NotShippable"
	// Rejected: this call will never succeed with these parameters.
	Rejected Meaning = "Rejected"
)

// Error is a call that did not succeed. Its text is for users.
type Error struct {
	Operation Operation
	// Outcome is NotSent, Failed (WeChat answered an errcode) or Unknown.
	Outcome wechatpay.Outcome
	Meaning Meaning
	// Code and Words are WeChat's errcode and errmsg; Code is 0 if the error is not its answer.
	Code  int
	Words string
	// Err is the cause if it is not WeChat's answer.
	Err error
}

// Error returns one line with stable wording, so that a condition with it is not written repeatedly.
func (e *Error) Error() string {
	switch {
	case e.Code != 0 && e.Words == "":
		return fmt.Sprintf("%s: WeChat answered %d", e.Operation, e.Code)
	case e.Code != 0:
		return text.Clean(fmt.Sprintf("%s: WeChat answered %d: %s", e.Operation, e.Code, e.Words))
	case e.Err != nil:
		return text.Clean(e.Err.Error())
	default:
		return fmt.Sprintf("%s: %s", e.Operation, e.Meaning)
	}
}

// Unwrap returns the cause.
func (e *Error) Unwrap() error { return e.Err }

// AsError returns the Error in err; any other error is one whose outcome is unknown.
func AsError(err error) *Error {
	if e, ok := errors.AsType[*Error](err); ok {
		return e
	}
	return &Error{Outcome: wechatpay.Unknown, Meaning: Repeat, Err: err}
}

// Means reports whether err has a meaning.
func Means(err error, meaning Meaning) bool {
	e, ok := errors.AsType[*Error](err)
	return ok && e.Meaning == meaning
}
