package v2

import (
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

// Client is one merchant number at WeChat Pay.
type Client struct {
	mchID  string
	scheme wechatpay.Scheme
	// current signs requests and verifies replies.
	current  *signer
	receiver *receiver
	answers  *wechatpay.TakenAnswers
	now      func() time.Time

	primary, backup *url.URL
	userAgent       string
	timeouts        wechatpay.Timeouts
	trust           wechatpay.Trust

	// anonymous calls without the client certificate; certified, for refunds, with it. WeChat's servers ask for a
	// certificate on every path, and it is shown only where it is needed.
	anonymous, certified *http.Client
	certificate          *tls.Certificate
}

var _ wechatpay.Caller = (*Client)(nil)

// New returns a Client, or says what is wrong with the options without repeating any of them.
func New(options Options) (*Client, error) {
	if err := options.validate(); err != nil {
		return nil, err
	}
	c := &Client{
		mchID:       options.MchID,
		scheme:      options.Scheme,
		receiver:    newReceiver(options.MchID, options.APIKey, options.PreviousAPIKey),
		userAgent:   options.UserAgent,
		timeouts:    withDefaults(options.Timeouts),
		certificate: options.Certificate,
		answers:     options.Answers,
		now:         options.Now,
	}
	if c.answers == nil {
		c.answers = wechatpay.NewTakenAnswers()
	}
	if c.now == nil {
		c.now = time.Now
	}
	c.current = c.receiver.keys[0]
	c.trust = options.Trust
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

// connectionsPerHost is more than the calls that a Merchant has under way at once. So many are kept as well: a connection that
// is closed after its call costs the next one a handshake.
const connectionsPerHost = 64

// keptIdle is less than the 8 s after which WeChat closes an idle connection (its own SDK for Java keeps them for 7 s as
// well). A request that meets the closing may have arrived or not.
const keptIdle = 7 * time.Second

// newHTTPClient follows no redirect, speaks HTTP/1.1 only, so that what was written to a connection is one request
// and no more, and verifies the server with TLS 1.2 or later. WeChat's certificates are rotated: none is pinned.
func newHTTPClient(connect time.Duration, roots *x509.CertPool, certificate *tls.Certificate) *http.Client {
	configuration := &tls.Config{MinVersion: tls.VersionTLS12, RootCAs: roots}
	if certificate != nil {
		// Shown whatever authorities the server names, so that the refusal of a wrong one is WeChat's.
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

// checkCertificate says why refunds cannot be sent, if they cannot.
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

// httpClient returns the client for an operation: only a refund shows the certificate.
func (c *Client) httpClient(operation wechatpay.Operation) *http.Client {
	if operation == wechatpay.OperationCreateRefund {
		return c.certified
	}
	return c.anonymous
}

// limit is how long one attempt may take. A caller in a hurry says so with the context.
func (c *Client) limit(operation wechatpay.Operation) time.Duration {
	if operation == wechatpay.OperationCreateOrder || operation == wechatpay.OperationCreateRefund {
		return c.timeouts.Pay
	}
	return c.timeouts.Query
}

// shareOfFirst leaves half of the caller's time to the repeat. A refund is repeated only when it was not sent, which
// shows early, so it may take all of it.
func shareOfFirst(ctx context.Context, operation wechatpay.Operation, limit time.Duration) time.Duration {
	deadline, hurried := ctx.Deadline()
	if !hurried || operation == wechatpay.OperationCreateRefund {
		return limit
	}
	return min(limit, time.Until(deadline)/2)
}
