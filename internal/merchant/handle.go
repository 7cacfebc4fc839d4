package merchant

import (
	"sync"
	"time"

	"golang.org/x/time/rate"

	"github.com/wechatpay-operator/wechatpay-operator/api/v1alpha1"
	"github.com/wechatpay-operator/wechatpay-operator/internal/wechatpay"
)

// Handle is a Merchant ready for use: its Gateway, limited and counted, and what is known of its credentials.
type Handle struct {
	wechatpay.Gateway

	// PaymentNotifyURL and RefundNotifyURL are where WeChat is told to call back.
	PaymentNotifyURL, RefundNotifyURL string
	// Certificate describes the client certificate; nil when the Merchant names none, or it can't be read.
	Certificate *v1alpha1.MerchantCertificate
	// CertificateProblem is why refunds can't be made; nil when they can, or no certificate is named.
	CertificateProblem *Problem
	// HasCertificate says whether refunds can be made.
	HasCertificate bool
	// Version changes with the credentials and everything else a Handle is made of. It does not reveal them.
	Version string

	looks   *rate.Limiter
	verdict *verdict
	close   func()
}

// AllowLook takes a token of the slow bucket for refundqueries that look whether WeChat has a refund already. When there
// is none it says how long to wait.
func (h *Handle) AllowLook(now time.Time) (bool, time.Duration) {
	reservation := h.looks.ReserveN(now, 1)
	if delay := reservation.DelayFrom(now); delay > 0 {
		reservation.CancelAt(now)
		return false, delay
	}
	return true, 0
}

// CredentialsSuspect says whether WeChat refused the key of this Handle in an ordinary call, so that it should be probed.
func (h *Handle) CredentialsSuspect() bool { return h.verdict.isSuspect() }

// CredentialsProven clears the suspicion: a signed answer came.
func (h *Handle) CredentialsProven() { h.verdict.clear() }

// verdict is what is known of the key: suspect when an ordinary call was refused for its sake, rejected when the probe
// confirmed that.
type verdict struct {
	mutex             sync.Mutex
	suspect, rejected bool
}

func (v *verdict) note(err error) {
	if wechatpay.MeaningOf(err) != wechatpay.CredentialsRejected {
		return
	}
	v.mutex.Lock()
	defer v.mutex.Unlock()
	v.suspect = true
}

func (v *verdict) clear() {
	v.mutex.Lock()
	defer v.mutex.Unlock()
	v.suspect, v.rejected = false, false
}

func (v *verdict) reject() {
	v.mutex.Lock()
	defer v.mutex.Unlock()
	v.rejected = true
}

func (v *verdict) isRejected() bool {
	v.mutex.Lock()
	defer v.mutex.Unlock()
	return v.rejected
}

func (v *verdict) isSuspect() bool {
	v.mutex.Lock()
	defer v.mutex.Unlock()
	return v.suspect
}

// Rejected says whether the probe found that WeChat does not take the key of this Handle.
func (h *Handle) Rejected() bool { return h.verdict.isRejected() }

// Reject notes what the probe found; only other credentials, or a later probe, end it.
func (h *Handle) Reject() { h.verdict.reject() }
