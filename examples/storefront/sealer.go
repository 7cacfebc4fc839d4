package main

import (
	"bytes"
	"crypto/aes"
	"crypto/cipher"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"os"
)

// sealer encrypts what the storefront hands out and takes back, by AES-256-GCM under keys that all replicas have. Who holds a sealed
// text can neither read nor change it.
type sealer struct{ ciphers []cipher.AEAD }

// loadSealer reads a file with a key in each line: 32 random bytes in Base64. The first one seals; all of them open, so that a key can
// be replaced while people are logged in.
func loadSealer(file string) (*sealer, error) {
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
		block, err := aes.NewCipher(key)
		if err != nil {
			return nil, err
		}
		aead, err := cipher.NewGCMWithRandomNonce(block)
		if err != nil {
			return nil, err
		}
		s.ciphers = append(s.ciphers, aead)
	}
	if len(s.ciphers) == 0 {
		return nil, fmt.Errorf("%s has no key: make one with `openssl rand -base64 32`", file)
	}
	return s, nil
}

var errNotSealed = errors.New("not sealed by this shop, or for something else")

// seal encrypts a value for a purpose. It opens for the same purpose only.
func (s *sealer) seal(purpose string, value any) (string, error) {
	plain, err := json.Marshal(value)
	if err != nil {
		return "", err
	}
	return base64.RawURLEncoding.EncodeToString(s.ciphers[0].Seal(nil, nil, plain, []byte(purpose))), nil
}

func (s *sealer) open(purpose, sealed string, value any) error {
	raw, err := base64.RawURLEncoding.DecodeString(sealed)
	if err != nil {
		return errNotSealed
	}
	for _, aead := range s.ciphers {
		if plain, err := aead.Open(nil, nil, raw, []byte(purpose)); err == nil {
			return json.Unmarshal(plain, value)
		}
	}
	return errNotSealed
}
