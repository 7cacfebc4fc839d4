package console

import (
	"bytes"
	"crypto/aes"
	"crypto/cipher"
	"crypto/rand"
	"encoding/base64"
	"errors"
	"fmt"
	"os"
)

// sealer encrypts the token in the login cookie by AES-256-GCM. The holder of the cookie can neither read nor change
// it.
type sealer struct{ ciphers []cipher.AEAD }

// newSealer reads the keys, one per line. Without a file it uses a random key, so restarts end all sessions.
func newSealer(file string) (*sealer, error) {
	if file == "" {
		key := make([]byte, 32)
		_, _ = rand.Read(key) // never fails
		s := &sealer{}
		return s, s.add(key)
	}
	content, err := os.ReadFile(file)
	if err != nil {
		return nil, err
	}
	s := &sealer{}
	for i, line := range bytes.Fields(content) {
		key, err := base64.StdEncoding.DecodeString(string(line))
		if err != nil || len(key) != 32 {
			return nil, fmt.Errorf("key %d in %s is not 32 bytes in Base64: make one with `openssl rand -base64 32`", i+1, file)
		}
		if err := s.add(key); err != nil {
			return nil, err
		}
	}
	if len(s.ciphers) == 0 {
		return nil, fmt.Errorf("%s has no key: make one with `openssl rand -base64 32`", file)
	}
	return s, nil
}

func (s *sealer) add(key []byte) error {
	block, err := aes.NewCipher(key)
	if err != nil {
		return err
	}
	aead, err := cipher.NewGCMWithRandomNonce(block)
	if err != nil {
		return err
	}
	s.ciphers = append(s.ciphers, aead)
	return nil
}

var errNotSealed = errors.New("not sealed by this console")

// purpose binds a ciphertext to sessions: one that was made for another purpose is not accepted.
var purpose = []byte("wechatpay-console/session/v1")

func (s *sealer) seal(plain []byte) string {
	return base64.RawURLEncoding.EncodeToString(s.ciphers[0].Seal(nil, nil, plain, purpose))
}

func (s *sealer) open(sealed string) ([]byte, error) {
	raw, err := base64.RawURLEncoding.DecodeString(sealed)
	if err != nil {
		return nil, errNotSealed
	}
	for _, aead := range s.ciphers {
		if plain, err := aead.Open(nil, nil, raw, purpose); err == nil {
			return plain, nil
		}
	}
	return nil, errNotSealed
}
