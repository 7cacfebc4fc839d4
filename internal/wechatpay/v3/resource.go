package v3

import (
	"crypto/aes"
	"crypto/cipher"
	"errors"
)

// aeadAES256GCM is the only algorithm of encrypted resources that is accepted.
const aeadAES256GCM = "AEAD_AES_256_GCM"

// nonceSize in bytes. crypto/cipher panics at another one.
const nonceSize = 12

// resource is what WeChat encrypted with the APIv3 key: the content of a callback, or a
// certificate.
type resource struct {
	Algorithm string `json:"algorithm"`
	// Ciphertext is base64, with the 16 bytes of the tag at its end.
	Ciphertext     string `json:"ciphertext"`
	AssociatedData string `json:"associated_data"`
	Nonce          string `json:"nonce"`
	OriginalType   string `json:"original_type"`
}

// errKeyMismatch: the resource can't be opened with the key.
var errKeyMismatch = errors.New("what WeChat Pay encrypted can't be opened with the APIv3 key")

// resourceKey opens resources with one APIv3 key. It is safe for concurrent use.
type resourceKey struct{ cipher.AEAD }

func newResourceKey(key string) (resourceKey, error) {
	block, err := aes.NewCipher([]byte(key))
	if err != nil {
		return resourceKey{}, errors.New("the APIv3 key is not 32 letters and digits")
	}
	gcm, err := cipher.NewGCM(block)
	if err != nil {
		return resourceKey{}, errors.New("AES-GCM is not available")
	}
	return resourceKey{gcm}, nil
}

// open decrypts a resource with the first key that fits.
func (r *resource) open(keys []resourceKey) ([]byte, error) {
	switch {
	case r.Algorithm != aeadAES256GCM:
		return nil, errors.New("the resource is encrypted with an algorithm that is not " + aeadAES256GCM)
	case len(r.Nonce) != nonceSize:
		return nil, errors.New("the nonce of the resource does not have 12 bytes")
	}
	ciphertext, err := decodeBase64(r.Ciphertext)
	if err != nil {
		return nil, errors.New("the ciphertext of the resource is not base64")
	}
	nonce, associated := []byte(r.Nonce), []byte(r.AssociatedData)
	for i, key := range keys {
		var into []byte
		if i == len(keys)-1 {
			into = ciphertext[:0] // no other key needs it
		}
		if content, err := key.Open(into, nonce, ciphertext, associated); err == nil {
			return content, nil
		}
	}
	return nil, errKeyMismatch
}
