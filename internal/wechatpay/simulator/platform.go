package simulator

import (
	"fmt"
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
	return changed(s, func() (PlatformCertificate, error) {
		keys := s.keys()
		pair := s.newPlatformCertificate(false)
		keys.Certificates = append(keys.Certificates, pair)
		s.store.savePlatform(keys)
		return pair.PlatformCertificate, nil
	})
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

// ReplacePublicKey makes another public key, under another id. Nothing is signed with the old one
// any more.
func (s *Simulator) ReplacePublicKey() (Platform, error) {
	err := s.change(func() error {
		keys := s.keys()
		keys.newPublicKey(s.ca)
		s.store.savePlatform(keys)
		return nil
	})
	return s.Platform(), err
}

// SetVerification moves a merchant to another way of verification; share is its PublicKeyShare.
func (s *Simulator) SetVerification(mchID string, verification Verification, share float64) error {
	if !verification.known() || share < 0 || share > 1 {
		return fmt.Errorf("%w: verification %q with share %v", ErrInvalid, verification, share)
	}
	return s.withMerchant(mchID, func(m *merchant) { m.Verification, m.PublicKeyShare = verification, share })
}
