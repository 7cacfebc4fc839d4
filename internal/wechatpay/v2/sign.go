package v2

import (
	"crypto/hmac"
	"crypto/md5"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/hex"
	"hash"
	"strings"
	"sync"

	"github.com/wechatpay-operator/wechatpay-operator/internal/wechatpay"
)

const signField = "sign"

// signer signs and verifies messages with one API key. It is safe for concurrent use.
type signer struct {
	key string
	// id names the key; see wechatpay.KeyID.
	id string
	// states lets signatures reuse buffers and HMAC states, which are most of a signature's
	// allocations.
	states sync.Pool
}

// signingState holds what one signature needs while it is computed.
type signingState struct {
	text   []byte
	digest []byte
	mac    hash.Hash
}

func newSigner(key string) *signer { return &signer{key: key} }

func (s *signer) freeState() *signingState {
	if state, free := s.states.Get().(*signingState); free {
		return state
	}
	return &signingState{mac: hmac.New(sha256.New, []byte(s.key))}
}

// sign returns the signature of a message as defined in chapter 4_3, in upper-case hex.
func (s *signer) sign(message fields, algorithm wechatpay.Scheme) string {
	state := s.freeState()
	defer s.states.Put(state)
	state.text = appendTextToSign(state.text[:0], message, s.key)
	if algorithm == MD5 {
		digest := md5.Sum(state.text)
		return upperHex(digest[:])
	}
	state.mac.Reset()
	state.mac.Write(state.text)
	state.digest = state.mac.Sum(state.digest[:0])
	return upperHex(state.digest)
}

// verifies reports whether a message carries the correct signature. A message without one does not.
// The comparison is case-sensitive and takes constant time.
func (s *signer) verifies(message fields, algorithm wechatpay.Scheme) bool {
	claimed := message.get(signField)
	return claimed != "" && subtle.ConstantTimeCompare([]byte(claimed), []byte(s.sign(message, algorithm))) == 1
}

// appendTextToSign joins all fields except the signature and empty ones, known or unknown, and
// appends the key. With HMAC-SHA256 the text contains the key too, although it is also the key of
// the MAC (chapter 4_3).
func appendTextToSign(text []byte, message fields, key string) []byte {
	for _, f := range message {
		if f.name == signField || f.value == "" {
			continue
		}
		text = append(text, f.name...)
		text = append(text, '=')
		text = append(text, f.value...)
		text = append(text, '&')
	}
	text = append(text, "key="...)
	return append(text, key...)
}

func upperHex(digest []byte) string { return strings.ToUpper(hex.EncodeToString(digest)) }
