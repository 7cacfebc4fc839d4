package simulator

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/md5"
	"encoding/base64"
	"encoding/hex"
	"errors"
)

// sealRefundInfo encrypts the text of a refund callback: AES-256 in ECB mode with PKCS7 padding.
// The key is the 32 characters of the lower-case hex MD5 of the API key, leading zeros included,
// not its 16 bytes.
func sealRefundInfo(plaintext []byte, apiKey string) (string, error) {
	block, err := refundInfoCipher(apiKey)
	if err != nil {
		return "", err
	}
	size := block.BlockSize()
	padding := size - len(plaintext)%size
	sealed := append([]byte(nil), plaintext...)
	for range padding {
		sealed = append(sealed, byte(padding))
	}
	for at := 0; at < len(sealed); at += size {
		block.Encrypt(sealed[at:at+size], sealed[at:at+size])
	}
	return base64.StdEncoding.EncodeToString(sealed), nil
}

var errBadRefundInfo = errors.New("req_info can't be read with this key")

// OpenRefundInfo decrypts the req_info of a refund callback, as a shop does.
func OpenRefundInfo(reqInfo, apiKey string) (map[string]string, error) {
	plaintext, err := decryptRefundInfo(reqInfo, apiKey)
	if err != nil {
		return nil, err
	}
	return parseXML(plaintext, "root")
}

func decryptRefundInfo(reqInfo, apiKey string) ([]byte, error) {
	text, err := base64.StdEncoding.DecodeString(reqInfo)
	if err != nil {
		return nil, errBadRefundInfo
	}
	block, err := refundInfoCipher(apiKey)
	if err != nil {
		return nil, err
	}
	size := block.BlockSize()
	if len(text) == 0 || len(text)%size != 0 {
		return nil, errBadRefundInfo
	}
	for at := 0; at < len(text); at += size {
		block.Decrypt(text[at:at+size], text[at:at+size])
	}
	padding := int(text[len(text)-1])
	if padding < 1 || padding > size {
		return nil, errBadRefundInfo
	}
	end := len(text) - padding
	for _, b := range text[end:] {
		if int(b) != padding {
			return nil, errBadRefundInfo
		}
	}
	return text[:end], nil
}

func refundInfoCipher(apiKey string) (cipher.Block, error) {
	digest := md5.Sum([]byte(apiKey))
	return aes.NewCipher([]byte(hex.EncodeToString(digest[:])))
}
