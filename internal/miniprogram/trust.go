package miniprogram

import (
	"crypto/sha256"
	"net/url"
	"sync"

	"github.com/wechatpay-operator/wechatpay-operator/internal/hosts"
)

// proofs remembers the hosts that gave an access token, as WeChat or a proxy to it does. It is in
// memory only.
type proofs struct {
	mutex sync.Mutex
	known map[string]struct{}
}

// maxProofs bounds the memory; when it is full, hosts have to prove themselves again.
const maxProofs = 1000

// trust is what is known of hosts under one CA bundle.
type trust struct {
	proofs *proofs
	bundle string
}

func newTrust(known *proofs, bundle []byte) trust {
	sum := sha256.Sum256(bundle)
	return trust{known, string(sum[:])}
}

func (t trust) key(host *url.URL) string { return hosts.Canonical(host) + " " + t.bundle }

// Proven reports whether errors of a host may be shown in detail.
func (t trust) Proven(host *url.URL) bool {
	if isWeChats(host) {
		return true
	}
	t.proofs.mutex.Lock()
	defer t.proofs.mutex.Unlock()
	_, known := t.proofs.known[t.key(host)]
	return known
}

// Prove records that a host gave an access token.
func (t trust) Prove(host *url.URL) {
	t.proofs.mutex.Lock()
	defer t.proofs.mutex.Unlock()
	if t.proofs.known == nil || len(t.proofs.known) >= maxProofs {
		t.proofs.known = map[string]struct{}{}
	}
	t.proofs.known[t.key(host)] = struct{}{}
}
