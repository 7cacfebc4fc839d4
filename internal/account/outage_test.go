package account_test

import (
	"errors"
	"testing"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/runtime/schema"

	"github.com/wechatpay-operator/wechatpay-operator/api/v1alpha1"
	"github.com/wechatpay-operator/wechatpay-operator/internal/account"
)

func outages() map[string]error {
	secrets := schema.GroupResource{Resource: "secrets"}
	return map[string]error{
		"timeout":     apierrors.NewServerTimeout(secrets, "get", 1),
		"unavailable": apierrors.NewServiceUnavailable("no etcd"),
		"too many":    apierrors.NewTooManyRequests("slow down", 1),
		"internal":    apierrors.NewInternalError(errors.New("etcd")),
		"transport":   errors.New("connect: connection refused"),
	}
}

// TestAccountSurvivesAPIServerOutage: it is tolerated for some minutes, and not every call reads
// again.
func TestAccountSurvivesAPIServerOutage(t *testing.T) {
	t.Parallel()
	for name, outage := range outages() {
		p := newFixture(t)
		p.storeKey(key1)
		m := p.merchant()
		first := p.get(m)
		p.reader.failWith(outage)
		for p.advance(refresh + 1); p.clock.Now().Sub(start) <= 5*time.Minute; p.advance(time.Second) {
			if acc, err := p.registry.Get(t.Context(), m); acc != first || err != nil {
				t.Fatalf("%s: after %s: %v", name, p.clock.Now().Sub(start), err)
			}
		}
		if reads := p.reader.reads.Load(); reads > 60 {
			t.Errorf("%s: %d reads in five minutes", name, reads)
		}
		if _, err := p.registry.Get(t.Context(), m); !errors.Is(err, outage) {
			t.Errorf("%s: a key that nobody can confirm is used for ever: %v", name, err)
		}
		p.reader.failWith(nil)
		if p.get(m) != first {
			t.Errorf("%s: another Account although nothing changed", name)
		}
	}
}

func TestSecretsAreReadAfterOutage(t *testing.T) {
	t.Parallel()
	p := newFixture(t)
	p.storeKey(key1)
	m := p.merchant()
	first := p.get(m)
	p.reader.failWith(apierrors.NewServiceUnavailable("no etcd"))
	p.advance(refresh + 1)
	p.get(m)
	p.reader.failWith(nil)
	p.storeKey(key2)
	p.advance(5 * time.Second)
	if p.get(m) == first {
		t.Error("the change that was made during the outage has no effect")
	}
}

// TestAPIServerOutageIsNotAProblem: without an Account, or with a changed spec, Get returns the API
// server's error, so that Ready does not become False.
func TestAPIServerOutageIsNotAProblem(t *testing.T) {
	t.Parallel()
	p := newFixture(t)
	p.storeKey(key1)
	outage := apierrors.NewServiceUnavailable("no etcd")
	p.reader.failWith(outage)
	_, err := p.registry.Get(t.Context(), p.merchant())
	if _, isProblem := account.AsProblem(err); isProblem || !errors.Is(err, outage) {
		t.Errorf("the first time: %v", err)
	}
	p.reader.failWith(nil)
	p.get(p.merchant())
	p.reader.failWith(outage)
	changed := p.merchant(func(s *v1alpha1.MerchantSpec) { s.APIKeySecretRef.Name = "another" })
	changed.Generation++
	if _, err := p.registry.Get(t.Context(), changed); !errors.Is(err, outage) {
		t.Errorf("after a change of the spec: %v", err)
	}
}
