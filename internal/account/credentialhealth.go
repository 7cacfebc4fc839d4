package account

import (
	"sync"

	"github.com/wechatpay-operator/wechatpay-operator/internal/wechatpay"
)

// health is what is known of credentials. The key is suspect when an ordinary call was refused for its sake, rejected when
// the probe confirmed that. The certificate is judged by refund requests alone, since only they show it.
type credentialHealth struct {
	mutex             sync.Mutex
	suspect, rejected bool
	// proven says whether a verified answer came, and doubted whether a callback came before that.
	proven, unprovenCallback bool
	// certificateKnown says whether a refund request told whether WeChat takes the certificate; refusal is its no.
	certificateKnown bool
	refusal          string
}

// note learns from a call, and says whether that is news.
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
	}
	return news
}

// noteRefund: whatever verified answer a refund request gets, the certificate was taken. Lost answers and other refusals
// without a signature tell nothing.
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

// clear says whether the credentials were rejected before. That they were only suspect is no news: a call that WeChat answers so for
// reasons of its own would be repeated at once, for ever.
func (v *credentialHealth) clear() bool {
	v.mutex.Lock()
	defer v.mutex.Unlock()
	rejected := v.rejected
	v.suspect, v.rejected, v.unprovenCallback = false, false, false
	return rejected
}

func (v *credentialHealth) isProven() bool {
	v.mutex.Lock()
	defer v.mutex.Unlock()
	return v.proven
}

// noteUnprovenCallback says whether that is news.
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
