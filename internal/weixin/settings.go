package weixin

import (
	"crypto/x509"
	"net/url"
	"time"

	"github.com/wechatpay-operator/wechatpay-operator/internal/wechatpay"
)

// Settings are what a Client is made of.
type Settings struct {
	AppID, AppSecret string
	// Endpoint is the host, https only.
	Endpoint *url.URL
	// RootCAs verify it; nil is the system's.
	RootCAs   *x509.CertPool
	UserAgent string
	// Timeout is how long a call may take, Connect how long its connection may.
	Timeout, Connect time.Duration
	// Trust remembers the hosts that gave an answer of WeChat's. Failures of others are told in one
	// and the same word. nil tells everything.
	Trust wechatpay.Trust
	// Now is time.Now if nil.
	Now func() time.Time
}

// The times of production.
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
