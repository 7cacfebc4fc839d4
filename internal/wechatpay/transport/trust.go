package transport

import (
	"crypto/sha256"
	"net/url"
	"sync"

	"github.com/wechatpay-operator/wechatpay-operator/internal/hosts"
	"github.com/wechatpay-operator/wechatpay-operator/internal/wechatpay"
)

// Proofs are the hosts that have given this process an answer which proves that they are WeChat's,
// for any account. They are in memory only: after a restart the first probe of a host proves it
// again.
type Proofs struct {
	mutex sync.Mutex
	known map[proof]struct{}
}

// proof is a proven host and port under a CA bundle.
type proof struct {
	host   string
	bundle [sha256.Size]byte
}

// maxProofs limits the memory that a user can fill with invented CA bundles for one host.
const maxProofs = 10000

// Under returns what is known about hosts under one CA bundle. WeChat's own hosts need no proof.
func (p *Proofs) Under(bundle []byte, isWeChats func(*url.URL) bool) wechatpay.Trust {
	return trust{p, sha256.Sum256(bundle), isWeChats}
}

type trust struct {
	proofs    *Proofs
	bundle    [sha256.Size]byte
	isWeChats func(*url.URL) bool
}

// Proven reports whether errors of a host may be shown in detail.
func (t trust) Proven(host *url.URL) bool {
	if t.isWeChats(host) {
		return true
	}
	t.proofs.mutex.Lock()
	defer t.proofs.mutex.Unlock()
	_, known := t.proofs.known[proof{hosts.Canonical(host), t.bundle}]
	return known
}

// Prove records an answer that proves a host.
func (t trust) Prove(host *url.URL) {
	if t.isWeChats(host) {
		return
	}
	t.proofs.mutex.Lock()
	defer t.proofs.mutex.Unlock()
	if t.proofs.known == nil || len(t.proofs.known) >= maxProofs {
		t.proofs.known = map[proof]struct{}{}
	}
	t.proofs.known[proof{hosts.Canonical(host), t.bundle}] = struct{}{}
}
