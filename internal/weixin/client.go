package weixin

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"net/url"
	"unicode/utf8"

	"github.com/wechatpay-operator/wechatpay-operator/internal/wechatpay"
	"github.com/wechatpay-operator/wechatpay-operator/internal/wechatpay/transport"
)

// maxAnswer is more than any of these answers has.
const maxAnswer = 256 << 10

// Client calls WeChat for one mini program. It is safe for concurrent use.
type Client struct {
	settings Settings
	http     *http.Client
	tokens   tokens
}

// New returns a Client. It sends nothing.
func New(settings Settings) *Client {
	settings = settings.withDefaults()
	return &Client{settings: settings, http: transport.NewHTTPClient(settings.Connect, settings.RootCAs, nil)}
}

// Close drops the kept connections.
func (c *Client) Close() { c.http.CloseIdleConnections() }

// call makes a call with an access token. WeChat may revoke a token at any time. A call with a
// rejected token had no effect, so it is repeated once with a new one.
func (c *Client) call(ctx context.Context, operation Operation, path string, body, answer any) error {
	token, err := c.token(ctx, "")
	if err != nil {
		return err
	}
	err = c.post(ctx, operation, path, url.Values{"access_token": {token}}, body, answer)
	if !Means(err, TokenRejected) {
		return err
	}
	token, refused := c.token(ctx, token)
	if refused != nil {
		return refused
	}
	return c.post(ctx, operation, path, url.Values{"access_token": {token}}, body, answer)
}

// post makes one attempt.
func (c *Client) post(ctx context.Context, operation Operation, path string, query url.Values, body, answer any) error {
	content, err := transport.PlainJSON(body)
	if err != nil {
		return &Error{Operation: operation, Outcome: wechatpay.NotSent, Meaning: Rejected, Err: errors.New("the call can't be written as JSON")}
	}
	address := c.settings.Endpoint.JoinPath(path)
	address.RawQuery = query.Encode()
	header := http.Header{"Content-Type": {"application/json"}, "Accept": {"application/json"}}
	if c.settings.UserAgent != "" {
		header.Set("User-Agent", c.settings.UserAgent)
	}
	received, failure := transport.Send(ctx, c.http, transport.Request{
		Operation: operation, Method: http.MethodPost, URL: address, Header: header, Body: content,
		Limit: c.settings.Timeout, Usual: c.settings.Timeout, Connect: c.settings.Connect, MaxAnswer: maxAnswer,
	})
	if failure != nil {
		return c.concealed(failure)
	}
	return c.read(operation, received, answer)
}

// read reads an answer. One that is not WeChat's JSON with status 200 leaves the outcome unknown.
func (c *Client) read(operation Operation, received transport.Answer, answer any) error {
	if received.Status != http.StatusOK {
		return c.concealed(transport.UnknownByStatus(operation, received.Status))
	}
	var status struct {
		Errcode *int   `json:"errcode"`
		Errmsg  string `json:"errmsg"`
	}
	if !utf8.Valid(received.Body) {
		return c.unreadable(operation, received, errors.New("it is not UTF-8"))
	}
	if err := json.Unmarshal(received.Body, &status); err != nil {
		return c.unreadable(operation, received, errors.New("it is not WeChat's JSON"))
	}
	if status.Errcode != nil && *status.Errcode != 0 {
		return c.refused(operation, *status.Errcode, status.Errmsg)
	}
	if answer == nil {
		if status.Errcode == nil {
			return c.unreadable(operation, received, errors.New("it has no errcode"))
		}
		return nil
	}
	if err := json.Unmarshal(received.Body, answer); err != nil {
		return c.unreadable(operation, received, errors.New("a member has another type than documented"))
	}
	return nil
}

// refused converts an errcode. A host that has never given an access token may be anything that
// speaks JSON: its words are not shown, only an errcode that WeChat has.
func (c *Client) refused(operation Operation, code int, words string) error {
	failure := &Error{
		Operation: operation, Outcome: wechatpay.Failed, Meaning: meaningOf(operation, code),
		Code: code, Words: transport.Shortened(withoutRequestID(words)),
	}
	if c.settings.Trust == nil || c.settings.Trust.Proven(c.settings.Endpoint) {
		return failure
	}
	if _, known := meanings[code]; !known {
		return c.concealed(transport.Unknown(operation, wechatpay.Repeat, errors.New("an errcode that is not WeChat's")))
	}
	failure.Words = ""
	return failure
}

func (c *Client) unreadable(operation Operation, received transport.Answer, err error) error {
	return c.concealed(transport.Unknown(operation, wechatpay.Repeat, transport.Unreadable(received.Body, err)))
}

// concealed converts a failure to reach WeChat. A host that has never answered as WeChat does may
// be anything that the operator can reach, so all its failures look the same.
func (c *Client) concealed(failure *wechatpay.Error) error {
	shown := transport.Conceal(c.settings.Trust, c.settings.Endpoint, failure, false)
	meaning := Repeat
	switch shown.Meaning {
	case wechatpay.SlowDown:
		meaning = SlowDown
	case wechatpay.NeedsAttention:
		meaning = NeedsAttention
	}
	return &Error{Operation: shown.Operation, Outcome: shown.Outcome, Meaning: meaning, Err: shown}
}

// proven records that the host gave an access token, which WeChat or a proxy to it does.
func (c *Client) proven() {
	if c.settings.Trust != nil {
		c.settings.Trust.Prove(c.settings.Endpoint)
	}
}
