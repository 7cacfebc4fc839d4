package account

import (
	"context"
	"time"

	"github.com/wechatpay-operator/wechatpay-operator/api/v1alpha1"
	"github.com/wechatpay-operator/wechatpay-operator/internal/callbackprobe"
	"github.com/wechatpay-operator/wechatpay-operator/internal/metrics"
	"github.com/wechatpay-operator/wechatpay-operator/internal/wechatpay"
)

// Account is a Merchant ready for use: its Caller, limited and counted, and what is known of its credentials.
type Account struct {
	wechatpay.Caller
	// Receiver reads its callbacks.
	Receiver wechatpay.Receiver

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
	// Version changes with the credentials and everything else an Account is made of. It does not reveal them.
	Version string

	// CallbackCheck makes and answers the probes by which the operator checks that callbacks arrive.
	CallbackCheck callbackprobe.Keys

	// keyIDs name the keys (wechatpay.Connection), and endpoint where they are used (endpointID).
	keyIDs   []string
	endpoint string

	member *membership
	health *credentialHealth
	// learned tells that something new is known of the credentials.
	learned func()
	// credentialsRestored tells that the credentials are taken after they were not.
	credentialsRestored func()
	close               func()
}

// AllowLookup takes a token of the slow bucket for the QueryRefund that looks whether WeChat has a refund already. When there is
// none it says how long to wait; the refund keeps its place until then. WeChat counts what it does not find as an invalid
// request of the merchant number, so nobody looks with a key that is not proven.
func (h *Account) AllowLookup(ctx context.Context, outRefundNo string, now time.Time) (bool, time.Duration) {
	limit, allowed, wait := "Unproven", false, untilProven()
	if at := h.member.standing.Load(); at.proven {
		limit = "Looks"
		wait, allowed = at.account.lookups.tryReserve(callerOf(ctx, h.member.merchant.Namespace).Namespace, outRefundNo, now)
	} else {
		h.member.tell(h.member.merchant)
	}
	if !allowed {
		metrics.CallsDenied.WithLabelValues(string(wechatpay.OperationQueryRefund), limit).Inc()
	}
	return allowed, wait
}

// Proven says whether WeChat took the key of this Account: only then it takes part in the account of its merchant number.
func (h *Account) Proven() bool { return h.member != nil && h.member.isProven() }

// Prove notes that WeChat took the key, as an answer in this process shows by itself.
func (h *Account) Prove() { h.member.prove() }

// Paused says why calls are not made for a while, in this process; nil when they are.
func (h *Account) Paused(calls Calls) *Pause { return h.member.pause(calls) }

// CredentialsSuspect says whether WeChat refused the key of this Account in an ordinary call, so that it should be probed.
func (h *Account) CredentialsSuspect() bool { return h.health.isSuspect() }

// CredentialsProven clears the suspicion: a signed answer came.
func (h *Account) CredentialsProven() {
	if h.health.clear() {
		h.credentialsRestored()
	}
}

// Rejected says whether the probe found that WeChat does not take the key of this Account.
func (h *Account) Rejected() bool { return h.health.isRejected() }

// Reject notes what the probe found; only other credentials, or a later probe, end it. A key that is not taken any more takes
// part in nothing.
func (h *Account) Reject() {
	h.health.reject()
	h.member.disprove()
}

// CertificateRefusal is what WeChat said when it did not take the client certificate in the last refund request; empty when it
// took it. Not known means that no request has told yet.
func (h *Account) CertificateRefusal() (refusal string, known bool) {
	return h.health.certificateRefusal()
}
