package v2

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

// post sends one request and reads up to one byte more than a message may have.
//
// net/http resends a POST only if a kept connection turns out to be closed before its first byte
// was written, so no request reaches WeChat Pay twice.
func (c *Client) post(ctx context.Context, operation wechatpay.Operation, host *url.URL, body []byte, limit time.Duration) (status int, answer []byte, failure *wechatpay.Error) {
	attempt, cancel := c.newAttempt(ctx, operation, limit)
	defer cancel()
	traced := httptrace.WithClientTrace(attempt.own, &httptrace.ClientTrace{
		GotConn: func(httptrace.GotConnInfo) { attempt.connected.Store(true) },
	})
	request, err := http.NewRequestWithContext(traced, http.MethodPost,
		host.JoinPath(paths[operation]).String(), bytes.NewReader(body))
	if err != nil {
		return 0, nil, attempt.failure(err)
	}
	request.Header.Set("Content-Type", "text/xml; charset=utf-8")
	if c.userAgent != "" {
		request.Header.Set("User-Agent", c.userAgent)
	}
	response, err := c.httpClient(operation).Do(request)
	if err != nil {
		return 0, nil, attempt.failure(err)
	}
	defer func() { _ = response.Body.Close() }()
	answer, err = io.ReadAll(io.LimitReader(response.Body, maxDocument+1))
	if err == nil && endsWithConnection(response) {
		err = attempt.own.Err()
	}
	if err != nil {
		return 0, nil, attempt.failure(err)
	}
	return response.StatusCode, answer, nil
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
	caller, own    context.Context
	limit, connect time.Duration
	// hurried: the caller's deadline was shorter than the usual timeout.
	hurried   bool
	connected atomic.Bool
}

func (c *Client) newAttempt(ctx context.Context, operation wechatpay.Operation, limit time.Duration) (*attempt, context.CancelFunc) {
	own, cancel := context.WithTimeout(ctx, limit)
	return &attempt{
		operation: operation, caller: ctx, own: own,
		limit: limit, connect: c.timeouts.Connect, hurried: limit < c.limit(operation),
	}, cancel
}
