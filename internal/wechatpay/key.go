package wechatpay

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
)

// KeyID returns an identifier of an API key. It can't be computed without the key, and does not
// reveal it. It differs between merchant numbers.
func KeyID(key, mchID string) string {
	mac := hmac.New(sha256.New, []byte(key))
	_, _ = mac.Write([]byte("wechatpay-operator/" + mchID))
	return hex.EncodeToString(mac.Sum(nil)[:8])
}

// Fingerprint returns an identifier of a public key or a certificate, by what it consists of: the
// first 16 hexadecimal digits of its SHA-256.
func Fingerprint(der []byte) string {
	sum := sha256.Sum256(der)
	return hex.EncodeToString(sum[:8])
}

// ConcealedError replaces any error of a host that has never given a verified answer. Its text is
// always the same: an object names the host to call, and its status must not tell its author what
// is behind that address. The cause is for the operator's log.
type ConcealedError struct {
	Cause error
}

// Error returns the same text for every cause.
func (*ConcealedError) Error() string {
	return "the endpoint has not given an answer yet that could be verified; whoever runs the operator finds the reason in its log"
}
