package simulator

import (
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"errors"
	"os"
	"path/filepath"
	"slices"

	"github.com/wechatpay-operator/wechatpay-operator/internal/simulation"
)

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
		err = simulation.WriteFile(path, content)
	}
	if err != nil {
		s.logger.Error("the platform's keys can't be stored", "error", err)
	}
	return made
}

func (s *Simulator) newPlatform() *platformKeys {
	made := &platformKeys{Certificates: []*platformKeyPair{s.newPlatformCertificate(true)}}
	made.newPublicKey(s.ca)
	return made
}

func (p *platformKeys) newPublicKey(ca *authority) {
	key := ca.newRSAKey()
	public, _ := x509.MarshalPKIXPublicKey(key.Public()) // never fails for RSA keys
	private, _ := encodeKey(key)
	p.PublicKeyID = "PUB_KEY_ID_01" + randomDigits(26)
	p.PublicKeyPEM = string(pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: public}))
	p.KeyPEM, p.key = string(private), key
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

// NewRSAKey makes a key of the size that WeChat Pay's have.
func NewRSAKey() *rsa.PrivateKey {
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		panic(err) // crypto/rand never fails
	}
	return key
}
