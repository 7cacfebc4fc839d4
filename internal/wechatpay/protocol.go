package wechatpay

import (
	"crypto/tls"
	"crypto/x509"
	"net/http"
	"net/url"
	"time"
)

// Protocol is one version of WeChat Pay's API. Whatever only one of them knows (signatures, wire formats, codes, paths)
// stays behind this interface; orders, refunds and money mean the same under all of them.
type Protocol interface {
	// Open returns an account as this protocol speaks to it. An error says which setting can't be used, without its value.
	Open(settings Settings, secrets Secrets) (*Connection, error)
	// KeyForm is what the key that it takes has to look like.
	KeyForm() KeyForm
	// Weaker says whether a callback's scheme is weaker than the one that an order was made with, so that the callback is
	// not taken. The order's scheme may be another protocol's, or empty.
	Weaker(callback, order Scheme) bool
	// Reply answers a callback, also one for an account that does not exist.
	Reply(w http.ResponseWriter, reply Reply)
}

// Connection is an account as one protocol speaks to it.
type Connection struct {
	Caller
	// Receiver reads the account's callbacks.
	Receiver Receiver
	// KeyIDs name the keys that a verified answer proves, and that callbacks may be made with: the current one, and while
	// keys are rotated the one before. They tell nothing of the keys (KeyID).
	KeyIDs []string
	// Shared are secrets that only WeChat and the replicas of this operator have, the current one first. Test callbacks are
	// made with keys that are derived from them.
	Shared []string
	// Close lets go of connections that are kept for later calls. Calls under way go on.
	Close func()
}

// KeyForm describes a key to a person, and checks one.
type KeyForm struct {
	// Name is the key's, as the merchant platform has it.
	Name string
	// Looks says what a key looks like: "exactly 32 letters and digits".
	Looks string
	// Fits says whether a text has that form.
	Fits func(key string) bool
}

// Settings say which merchant an account is, and how WeChat is reached.
type Settings struct {
	// MchID is the merchant number, 8 to 10 digits.
	MchID string
	// Scheme is the algorithm that requests, and so their answers, are signed with, where a protocol leaves a choice.
	Scheme Scheme
	// Endpoint is the host of WeChat's to call, https only; a path is kept as a prefix. Nil means WeChat's own
	// two hosts in mainland China.
	Endpoint *url.URL
	// BackupEndpoint gets the one repeat of a call; nil means that Endpoint does.
	BackupEndpoint *url.URL
	// RootCAs verify the server; nil means those of the system.
	RootCAs *x509.CertPool
	// Answers are those that the account has taken; nil begins anew. A Caller that replaces another one gets the other's.
	Answers *TakenAnswers
	// UserAgent is sent with every request.
	UserAgent string
	// Timeouts that are zero take their defaults.
	Timeouts Timeouts
	// Trust says of which hosts trouble is told in detail; nil means of all.
	Trust Trust
	// Now is the time that parameters are signed at; nil means the clock's.
	Now func() time.Time
}

// Secrets are the credentials of an account.
type Secrets struct {
	// Key is the API key of the protocol.
	Key string
	// PreviousKey is accepted for callbacks while a key is rotated; empty when none is.
	PreviousKey string
	// Certificate is the merchant's client certificate; nil when there is none that can be used.
	Certificate *tls.Certificate
}

// Trust remembers which hosts have given an answer that verified.
type Trust interface {
	// Proven says whether a host has, or needs not to.
	Proven(host *url.URL) bool
	// Prove notes that a host has.
	Prove(host *url.URL)
}

// Timeouts bound one attempt at a call. A deadline of the caller's is kept as well.
type Timeouts struct {
	// Connect bounds dialling, and again the TLS handshake. 5 s by default.
	Connect time.Duration
	// Query bounds queries and the closing of an order. 10 s by default.
	Query time.Duration
	// Pay bounds the creation of an order or a refund. 20 s by default.
	Pay time.Duration
}
