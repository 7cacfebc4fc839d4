package account

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/wechatpay-operator/wechatpay-operator/api/v1alpha1"
	"github.com/wechatpay-operator/wechatpay-operator/internal/callbackprobe"
	"github.com/wechatpay-operator/wechatpay-operator/internal/metrics"
	"github.com/wechatpay-operator/wechatpay-operator/internal/wechatpay"
	"github.com/wechatpay-operator/wechatpay-operator/internal/wechatpay/protocols"
)

// Account is a Merchant that is ready for use: a rate-limited and counted Caller, and what the
// operator knows about the credentials. Its embedded Connection is that of the Merchant's protocol;
// In returns the others.
type Account struct {
	*Connection
	// Certificate describes the API certificate. It is nil if the Merchant names none or it can't be
	// parsed.
	Certificate *v1alpha1.MerchantCertificate
	// CertificateProblem is the reason why the certificate can't be used. It is nil if it can, or if
	// the Merchant names none.
	CertificateProblem *Problem
	// HasCertificate reports whether the certificate can be used.
	HasCertificate bool
	// Version changes with the credentials and all other inputs of an Account. It does not reveal
	// them.
	Version string

	// connections are those of all protocols that the Merchant has credentials for.
	connections map[v1alpha1.Protocol]*Connection
	// endpoint identifies where the keys are used (endpointID).
	endpoint string

	member *membership
	// notify reports a change in what is known about the credentials.
	notify func()
	// credentialsRestored reports that WeChat accepts the credentials again after it rejected them.
	credentialsRestored func()
}

// Connection is an Account in one protocol.
type Connection struct {
	wechatpay.Caller
	// Protocol that it speaks.
	Protocol v1alpha1.Protocol
	// Receiver parses the account's callbacks in this protocol.
	Receiver wechatpay.Receiver
	// KeyName is the name of its key in the merchant platform.
	KeyName string
	// CertificateUse says which calls need the API certificate.
	CertificateUse protocols.CertificateUse
	// PaymentNotifyURL and RefundNotifyURL are the callback addresses that are sent to WeChat.
	PaymentNotifyURL, RefundNotifyURL string
	// NotPublic is the reason why the operator does not probe these addresses: they are not public
	// https addresses, which only a merchant's own endpoint accepts. It is empty if they are
	// public.
	NotPublic string
	// ProbeKeys create and answer the probes that check whether callbacks arrive.
	ProbeKeys callbackprobe.Keys

	// keyIDs identify the keys (wechatpay.Connection).
	keyIDs []string
	// verifiers and clockSkew are those of the wechatpay.Connection; they may be nil.
	verifiers func() []wechatpay.Verifier
	clockSkew func() time.Duration
	// acceptedUnsigned is the protocol's.
	acceptedUnsigned func(error) bool
	health           *credentialHealth
	// changed reports a change in what is known about the credentials.
	changed func()
	// problem is the reason why this protocol can't be used; nothing else is set then.
	problem *Problem
	close   func()

	// NotifyProblem is what is wrong with the callback addresses. No Order or Refund may be sent
	// then, but the key can still be probed.
	NotifyProblem *Problem
}

// unusable returns why Orders and Refunds can't use this protocol, or nil.
func (c *Connection) unusable() *Problem {
	if c.problem != nil {
		return c.problem
	}
	return c.NotifyProblem
}

// In returns the Account's Connection in a protocol; an empty name means the Merchant's. The error
// is a *Problem if the Merchant has no credentials for it that can be used.
func (a *Account) In(protocol v1alpha1.Protocol) (*Connection, error) {
	if protocol == "" || protocol == a.Protocol {
		return a.Connection, nil
	}
	connection, known := a.connections[protocol]
	switch {
	case !known:
		return nil, &Problem{v1alpha1.ReasonMerchantNotReady, fmt.Sprintf(
			"The Merchant has no credentials for protocol %s any more, in which the order was made: name them again in its spec, beside those of protocol %s", protocol, a.Protocol)}
	case connection.unusable() != nil:
		return nil, connection.unusable()
	case connection.Rejected():
		return nil, &Problem{v1alpha1.ReasonCredentialsRejected, fmt.Sprintf("WeChat Pay does not accept the Merchant's credentials for protocol %s, in which the order was made", protocol)}
	}
	return connection, nil
}

// Others returns the Connections in other protocols than the Merchant's that can be used, by the
// protocols' names.
func (a *Account) Others() (others []*Connection) {
	for _, protocol := range slices.Sorted(maps.Keys(a.connections)) {
		if other, err := a.In(protocol); err == nil && other != a.Connection {
			others = append(others, other)
		}
	}
	return others
}

// LacksCertificateFor reports whether a call needs the API certificate, and there is none that can
// be used.
func (a *Account) LacksCertificateFor(operation wechatpay.Operation) bool {
	return !a.HasCertificate && a.CertificateUse.NeededFor(operation)
}

// Rejected reports whether WeChat was found to reject the key of this Connection.
func (c *Connection) Rejected() bool { return c.health != nil && c.health.rejected.Load() }

// RecordKeyMismatch records that a genuine callback could not be decrypted with the key.
func (c *Connection) RecordKeyMismatch() {
	if !c.health.keyMismatch.Swap(true) {
		c.changed()
	}
}

// RecordKeyMatch records that a genuine callback was decrypted with the key.
func (c *Connection) RecordKeyMatch() {
	if c.health.keyMismatch.Swap(false) {
		c.changed()
	}
}

// HasKeyMismatch reports whether such a callback arrived, and none since then could be decrypted.
func (c *Connection) HasKeyMismatch() bool { return c.health.keyMismatch.Load() }

// ClockSkew returns how far this process's clock is ahead of WeChat's, by its last answer; zero if
// that is not known.
func (c *Connection) ClockSkew() time.Duration {
	if c.clockSkew == nil {
		return 0
	}
	return c.clockSkew()
}

// AllowLookup takes a token of the slow bucket for a QueryRefund that checks whether WeChat already
// has a refund. Without a token it returns how long to wait, and keeps the refund's position until
// then. WeChat counts a query for an unknown refund as an invalid request of the merchant number,
// so no lookup is made with an unproven key.
func (a *Account) AllowLookup(ctx context.Context, outRefundNo string, now time.Time) (bool, time.Duration) {
	limit, allowed, wait := "Unproven", false, untilProven()
	if assigned := a.member.assignment.Load(); assigned.proven {
		limit = "Looks"
		wait, allowed = assigned.quota.lookups.tryReserve(callerOf(ctx, a.member.merchant.Namespace).Namespace, outRefundNo, now)
	} else {
		a.member.notify(a.member.merchant)
	}
	if !allowed {
		metrics.CallsDenied.WithLabelValues(string(wechatpay.OperationQueryRefund), limit).Inc()
	}
	return allowed, wait
}

// Proven reports whether WeChat accepted the key of this Account. Only then does it share the
// limits of its merchant number.
func (a *Account) Proven() bool { return a.member != nil && a.member.isProven() }

// Paused returns why this process currently makes no calls, or nil if it makes them.
func (a *Account) Paused(calls Calls) *Pause { return a.member.pause(calls) }

// CredentialsSuspect reports whether WeChat rejected the key in an ordinary call, so it should be
// probed.
func (a *Account) CredentialsSuspect() bool { return a.health.suspect.Load() }

// CredentialsProven clears the suspicion after a signed answer.
func (a *Account) CredentialsProven() {
	if a.health.clear() {
		a.credentialsRestored()
	}
}

// EndWaits ends the waits of the Merchant's objects, because the cause of their failing calls was
// removed.
func (a *Account) EndWaits() { a.credentialsRestored() }

// AcceptedUnsigned records that WeChat accepted the credentials if an error shows that although the
// answer was not signed, and reports whether it does. It proves nothing about WeChat's own keys.
func (a *Account) AcceptedUnsigned(err error) bool {
	if !a.acceptedUnsigned(err) {
		return false
	}
	a.health.proven.Store(true)
	a.member.prove()
	return true
}

// Reject records that the probe found the key rejected. Only other credentials or a later probe
// reset it. An Account with a rejected key no longer shares the limits of its merchant number.
func (a *Account) Reject() {
	a.health.rejected.Store(true)
	a.health.unprovenCallback.Store(false)
	a.member.disprove()
}

// RefundRight returns what this process knows about the right to refund for a sub merchant.
func (a *Account) RefundRight() RefundRight {
	right, _ := a.health.refundRight.Load().(RefundRight)
	return right
}

// CertificateRefusal returns WeChat's error if it rejected the client certificate in the last
// refund request, and "" if it accepted it. known is false until a refund request has shown either.
func (a *Account) CertificateRefusal() (refusal string, known bool) {
	refusal, known = a.health.refusal.Load().(string)
	return refusal, known
}
