package v3

import (
	"context"
	"errors"
	"net/http"
	"net/url"
	"time"

	"github.com/wechatpay-operator/wechatpay-operator/internal/wechatpay"
	"github.com/wechatpay-operator/wechatpay-operator/internal/wechatpay/transport"
)

// call is one request. Each attempt adds its own time, nonce and signature; everything else is
// constant.
type call struct {
	operation wechatpay.Operation
	method    string
	// target is path and query, escaped as they are sent.
	target string
	body   []byte
	// serial names the key that members of the body are encrypted with; empty if none is.
	serial string
	// bodiless: success has no body.
	bodiless bool
	// refused is why WeChat could not accept the call. It is not sent then.
	refused error
}

// maxAnswer limits the body of an answer in bytes. An order with many goods and coupons has some
// tens of thousands.
const maxAnswer = 256 << 10

// exchange makes a call, retries it at most once, and returns the verified body of a success.
func (c *Client) exchange(ctx context.Context, call call) ([]byte, *wechatpay.Error) {
	if call.refused != nil {
		return nil, transport.NotSent(call.operation, wechatpay.Rejected, call.refused)
	}
	if failure := c.prepare(ctx, call.operation); failure != nil {
		return nil, failure
	}
	return transport.Twice(ctx, c.settings, call.operation, mayRepeat,
		func(host *url.URL, limit time.Duration) ([]byte, *wechatpay.Error) {
			return c.try(ctx, call, host, limit)
		})
}

// prepare returns why a call can't be made. A call whose answer could not be verified is not sent,
// because its outcome would stay unknown.
func (c *Client) prepare(ctx context.Context, operation wechatpay.Operation) *wechatpay.Error {
	if err := c.checkCertificate(c.settings.Now()); err != nil {
		return transport.NotSent(operation, wechatpay.CertificateMissing, err)
	}
	return c.needVerifiers(ctx, operation)
}

// mayRepeat reports whether an immediate retry on the other host may help: after transport errors,
// 5xx and answers that are not verified (WeChat signs some wrong on purpose, and the next one
// right), never after another answer of WeChat Pay, and never for a refund that may have arrived.
func mayRepeat(failure *wechatpay.Error) bool {
	switch {
	case failure.Outcome == wechatpay.NotSent:
		return true
	case failure.Operation.PaysBack():
		return false
	case failure.Outcome == wechatpay.Refused:
		return failure.Meaning == wechatpay.NotVerified
	case failure.Outcome == wechatpay.Unknown && failure.Code == "":
		return failure.Meaning != wechatpay.SlowDown && failure.Meaning != wechatpay.VerifiersMissing && failure.Meaning != wechatpay.KeyMismatch
	default:
		return failure.Outcome == wechatpay.Unknown && failure.Meaning == wechatpay.Repeat
	}
}

// try sends a call once and judges the answer.
func (c *Client) try(ctx context.Context, call call, host *url.URL, limit time.Duration) ([]byte, *wechatpay.Error) {
	answer, failure := c.send(ctx, call, host, limit)
	if failure != nil {
		return nil, transport.Conceal(c.settings.Trust, host, failure, false)
	}
	failure, speaks := c.judge(ctx, call, answer)
	return answer.Body, transport.Conceal(c.settings.Trust, host, failure, speaks)
}

// send signs and sends a call. WeChat verifies the signature over its own path: the prefix of an
// endpoint leads to a gateway that removes it, and is not signed.
func (c *Client) send(ctx context.Context, call call, host *url.URL, limit time.Duration) (transport.Answer, *wechatpay.Error) {
	request, failure := c.request(call, host, limit)
	if failure != nil {
		return transport.Answer{}, failure
	}
	answer, failure := transport.Send(ctx, c.http, request)
	if failure != nil {
		return answer, failure
	}
	c.skew.record(answer.Header.Get("Date"), c.settings.Now())
	if len(answer.Body) > maxAnswer {
		return answer, transport.Unknown(call.operation, wechatpay.Repeat, errors.New("the reply is too large"))
	}
	return answer, nil
}

// request returns one attempt at a call, signed.
func (c *Client) request(call call, host *url.URL, limit time.Duration) (transport.Request, *wechatpay.Error) {
	authorization, err := c.signer.authorization(call.method, call.target, call.body, c.settings.Now(), newNonce())
	if err != nil {
		return transport.Request{}, transport.NotSent(call.operation, wechatpay.NeedsAttention, err)
	}
	// Parsed, not joined: what is escaped in the target must not be escaped again.
	target, err := url.ParseRequestURI(call.target)
	if err != nil {
		return transport.Request{}, transport.NotSent(call.operation, wechatpay.Rejected, errors.New("the number can't be a part of an address"))
	}
	to := host.JoinPath(target.EscapedPath())
	to.RawQuery = target.RawQuery
	return transport.Request{
		Operation: call.operation, Method: call.method, URL: to, Header: c.header(call, authorization), Body: call.body,
		Limit: limit, MaxAnswer: maxAnswer + 1,
	}.By(c.settings), nil
}

// header returns the headers of a request. Wechatpay-Serial tells WeChat which of its keys the
// answer is to be signed with.
func (c *Client) header(call call, authorization string) http.Header {
	header := http.Header{"Accept": {"application/json"}, "Authorization": {authorization}}
	if call.body != nil {
		header.Set("Content-Type", "application/json")
	}
	serial := call.serial
	if serial == "" {
		serial, _ = c.verifiers.preferred(c.settings.Now())
	}
	if serial != "" {
		header.Set(headerSerial, serial)
	}
	return header
}

func isSuccess(status int) bool { return status >= 200 && status < 300 }

// judge classifies an answer. It may be a success, or Failed, only after its signature was
// verified. WeChat signs the body, not the status: what a body says must be in it. speaks reports
// that the answer has the format of WeChat Pay's protocol.
func (c *Client) judge(ctx context.Context, call call, answer transport.Answer) (failure *wechatpay.Error, speaks bool) {
	if answer.Status < 200 || answer.Status >= 300 && answer.Status < 400 {
		return transport.UnknownByStatus(call.operation, answer.Status), false
	}
	why := c.verifyAnswer(ctx, answer)
	switch {
	case !isSuccess(answer.Status):
		return errorOf(call.operation, answer, why)
	case why != nil:
		return unverified(call.operation, why), why.signed
	case call.bodiless != (len(answer.Body) == 0):
		return transport.Unknown(call.operation, wechatpay.NeedsAttention, errors.New("the reply is for another call")), true
	default:
		return nil, true
	}
}

// verifyAnswer proves that WeChat signed an answer, and that it is not a replay.
func (c *Client) verifyAnswer(ctx context.Context, answer transport.Answer) *unproven {
	if answer.Status == http.StatusUnauthorized {
		// WeChat does not accept our signature, so it would not accept that of a download either.
		return c.checkList(answer, nil, c.settings.Now())
	}
	read, why := c.verify(ctx, answer.Header, answer.Body, c.settings.Now())
	if why != nil {
		return why
	}
	return c.takeOnce(read)
}

// takeOnce records a verified answer, and refuses a replay.
func (c *Client) takeOnce(read proof) *unproven {
	if !c.settings.Answers.Take(read.mark()) {
		return &unproven{
			meaning: wechatpay.NeedsAttention, signed: true,
			cause: errors.New("it was given before: somebody between here and WeChat Pay repeats recorded answers"),
		}
	}
	c.verifiers.prove(read.serial)
	return nil
}
