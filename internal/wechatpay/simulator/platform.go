package simulator

import (
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
)

// Verification is how a merchant can verify the answers and callbacks of API v3.
type Verification string

// The verifications. WeChat Pay moves merchants from the first to the last over some weeks, and
// opens new ones with the last.
const (
	// VerifyByCertificate: platform certificates sign everything, whatever Wechatpay-Serial of the
	// request says.
	VerifyByCertificate Verification = "certificate"
	// VerifyMigrating: answers are signed with the key that Wechatpay-Serial of the request names, by
	// certificate without it; of the callbacks the PublicKeyShare is signed with the public key's
	// pair.
	VerifyMigrating Verification = "migrating"
	// VerifyByPublicKey: the public key's pair signs everything; there are no platform certificates.
	VerifyByPublicKey Verification = "public-key"
)

func (v Verification) known() bool {
	return slices.Contains([]Verification{"", VerifyByCertificate, VerifyMigrating, VerifyByPublicKey}, v)
}

// Platform are WeChat Pay's keys, as merchants know them. All merchants of a simulator share them.
type Platform struct {
	PublicKeyID  string                `json:"public_key_id"`
	PublicKeyPEM string                `json:"public_key_pem"`
	Certificates []PlatformCertificate `json:"certificates"`
}

// PlatformCertificate is a certificate that GET /v3/certificates lists. Signs tells whether answers
// and callbacks are signed with it yet.
type PlatformCertificate struct {
	SerialNo string `json:"serial_no"`
	CertPEM  string `json:"cert_pem"`
	Signs    bool   `json:"signs"`
}

// platformKeys are the same with their private keys.
type platformKeys struct {
	PublicKeyID  string             `json:"public_key_id"`
	PublicKeyPEM string             `json:"public_key_pem"`
	KeyPEM       string             `json:"key_pem"`
	Certificates []*platformKeyPair `json:"certificates"`
	key          *rsa.PrivateKey
}

type platformKeyPair struct {
	PlatformCertificate
	KeyPEM string `json:"key_pem"`
	key    *rsa.PrivateKey
	parsed *x509.Certificate
}

// signer is a private key with the Wechatpay-Serial that stands for it.
type signer struct {
	serial string
	key    *rsa.PrivateKey
}

const platformFile = "platform.json"

// keys returns WeChat Pay's keys. They are made when they are first needed, because most tests of
// API v2 never need them. The caller holds the lock.
func (s *Simulator) keys() *platformKeys {
	if s.store.platform == nil {
		s.store.savePlatform(s.openPlatform())
	}
	if s.store.platform.key == nil { // from the state file
		if err := s.store.platform.read(); err != nil {
			s.logger.Error("the platform's keys in the state file can't be read, new ones replace them", "error", err)
			s.store.savePlatform(s.newPlatform())
		}
	}
	return s.store.platform
}

// openPlatform loads the keys from the certificate directory, or makes them.
func (s *Simulator) openPlatform() *platformKeys {
	if s.certificateDir == "" {
		return s.newPlatform()
	}
	path := filepath.Join(s.certificateDir, platformFile)
	content, err := os.ReadFile(path)
	if err == nil {
		loaded := &platformKeys{}
		if err = errors.Join(json.Unmarshal(content, loaded), loaded.read()); err == nil {
			return loaded
		}
	}
	made := s.newPlatform()
	if content, err = json.Marshal(made); err == nil {
		err = writeFile(path, content)
	}
	if err != nil {
		s.logger.Error("the platform's keys can't be stored", "error", err)
	}
	return made
}

func (s *Simulator) newPlatform() *platformKeys {
	key := newRSAKey()
	public, _ := x509.MarshalPKIXPublicKey(key.Public()) // never fails for RSA keys
	private, _ := encodeKey(key)
	return &platformKeys{
		PublicKeyID:  "PUB_KEY_ID_01" + randomDigits(26),
		PublicKeyPEM: string(pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: public})),
		KeyPEM:       string(private), key: key,
		Certificates: []*platformKeyPair{s.newPlatformCertificate(true)},
	}
}

func (s *Simulator) newPlatformCertificate(signs bool) *platformKeyPair {
	now := s.now()
	issued, key, err := s.ca.issuePlatform(now.AddDate(0, 0, -1), now.AddDate(5, 0, 0))
	if err != nil {
		panic(err) // the authority has signed certificates before
	}
	pair := &platformKeyPair{
		PlatformCertificate: PlatformCertificate{CertPEM: string(issued.CertPEM), Signs: signs}, KeyPEM: string(issued.KeyPEM), key: key,
	}
	pair.parsed, _ = parseCertificate(issued.CertPEM)
	pair.SerialNo = serialOf(pair.parsed)
	return pair
}

// read parses what was stored.
func (p *platformKeys) read() error {
	key, err := parseRSAKey(p.KeyPEM)
	if err != nil {
		return err
	}
	for _, pair := range p.Certificates {
		var certErr, keyErr error
		pair.parsed, certErr = parseCertificate([]byte(pair.CertPEM))
		pair.key, keyErr = parseRSAKey(pair.KeyPEM)
		if err := errors.Join(certErr, keyErr); err != nil {
			return err
		}
	}
	p.key = key
	return nil
}

func (p *platformKeys) publicKeySigner() signer { return signer{serial: p.PublicKeyID, key: p.key} }

// certificateSigner takes those certificates that sign in turn.
func (p *platformKeys) certificateSigner(turn int) signer {
	signing := slices.DeleteFunc(slices.Clone(p.Certificates), func(pair *platformKeyPair) bool { return !pair.Signs })
	if len(signing) == 0 {
		return p.publicKeySigner()
	}
	pair := signing[turn%len(signing)]
	return signer{serial: pair.SerialNo, key: pair.key}
}

// answerSigner returns who signs an answer; wanted is Wechatpay-Serial of the request. m is nil if
// the merchant is unknown.
func (s *Simulator) answerSigner(m *merchant, wanted string) (chosen signer) {
	_ = s.change(func() error { // change logs a failure of the state file
		keys := s.keys()
		switch {
		case m == nil:
			chosen = keys.certificateSigner(0)
		case m.Verification == VerifyByPublicKey, m.Verification == VerifyMigrating && wanted == keys.PublicKeyID:
			chosen = keys.publicKeySigner()
		default:
			chosen = keys.certificateSigner(m.turn)
			m.turn++
		}
		return nil
	})
	return chosen
}

// callbackSigner returns who signs a callback. The share of the public key is exact: with a quarter,
// every fourth callback. The caller holds the lock.
func (s *Simulator) callbackSigner(m *merchant) signer {
	keys, turn := s.keys(), m.callbackTurn
	m.callbackTurn++
	due := func(callbacks int) int { return int(float64(callbacks)*m.PublicKeyShare + 1e-9) }
	switch {
	case m.Verification == VerifyByPublicKey:
		return keys.publicKeySigner()
	case m.Verification == VerifyMigrating && due(turn+1) > due(turn):
		return keys.publicKeySigner()
	}
	return keys.certificateSigner(turn)
}

// decrypter returns the private key of what Wechatpay-Serial of a request names.
func (p *platformKeys) decrypter(serial string) *rsa.PrivateKey {
	if serial == p.PublicKeyID {
		return p.key
	}
	for _, pair := range p.Certificates {
		if pair.SerialNo == serial {
			return pair.key
		}
	}
	return nil
}

// Platform returns WeChat Pay's public key and its platform certificates.
func (s *Simulator) Platform() Platform {
	var out Platform
	_ = s.change(func() error { // change logs a failure of the state file
		keys := s.keys()
		out.PublicKeyID, out.PublicKeyPEM = keys.PublicKeyID, keys.PublicKeyPEM
		out.Certificates = []PlatformCertificate{}
		for _, pair := range keys.Certificates {
			out.Certificates = append(out.Certificates, pair.PlatformCertificate)
		}
		return nil
	})
	return out
}

// AddPlatformCertificate begins a rotation: GET /v3/certificates lists a new certificate from now
// on. It signs nothing before SignWithPlatformCertificates.
func (s *Simulator) AddPlatformCertificate() (PlatformCertificate, error) {
	var added PlatformCertificate
	err := s.change(func() error {
		keys := s.keys()
		pair := s.newPlatformCertificate(false)
		keys.Certificates = append(keys.Certificates, pair)
		s.store.savePlatform(keys)
		added = pair.PlatformCertificate
		return nil
	})
	return added, err
}

// SignWithPlatformCertificates sets the certificates that sign from now on, in turn if there are
// several, as in the last days of an old one.
func (s *Simulator) SignWithPlatformCertificates(serials ...string) error {
	return s.change(func() error {
		keys := s.keys()
		for _, serial := range serials {
			if !slices.ContainsFunc(keys.Certificates, func(pair *platformKeyPair) bool { return pair.SerialNo == serial }) {
				return fmt.Errorf("platform certificate %s: %w", serial, ErrNotFound)
			}
		}
		for _, pair := range keys.Certificates {
			pair.Signs = slices.Contains(serials, pair.SerialNo)
		}
		s.store.savePlatform(keys)
		return nil
	})
}

// RemovePlatformCertificate ends a rotation: an expired certificate is neither listed nor signs.
func (s *Simulator) RemovePlatformCertificate(serial string) error {
	return s.change(func() error {
		keys := s.keys()
		before := len(keys.Certificates)
		keys.Certificates = slices.DeleteFunc(keys.Certificates, func(pair *platformKeyPair) bool { return pair.SerialNo == serial })
		if len(keys.Certificates) == before {
			return fmt.Errorf("platform certificate %s: %w", serial, ErrNotFound)
		}
		s.store.savePlatform(keys)
		return nil
	})
}

// SetVerification moves a merchant to another way of verification; share is its PublicKeyShare.
func (s *Simulator) SetVerification(mchID string, verification Verification, share float64) error {
	if !verification.known() || share < 0 || share > 1 {
		return fmt.Errorf("%w: verification %q with share %v", ErrInvalid, verification, share)
	}
	return s.withMerchant(mchID, func(m *merchant) { m.Verification, m.PublicKeyShare = verification, share })
}

func newRSAKey() *rsa.PrivateKey {
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		panic(err) // crypto/rand never fails
	}
	return key
}
