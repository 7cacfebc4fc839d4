package account

import (
	"sync"

	"github.com/wechatpay-operator/wechatpay-operator/internal/wechatpay"
)

// credentialHealth is what is known about credentials. The key is suspect if an ordinary call was
// rejected because of it, and rejected if the probe confirmed that. Only refund requests present
// the certificate, so only they tell whether WeChat accepts it.
type credentialHealth struct {
	mutex             sync.Mutex
	suspect, rejected bool
	// proven reports whether a verified answer arrived, and unprovenCallback whether a callback
	// arrived before that.
	proven, unprovenCallback bool
	// certificateKnown reports whether a refund request showed if WeChat accepts the certificate.
	// refusal is the error if it does not.
	certificateKnown bool
	refusal          string
	// keyMismatch reports whether a genuine callback could not be decrypted.
	keyMismatch bool
	// refundRight is what the last refund request of a service provider showed about the right to
	// refund.
	refundRight RefundRight
}

// RefundRight is what is known about a service provider's right to refund for a sub merchant.
type RefundRight int

// The values of RefundRight.
const (
	RefundRightUnknown RefundRight = iota
	RefundRightGranted
	RefundRightMissing
)

// note records the result of a call, and reports whether it changed anything.
func (v *credentialHealth) note(operation wechatpay.Operation, err error) bool {
	if isThrottled(err) {
		return false
	}
	v.mutex.Lock()
	defer v.mutex.Unlock()
	news := false
	if provesKey(err) {
		news = !v.proven
		v.proven = true
	}
	if wechatpay.MeaningOf(err) == wechatpay.CredentialsRejected && !v.suspect {
		v.suspect, news = true, true
	}
	if operation == wechatpay.OperationCreateRefund {
		news = v.noteRefund(err) || news
		news = v.noteRight(err) || news
	}
	return news
}

// noteRight: only an accepted request shows that the right is there.
func (v *credentialHealth) noteRight(err error) bool {
	before := v.refundRight
	switch {
	case err == nil:
		v.refundRight = RefundRightGranted
	case wechatpay.MeaningOf(err) == wechatpay.NoRight:
		v.refundRight = RefundRightMissing
	}
	return v.refundRight != before
}

func (v *credentialHealth) right() RefundRight {
	v.mutex.Lock()
	defer v.mutex.Unlock()
	return v.refundRight
}

// noteKeyMismatch reports whether this is the first one.
func (v *credentialHealth) noteKeyMismatch() bool {
	v.mutex.Lock()
	defer v.mutex.Unlock()
	before := v.keyMismatch
	v.keyMismatch = true
	return !before
}

// noteKeyFits reports whether that ends a mismatch.
func (v *credentialHealth) noteKeyFits() bool {
	v.mutex.Lock()
	defer v.mutex.Unlock()
	before := v.keyMismatch
	v.keyMismatch = false
	return before
}

func (v *credentialHealth) hasKeyMismatch() bool {
	v.mutex.Lock()
	defer v.mutex.Unlock()
	return v.keyMismatch
}

// noteRefund: any verified answer to a refund request shows that the certificate was accepted. Lost
// answers and other unsigned refusals show nothing.
func (v *credentialHealth) noteRefund(err error) bool {
	switch {
	case err != nil && wechatpay.MeaningOf(err) == wechatpay.CertificateRejected:
		news := v.refusal != err.Error()
		v.certificateKnown, v.refusal = true, err.Error()
		return news
	case err == nil || wechatpay.OutcomeOf(err) == wechatpay.Failed:
		news := !v.certificateKnown || v.refusal != ""
		v.certificateKnown, v.refusal = true, ""
		return news
	default:
		return false
	}
}

func (v *credentialHealth) certificateRefusal() (refusal string, known bool) {
	v.mutex.Lock()
	defer v.mutex.Unlock()
	return v.refusal, v.certificateKnown
}

// clear resets the findings, and reports whether the credentials were rejected before. It does not
// report suspect credentials: if WeChat rejected a call for reasons of its own, the call would be
// repeated at once, forever.
func (v *credentialHealth) clear() bool {
	v.mutex.Lock()
	defer v.mutex.Unlock()
	rejected := v.rejected
	v.suspect, v.rejected, v.unprovenCallback = false, false, false
	return rejected
}

func (v *credentialHealth) accept() {
	v.mutex.Lock()
	defer v.mutex.Unlock()
	v.proven = true
}

func (v *credentialHealth) isProven() bool {
	v.mutex.Lock()
	defer v.mutex.Unlock()
	return v.proven
}

// noteUnprovenCallback reports whether this is the first one since the last probe.
func (v *credentialHealth) noteUnprovenCallback() bool {
	v.mutex.Lock()
	defer v.mutex.Unlock()
	before := v.unprovenCallback
	v.unprovenCallback = true
	return !before
}

func (v *credentialHealth) hasUnprovenCallback() bool {
	v.mutex.Lock()
	defer v.mutex.Unlock()
	return v.unprovenCallback
}

func (v *credentialHealth) reject() {
	v.mutex.Lock()
	defer v.mutex.Unlock()
	v.rejected, v.unprovenCallback = true, false
}

func (v *credentialHealth) isRejected() bool {
	v.mutex.Lock()
	defer v.mutex.Unlock()
	return v.rejected
}

func (v *credentialHealth) isSuspect() bool {
	v.mutex.Lock()
	defer v.mutex.Unlock()
	return v.suspect
}
