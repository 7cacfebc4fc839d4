package main

import (
	"fmt"
	"net/http"
)

// The codes of answers. Success is the zero value.
const (
	codeSuccess      = 0
	codeBadRequest   = 1
	codeLogInAgain   = 2
	codeNotFound     = 3
	codeSoldOut      = 4
	codeTryAgain     = 5
	codeOrderEnded   = 6
	codeLoginRefused = 7
)

// statuses are the HTTP statuses of the codes.
var statuses = map[int]int{
	codeSuccess: http.StatusOK, codeBadRequest: http.StatusBadRequest, codeLogInAgain: http.StatusUnauthorized,
	codeNotFound: http.StatusNotFound, codeSoldOut: http.StatusConflict, codeTryAgain: http.StatusServiceUnavailable,
	codeOrderEnded: http.StatusConflict, codeLoginRefused: http.StatusForbidden,
}

// retryAfterSeconds is what a page waits before it repeats what was answered with codeTryAgain.
const retryAfterSeconds = 2

// refusal is an error that the page is told. Its message is for the shop's developer; it names nothing of other payers.
type refusal struct {
	code    int
	message string
}

func (r refusal) Error() string { return r.message }

func badRequest(format string, args ...any) error {
	return refusal{codeBadRequest, fmt.Sprintf(format, args...)}
}

func tryAgain(format string, args ...any) error {
	return refusal{codeTryAgain, fmt.Sprintf(format, args...)}
}

func orderEnded(format string, args ...any) error {
	return refusal{codeOrderEnded, fmt.Sprintf(format, args...)}
}

// noSuchOrder is said of another payer's order too, so that nobody learns whether it exists.
func noSuchOrder(number string) error {
	return refusal{codeNotFound, fmt.Sprintf("you have no order %q", number)}
}
