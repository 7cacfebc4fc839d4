package callbackprobe

import (
	"crypto/hkdf"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
)

// Keys are what one Merchant's probes and answers are made with. The zero value takes and makes none.
type Keys struct {
	// accepted begins with the current pair; the one before it follows while a key is being rotated, as replicas read the
	// Secret at different moments.
	accepted []pair
}

// pair are the keys for the two directions, so that no answer can pass for a probe, nor the other way round.
type pair struct {
	probe, answer []byte
}

// NewKeys derives the keys from the secrets that a Merchant shares with WeChat, the current one first; empty ones are left out.
func NewKeys(secrets ...string) Keys {
	var keys Keys
	for _, apiKey := range secrets {
		if apiKey != "" {
			keys.accepted = append(keys.accepted, pair{probe: derive(apiKey, "probe"), answer: derive(apiKey, "answer")})
		}
	}
	return keys
}

// derive makes a key for one use. WeChat's scheme feeds the API key itself into MD5 or HMAC; what is derived by HKDF tells nothing
// about either.
func derive(apiKey, use string) []byte {
	key, err := hkdf.Key(sha256.New, []byte(apiKey), []byte("wechatpay-operator.io/callback-check"), use, sha256.Size)
	if err != nil {
		panic(err) // a length that SHA-256 can't give: a mistake of ours
	}
	return key
}

// code authenticates values, each with its length, so that nothing can move from one into the next.
func code(key []byte, values ...string) string {
	mac := hmac.New(sha256.New, key)
	for _, value := range values {
		_, _ = mac.Write(binary.BigEndian.AppendUint64(nil, uint64(len(value))))
		_, _ = mac.Write([]byte(value))
	}
	return hex.EncodeToString(mac.Sum(nil))
}

func sameCode(a, b string) bool { return hmac.Equal([]byte(a), []byte(b)) }
