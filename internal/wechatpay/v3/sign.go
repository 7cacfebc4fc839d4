package v3

import (
	"crypto"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"strconv"
	"strings"
	"time"
)

// signer signs with the private key of the merchant's certificate: SHA-256 with RSA, PKCS #1 v1.5.
// It is safe for concurrent use.
type signer struct {
	mchID string
	// serial is the serial number of the certificate, as serialOf writes it.
	serial              string
	key                 crypto.Signer
	notBefore, notAfter time.Time
}

func newSigner(mchID string, certificate *tls.Certificate) (*signer, error) {
	leaf := certificate.Leaf
	if leaf == nil {
		parsed, err := x509.ParseCertificate(certificate.Certificate[0])
		if err != nil {
			return nil, errors.New("the merchant's certificate cannot be read")
		}
		leaf = parsed
	}
	if leaf.SerialNumber == nil || leaf.SerialNumber.Sign() <= 0 {
		return nil, errors.New("the merchant's certificate has no serial number")
	}
	key, _ := certificate.PrivateKey.(crypto.Signer) // validated
	return &signer{mchID: mchID, serial: serialOf(leaf), key: key, notBefore: leaf.NotBefore, notAfter: leaf.NotAfter}, nil
}

// ids identifies the key of the certificate by what it consists of. A serial number is no identity:
// anybody can make a certificate with any.
func (s *signer) ids() []string {
	if s.key == nil {
		return nil
	}
	if public, isRSA := s.key.Public().(*rsa.PublicKey); isRSA {
		return []string{fingerprintOf(public)}
	}
	return nil
}

// serialOf returns a serial number as WeChat Pay writes it: upper-case hex, two digits for a byte,
// so a leading zero stays.
func serialOf(certificate *x509.Certificate) string {
	return strings.ToUpper(hex.EncodeToString(certificate.SerialNumber.Bytes()))
}

// authorization returns the Authorization header of a request. The target is path and query as they
// are sent.
func (s *signer) authorization(method, target string, body []byte, now time.Time, nonce string) (string, error) {
	timestamp := strconv.FormatInt(now.Unix(), 10)
	signature, err := s.sign(lines(body, method, target, timestamp, nonce))
	if err != nil {
		return "", err
	}
	return string(SHA256WithRSA) + ` mchid="` + s.mchID + `",nonce_str="` + nonce + `",timestamp="` + timestamp +
		`",serial_no="` + s.serial + `",signature="` + signature + `"`, nil
}

// sign returns the signature of a message in base64.
func (s *signer) sign(message []byte) (string, error) {
	digest := sha256.Sum256(message)
	signature, err := s.key.Sign(rand.Reader, digest[:], crypto.SHA256)
	if err != nil {
		return "", errors.New("the merchant's private key can't sign")
	}
	return base64.StdEncoding.EncodeToString(signature), nil
}

// usualMessage is the size of most texts to sign. One that is not larger needs no heap.
const usualMessage = 2 << 10

// lines returns the text to sign: each part on a line, the last one too, whatever it holds.
func lines[Text ~string | ~[]byte](last Text, parts ...string) []byte {
	message := make([]byte, 0, usualMessage)
	for _, part := range parts {
		message = append(append(message, part...), '\n')
	}
	return append(append(message, last...), '\n')
}

// newNonce returns 26 random letters and digits (at most 32 are permitted).
func newNonce() string { return rand.Text() }
