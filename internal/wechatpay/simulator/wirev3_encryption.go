package simulator

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/rsa"
	"crypto/sha1"
	"encoding/base64"
)

// algorithmV3 encrypts callbacks and platform certificates.
const algorithmV3 = "AEAD_AES_256_GCM"

// seal encrypts with an APIv3 key. The nonce has 12 characters, and the tag follows the text.
func seal(apiV3Key, associated string, plaintext []byte) document {
	block, err := aes.NewCipher([]byte(apiV3Key))
	if err != nil {
		panic(err) // the key has 32 bytes, see checkMerchant
	}
	gcm, err := cipher.NewGCM(block)
	if err != nil {
		panic(err) // the block size is that of AES
	}
	nonce := randomText(gcm.NonceSize())
	sealed := gcm.Seal(nil, []byte(nonce), plaintext, []byte(associated))
	return document{
		"algorithm": algorithmV3, "nonce": nonce, "associated_data": associated, "ciphertext": base64.StdEncoding.EncodeToString(sealed),
	}
}

// openSensitive decrypts a member that a merchant encrypted: RSA-OAEP with SHA-1.
func openSensitive(key *rsa.PrivateKey, encoded string) (string, error) {
	sealed, err := base64.StdEncoding.DecodeString(encoded)
	if err != nil {
		return "", err
	}
	opened, err := rsa.DecryptOAEP(sha1.New(), nil, key, sealed, nil)
	return string(opened), err
}

// certificatesV3 lists the platform certificates, encrypted with the merchant's APIv3 key.
func (s *Simulator) certificatesV3(c *callV3) (answerV3, error) {
	if err := c.checkQuery(nil, "algorithm_type"); err != nil {
		return answerV3{}, err
	}
	if c.merchant.Verification == VerifyByPublicKey {
		return answerV3{}, newProblem(404, "RESOURCE_NOT_EXISTS", internalInvalidRequest,
			"无可用的平台证书，请在商户平台-API安全申请使用微信支付公钥")
	}
	if c.merchant.APIV3Key == "" {
		return answerV3{}, newProblem(403, "NO_AUTH", internalInvalidRequest, "未设置APIv3密钥")
	}
	listed := []document{}
	for _, pair := range s.keys().Certificates {
		listed = append(listed, document{
			"serial_no": pair.SerialNo, "effective_time": rfc3339(pair.parsed.NotBefore), "expire_time": rfc3339(pair.parsed.NotAfter),
			"encrypt_certificate": seal(c.merchant.APIV3Key, "certificate", []byte(pair.CertPEM)),
		})
	}
	return ok(document{"data": listed}), nil
}
