package v3

import (
	"crypto/rsa"
	"crypto/x509"
	"slices"
	"sync/atomic"
	"time"

	"github.com/wechatpay-operator/wechatpay-operator/internal/wechatpay"
)

// verifiers are WeChat's keys for one merchant number: public keys that a person entered, and
// certificates that were downloaded. Both are in use at once while a merchant number moves from one
// to the other. It is safe for concurrent use.
type verifiers struct {
	publicKeys   []*publicKey
	certificates *wechatpay.PlatformCertificates
	changed      func()
}

// publicKey is a key that a person entered. It is proven once it has verified an answer; a certificate
// is proven by its download.
type publicKey struct {
	wechatpay.PublicKey
	proven atomic.Bool
}

func newVerifiers(publicKeys []wechatpay.PublicKey, certificates *wechatpay.PlatformCertificates, changed func()) *verifiers {
	v := &verifiers{certificates: certificates, changed: changed}
	for _, key := range publicKeys {
		v.publicKeys = append(v.publicKeys, &publicKey{PublicKey: key})
	}
	return v
}

// find returns the key that Wechatpay-Serial names, or nil. An expired certificate verifies
// nothing: WeChat has stopped using it.
func (v *verifiers) find(serial string, now time.Time) *rsa.PublicKey {
	for _, key := range v.publicKeys {
		if key.ID == serial {
			return key.Key
		}
	}
	certificates, _ := v.certificates.Get()
	return findCertificate(certificates, serial, now)
}

// findCertificate returns the key of the certificate with a serial number, or nil.
func findCertificate(certificates []*x509.Certificate, serial string, now time.Time) *rsa.PublicKey {
	for _, certificate := range certificates {
		if serialOf(certificate) == serial && inUse(certificate, now) {
			key, _ := certificate.PublicKey.(*rsa.PublicKey)
			return key
		}
	}
	return nil
}

// inUse reports whether WeChat may still sign with a certificate; its clock may differ from ours.
func inUse(certificate *x509.Certificate, now time.Time) bool {
	return now.Before(certificate.NotAfter.Add(clockTolerance))
}

// preferred returns the key with which requests are encrypted, and which WeChat is asked to sign
// the answer with: the first public key, else the newest certificate. The id is empty if there is
// none.
func (v *verifiers) preferred(now time.Time) (id string, key *rsa.PublicKey) {
	if len(v.publicKeys) > 0 {
		return v.publicKeys[0].ID, v.publicKeys[0].Key
	}
	var newest *x509.Certificate
	certificates, _ := v.certificates.Get()
	for _, certificate := range certificates {
		if inUse(certificate, now) && !now.Before(certificate.NotBefore) && (newest == nil || certificate.NotBefore.After(newest.NotBefore)) {
			newest = certificate
		}
	}
	if newest == nil {
		return "", nil
	}
	key, _ = newest.PublicKey.(*rsa.PublicKey)
	return serialOf(newest), key
}

// areMissing reports whether nothing could verify an answer.
func (v *verifiers) areMissing(now time.Time) bool {
	certificates, _ := v.certificates.Get()
	return len(v.publicKeys) == 0 && !slices.ContainsFunc(certificates, func(c *x509.Certificate) bool { return inUse(c, now) })
}

// areStale reports whether the certificates are in use and due to be downloaded again. With public
// keys they are downloaded only when an answer names an unknown one.
func (v *verifiers) areStale(now time.Time) bool {
	certificates, fetched := v.certificates.Get()
	return len(v.publicKeys) == 0 && len(certificates) > 0 && now.Sub(fetched) >= refreshAfter
}

// replaceCertificates sets the certificates of a verified list.
func (v *verifiers) replaceCertificates(certificates []*x509.Certificate, now time.Time) {
	before, _ := v.certificates.Get()
	v.certificates.Set(certificates, now)
	if !slices.EqualFunc(before, certificates, (*x509.Certificate).Equal) {
		v.changed()
	}
}

// prove records that a key has verified an answer.
func (v *verifiers) prove(id string) {
	for _, key := range v.publicKeys {
		if key.ID == id && !key.proven.Swap(true) {
			v.changed()
		}
	}
}

// list returns all verifiers: public keys as they were entered, then certificates as WeChat lists
// them.
func (v *verifiers) list() []wechatpay.Verifier {
	certificates, _ := v.certificates.Get()
	listed := make([]wechatpay.Verifier, 0, len(v.publicKeys)+len(certificates))
	for _, key := range v.publicKeys {
		listed = append(listed, wechatpay.Verifier{ID: key.ID, Type: wechatpay.VerifierPublicKey, Fingerprint: fingerprintOf(key.Key), Proven: key.proven.Load()})
	}
	for _, certificate := range certificates {
		key, _ := certificate.PublicKey.(*rsa.PublicKey) // other keys were left out of the list
		listed = append(listed, wechatpay.Verifier{
			ID: serialOf(certificate), Type: wechatpay.VerifierCertificate, Fingerprint: fingerprintOf(key), NotAfter: certificate.NotAfter, Proven: true,
		})
	}
	return listed
}

// fingerprintOf identifies a key by what it consists of. A proof holds for the key that verified an
// answer, and not for another one that is given the same id.
func fingerprintOf(key *rsa.PublicKey) string {
	return wechatpay.Fingerprint(x509.MarshalPKCS1PublicKey(key))
}
