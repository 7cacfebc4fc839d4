package account_test

import (
	"context"
	"errors"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/runtime/schema"

	"github.com/wechatpay-operator/wechatpay-operator/api/v1alpha1"
	"github.com/wechatpay-operator/wechatpay-operator/internal/account"
	"github.com/wechatpay-operator/wechatpay-operator/internal/hosts"
)

func TestSecretsAreReadAgainAfterRefresh(t *testing.T) {
	t.Parallel()
	p := newFixture(t)
	p.storeKey(key1)
	m := p.merchant()
	first := p.get(m)
	for range 10 {
		p.advance(refresh / 10)
		if p.get(m) != first {
			t.Fatal("another Account")
		}
	}
	if reads := p.reader.reads.Load(); reads != 1 {
		t.Errorf("%d reads within %s", reads, refresh)
	}
	p.advance(time.Nanosecond)
	if p.get(m) != first || p.reader.reads.Load() != 2 {
		t.Errorf("after %s: %d reads", refresh, p.reader.reads.Load())
	}
}

func TestRotationTakesEffect(t *testing.T) {
	t.Parallel()
	for name, change := range map[string]func(*fixture){
		"key": func(p *fixture) { p.storeKey(key2) },
		"previous key": func(p *fixture) {
			p.store(keyName, map[string][]byte{"apiKey": []byte(key1), "apiKey.previous": []byte(key2)})
		},
		"certificate":         func(p *fixture) { p.store(certName, validPair(p.t).data()) },
		"certificate is gone": func(p *fixture) { p.remove(certName) },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			p := newFixture(t)
			p.storeKey(key1)
			p.store(certName, validPair(t).data())
			m := p.merchant(withCertificate)
			first := p.get(m)
			change(p)
			p.advance(refresh)
			if p.get(m) != first {
				t.Error("read again before its time")
			}
			p.advance(time.Nanosecond)
			second := p.get(m)
			if second == first || second.Version == first.Version {
				t.Error("the change has no effect")
			}
			if p.advance(2 * refresh); p.get(m) != second {
				t.Error("another Account although nothing changed any more")
			}
		})
	}
}

// TestChangedSpecTakesEffectAtOnce: it changes each field that an Account depends on.
func TestChangedSpecTakesEffectAtOnce(t *testing.T) {
	t.Parallel()
	bundle := validPair(t).certificate
	for name, change := range map[string]func(*v1alpha1.MerchantSpec){
		"signType":    func(s *v1alpha1.MerchantSpec) { s.SignType = v1alpha1.SignTypeMD5 },
		"endpoint":    func(s *v1alpha1.MerchantSpec) { s.Endpoint.URL = "https://another.example.test" },
		"backup":      func(s *v1alpha1.MerchantSpec) { s.Endpoint.BackupURL = "https://another.example.test" },
		"caBundle":    func(s *v1alpha1.MerchantSpec) { s.Endpoint.CABundle = bundle },
		"notify":      func(s *v1alpha1.MerchantSpec) { s.NotifyBaseURL = "https://another.example.com" },
		"key's entry": func(s *v1alpha1.MerchantSpec) { s.APIKeySecretRef.Key = "other" },
		"certificate": withCertificate,
	} {
		p := newFixture(t)
		p.store(keyName, map[string][]byte{"apiKey": []byte(key1), "other": []byte(key2)})
		first := p.get(p.merchant())
		changed := p.merchant(change)
		changed.Generation++
		second := p.get(changed)
		if second == first || second.Version == first.Version {
			t.Errorf("%s: the change has no effect", name)
		}
		if behind := p.get(p.merchant()); behind != second {
			t.Errorf("%s: a caller whose cache is behind brings the old one back", name)
		}
	}
	p := newFixture(t)
	p.storeKey(key1)
	first := p.get(p.merchant())
	changed := p.merchant(func(s *v1alpha1.MerchantSpec) { s.RefundApproval, s.LatePayment = "Automatic", "Accept" })
	changed.Generation++
	if p.get(changed) != first {
		t.Error("a change that is none of the Account's business gave another one")
	}
}

func TestChangedCertificateProblemIsReported(t *testing.T) {
	t.Parallel()
	p := newFixture(t)
	p.storeKey(key1)
	m := p.merchant(withCertificate)
	p.get(m)
	m.Spec.CertificateSecretRef.Name, m.Generation = "another-secret", 2
	if found := p.get(m).CertificateProblem; !strings.Contains(found.Message, "another-secret") {
		t.Errorf("the message is about the Secret before: %q", found.Message)
	}
}

func TestCachedCertificateExpires(t *testing.T) {
	t.Parallel()
	p := newFixture(t)
	p.storeKey(key1)
	p.store(certName, newPair(t, start.Add(time.Minute), start.Add(time.Hour)).data())
	m := p.merchant(withCertificate)
	for _, step := range []struct {
		pass   time.Duration
		usable bool
	}{{0, false}, {2 * time.Minute, true}, {58 * time.Minute, true}, {time.Minute, false}} {
		p.advance(step.pass)
		acc := p.get(m)
		if acc.HasCertificate != step.usable || (acc.CertificateProblem == nil) != step.usable {
			t.Errorf("at %s: usable %t, %+v", p.clock.Now(), acc.HasCertificate, acc.CertificateProblem)
		}
	}
}

func TestUnusableCredentialsDropTheAccount(t *testing.T) {
	t.Parallel()
	for reason, change := range map[string]func(*fixture){
		v1alpha1.ReasonSecretNotFound: func(p *fixture) { p.remove(keyName) },
		v1alpha1.ReasonInvalidAPIKey:  func(p *fixture) { p.storeKey("bad") },
	} {
		p := newFixture(t)
		p.storeKey(key1)
		m := p.merchant()
		first := p.get(m)
		change(p)
		p.advance(refresh + 1)
		for range 2 {
			if found := p.problem(m); found.Reason != reason {
				t.Errorf("%+v", found)
			}
		}
		// A corrected Secret takes effect a moment later.
		p.storeKey(key1)
		p.advance(pastProblemTTL)
		if p.get(m) == first {
			t.Error("the Account that was dropped is back")
		}
	}
}

// TestMerchantsOfOneNumberShareItsLimits: WeChat counts calls by merchant number. It accepts a key
// for its own number only, so Merchants with accepted keys for the same number at the same host are
// one account.
func TestMerchantsOfOneNumberShareItsLimits(t *testing.T) {
	t.Parallel()
	p := newFixture(t)
	p.storeKey(key1)
	one, other := p.merchant(), p.merchant()
	number := p.merchant(func(spec *v1alpha1.MerchantSpec) { spec.MchID = "1900000209" })
	host := p.merchant(func(spec *v1alpha1.MerchantSpec) { spec.Endpoint.URL = "https://elsewhere.example.test" })
	unproven := p.merchant()
	other.UID, number.UID, host.UID, unproven.UID = "other", "number", "host", "unproven"
	for _, m := range []*v1alpha1.Merchant{one, other, number, host} {
		p.get(m).Prove()
	}
	p.advance(time.Second) // until then another process may have used them up
	for _, number := range []string{"refund-0001", "refund-0002"} {
		if !p.allowLookup(unproven, number) && !p.allowLookup(one, number) {
			t.Fatal("two looks at once are allowed")
		}
	}
	if p.allowLookup(other, "refund-0003") {
		t.Error("a second Merchant of the number has looks of its own")
	}
	if !p.allowLookup(number, "refund-0004") || !p.allowLookup(host, "refund-0005") {
		t.Error("another number, or another host, pays for this one")
	}
}

// TestUnprovenKeyMakesNoLookups: WeChat counts queries for unknown refunds against the number.
func TestUnprovenKeyMakesNoLookups(t *testing.T) {
	t.Parallel()
	p := newFixture(t)
	p.storeKey(key1)
	m := p.merchant()
	p.advance(time.Minute)
	if p.allowLookup(m, "refund-0001") {
		t.Error("it looked")
	}
	p.get(m).Prove()
	p.advance(time.Second)
	if !p.allowLookup(m, "refund-0001") {
		t.Error("it is proven, and may not look")
	}
	p.get(m).Reject()
	if p.get(m).Proven() || p.allowLookup(m, "refund-0002") {
		t.Error("WeChat does not take it any more, and it looked")
	}
}

func TestProblemIsCached(t *testing.T) {
	t.Parallel()
	p := newFixture(t)
	m := p.merchant()
	_ = p.problem(m)
	before := p.reader.reads.Load()
	for range 100 {
		if _, err := p.registry.Get(t.Context(), m); err == nil {
			t.Fatal("there is a Account without a Secret")
		}
	}
	if read := p.reader.reads.Load() - before; read != 0 {
		t.Errorf("it was read %d times more", read)
	}
	changed := p.merchant()
	changed.Generation++
	if _, err := p.registry.Get(t.Context(), changed); err == nil || p.reader.reads.Load() == before {
		t.Error("a changed Merchant is looked at anew")
	}
}

func TestMissingPermissionIsReported(t *testing.T) {
	t.Parallel()
	p := newFixture(t)
	p.reader.failWith(apierrors.NewForbidden(schema.GroupResource{Resource: "secrets"}, keyName, errors.New("RBAC")))
	if found := p.problem(p.merchant()); found.Reason != v1alpha1.ReasonSecretNotFound || !strings.Contains(found.Message, "verb get") {
		t.Errorf("%+v", found)
	}
}

// TestCallbacksOnly: a process that only receives callbacks reads no certificate, which it may have
// no permission for, and needs no callback address.
func TestCallbacksOnly(t *testing.T) {
	t.Parallel()
	p := newFixture(t)
	p.storeKey(key1)
	p.store(certName, validPair(t).data())
	p.registry = account.NewRegistry(p.reader, account.Options{EndpointHosts: hosts.MustParse(allowed), Clock: p.clock, CallbacksOnly: true})
	acc := p.get(p.merchant(withCertificate))
	if acc.HasCertificate || acc.Certificate != nil || acc.CertificateProblem != nil {
		t.Errorf("it has a certificate: %+v", acc)
	}
	if reads := p.reader.reads.Load(); reads != 1 {
		t.Errorf("%d Secrets were read", reads)
	}
}

func TestRecreatedMerchantGetsItsOwnAccount(t *testing.T) {
	t.Parallel()
	p := newFixture(t)
	p.storeKey(key1)
	first := p.get(p.merchant())
	first.Reject()
	again := p.merchant()
	again.UID = "another"
	second := p.get(again)
	if second == first || second.Rejected() {
		t.Error("it took over what was known of the one before")
	}
	if p.get(p.merchant()) != first {
		t.Error("the one before lost its own")
	}
}

func TestForget(t *testing.T) {
	t.Parallel()
	p := newFixture(t)
	p.storeKey(key1)
	first := p.get(p.merchant())
	p.registry.Forget(p.merchant().UID)
	p.registry.Forget(p.merchant().UID)
	p.registry.Forget("never seen")
	if p.get(p.merchant()) == first {
		t.Error("it was not forgotten")
	}
}

// TestManyCallersShareOneRead: one of them gives up.
func TestManyCallersShareOneRead(t *testing.T) {
	t.Parallel()
	p := newFixture(t)
	p.storeKey(key1)
	held := &gate{entered: make(chan struct{}, 1), open: make(chan struct{})}
	p.reader.gate.Store(held)
	m := p.merchant()
	impatient, giveUp := context.WithCancel(t.Context())
	gaveUp := make(chan error)
	go func() {
		_, err := p.registry.Get(impatient, m)
		gaveUp <- err
	}()
	<-held.entered // the read has begun
	var handles [32]*account.Account
	var callers sync.WaitGroup
	for i := range handles {
		callers.Go(func() { handles[i], _ = p.registry.Get(t.Context(), m) })
	}
	giveUp()
	if err := <-gaveUp; !errors.Is(err, context.Canceled) {
		t.Errorf("the impatient one got %v", err)
	}
	close(held.open)
	callers.Wait()
	if handles[0] == nil || len(slices.Compact(handles[:])) != 1 {
		t.Errorf("Handles: %v", handles)
	}
	if reads := p.reader.reads.Load(); reads != 1 {
		t.Errorf("%d reads", reads)
	}
}

// TestConcurrentUse: for the race detector: calls, rotations, outages and Forget at once.
func TestConcurrentUse(t *testing.T) {
	t.Parallel()
	p := newFixture(t)
	p.storeKey(key1)
	m := p.merchant()
	var callers sync.WaitGroup
	for i := range 8 {
		callers.Go(func() {
			for j := range 20 {
				switch {
				case i == 0:
					p.storeKey([]string{key1, key2}[j%2])
				case i == 1:
					p.advance(refresh)
				case i == 2 && j%5 == 0:
					p.registry.Forget(m.UID)
				default:
					acc, err := p.registry.Get(t.Context(), m)
					if err != nil || acc.Version == "" || acc.PaymentNotifyURL == "" {
						t.Errorf("%v, %v", acc, err)
						return
					}
					acc.Prove()
					acc.AllowLookup(t.Context(), "refund-0001", p.clock.Now())
					acc.CredentialsProven()
				}
			}
		})
	}
	callers.Wait()
}

func TestRejectionEndsWithTheKey(t *testing.T) {
	t.Parallel()
	p := newFixture(t)
	p.storeKey(key1)
	m := p.merchant()
	first := p.get(m)
	if first.Rejected() || first.CredentialsSuspect() {
		t.Error("nothing is known yet")
	}
	first.Reject()
	p.advance(2 * refresh)
	if !p.get(m).Rejected() {
		t.Error("reading the same key again ended its rejection")
	}
	p.storeKey(key2)
	p.advance(2 * refresh)
	if p.get(m).Rejected() {
		t.Error("the new key is rejected for the old one's sake")
	}
	first.CredentialsProven()
	if first.Rejected() {
		t.Error("a proof did not end the rejection")
	}
}

func TestLookupLimitOutlivesCredentials(t *testing.T) {
	t.Parallel()
	p := newFixture(t)
	p.storeKey(key1)
	m := p.merchant()
	look := func(number string) bool { return p.allowLookup(m, number) }
	p.get(m).Prove()
	p.advance(time.Second)
	if !look("refund-0001") || !look("refund-0002") {
		t.Error("two at once are allowed")
	}
	allowed, wait := p.get(m).AllowLookup(t.Context(), "refund-0003", p.clock.Now())
	if allowed || wait <= 0 || wait > time.Second {
		t.Errorf("the third: %t, wait %s", allowed, wait)
	}
	// Changing credentials, even to invalid ones, does not reset the limit.
	p.storeKey("bad")
	changed := p.merchant()
	changed.Generation++
	_, err := p.registry.Get(t.Context(), changed) // no time passes
	if found, ok := account.AsProblem(err); !ok || found.Reason != v1alpha1.ReasonInvalidAPIKey {
		t.Errorf("%+v", found)
	}
	p.storeKey(key2)
	changed.Generation++
	m = changed
	p.get(m).Prove()
	if look("refund-0003") {
		t.Error("new credentials brought new looks")
	}
	p.advance(500 * time.Millisecond)
	if look("refund-0004") || !look("refund-0003") || look("refund-0005") {
		t.Error("half a second brings one look, to who waited for it")
	}
}

// TestUnusedMerchantsAreDropped: on replicas where Forget is not called.
func TestUnusedMerchantsAreDropped(t *testing.T) {
	t.Parallel()
	p := newFixture(t)
	p.storeKey(key1)
	old := p.get(p.merchant())
	p.advance(2 * time.Hour)
	fresh := p.merchant()
	fresh.UID = "fresh"
	p.get(fresh)
	if p.get(p.merchant()) == old {
		t.Error("it was kept")
	}
}
