package account

import (
	"sync/atomic"

	"github.com/wechatpay-operator/wechatpay-operator/internal/wechatpay"
)

// credentialHealth is what is known about credentials. The findings are independent of each other,
// so each is atomic and there is no lock.
type credentialHealth struct {
	// The key is suspect if an ordinary call was rejected because of it, and rejected if the probe
	// confirmed that.
	suspect, rejected atomic.Bool
	// proven reports whether a verified answer arrived, and unprovenCallback whether a callback
	// arrived before that.
	proven, unprovenCallback atomic.Bool
	// keyMismatch reports whether a genuine callback could not be decrypted.
	keyMismatch atomic.Bool
	// refusal (a string) is the error if WeChat rejected the certificate in the last refund
	// request, and "" if it accepted it. It is not set before the first refund request.
	refusal atomic.Value
	// refundRight (a RefundRight) is what the last refund request of a service provider showed about
	// the right to refund.
	refundRight atomic.Value
}

// RefundRight is what is known about a service provider's right to refund for a sub merchant.
type RefundRight int

// The values of RefundRight.
const (
	RefundRightUnknown RefundRight = iota
	RefundRightGranted
	RefundRightMissing
)

// record records the result of a call, and reports whether it changed anything.
func (h *credentialHealth) record(operation wechatpay.Operation, err error) (changed bool) {
	if isThrottled(err) {
		return false
	}
	if provesKey(err) {
		changed = !h.proven.Swap(true)
	}
	if wechatpay.MeaningOf(err) == wechatpay.CredentialsRejected {
		changed = !h.suspect.Swap(true) || changed
	}
	if operation == wechatpay.OperationCreateRefund {
		changed = h.recordCertificate(err) || changed
		changed = h.recordRefundRight(err) || changed
	}
	return changed
}

// recordCertificate: any verified answer to a refund request shows that the certificate was
// accepted. Lost answers and other unsigned refusals show nothing.
func (h *credentialHealth) recordCertificate(err error) bool {
	switch {
	case err != nil && wechatpay.MeaningOf(err) == wechatpay.CertificateRejected:
		return h.refusal.Swap(err.Error()) != err.Error()
	case err == nil || wechatpay.OutcomeOf(err) == wechatpay.Failed:
		return h.refusal.Swap("") != ""
	default:
		return false
	}
}

// recordRefundRight: only an accepted request shows that the right was granted.
func (h *credentialHealth) recordRefundRight(err error) bool {
	switch {
	case err == nil:
		return h.refundRight.Swap(RefundRightGranted) != RefundRightGranted
	case wechatpay.MeaningOf(err) == wechatpay.NoRight:
		return h.refundRight.Swap(RefundRightMissing) != RefundRightMissing
	default:
		return false
	}
}

// clear resets the findings, and reports whether the credentials were rejected before. It does not
// report suspect credentials: if WeChat rejected a call for reasons of its own, the call would be
// repeated at once, forever.
func (h *credentialHealth) clear() (wereRejected bool) {
	h.suspect.Store(false)
	h.unprovenCallback.Store(false)
	return h.rejected.Swap(false)
}
