package v2

import (
	"cmp"
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"net"
	"net/http"
	"net/url"
	"time"

	"github.com/wechatpay-operator/wechatpay-operator/internal/wechatpay"
)

// Client calls WeChat Pay for one merchant number.
type Client struct {
	mchID string
	// partner is nil in direct mode.
	partner *wechatpay.Partner
	scheme  wechatpay.Scheme
	// current signs requests and verifies replies.
	current  *signer
	receiver *receiver
	answers  *wechatpay.TakenAnswers
	now      func() time.Time

	primary, backup *url.URL
	userAgent       string
	timeouts        wechatpay.Timeouts
	trust           wechatpay.Trust

	// anonymous makes calls without the client certificate; certified, used for refunds, presents
	// it. WeChat Pay's servers request a certificate on every path, but it is presented only where
	// required.
	anonymous, certified *http.Client
	certificate          *tls.Certificate
}

var _ wechatpay.Caller = (*Client)(nil)

// New returns a Client. Its errors describe invalid options without repeating their values.
func New(options Options) (*Client, error) {
	if err := options.validate(); err != nil {
		return nil, err
	}
	c := &Client{
		mchID:       options.MchID,
		partner:     options.Partner,
		scheme:      options.Scheme,
		receiver:    newReceiver(options.Settings, options.Secrets),
		userAgent:   options.UserAgent,
		timeouts:    withDefaults(options.Timeouts),
		certificate: options.Certificate,
		answers:     cmp.Or(options.Answers, wechatpay.NewTakenAnswers()),
		trust:       options.Trust,
		now:         options.Now,
	}
	if c.now == nil {
		c.now = time.Now
	}
	c.current = c.receiver.keys[0]
	c.primary, c.backup = options.endpoints()
	c.anonymous = newHTTPClient(c.timeouts.Connect, options.RootCAs, nil)
	if c.certificate != nil {
		c.certified = newHTTPClient(c.timeouts.Connect, options.RootCAs, c.certificate)
	}
	return c, nil
}

// CloseIdleConnections lets go of connections that are kept for later calls. Calls under way go on.
func (c *Client) CloseIdleConnections() {
	c.anonymous.CloseIdleConnections()
	if c.certified != nil {
		c.certified.CloseIdleConnections()
	}
}

// connectionsPerHost exceeds the concurrent calls of a Merchant. As many idle connections are kept,
// because closing one after its call costs the next call a handshake.
const connectionsPerHost = 64

// keptIdle is less than the 8 s after which WeChat Pay closes an idle connection (its own Java SDK
// uses 7 s as well). If a request and the close coincide, it is unknown whether the request
// arrived.
const keptIdle = 7 * time.Second

// newHTTPClient returns an HTTP client that follows no redirects, verifies the server with TLS 1.2
// or later, and speaks only HTTP/1.1, so that a connection carries one request at a time. WeChat
// Pay rotates its certificates, so none is pinned.
func newHTTPClient(connect time.Duration, roots *x509.CertPool, certificate *tls.Certificate) *http.Client {
	configuration := &tls.Config{MinVersion: tls.VersionTLS12, RootCAs: roots}
	if certificate != nil {
		// Presented whatever authorities the server lists, so that WeChat Pay itself refuses a
		// wrong one.
		configuration.GetClientCertificate = func(*tls.CertificateRequestInfo) (*tls.Certificate, error) {
			return certificate, nil
		}
	}
	http1 := new(http.Protocols)
	http1.SetHTTP1(true)
	return &http.Client{
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
		Transport: &http.Transport{
			Proxy:                  http.ProxyFromEnvironment,
			DialContext:            (&net.Dialer{Timeout: connect, KeepAlive: 30 * time.Second}).DialContext,
			TLSHandshakeTimeout:    connect,
			TLSClientConfig:        configuration,
			Protocols:              http1,
			MaxIdleConnsPerHost:    connectionsPerHost,
			MaxConnsPerHost:        connectionsPerHost,
			IdleConnTimeout:        keptIdle,
			DisableCompression:     true,
			MaxResponseHeaderBytes: 64 << 10,
		},
	}
}

// checkCertificate returns why refunds can't be sent, if they can't.
func (c *Client) checkCertificate(now time.Time) error {
	switch {
	case c.certificate == nil:
		return errors.New("there is no client certificate")
	case c.certificate.Leaf == nil:
		return nil
	case now.After(c.certificate.Leaf.NotAfter):
		return errors.New("the client certificate has expired")
	case now.Before(c.certificate.Leaf.NotBefore):
		return errors.New("the client certificate is not valid yet")
	default:
		return nil
	}
}

// httpClient returns the client for an operation: only refunds present the certificate.
func (c *Client) httpClient(operation wechatpay.Operation) *http.Client {
	if operation == wechatpay.OperationCreateRefund {
		return c.certified
	}
	return c.anonymous
}

// limit returns the timeout of one attempt. Callers shorten it with the context.
func (c *Client) limit(operation wechatpay.Operation) time.Duration {
	if operation == wechatpay.OperationCreateOrder || operation == wechatpay.OperationCreateRefund {
		return c.timeouts.Pay
	}
	return c.timeouts.Query
}

// shareOfFirst reserves half of the caller's time for the retry. A refund may use all of it,
// because it is retried only if it was not sent, which is known early.
func shareOfFirst(ctx context.Context, operation wechatpay.Operation, limit time.Duration) time.Duration {
	deadline, hurried := ctx.Deadline()
	if !hurried || operation == wechatpay.OperationCreateRefund {
		return limit
	}
	return min(limit, time.Until(deadline)/2)
}
