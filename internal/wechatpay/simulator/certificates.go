package simulator

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"errors"
	"fmt"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"time"

	"github.com/wechatpay-operator/wechatpay-operator/internal/simulation"
)

// ClientCertificate is a merchant's API certificate as the two PEM files that WeChat Pay issues,
// apiclient_cert.pem and apiclient_key.pem.
type ClientCertificate struct {
	CertPEM []byte `json:"cert_pem"`
	KeyPEM  []byte `json:"key_pem"`
}

// TLS returns the pair for crypto/tls.
func (c ClientCertificate) TLS() (tls.Certificate, error) {
	return tls.X509KeyPair(c.CertPEM, c.KeyPEM)
}

// authority issues the server's and the merchants' certificates.
type authority struct {
	certificate *x509.Certificate
	key         crypto.Signer
	pem         []byte
	pool        *x509.CertPool
	newRSAKey   func() *rsa.PrivateKey
}

const (
	authorityCertFile = "ca.pem"
	authorityKeyFile  = "ca-key.pem"
)

// openAuthority loads the CA from a directory, or creates it there. Without a directory the CA
// lives as long as the process.
func openAuthority(dir string) (*authority, error) {
	if dir == "" {
		return newAuthority()
	}
	certPEM, err := os.ReadFile(filepath.Join(dir, authorityCertFile))
	if errors.Is(err, os.ErrNotExist) {
		return createAuthority(dir)
	}
	if err != nil {
		return nil, err
	}
	keyPEM, err := os.ReadFile(filepath.Join(dir, authorityKeyFile))
	if err != nil {
		return nil, err
	}
	pair, err := tls.X509KeyPair(certPEM, keyPEM)
	if err != nil {
		return nil, fmt.Errorf("certificate authority in %s: %w", dir, err)
	}
	signer, canSign := pair.PrivateKey.(crypto.Signer)
	if !canSign || !pair.Leaf.IsCA {
		return nil, fmt.Errorf("certificate authority in %s: not an authority", dir)
	}
	return authorityOf(pair.Leaf, signer, certPEM), nil
}

func createAuthority(dir string) (*authority, error) {
	ca, err := newAuthority()
	if err != nil {
		return nil, err
	}
	keyPEM, err := encodeKey(ca.key)
	if err != nil {
		return nil, err
	}
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, err
	}
	if err := simulation.WriteFile(filepath.Join(dir, authorityKeyFile), keyPEM); err != nil {
		return nil, err
	}
	return ca, simulation.WriteFile(filepath.Join(dir, authorityCertFile), ca.pem)
}

func newAuthority() (*authority, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, err
	}
	template := &x509.Certificate{
		SerialNumber:          newSerial(),
		Subject:               pkix.Name{Organization: []string{"WeChat Pay simulator"}, CommonName: "WeChat Pay simulator CA"},
		NotBefore:             time.Now().AddDate(-10, 0, 0), // so that it can sign certificates that expired long ago
		NotAfter:              time.Now().AddDate(10, 0, 0),
		IsCA:                  true,
		BasicConstraintsValid: true,
		KeyUsage:              x509.KeyUsageCertSign | x509.KeyUsageDigitalSignature,
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		return nil, err
	}
	certificate, err := x509.ParseCertificate(der)
	if err != nil {
		return nil, err
	}
	return authorityOf(certificate, key, encodeCertificate(der)), nil
}

func authorityOf(certificate *x509.Certificate, key crypto.Signer, certPEM []byte) *authority {
	pool := x509.NewCertPool()
	pool.AddCert(certificate)
	return &authority{certificate: certificate, key: key, pem: certPEM, pool: pool, newRSAKey: NewRSAKey}
}

// issueServer issues the certificate of both hosts: like WeChat Pay's, one certificate names them
// all.
func (a *authority) issueServer(names []string) (tls.Certificate, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return tls.Certificate{}, err
	}
	template := &x509.Certificate{
		SerialNumber: newSerial(),
		Subject:      pkix.Name{CommonName: "localhost"},
		NotBefore:    time.Now().Add(-time.Hour),
		NotAfter:     time.Now().AddDate(1, 0, 0),
		KeyUsage:     x509.KeyUsageDigitalSignature,
		ExtKeyUsage:  []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth},
	}
	for _, name := range append([]string{"localhost", "127.0.0.1", "::1"}, names...) {
		if address := net.ParseIP(name); address != nil {
			template.IPAddresses = append(template.IPAddresses, address)
		} else {
			template.DNSNames = append(template.DNSNames, name)
		}
	}
	der, err := x509.CreateCertificate(rand.Reader, template, a.certificate, key.Public(), a.key)
	if err != nil {
		return tls.Certificate{}, err
	}
	return tls.Certificate{Certificate: [][]byte{der, a.certificate.Raw}, PrivateKey: key}, nil
}

// issueClient issues a merchant's certificate: RSA 2048 and CN = mch_id, like WeChat Pay's.
func (a *authority) issueClient(mchID string, notBefore, notAfter time.Time) (ClientCertificate, error) {
	issued, _, err := a.issueRSA(mchID, notBefore, notAfter, x509.ExtKeyUsageClientAuth)
	return issued, err
}

// issuePlatform issues a platform certificate, which verifies WeChat Pay's own signatures.
func (a *authority) issuePlatform(notBefore, notAfter time.Time) (ClientCertificate, *rsa.PrivateKey, error) {
	return a.issueRSA("WeChat Pay simulator platform", notBefore, notAfter)
}

func (a *authority) issueRSA(
	name string, notBefore, notAfter time.Time, usages ...x509.ExtKeyUsage,
) (ClientCertificate, *rsa.PrivateKey, error) {
	key := a.newRSAKey()
	template := &x509.Certificate{
		SerialNumber: newSerial(),
		Subject:      pkix.Name{Country: []string{"CN"}, Organization: []string{"WeChat Pay simulator"}, CommonName: name},
		NotBefore:    notBefore,
		NotAfter:     notAfter,
		KeyUsage:     x509.KeyUsageDigitalSignature | x509.KeyUsageKeyEncipherment,
		ExtKeyUsage:  usages,
	}
	der, err := x509.CreateCertificate(rand.Reader, template, a.certificate, key.Public(), a.key)
	if err != nil {
		return ClientCertificate{}, nil, err
	}
	keyPEM, err := encodeKey(key)
	if err != nil {
		return ClientCertificate{}, nil, err
	}
	return ClientCertificate{CertPEM: encodeCertificate(der), KeyPEM: keyPEM}, key, nil
}

// The return_msg values for refused certificates.
const (
	certificateRefused = "证书验证失败"
	certificateExpired = "证书已过期"
)

// refuseClient returns why a client certificate is invalid for a merchant; empty if it is valid. An
// expired certificate is reported as expired only if this CA issued it.
func (a *authority) refuseClient(certificate *x509.Certificate, mchID string, now time.Time) string {
	verify := func(at time.Time) error {
		_, err := certificate.Verify(x509.VerifyOptions{
			Roots: a.pool, CurrentTime: at, KeyUsages: []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth},
		})
		return err
	}
	if verify(certificate.NotBefore.Add(time.Second)) != nil || certificate.Subject.CommonName != mchID {
		return certificateRefused
	}
	if now.After(certificate.NotAfter) {
		return certificateExpired
	}
	if now.Before(certificate.NotBefore) {
		return certificateRefused
	}
	return ""
}

// IssueClientCertificate issues a merchant certificate that is valid for five years, like WeChat
// Pay's. Its key may sign API v3 requests of that merchant.
func (s *Simulator) IssueClientCertificate(mchID string) (ClientCertificate, error) {
	now := s.now()
	// From a week ago, because tests set clocks back to an earlier time of the day, or by days.
	return s.IssueClientCertificateValid(mchID, now.AddDate(0, 0, -7), now.AddDate(5, 0, 0))
}

// IssueClientCertificateValid issues a merchant certificate with any validity, for tests of expiry.
func (s *Simulator) IssueClientCertificateValid(mchID string, notBefore, notAfter time.Time) (ClientCertificate, error) {
	issued, err := s.ca.issueClient(mchID, notBefore, notAfter)
	if err != nil {
		return ClientCertificate{}, err
	}
	return issued, s.change(func() error {
		s.store.saveIssued(&issuedCertificate{MchID: mchID, CertPEM: string(issued.CertPEM)})
		return nil
	})
}

// CAPEM returns the certificate of the CA that signed the hosts' certificate.
func (s *Simulator) CAPEM() []byte { return append([]byte(nil), s.ca.pem...) }

// CertPool returns a pool with the certificate of CAPEM.
func (s *Simulator) CertPool() *x509.CertPool { return s.ca.pool.Clone() }

// newSerial returns a serial number of 40 hex digits, the first of which is 0: a client that drops
// it always fails here, instead of with one certificate in sixteen.
func newSerial() *big.Int {
	random := randomBytes(20)
	random[0] = random[0]&0x0f | 1
	return new(big.Int).SetBytes(random)
}

func encodeCertificate(der []byte) []byte {
	return pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})
}

func encodeKey(key crypto.Signer) ([]byte, error) {
	der, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		return nil, err
	}
	return pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der}), nil
}
