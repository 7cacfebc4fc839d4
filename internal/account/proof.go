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

// A key proves nothing until WeChat has taken it: whoever may change a Merchant, or its Secret, may have put a key there that they
// know, and could sign callbacks with it. So a callback is believed only under a key with which the endpoint has given a
// verified answer. That stands in status.keys, since callbacks come in at every replica, and holds for that endpoint only.

// KeyProven says whether a verified answer of the endpoint has shown the current key to be good: to this process, or to the
// leader, who keeps it in the Merchant's status.
func (h *Account) KeyProven(merchant *v1alpha1.Merchant) bool {
	return h.Believes(merchant, h.keyIDs[0])
}

// Believes says whether a callback may be believed that was made with the key of an id.
func (h *Account) Believes(merchant *v1alpha1.Merchant, keyID string) bool {
	return h.health.isProven() && keyID == h.keyIDs[0] || h.endpoint == merchant.Status.KeysEndpoint && slices.Contains(merchant.Status.Keys, keyID)
}

// joinIfProven makes the Merchant a member of its account when its status says that WeChat took the key, before this process has
// asked by itself.
func (h *Account) joinIfProven(merchant *v1alpha1.Merchant) {
	if h.KeyProven(merchant) && IsProven(merchant) && !h.Rejected() {
		h.member.prove()
	}
}

// NoteUnprovenCallback notes that a callback came under a key that is not proven, so that the leader probes it soon.
func (h *Account) NoteUnprovenCallback() {
	if h.health.noteUnprovenCallback() {
		h.learned()
	}
}

// HasUnprovenCallback says whether such a callback came since the last probe.
func (h *Account) HasUnprovenCallback() bool { return h.health.hasUnprovenCallback() }

// ProvenKeys are what the status of a Merchant is to hold as keys, and for which endpoint: the current one as soon as this
// process has seen it taken, and the one before if it was good before.
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

// endpointID names what a proof holds for: the hosts that are called, their ports and paths, and who vouches for them.
func endpointID(primary, backup *url.URL, bundle []byte) string {
	text := hostAndPath(primary) + "\n"
	if backup != nil {
		text += hostAndPath(backup)
	}
	sum := sha256.Sum256(append([]byte(text+"\n"), bundle...))
	return hex.EncodeToString(sum[:8])
}

// EndpointID is status.keysEndpoint of a Merchant whose keys were proven as it is now; empty when its endpoint can't be used.
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

// proofs are the hosts that have given a verified answer to this process, whichever Merchant asked. It is memory only: after a
// restart the first verified answer of a host comes with the first probe.
type proofs struct {
	mutex sync.Mutex
	known map[string]struct{}
}

// maxProofs bounds what somebody can fill who makes up CA bundles for one host.
const maxProofs = 10000

// trust is what is known of hosts under one CA bundle.
type trust struct {
	proofs *proofs
	bundle string
}

func newTrust(known *proofs, bundle []byte) trust {
	sum := sha256.Sum256(bundle)
	return trust{known, string(sum[:])}
}

// Proven says whether trouble at a host may be told in detail: it has given a verified answer, or is WeChat's own.
func (t trust) Proven(host *url.URL) bool {
	if isWeChats(host) {
		return true
	}
	t.proofs.mutex.Lock()
	defer t.proofs.mutex.Unlock()
	_, known := t.proofs.known[hosts.Canonical(host)+" "+t.bundle]
	return known
}

// Prove notes a verified answer.
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
