package simulator

import (
	"crypto/rsa"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"slices"
	"time"
)

// issuedCertificate is a merchant's API certificate from this simulator's authority.
type issuedCertificate struct {
	MchID   string `json:"mch_id"`
	CertPEM string `json:"cert_pem"`
	parsed  *merchantCertificate
}

// merchantCertificate is what verifies the signatures of a merchant.
type merchantCertificate struct {
	serial              string
	key                 *rsa.PublicKey
	notBefore, notAfter time.Time
}

func readMerchantCertificate(certPEM []byte) (*merchantCertificate, error) {
	parsed, err := parseCertificate(certPEM)
	if err != nil {
		return nil, err
	}
	key, isRSA := parsed.PublicKey.(*rsa.PublicKey)
	if !isRSA {
		return nil, errors.New("not an RSA certificate")
	}
	return &merchantCertificate{serial: serialOf(parsed), key: key, notBefore: parsed.NotBefore, notAfter: parsed.NotAfter}, nil
}

func (c *merchantCertificate) isValid(now time.Time) bool {
	return !now.Before(c.notBefore) && !now.After(c.notAfter)
}

// certificateOf returns the API certificate of a merchant with a serial number; nil if there is
// none that is valid now.
func (t *store) certificateOf(m *merchant, serial string, now time.Time) *merchantCertificate {
	for _, found := range t.certificatesOf(m) {
		if found.serial == serial && found.isValid(now) {
			return found
		}
	}
	return nil
}

func (t *store) certificatesOf(m *merchant) []*merchantCertificate {
	if len(m.parsed) != len(m.Certificates) {
		m.parsed = nil
		for _, certPEM := range m.Certificates {
			parsed, err := readMerchantCertificate([]byte(certPEM))
			if err != nil { // only from a state file: checkMerchant reads the others
				parsed = &merchantCertificate{}
			}
			m.parsed = append(m.parsed, parsed)
		}
	}
	out := slices.Clone(m.parsed)
	for _, issued := range t.issued {
		if issued.MchID == m.MchID && issued.parsed != nil {
			out = append(out, issued.parsed)
		}
	}
	return out
}

// SerialNo returns the serial number of a merchant's API certificate as Authorization names it:
// upper-case hex, two digits for each byte.
func (c ClientCertificate) SerialNo() (string, error) {
	parsed, err := parseCertificate(c.CertPEM)
	if err != nil {
		return "", err
	}
	return serialOf(parsed), nil
}

func serialOf(certificate *x509.Certificate) string {
	return fmt.Sprintf("%X", certificate.SerialNumber.Bytes())
}

func parseCertificate(certPEM []byte) (*x509.Certificate, error) {
	block, _ := pem.Decode(certPEM)
	if block == nil || block.Type != "CERTIFICATE" {
		return nil, errors.New("no certificate in PEM")
	}
	return x509.ParseCertificate(block.Bytes)
}

func parseRSAKey(keyPEM string) (*rsa.PrivateKey, error) {
	block, _ := pem.Decode([]byte(keyPEM))
	if block == nil {
		return nil, errors.New("no key in PEM")
	}
	parsed, err := x509.ParsePKCS8PrivateKey(block.Bytes)
	if err != nil {
		return nil, err
	}
	key, isRSA := parsed.(*rsa.PrivateKey)
	if !isRSA {
		return nil, errors.New("not an RSA key")
	}
	return key, nil
}
