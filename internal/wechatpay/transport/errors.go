package transport

import (
	"fmt"
	"net/http"
	"strings"

	"github.com/wechatpay-operator/wechatpay-operator/internal/text"
	"github.com/wechatpay-operator/wechatpay-operator/internal/wechatpay"
)

// NotSent returns the error of a call that never reached WeChat Pay.
func NotSent(operation wechatpay.Operation, meaning wechatpay.Meaning, err error) *wechatpay.Error {
	return &wechatpay.Error{Operation: operation, Outcome: wechatpay.NotSent, Meaning: meaning, Err: err}
}

// Unknown returns the error of a call that may have been executed.
func Unknown(operation wechatpay.Operation, meaning wechatpay.Meaning, err error) *wechatpay.Error {
	return &wechatpay.Error{Operation: operation, Outcome: wechatpay.Unknown, Meaning: meaning, Err: err}
}

// Read parses the verified reply to a call, unless the call failed. If it can't be parsed, the
// outcome is unknown.
func Read[Reply, Answer any](operation wechatpay.Operation, reply Reply, failure *wechatpay.Error, read func(Reply) (Answer, error)) (Answer, error) {
	var zero Answer
	if failure != nil {
		return zero, failure
	}
	answer, err := read(reply)
	if err != nil {
		return zero, Unknown(operation, wechatpay.NeedsAttention, err)
	}
	return answer, nil
}

// UnknownByStatus returns the error of an answer of which only the HTTP status is understood.
func UnknownByStatus(operation wechatpay.Operation, status int) *wechatpay.Error {
	switch {
	case status >= 300 && status < 400:
		return Unknown(operation, wechatpay.NeedsAttention, fmt.Errorf("answered with a redirect (HTTP %d), which is never followed", status))
	case status == http.StatusTooManyRequests:
		return Unknown(operation, wechatpay.SlowDown, fmt.Errorf("answered with HTTP %d", status))
	default:
		return Unknown(operation, wechatpay.Repeat, fmt.Errorf("answered with HTTP %d", status))
	}
}

// Unreadable returns why a body can't be parsed. The error contains no part of the body.
func Unreadable(body []byte, err error) error {
	start := strings.ToLower(strings.TrimLeft(string(body[:min(len(body), 64)]), " \t\r\n\uFEFF"))
	if strings.HasPrefix(start, "<html") || strings.HasPrefix(start, "<!doctype html") {
		return fmt.Errorf("answered with an HTML page")
	}
	return fmt.Errorf("the reply cannot be read: %w", err)
}

// Shortened limits WeChat Pay's texts, which are stored in conditions; documented texts have at
// most 128 characters.
func Shortened(words string) string { return text.AtMost(256, words) }
