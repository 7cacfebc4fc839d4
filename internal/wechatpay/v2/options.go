package v2

import (
	"cmp"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"net/url"
	"time"

	"github.com/wechatpay-operator/wechatpay-operator/internal/wechatpay"
)

// Options configure a Client: its merchant, and the connection to WeChat Pay.
type Options struct {
	// MchID is the merchant number, 8 to 10 digits.
	MchID string
	// APIKey is the APIv2 key: 32 letters and digits.
	APIKey string
	// PreviousAPIKey is accepted for callbacks during a key rotation; empty otherwise.
	PreviousAPIKey string
	// SignType is the algorithm that signs requests, and therefore their replies.
	SignType wechatpay.SignType
	// Certificate is the merchant's client certificate. Without one, refunds fail with
	// NotSent/CertificateMissing.
	Certificate *tls.Certificate
	// Endpoint is the WeChat Pay host to call, https only; a path is kept as a prefix. Nil means
	// WeChat Pay's own two hosts in mainland China.
	Endpoint *url.URL
	// BackupEndpoint gets the single retry of a call; nil means Endpoint.
	BackupEndpoint *url.URL
	// RootCAs verify the server; nil means the system's.
	RootCAs *x509.CertPool
	// Replies are the replies that the account has already accepted; nil starts empty. A Client
	// that replaces another one gets the other's.
	Replies *Replies
	// UserAgent is sent with every request.
	UserAgent string
	// Timeouts that are zero use their defaults.
	Timeouts Timeouts
	// Trust decides for which hosts errors are reported in detail; nil means all.
	Trust Trust
}

// Trust remembers which hosts have sent a verified reply.
type Trust interface {
	// Proven reports whether a host has sent one, or does not need to.
	Proven(host *url.URL) bool
	// Prove records that a host has sent one.
	Prove(host *url.URL)
}

// Timeouts limit one attempt at a call. The caller's deadline applies too.
type Timeouts struct {
	// Connect limits dialling, and separately the TLS handshake. 5 s by default.
	Connect time.Duration
	// Query limits orderquery, refundquery and closeorder. 10 s by default.
	Query time.Duration
	// Pay limits unifiedorder and refund. 20 s by default.
	Pay time.Duration
}

func (t Timeouts) orDefaults() Timeouts {
	return Timeouts{
		Connect: cmp.Or(t.Connect, 5*time.Second),
		Query:   cmp.Or(t.Query, 10*time.Second),
		Pay:     cmp.Or(t.Pay, 20*time.Second),
	}
}

// endpoints returns the host for the first attempt and the one for the retry (chapters 9_1 and
// 23_6).
func (o Options) endpoints() (primary, backup *url.URL) {
	if o.Endpoint == nil {
		return &url.URL{Scheme: "https", Host: "api.mch.weixin.qq.com"}, &url.URL{Scheme: "https", Host: "api2.mch.weixin.qq.com"}
	}
	return o.Endpoint, cmp.Or(o.BackupEndpoint, o.Endpoint)
}

// validate never includes a value in its error: a wrong value may be a secret in the wrong field.
func (o Options) validate() error {
	switch {
	case !isMchID(o.MchID):
		return errors.New("the merchant number is not 8 to 10 digits")
	case !isAPIKey(o.APIKey):
		return errors.New("the API key is not 32 letters and digits")
	case o.PreviousAPIKey != "" && !isAPIKey(o.PreviousAPIKey):
		return errors.New("the previous API key is not 32 letters and digits")
	case o.SignType != wechatpay.SignTypeMD5 && o.SignType != wechatpay.SignTypeHMACSHA256:
		return errors.New("the sign type is neither MD5 nor HMAC-SHA256")
	case o.Certificate != nil && (len(o.Certificate.Certificate) == 0 || o.Certificate.PrivateKey == nil):
		return errors.New("the client certificate has no certificate or no private key")
	case o.Endpoint != nil && !isEndpoint(o.Endpoint):
		return errors.New("the endpoint is not an https URL without user, query and fragment")
	case o.BackupEndpoint != nil && !isEndpoint(o.BackupEndpoint):
		return errors.New("the backup endpoint is not an https URL without user, query and fragment")
	case o.Endpoint == nil && o.BackupEndpoint != nil:
		return errors.New("there is a backup endpoint but no endpoint")
	case o.Timeouts.Connect < 0 || o.Timeouts.Query < 0 || o.Timeouts.Pay < 0:
		return errors.New("a timeout is negative")
	default:
		return nil
	}
}

func isMchID(text string) bool {
	if len(text) < 8 || len(text) > 10 {
		return false
	}
	for i := range len(text) {
		if text[i] < '0' || text[i] > '9' {
			return false
		}
	}
	return true
}

func isAPIKey(text string) bool {
	for i := range len(text) {
		switch b := text[i]; {
		case b >= '0' && b <= '9', b >= 'a' && b <= 'z', b >= 'A' && b <= 'Z':
		default:
			return false
		}
	}
	return len(text) == 32
}

func isEndpoint(u *url.URL) bool {
	return u.Scheme == "https" && u.Host != "" && u.Opaque == "" && u.User == nil &&
		u.RawQuery == "" && !u.ForceQuery && u.Fragment == ""
}
