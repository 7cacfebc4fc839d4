package v2

import (
	"bytes"
	"crypto/aes"
	"crypto/md5"
	"encoding/base64"
	"encoding/hex"
	"errors"
)

// Why req_info of a refund callback is rejected.
const (
	errInfoEmpty      documentError = "empty"
	errInfoBase64     documentError = "bad-base64"
	errInfoLength     documentError = "length-not-multiple-of-16"
	errInfoUnreadable documentError = "bad-padding-or-not-xml"
)

// readRefundInfo decrypts and parses req_info. With a wrong key the padding is valid once in 256
// times, and then the parser fails, so both failures mean the same: the key is wrong, or the text
// was tampered with.
func (s *signer) readRefundInfo(requestInfo string) (fields, error) {
	plaintext, err := s.decryptRefundInfo(requestInfo)
	if err != nil {
		return nil, err
	}
	info, err := readFields(plaintext, refundInfoRoot, maxCallbackFields)
	if errors.Is(err, errMalformed) || errors.Is(err, errNotUTF8) {
		return nil, errInfoUnreadable
	}
	return info, err
}

// decryptRefundInfo reverses base64, AES-256-ECB and PKCS7 (chapter 9_16). The AES key is the 32
// characters of the lower-case hex MD5 of the API key, not the 16 bytes that they encode.
func (s *signer) decryptRefundInfo(requestInfo string) ([]byte, error) {
	if requestInfo == "" {
		return nil, errInfoEmpty
	}
	text, err := base64.StdEncoding.Strict().DecodeString(requestInfo)
	switch {
	case err != nil:
		return nil, errInfoBase64
	case len(text) == 0:
		return nil, errInfoEmpty
	case len(text)%aes.BlockSize != 0:
		return nil, errInfoLength
	}
	digest := md5.Sum([]byte(s.key))
	block, err := aes.NewCipher([]byte(hex.EncodeToString(digest[:])))
	if err != nil {
		return nil, errInfoUnreadable
	}
	for start := 0; start < len(text); start += aes.BlockSize {
		block.Decrypt(text[start:start+aes.BlockSize], text[start:start+aes.BlockSize])
	}
	return withoutPadding(text)
}

// withoutPadding checks every byte of the padding: it is half of the only proof that the sender
// knew the key.
func withoutPadding(text []byte) ([]byte, error) {
	length := int(text[len(text)-1])
	if length == 0 || length > aes.BlockSize {
		return nil, errInfoUnreadable
	}
	content, padding := text[:len(text)-length], text[len(text)-length:]
	if !bytes.Equal(padding, bytes.Repeat([]byte{byte(length)}, length)) {
		return nil, errInfoUnreadable
	}
	return content, nil
}
