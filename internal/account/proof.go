package account

import (
	"crypto/sha256"
	"encoding/hex"
	"net/url"
	"slices"
	"strings"

	"github.com/wechatpay-operator/wechatpay-operator/api/v1alpha1"
	"github.com/wechatpay-operator/wechatpay-operator/internal/wechatpay"
	"github.com/wechatpay-operator/wechatpay-operator/internal/wechatpay/protocols"
)

// A key proves nothing until WeChat has accepted it: a user who can change a Merchant or its Secret
// could set a key that they know, and sign callbacks with it. So a callback is trusted only if the
// endpoint has given a verified answer under the same key. Since callbacks arrive at every replica,
// this is stored in status.keys, and it is valid for that endpoint only.

// KeyProven reports whether a verified answer of the endpoint has proven the current key of the
// Merchant's protocol, to this process or to the leader, which records it in the Merchant's status.
func (a *Account) KeyProven(merchant *v1alpha1.Merchant) bool {
	return a.keyProven(a.Connection, merchant)
}

func (a *Account) keyProven(connection *Connection, merchant *v1alpha1.Merchant) bool {
	if len(connection.keyIDs) == 0 {
		return false
	}
	return connection.health.proven.Load() ||
		a.atEndpoint(merchant) && slices.Contains(merchant.Status.Keys, connection.keyIDs[0]) && a.hasVerifiedBefore(merchant, connection)
}

// hasVerifiedBefore reports whether one of WeChat's keys that this Connection has was proven: answers
// were verified with it. A protocol in which both sides share one key has no others.
func (a *Account) hasVerifiedBefore(merchant *v1alpha1.Merchant, connection *Connection) bool {
	if connection.verifiers == nil {
		return true
	}
	current := connection.verifiers()
	if len(current) == 0 {
		// After a restart no certificates are downloaded yet; until then the proven ones of the
		// status count.
		return len(merchant.Status.Verifiers) > 0
	}
	return slices.ContainsFunc(current, func(verifier wechatpay.Verifier) bool { return hasVerifier(merchant, verifier.Fingerprint) })
}

func (a *Account) atEndpoint(merchant *v1alpha1.Merchant) bool {
	return a.endpoint == merchant.Status.KeysEndpoint
}

// Believes reports whether a callback that was verified or decrypted with the given key can be
// trusted.
func (a *Account) Believes(merchant *v1alpha1.Merchant, connection *Connection, keyID string) bool {
	if connection.verifiers != nil {
		return connection.hasProvenVerifier(keyID) || a.atEndpoint(merchant) && hasVerifier(merchant, keyID)
	}
	return connection.health.proven.Load() && keyID == connection.keyIDs[0] || a.atEndpoint(merchant) && slices.Contains(merchant.Status.Keys, keyID)
}

func (c *Connection) hasProvenVerifier(fingerprint string) bool {
	return slices.ContainsFunc(c.verifiers(), func(verifier wechatpay.Verifier) bool { return verifier.Fingerprint == fingerprint && verifier.Proven })
}

func hasVerifier(merchant *v1alpha1.Merchant, fingerprint string) bool {
	return slices.ContainsFunc(merchant.Status.Verifiers, func(verifier v1alpha1.Verifier) bool { return verifier.Fingerprint == fingerprint })
}

// joinIfProven assigns the Merchant to the shared quota if its status says that WeChat accepted one
// of its keys, before this process has made a call.
func (a *Account) joinIfProven(merchant *v1alpha1.Merchant) {
	if !IsProven(merchant) || a.Rejected() {
		return
	}
	for _, connection := range a.connections {
		if a.keyProven(connection, merchant) {
			a.member.prove()
		}
	}
}

// RecordUnprovenCallback records that a callback arrived under an unproven key, so that the leader
// probes it soon.
func (a *Account) RecordUnprovenCallback() {
	if !a.health.unprovenCallback.Swap(true) {
		a.notify()
	}
}

// HasUnprovenCallback reports whether such a callback arrived since the last probe.
func (a *Account) HasUnprovenCallback() bool { return a.health.unprovenCallback.Load() }

// maxKeys is how many ids status.keys can hold.
const maxKeys = 8

// ProvenKeys returns status.keys and status.keysEndpoint of a Merchant: the current key of each
// protocol as soon as this process has seen it accepted, and the previous one if it was proven
// before. What was proven before stays until then.
func (a *Account) ProvenKeys(merchant *v1alpha1.Merchant) (keys []string, endpoint string) {
	var known []string
	if a.atEndpoint(merchant) {
		known = merchant.Status.Keys
	}
	complete, proven := true, false
	for _, protocol := range protocols.Names() {
		connection := a.connections[protocol]
		switch {
		case connection == nil:
		case !connection.health.proven.Load():
			complete = false
		default:
			proven = true
			keys = appendNew(keys, connection.keyIDs[0])
			for _, previous := range connection.keyIDs[1:] {
				if slices.Contains(known, previous) {
					keys = appendNew(keys, previous)
				}
			}
		}
	}
	if !proven {
		return known, merchant.Status.KeysEndpoint
	}
	if !complete {
		keys = appendNew(keys, known...)
	}
	return keys[:min(len(keys), maxKeys)], a.endpoint
}

func appendNew(keys []string, more ...string) []string {
	for _, key := range more {
		if !slices.Contains(keys, key) {
			keys = append(keys, key)
		}
	}
	return keys
}

// ProvenVerifiers returns status.verifiers of a Merchant: WeChat's keys that have verified an answer
// of the endpoint. What was proven before stays as long as this process has not seen WeChat's keys,
// and as long as they are among them.
func (a *Account) ProvenVerifiers(merchant *v1alpha1.Merchant) []v1alpha1.Verifier {
	var verifiers []v1alpha1.Verifier
	for _, protocol := range protocols.Names() {
		if connection := a.connections[protocol]; connection != nil && connection.verifiers != nil {
			verifiers = append(verifiers, a.provenVerifiers(merchant, connection.verifiers())...)
		} else if connection != nil && connection.problem != nil && a.atEndpoint(merchant) {
			verifiers = append(verifiers, merchant.Status.Verifiers...)
		}
	}
	slices.SortFunc(verifiers, func(a, b v1alpha1.Verifier) int { return strings.Compare(a.ID, b.ID) })
	verifiers = slices.CompactFunc(verifiers, func(a, b v1alpha1.Verifier) bool { return a.ID == b.ID })
	return verifiers[:min(len(verifiers), maxVerifiers)]
}

// maxVerifiers is how many status.verifiers can hold.
const maxVerifiers = 16

func (a *Account) provenVerifiers(merchant *v1alpha1.Merchant, current []wechatpay.Verifier) []v1alpha1.Verifier {
	var proven []v1alpha1.Verifier
	knowsCertificates := false
	for _, verifier := range current {
		knowsCertificates = knowsCertificates || verifier.Type == wechatpay.VerifierCertificate
		if verifier.Proven || a.atEndpoint(merchant) && hasVerifier(merchant, verifier.Fingerprint) {
			proven = append(proven, describeVerifier(verifier))
		}
	}
	for _, before := range merchant.Status.Verifiers {
		if a.atEndpoint(merchant) && !knowsCertificates && before.Type == v1alpha1.VerifierType(wechatpay.VerifierCertificate) {
			proven = append(proven, before)
		}
	}
	return proven
}

func describeVerifier(verifier wechatpay.Verifier) v1alpha1.Verifier {
	return v1alpha1.Verifier{
		ID: verifier.ID, Type: v1alpha1.VerifierType(verifier.Type), Fingerprint: verifier.Fingerprint, NotAfter: describeTime(verifier.NotAfter),
	}
}

// endpointID identifies what a proof is valid for: the hosts that are called, their ports and
// paths, and the CA bundle.
func endpointID(primary, backup *url.URL, bundle []byte) string {
	text := hostAndPath(primary) + "\n"
	if backup != nil {
		text += hostAndPath(backup)
	}
	sum := sha256.Sum256(append([]byte(text+"\n"), bundle...))
	return hex.EncodeToString(sum[:8])
}

// EndpointID returns the value of status.keysEndpoint for the current spec, or "" if the endpoint
// can't be used.
func EndpointID(merchant *v1alpha1.Merchant) string {
	primary, backup, problem := namedEndpoints(merchant)
	if problem != nil {
		return ""
	}
	return endpointID(primary, backup, bundleOf(merchant))
}

func bundleOf(merchant *v1alpha1.Merchant) []byte {
	if merchant.Spec.Endpoint == nil {
		return nil
	}
	return merchant.Spec.Endpoint.CABundle
}
