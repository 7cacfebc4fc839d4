package v3

import (
	"errors"
	"net/http"
	"sync/atomic"
	"time"

	"golang.org/x/sync/singleflight"

	"github.com/wechatpay-operator/wechatpay-operator/internal/wechatpay"
	"github.com/wechatpay-operator/wechatpay-operator/internal/wechatpay/transport"
)

// Client calls WeChat Pay for one merchant number, and reads its callbacks.
type Client struct {
	settings wechatpay.Settings
	// signer signs requests and what the payer's client gets. It is nil in a process without the
	// merchant's certificate, which makes no calls.
	signer    *signer
	keys      []resourceKey
	verifiers *verifiers
	skew      *clockSkew
	http      *http.Client

	// downloads lets one download of the certificates run at a time; downloadFailure is why the
	// last one failed.
	downloads       singleflight.Group
	downloadFailure atomic.Pointer[wechatpay.Error]
}

var (
	_ wechatpay.Caller   = (*Client)(nil)
	_ wechatpay.Receiver = (*Client)(nil)
)

// New returns a Client. Its errors describe invalid options without repeating their values.
func New(options Options) (*Client, error) {
	if err := options.validate(); err != nil {
		return nil, err
	}
	settings := transport.WithDefaults(options.Settings)
	c := &Client{
		settings:  settings,
		verifiers: newVerifiers(options.PublicKeys, settings.Certificates, settings.Changed),
		skew:      &clockSkew{changed: settings.Changed},
		http:      transport.NewHTTPClient(settings.Timeouts.Connect, settings.RootCAs, nil),
	}
	for _, key := range options.Keys() {
		opens, err := newResourceKey(key)
		if err != nil {
			return nil, err
		}
		c.keys = append(c.keys, opens)
	}
	if options.Certificate != nil {
		signer, err := newSigner(options.MchID, options.Certificate)
		if err != nil {
			return nil, err
		}
		c.signer = signer
	}
	return c, nil
}

// checkCertificate returns why no call can be made, if none can. WeChat Pay accepts no request that
// was signed with an expired certificate.
func (c *Client) checkCertificate(now time.Time) error {
	switch {
	case c.signer == nil:
		return errors.New("there is no merchant certificate, which signs every request")
	case now.After(c.signer.notAfter):
		return errors.New("the merchant's certificate has expired")
	case now.Before(c.signer.notBefore):
		return errors.New("the merchant's certificate is not valid yet")
	default:
		return nil
	}
}
