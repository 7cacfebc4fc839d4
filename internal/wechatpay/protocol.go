package wechatpay

import (
	"crypto/rsa"
	"crypto/tls"
	"crypto/x509"
	"net/http"
	"net/url"
	"time"
)

// Protocol is one version of WeChat Pay's API. What only one version has (signatures, wire formats,
// codes, paths) is hidden behind this interface; orders, refunds and money mean the same in all of
// them.
type Protocol interface {
	// Open returns a connection for an account. An error says which setting can't be used, without
	// its value.
	Open(settings Settings, secrets Secrets) (*Connection, error)
	// KeyForm describes valid keys.
	KeyForm() KeyForm
	// Weaker reports whether a callback's scheme is weaker than the one that an order was created
	// with. Such a callback is refused. The order's scheme may be another protocol's, or empty.
	Weaker(callback, order Scheme) bool
	// AcceptedUnsigned reports whether an error shows that WeChat accepted the credentials although
	// its answer was not signed.
	AcceptedUnsigned(err error) bool
	// Reply answers a callback, also one for an account that does not exist.
	Reply(w http.ResponseWriter, reply Reply)
}

// Connection is an account in one protocol.
type Connection struct {
	Caller
	// Receiver parses the account's callbacks.
	Receiver Receiver
	// KeyIDs are the ids (KeyID) of the keys that a verified answer proves, and that callbacks may
	// be signed or encrypted with: the current one, and during a rotation the previous one.
	KeyIDs []string
	// Shared are secrets that only WeChat and the replicas of this operator have, the current one
	// first. The keys of test callbacks are derived from them.
	Shared []string
	// Verifiers returns the keys of WeChat that answers and callbacks are verified with now. It is
	// nil for a protocol in which both sides share one key.
	Verifiers func() []Verifier
	// ClockSkew returns how far this process's clock is ahead of WeChat's, by WeChat's last answer.
	// It is nil for a protocol that does not compare clocks.
	ClockSkew func() time.Duration
	// Close closes idle connections. Calls in flight continue.
	Close func()
}

// KeyForm describes a key to a person, and checks one.
type KeyForm struct {
	// Name is the key's name in the merchant platform.
	Name string
	// Looks describes a key: "exactly 32 letters and digits".
	Looks string
	// Fits reports whether a text has that form.
	Fits func(key string) bool
}

// Settings identify the merchant of an account, and how WeChat is reached.
type Settings struct {
	// MchID is the merchant number, 8 to 10 digits.
	MchID string
	// Scheme is the signature algorithm of requests and their answers, if the protocol has several.
	Scheme Scheme
	// Endpoint is the host of WeChat to call, https only; a path is kept as a prefix. Nil means
	// WeChat's own two hosts in mainland China.
	Endpoint *url.URL
	// BackupEndpoint is for the one repetition of a call; nil means Endpoint.
	BackupEndpoint *url.URL
	// RootCAs verify the server; nil means those of the system.
	RootCAs *x509.CertPool
	// Partner is set if the merchant number is a service provider's, which acts for a sub merchant.
	Partner *Partner
	// Answers are the accepted answers of the account; nil means none. A Caller that replaces
	// another one gets the other's.
	Answers *TakenAnswers
	// Certificates are WeChat's certificates that were downloaded for the account; nil means none
	// yet. A connection that replaces another one gets the other's.
	Certificates *PlatformCertificates
	// Changed is called when Verifiers or ClockSkew changed noticeably. It must not block. It may be
	// nil.
	Changed func()
	// UserAgent is sent with every request.
	UserAgent string
	// Timeouts that are zero take their defaults.
	Timeouts Timeouts
	// Trust decides for which hosts errors are shown in detail; nil means for all.
	Trust Trust
	// Now returns the time for signed parameters; nil means the clock's.
	Now func() time.Time
}

// Payee returns the merchant number that an app is bound to, which its SDK needs: the sub
// merchant's for an app of its own. WeChat Pay's documentation does not say so for an app of the
// sub merchant.
func (s Settings) Payee(appID string) string {
	if s.Partner != nil && appID == s.Partner.SubAppID {
		return s.Partner.SubMchID
	}
	return s.MchID
}

// Secrets are the credentials of an account.
type Secrets struct {
	// Key is the API key of the protocol.
	Key string
	// PreviousKey is accepted for callbacks during a rotation; empty if there is none.
	PreviousKey string
	// Certificate is the merchant's API certificate; nil if there is no usable one.
	Certificate *tls.Certificate
	// PublicKeys are WeChat Pay's public keys of the account, for a protocol that has them.
	PublicKeys []PublicKey
}

// Keys returns the current API key and, during a rotation, the previous one.
func (s Secrets) Keys() []string {
	if s.PreviousKey == "" {
		return []string{s.Key}
	}
	return []string{s.Key, s.PreviousKey}
}

// PublicKey is a public key of WeChat Pay with its id.
type PublicKey struct {
	// ID is as the merchant platform shows it.
	ID  string
	Key *rsa.PublicKey
}

// Partner is the sub merchant for which a service provider acts. All keys are the provider's.
type Partner struct {
	// SubMchID is the sub merchant's number; every call names it, and answers and callbacks that
	// name another one are refused.
	SubMchID string
	// SubAppID is an appid of the sub merchant; empty if it has none.
	SubAppID string
}

// VerifierType is the kind of a Verifier.
type VerifierType string

// The types of verifiers.
const (
	VerifierPublicKey   VerifierType = "PublicKey"
	VerifierCertificate VerifierType = "Certificate"
)

// Verifier is a key of WeChat that answers and callbacks are verified with.
type Verifier struct {
	// ID is the id of a public key, or the serial number of a certificate.
	ID   string
	Type VerifierType
	// Fingerprint identifies the key itself (Fingerprint): an id can be given to another key.
	Fingerprint string
	// NotAfter is when a certificate expires; zero for a public key.
	NotAfter time.Time
	// Proven reports whether a verified answer has shown that it is WeChat's.
	Proven bool
}

// Trust records which hosts have given a verified answer.
type Trust interface {
	// Proven reports whether a host has given one, or needs no proof.
	Proven(host *url.URL) bool
	// Prove records that a host has given one.
	Prove(host *url.URL)
}

// Timeouts limit one attempt of a call. The caller's deadline applies as well.
type Timeouts struct {
	// Connect limits dialling, and also the TLS handshake. 5 s by default.
	Connect time.Duration
	// Query limits queries and closing an order. 10 s by default.
	Query time.Duration
	// Pay limits the creation of an order or a refund, and each wait for a piece of a bill. 20 s by
	// default.
	Pay time.Duration
}
