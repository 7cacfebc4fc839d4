package wechatpay

import (
	"crypto/x509"
	"sync"
	"time"
)

// PlatformCertificates are the certificates of WeChat that were downloaded for an account. They
// outlive a connection, so that reading a Secret again does not download them again. It is safe for
// concurrent use.
type PlatformCertificates struct {
	mutex        sync.Mutex
	certificates []*x509.Certificate
	// fetched is when the list was last downloaded, and tried when that was last tried.
	fetched, tried time.Time
}

// NewPlatformCertificates returns an empty PlatformCertificates.
func NewPlatformCertificates() *PlatformCertificates { return &PlatformCertificates{} }

// Get returns the certificates and when they were downloaded; both are zero before that.
func (p *PlatformCertificates) Get() ([]*x509.Certificate, time.Time) {
	p.mutex.Lock()
	defer p.mutex.Unlock()
	return p.certificates, p.fetched
}

// MayTry reports whether the list may be downloaded now, and records the attempt: at most one per
// interval, whatever asks for it.
func (p *PlatformCertificates) MayTry(now time.Time, interval time.Duration) bool {
	p.mutex.Lock()
	defer p.mutex.Unlock()
	if !p.tried.IsZero() && now.Sub(p.tried) < interval {
		return false
	}
	p.tried = now
	return true
}

// Set replaces the list.
func (p *PlatformCertificates) Set(certificates []*x509.Certificate, now time.Time) {
	p.mutex.Lock()
	defer p.mutex.Unlock()
	p.certificates, p.fetched = certificates, now
}
