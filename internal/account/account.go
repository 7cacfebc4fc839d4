package account

import (
	"context"
	"time"

	"github.com/wechatpay-operator/wechatpay-operator/api/v1alpha1"
	"github.com/wechatpay-operator/wechatpay-operator/internal/callbackprobe"
	"github.com/wechatpay-operator/wechatpay-operator/internal/metrics"
	"github.com/wechatpay-operator/wechatpay-operator/internal/wechatpay"
)

// Account is a Merchant that is ready for use: a rate-limited and counted Caller, and what the
// operator knows about the credentials.
type Account struct {
	wechatpay.Caller
	// Receiver parses the account's callbacks.
	Receiver wechatpay.Receiver
	// KeyName is the name of its key in the merchant platform.
	KeyName string

	// PaymentNotifyURL and RefundNotifyURL are the callback addresses that are sent to WeChat.
	PaymentNotifyURL, RefundNotifyURL string
	// NotPublic is the reason why the operator does not probe these addresses: they are not public
	// https addresses, which only a merchant's own endpoint accepts. It is empty if they are
	// public.
	NotPublic string
	// Certificate describes the client certificate. It is nil if the Merchant names none or it
	// can't be parsed.
	Certificate *v1alpha1.MerchantCertificate
	// CertificateProblem is the reason why refunds can't be made. It is nil if they can, or if the
	// Merchant names no certificate.
	CertificateProblem *Problem
	// HasCertificate reports whether refunds can be made.
	HasCertificate bool
	// Version changes with the credentials and all other inputs of an Account. It does not reveal
	// them.
	Version string

	// CallbackCheck creates and answers the probes that check whether callbacks arrive.
	CallbackCheck callbackprobe.Keys

	// keyIDs identify the keys (wechatpay.Connection). endpoint identifies where they are used
	// (endpointID).
	keyIDs   []string
	endpoint string

	member *membership
	health *credentialHealth
	// notify reports a change in what is known about the credentials.
	notify func()
	// credentialsRestored reports that WeChat accepts the credentials again after it rejected them.
	credentialsRestored func()
	close               func()
}

// AllowLookup takes a token of the slow bucket for a QueryRefund that checks whether WeChat already
// has a refund. Without a token it returns how long to wait, and keeps the refund's position until
// then. WeChat counts a query for an unknown refund as an invalid request of the merchant number,
// so no lookup is made with an unproven key.
func (h *Account) AllowLookup(ctx context.Context, outRefundNo string, now time.Time) (bool, time.Duration) {
	limit, allowed, wait := "Unproven", false, untilProven()
	if assigned := h.member.assignment.Load(); assigned.proven {
		limit = "Looks"
		wait, allowed = assigned.quota.lookups.tryReserve(callerOf(ctx, h.member.merchant.Namespace).Namespace, outRefundNo, now)
	} else {
		h.member.notify(h.member.merchant)
	}
	if !allowed {
		metrics.CallsDenied.WithLabelValues(string(wechatpay.OperationQueryRefund), limit).Inc()
	}
	return allowed, wait
}

// Proven reports whether WeChat accepted the key of this Account. Only then does it share the
// limits of its merchant number.
func (h *Account) Proven() bool { return h.member != nil && h.member.isProven() }

// Prove records that WeChat accepted the key. Answers received by this process call it
// automatically.
func (h *Account) Prove() { h.member.prove() }

// Paused returns why this process currently makes no calls, or nil if it makes them.
func (h *Account) Paused(calls Calls) *Pause { return h.member.pause(calls) }

// CredentialsSuspect reports whether WeChat rejected the key in an ordinary call, so that it should
// be probed.
func (h *Account) CredentialsSuspect() bool { return h.health.isSuspect() }

// CredentialsProven clears the suspicion after a signed answer.
func (h *Account) CredentialsProven() {
	if h.health.clear() {
		h.credentialsRestored()
	}
}

// Rejected reports whether the probe found that WeChat rejects the key of this Account.
func (h *Account) Rejected() bool { return h.health.isRejected() }

// Reject records that the probe found the key rejected. Only other credentials or a later probe
// reset it. An Account with a rejected key no longer shares the limits of its merchant number.
func (h *Account) Reject() {
	h.health.reject()
	h.member.disprove()
}

// CertificateRefusal returns WeChat's error if it rejected the client certificate in the last
// refund request, and "" if it accepted it. known is false until a refund request has shown either.
func (h *Account) CertificateRefusal() (refusal string, known bool) {
	return h.health.certificateRefusal()
}
