package v2

import (
	"cmp"
	"crypto/tls"
	"errors"
	"net/http"
	"net/url"
	"time"

	"github.com/wechatpay-operator/wechatpay-operator/internal/wechatpay"
	"github.com/wechatpay-operator/wechatpay-operator/internal/wechatpay/transport"
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
		timeouts:    transport.WithDefaults(options.Timeouts),
		certificate: options.Certificate,
		answers:     cmp.Or(options.Answers, wechatpay.NewTakenAnswers()),
		trust:       options.Trust,
		now:         options.Now,
	}
	if c.now == nil {
		c.now = time.Now
	}
	c.current = c.receiver.keys[0]
	c.primary, c.backup = transport.Hosts(options.Settings)
	c.anonymous = transport.NewHTTPClient(c.timeouts.Connect, options.RootCAs, nil)
	if c.certificate != nil {
		c.certified = transport.NewHTTPClient(c.timeouts.Connect, options.RootCAs, c.certificate)
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
	return transport.Limit(c.timeouts, operation)
}
