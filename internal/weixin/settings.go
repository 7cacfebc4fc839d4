package weixin

import (
	"crypto/x509"
	"net/url"
	"time"

	"github.com/wechatpay-operator/wechatpay-operator/internal/wechatpay"
)

// Settings configure a Client.
type Settings struct {
	AppID, AppSecret string
	// Endpoint is the host, https only.
	Endpoint *url.URL
	// RootCAs verify it; nil is the system's.
	RootCAs   *x509.CertPool
	UserAgent string
	// Timeout limits a call, and Connect the connection for it.
	Timeout, Connect time.Duration
	// Trust remembers the hosts that gave an answer of WeChat's. Failures of other hosts get one
	// and the same message. nil shows all details.
	Trust wechatpay.Trust
	// Now is time.Now if nil.
	Now func() time.Time
}

// The default timeouts.
const (
	defaultTimeout = 10 * time.Second
	defaultConnect = 5 * time.Second
)

func (s Settings) withDefaults() Settings {
	if s.Timeout <= 0 {
		s.Timeout = defaultTimeout
	}
	if s.Connect <= 0 {
		s.Connect = defaultConnect
	}
	if s.Now == nil {
		s.Now = time.Now
	}
	return s
}
