package transport

import (
	"bytes"
	"context"
	"io"
	"net/http"
	"net/http/httptrace"
	"net/url"
	"sync/atomic"
	"time"

	"github.com/wechatpay-operator/wechatpay-operator/internal/wechatpay"
)

// Request is one attempt at a call.
type Request struct {
	Operation wechatpay.Operation
	Method    string
	URL       *url.URL
	Header    http.Header
	Body      []byte
	// Limit is the time of this attempt, and Usual that of one whose caller has no earlier
	// deadline. Connect is the client's, for the text of an error.
	Limit, Usual, Connect time.Duration
	// MaxAnswer is how many bytes of the answer's body are read at most.
	MaxAnswer int64
	// Certified: the client presents a certificate, and the server may refuse it.
	Certified bool
}

// By returns the request as an account with these settings makes it.
func (r Request) By(s wechatpay.Settings) Request {
	if s.UserAgent != "" {
		r.Header.Set("User-Agent", s.UserAgent)
	}
	r.Usual, r.Connect = Limit(s.Timeouts, r.Operation), s.Timeouts.Connect
	return r
}

// Answer is an HTTP response with any status.
type Answer struct {
	Status int
	Header http.Header
	Body   []byte
}

// Send makes one attempt.
//
// net/http resends a POST only if a kept connection turns out to be closed before its first byte
// was written, so no such request reaches WeChat Pay twice.
func Send(ctx context.Context, client *http.Client, sent Request) (Answer, *wechatpay.Error) {
	own, cancel := context.WithTimeout(ctx, sent.Limit)
	defer cancel()
	attempt := newAttempt(ctx, own, sent)
	response, err := attempt.do(client, sent)
	if err != nil {
		return Answer{}, attempt.failure(err)
	}
	defer func() { _ = response.Body.Close() }()
	body, err := io.ReadAll(io.LimitReader(response.Body, sent.MaxAnswer))
	if err == nil && endsWithConnection(response) {
		err = attempt.own.Err()
	}
	if err != nil {
		return Answer{}, attempt.failure(err)
	}
	return Answer{Status: response.StatusCode, Header: response.Header, Body: body}, nil
}

// do sends the request, and returns when the headers of the answer have arrived.
func (a *attempt) do(client *http.Client, sent Request) (*http.Response, error) {
	traced := httptrace.WithClientTrace(a.own, &httptrace.ClientTrace{
		GotConn: func(httptrace.GotConnInfo) { a.connected.Store(true) },
	})
	request, err := http.NewRequestWithContext(traced, sent.Method, sent.URL.String(), bytes.NewReader(sent.Body))
	if err != nil {
		return nil, err
	}
	request.Header = sent.Header
	return client.Do(request)
}

// endsWithConnection reports whether only the end of the connection marks the end of the response.
// If our own timeout ended it, the remote side may close first, and a truncated response looks
// complete.
func endsWithConnection(response *http.Response) bool {
	return response.ContentLength < 0 && len(response.TransferEncoding) == 0
}

// attempt records how far a request got. Before it has a connection, nothing was sent; afterwards
// anything may have been.
type attempt struct {
	operation      wechatpay.Operation
	certified      bool
	caller, own    context.Context
	limit, connect time.Duration
	// shortened: the caller's deadline was shorter than the usual timeout.
	shortened bool
	connected atomic.Bool
}

func newAttempt(caller, own context.Context, sent Request) *attempt {
	return &attempt{
		operation: sent.Operation, certified: sent.Certified, caller: caller, own: own,
		limit: sent.Limit, connect: sent.Connect, shortened: sent.Limit < sent.Usual,
	}
}
