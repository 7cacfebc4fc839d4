package merchant

import (
	"context"
	"time"

	"github.com/wechatpay-operator/wechatpay-operator/api/v1alpha1"
	"github.com/wechatpay-operator/wechatpay-operator/internal/metrics"
	"github.com/wechatpay-operator/wechatpay-operator/internal/reach"
	"github.com/wechatpay-operator/wechatpay-operator/internal/wechatpay"
)

// Handle is a Merchant ready for use: its Gateway, limited and counted, and what is known of its credentials.
type Handle struct {
	wechatpay.Gateway

	// PaymentNotifyURL and RefundNotifyURL are where WeChat is told to call back.
	PaymentNotifyURL, RefundNotifyURL string
	// NotPublic says why the operator itself does not call these addresses: they are not public https ones, which only an endpoint
	// of the merchant's own takes; empty when it may.
	NotPublic string
	// Certificate describes the client certificate; nil when the Merchant names none, or it can't be read.
	Certificate *v1alpha1.MerchantCertificate
	// CertificateProblem is why refunds can't be made; nil when they can, or no certificate is named.
	CertificateProblem *Problem
	// HasCertificate says whether refunds can be made.
	HasCertificate bool
	// Version changes with the credentials and everything else a Handle is made of. It does not reveal them.
	Version string

	// CallbackCheck makes and answers the probes by which the operator checks that callbacks arrive.
	CallbackCheck reach.Keys

	// keyID and previousKeyID name the keys (wechatpay.KeyID), and endpoint where they are used (endpointID).
	keyID, previousKeyID, endpoint string

	member  *member
	verdict *verdict
	// learned tells that something new is known of the credentials.
	learned func()
	// mended tells that the credentials are taken after they were not.
	mended func()
	close  func()
}

// AllowLook takes a token of the slow bucket for the refundquery that looks whether WeChat has a refund already. When there is
// none it says how long to wait; the refund keeps its place until then. WeChat counts what it does not find as an invalid
// request of the merchant number, so nobody looks with a key that is not proven.
func (h *Handle) AllowLook(ctx context.Context, outRefundNo string, now time.Time) (bool, time.Duration) {
	limit, allowed, wait := "Unproven", false, untilProven()
	if at := h.member.standing.Load(); at.proven {
		limit = "Looks"
		wait, allowed = at.account.looks.tryTake(callerOf(ctx, h.member.merchant.Namespace).Namespace, outRefundNo, now)
	} else {
		h.member.tell(h.member.merchant)
	}
	if !allowed {
		metrics.CallsDenied.WithLabelValues(string(wechatpay.OperationRefundQuery), limit).Inc()
	}
	return allowed, wait
}

// Proven says whether WeChat took the key of this Handle: only then it takes part in the account of its merchant number.
func (h *Handle) Proven() bool { return h.member != nil && h.member.isProven() }

// Prove notes that WeChat took the key, as an answer in this process shows by itself.
func (h *Handle) Prove() { h.member.prove() }

// Paused says why calls are not made for a while, in this process; nil when they are.
func (h *Handle) Paused(calls Calls) *Pause { return h.member.pause(calls) }

// CredentialsSuspect says whether WeChat refused the key of this Handle in an ordinary call, so that it should be probed.
func (h *Handle) CredentialsSuspect() bool { return h.verdict.isSuspect() }

// CredentialsProven clears the suspicion: a signed answer came.
func (h *Handle) CredentialsProven() {
	if h.verdict.clear() {
		h.mended()
	}
}

// Rejected says whether the probe found that WeChat does not take the key of this Handle.
func (h *Handle) Rejected() bool { return h.verdict.isRejected() }

// Reject notes what the probe found; only other credentials, or a later probe, end it. A key that is not taken any more takes
// part in nothing.
func (h *Handle) Reject() {
	h.verdict.reject()
	h.member.disprove()
}

// CertificateRefusal is what WeChat said when it did not take the client certificate in the last refund request; empty when it
// took it. Not known means that no request has told yet.
func (h *Handle) CertificateRefusal() (refusal string, known bool) {
	return h.verdict.certificateRefusal()
}
