package v3

import (
	"fmt"
	"net/http"
	"strings"

	"github.com/go-json-experiment/json/jsontext"

	"github.com/wechatpay-operator/wechatpay-operator/internal/wechatpay"
	"github.com/wechatpay-operator/wechatpay-operator/internal/wechatpay/transport"
)

// errorAnswer is the body of an answer that is not a success.
type errorAnswer struct {
	Code    string         `json:"code"`
	Message string         `json:"message"`
	Detail  jsontext.Value `json:"detail"`
}

// errorDetail says which member of a request is wrong. It also has the value, which may be the
// payer's and is not read.
type errorDetail struct {
	Field string `json:"field"`
}

// errorOf converts an error answer. Only if it is verified (why is nil) its outcome may become
// Failed: any proxy on the way could have written another one. speaks reports that the answer has
// the format of WeChat Pay's protocol.
func errorOf(operation wechatpay.Operation, answer transport.Answer, why *unproven) (failure *wechatpay.Error, speaks bool) {
	var parsed errorAnswer
	if err := readJSON(answer.Body, &parsed); err != nil || parsed.Code == "" {
		return transport.UnknownByStatus(operation, answer.Status), why == nil || why.signed
	}
	judged := judgeAnswer(operation, answer.Status, parsed)
	failure = &wechatpay.Error{
		Operation: operation, Outcome: judged.outcome, Meaning: judged.meaning,
		Code: transport.Shortened(parsed.Code), Description: transport.Shortened(parsed.describe(answer.Header.Get("Request-ID"))),
	}
	if why == nil {
		return failure, true
	}
	if failure.Outcome == wechatpay.Failed {
		failure.Outcome = wechatpay.Refused
	}
	if answer.Status >= http.StatusInternalServerError {
		failure.Outcome, failure.Meaning = wechatpay.Unknown, wechatpay.Repeat
	}
	if why.signed && !countsUnverified(failure) && (answer.Status < http.StatusInternalServerError || isAboutVerifiers(why)) {
		// It is signed with an unknown key, so its content can't be believed.
		failure.Meaning = why.meaning
		failure.Err = fmt.Errorf("the answer (%s) can't be believed: %w", failure.Code, why)
		failure.Code, failure.Description = "", ""
	}
	return failure, failure.Outcome == wechatpay.Refused || why.signed
}

// isAboutVerifiers reports whether no key of WeChat is available.
func isAboutVerifiers(why *unproven) bool {
	return why.meaning == wechatpay.VerifiersMissing || why.meaning == wechatpay.KeyMismatch
}

// countsUnverified reports whether an answer counts although it is not verified: it is about our
// credentials, our rate of calls, or certificates that WeChat does not have and so can't sign with.
func countsUnverified(failure *wechatpay.Error) bool {
	return failure.Meaning == wechatpay.CredentialsRejected || failure.Meaning == wechatpay.SlowDown || failure.Meaning == wechatpay.VerifiersMissing
}

// unverified is a success that can't be believed: it may have been executed.
func unverified(operation wechatpay.Operation, why *unproven) *wechatpay.Error {
	return transport.Unknown(operation, why.meaning, fmt.Errorf("the answer can't be believed: %w", why))
}

// describe returns WeChat's words, the member that they are about, and the number at the end of
// Request-ID, by which WeChat Pay's support finds the cause. Request-ID as a whole differs at every
// call, and would make a condition change with it.
func (e errorAnswer) describe(requestID string) string {
	words := e.Message
	var detail errorDetail
	if len(e.Detail) > 0 && readJSON(e.Detail, &detail) == nil && detail.Field != "" {
		words += " (" + strings.TrimPrefix(detail.Field, "/") + ")"
	}
	if number := requestID[strings.LastIndexByte(requestID, '-')+1:]; number != requestID && isInternalNumber(number) {
		words += " (number for WeChat Pay's support: " + number + ")"
	}
	return words
}

// isInternalNumber reports whether a text is a number of an error inside WeChat Pay; 0 means none.
func isInternalNumber(text string) bool {
	return len(text) > 1 && len(text) <= 12 && strings.Trim(text, "0123456789") == ""
}
