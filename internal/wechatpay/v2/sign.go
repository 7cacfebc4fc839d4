package v2

import (
	"crypto/hmac"
	"crypto/md5"
	"crypto/sha256"
	"crypto/subtle"
	"hash"
	"sync"

	"github.com/wechatpay-operator/wechatpay-operator/internal/wechatpay"
)

const signField = "sign"

// A signer signs and verifies messages with one API key. It is safe for concurrent use.
type signer struct {
	key string
	// id names the key; see wechatpay.KeyID.
	id string
	// desks lets signatures reuse buffers and HMAC states, which are most of what a signature would allocate.
	desks sync.Pool
}

// A signingDesk is what one signature needs while it is made.
type signingDesk struct {
	text   []byte
	digest []byte
	mac    hash.Hash
}

func newSigner(key string) *signer { return &signer{key: key} }

func (s *signer) freeDesk() *signingDesk {
	if desk, free := s.desks.Get().(*signingDesk); free {
		return desk
	}
	return &signingDesk{mac: hmac.New(sha256.New, []byte(s.key))}
}

// sign returns the signature over a message by chapter 4_3, upper-case hex.
func (s *signer) sign(message fields, algorithm wechatpay.Scheme) string {
	desk := s.freeDesk()
	defer s.desks.Put(desk)
	desk.text = appendTextToSign(desk.text[:0], message, s.key)
	if algorithm == MD5 {
		digest := md5.Sum(desk.text)
		return upperHex(digest[:])
	}
	desk.mac.Reset()
	desk.mac.Write(desk.text)
	desk.digest = desk.mac.Sum(desk.digest[:0])
	return upperHex(desk.digest)
}

// verifies says whether a message carries the signature that it should have. A message without one does not.
// Case counts, and the comparison takes the same time wherever the two differ.
func (s *signer) verifies(message fields, algorithm wechatpay.Scheme) bool {
	claimed := message.get(signField)
	return claimed != "" && subtle.ConstantTimeCompare([]byte(claimed), []byte(s.sign(message, algorithm))) == 1
}

// appendTextToSign joins every field but the signature and the empty ones, known to us or not, and ends with the key.
// HMAC-SHA256 too has the key in its text, although it is also the key of the MAC (chapter 4_3).
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

func upperHex(digest []byte) string {
	const digits = "0123456789ABCDEF"
	var text [2 * sha256.Size]byte
	for i, b := range digest {
		text[2*i], text[2*i+1] = digits[b>>4], digits[b&0x0F]
	}
	return string(text[:2*len(digest)])
}
