package wechatpay

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
)

// KeyID names an API key without telling anything of it: whoever does not have the key can't make the id, and nobody gets from
// the id to the key. It differs from one merchant number to the next.
func KeyID(key, mchID string) string {
	mac := hmac.New(sha256.New, []byte(key))
	_, _ = mac.Write([]byte("wechatpay-operator/" + mchID))
	return hex.EncodeToString(mac.Sum(nil)[:8])
}

// ConcealedError stands for whatever went wrong at a host that has never given an answer that verified. Its text is the same
// whatever the trouble was: an object says which host is called, and what stands in its status must not tell who writes objects
// what is behind an address. The cause is for the operator's log.
type ConcealedError struct {
	Cause error
}

// Error is one and the same for everything.
func (*ConcealedError) Error() string {
	return "the endpoint has not given an answer yet that could be verified; whoever runs the operator finds the reason in its log"
}
