package v2

import (
	"crypto/tls"
	"errors"
	"net/http"
	"time"

	"github.com/wechatpay-operator/wechatpay-operator/internal/wechatpay"
	"github.com/wechatpay-operator/wechatpay-operator/internal/wechatpay/transport"
)

// Client calls WeChat Pay for one merchant number.
type Client struct {
	settings wechatpay.Settings
	// current signs requests and verifies replies.
	current  *signer
	receiver *receiver

	// anonymous makes calls without the client certificate; certified, used for refunds and the
	// fund-flow bill, presents it. WeChat Pay's servers request a certificate on every path, but it is
	// presented only where required.
	anonymous, certified *http.Client
	certificate          *tls.Certificate
}

var _ wechatpay.Caller = (*Client)(nil)

// New returns a Client. Its errors describe invalid options without repeating their values.
func New(options Options) (*Client, error) {
	if err := options.validate(); err != nil {
		return nil, err
	}
	settings := transport.WithDefaults(options.Settings)
	c := &Client{
		settings:    settings,
		receiver:    newReceiver(settings, options.Secrets),
		certificate: options.Certificate,
		anonymous:   transport.NewHTTPClient(settings.Timeouts.Connect, settings.RootCAs, nil),
	}
	c.current = c.receiver.keys[0]
	if c.certificate != nil {
		c.certified = transport.NewHTTPClient(settings.Timeouts.Connect, settings.RootCAs, c.certificate)
	}
	return c, nil
}

// CloseIdleConnections closes connections that are kept for later calls. Calls in flight continue.
func (c *Client) CloseIdleConnections() {
	c.anonymous.CloseIdleConnections()
	if c.certified != nil {
		c.certified.CloseIdleConnections()
	}
}

// checkCertificate returns why calls that need the certificate can't be sent, if they can't.
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

// httpClient returns the client for a call.
func (c *Client) httpClient(call call) *http.Client {
	if call.certified {
		return c.certified
	}
	return c.anonymous
}
