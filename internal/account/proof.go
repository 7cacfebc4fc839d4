package account

import (
	"crypto/sha256"
	"encoding/hex"
	"net/url"
	"slices"
	"sync"

	"github.com/wechatpay-operator/wechatpay-operator/api/v1alpha1"
	"github.com/wechatpay-operator/wechatpay-operator/internal/hosts"
)

// A key proves nothing until WeChat has accepted it: a user who can change a Merchant or its Secret
// could set a key that they know, and sign callbacks with it. So a callback is trusted only if the
// endpoint has given a verified answer under the same key. Since callbacks arrive at every replica,
// this is stored in status.keys, and it is valid for that endpoint only.

// KeyProven reports whether a verified answer of the endpoint has proven the current key, to this
// process or to the leader, which records it in the Merchant's status.
func (h *Account) KeyProven(merchant *v1alpha1.Merchant) bool {
	return h.Believes(merchant, h.keyIDs[0])
}

// Believes reports whether a callback that was signed or encrypted with the given key can be
// trusted.
func (h *Account) Believes(merchant *v1alpha1.Merchant, keyID string) bool {
	return h.health.isProven() && keyID == h.keyIDs[0] || h.endpoint == merchant.Status.KeysEndpoint && slices.Contains(merchant.Status.Keys, keyID)
}

// joinIfProven assigns the Merchant to the shared quota if its status says that WeChat accepted the
// key, before this process has made a call.
func (h *Account) joinIfProven(merchant *v1alpha1.Merchant) {
	if h.KeyProven(merchant) && IsProven(merchant) && !h.Rejected() {
		h.member.prove()
	}
}

// NoteUnprovenCallback records that a callback arrived under an unproven key, so that the leader
// probes it soon.
func (h *Account) NoteUnprovenCallback() {
	if h.health.noteUnprovenCallback() {
		h.notify()
	}
}

// HasUnprovenCallback reports whether such a callback arrived since the last probe.
func (h *Account) HasUnprovenCallback() bool { return h.health.hasUnprovenCallback() }

// ProvenKeys returns status.keys and status.keysEndpoint of a Merchant: the current key as soon as
// this process has seen it accepted, and the previous one if it was proven before.
func (h *Account) ProvenKeys(merchant *v1alpha1.Merchant) (keys []string, endpoint string) {
	known := merchant.Status.Keys
	if merchant.Status.KeysEndpoint != h.endpoint {
		known = nil
	}
	if !h.health.isProven() {
		return known, merchant.Status.KeysEndpoint
	}
	keys = h.keyIDs[:1:1]
	for _, previous := range h.keyIDs[1:] {
		if previous != keys[0] && slices.Contains(known, previous) {
			keys = append(keys, previous)
		}
	}
	return keys, h.endpoint
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

// proofs are the hosts that have given this process a verified answer, for any Merchant. It is in
// memory only: after a restart the first probe of a host fills it again.
type proofs struct {
	mutex sync.Mutex
	known map[string]struct{}
}

// maxProofs limits the memory that a user can fill with invented CA bundles for one host.
const maxProofs = 10000

// trust is what is known about hosts under one CA bundle.
type trust struct {
	proofs *proofs
	bundle string
}

func newTrust(known *proofs, bundle []byte) trust {
	sum := sha256.Sum256(bundle)
	return trust{known, string(sum[:])}
}

// Proven reports whether errors of a host may be shown in detail: it has given a verified answer,
// or it is WeChat's own.
func (t trust) Proven(host *url.URL) bool {
	if isWeChats(host) {
		return true
	}
	t.proofs.mutex.Lock()
	defer t.proofs.mutex.Unlock()
	_, known := t.proofs.known[hosts.Canonical(host)+" "+t.bundle]
	return known
}

// Prove records a verified answer.
func (t trust) Prove(host *url.URL) {
	if isWeChats(host) {
		return
	}
	t.proofs.mutex.Lock()
	defer t.proofs.mutex.Unlock()
	if t.proofs.known == nil || len(t.proofs.known) >= maxProofs {
		t.proofs.known = map[string]struct{}{}
	}
	t.proofs.known[hosts.Canonical(host)+" "+t.bundle] = struct{}{}
}
