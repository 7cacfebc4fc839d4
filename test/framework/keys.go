package framework

import (
	"crypto/rsa"
	"strings"
	"sync"
	"testing"

	"github.com/wechatpay-operator/wechatpay-operator/internal/wechatpay/simulator"
)

// rsaKeys are made once in a process, because making them took a sixth of the tests' time.
var rsaKeys struct {
	sync.Mutex
	made []*rsa.PrivateKey
	// used counts the keys of each test.
	used map[string]int
}

// rsaKeysFor returns what makes the keys of a test's simulators. Within a test, its subtests
// included, no key is used twice; other tests use the same ones.
func rsaKeysFor(t testing.TB) func() *rsa.PrivateKey {
	test, _, _ := strings.Cut(t.Name(), "/")
	return func() *rsa.PrivateKey {
		rsaKeys.Lock()
		defer rsaKeys.Unlock()
		if rsaKeys.used == nil {
			rsaKeys.used = map[string]int{}
		}
		next := rsaKeys.used[test]
		if next == len(rsaKeys.made) {
			rsaKeys.made = append(rsaKeys.made, simulator.NewRSAKey())
		}
		rsaKeys.used[test]++
		return rsaKeys.made[next]
	}
}
