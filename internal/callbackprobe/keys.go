package callbackprobe

import (
	"crypto/hkdf"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
)

// Keys authenticate one Merchant's probes and answers. The zero value can neither make nor accept
// any.
type Keys struct {
	// accepted starts with the current pair. During a key rotation the previous pair follows,
	// because replicas read the Secret at different times.
	accepted []pair
}

// pair holds the keys of the two directions, so that an answer is never a valid probe or vice
// versa.
type pair struct {
	probe, answer []byte
}

// NewKeys derives the keys from the secrets that a Merchant shares with WeChat, the current one
// first. Empty ones are left out.
func NewKeys(secrets ...string) Keys {
	var keys Keys
	for _, apiKey := range secrets {
		if apiKey != "" {
			keys.accepted = append(keys.accepted, pair{probe: derive(apiKey, "probe"), answer: derive(apiKey, "answer")})
		}
	}
	return keys
}

// derive makes a key for one use. WeChat Pay's scheme feeds the API key itself into MD5 or HMAC; a
// key derived with HKDF reveals nothing about either.
func derive(apiKey, use string) []byte {
	key, err := hkdf.Key(sha256.New, []byte(apiKey), []byte("wechatpay-operator.io/callback-check"), use, sha256.Size)
	if err != nil {
		panic(err) // impossible: SHA-256 can derive this length
	}
	return key
}

// code authenticates values together with their lengths, so that no bytes can move from one value
// to the next.
func code(key []byte, values ...string) string {
	mac := hmac.New(sha256.New, key)
	for _, value := range values {
		_, _ = mac.Write(binary.BigEndian.AppendUint64(nil, uint64(len(value))))
		_, _ = mac.Write([]byte(value))
	}
	return hex.EncodeToString(mac.Sum(nil))
}

func sameCode(a, b string) bool { return hmac.Equal([]byte(a), []byte(b)) }
