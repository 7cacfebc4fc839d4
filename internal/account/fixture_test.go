package account_test

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"math/big"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	clocktesting "k8s.io/utils/clock/testing"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/wechatpay-operator/wechatpay-operator/api/v1alpha1"
	"github.com/wechatpay-operator/wechatpay-operator/internal/account"
	"github.com/wechatpay-operator/wechatpay-operator/internal/hosts"
)

const (
	key1     = "FirstTestOnlyKey0FirstTestOnly00"
	key2     = "SecondTestOnlyKeySecondTestOnly0"
	appID    = "wxd678efh567hg6787"
	mchID    = "1900000109"
	ownHost  = "https://wechat.example.test:8443"
	allowed  = hosts.WeChats + ",*.example.test,mch.weixin.qq.com.cn,127.0.0.1"
	baseURL  = "https://pay.example.com"
	refresh  = 30 * time.Second
	keyName  = "shop-wechatpay"
	certName = "shop-wechatpay-cert"
)

// start is in whole seconds, as times in certificates are.
var start = time.Date(2026, 11, 21, 12, 0, 0, 0, time.UTC)

// fixture is a namespace with a Registry, whose reader counts reads and can fail or block.
type fixture struct {
	t         *testing.T
	namespace string
	clock     *clocktesting.FakePassiveClock
	reader    *reader
	registry  *account.Registry
}

func newFixture(t *testing.T) *fixture {
	t.Helper()
	namespace := &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{GenerateName: "merchant-"}}
	must(t, env.Client.Create(t.Context(), namespace))
	p := &fixture{t: t, namespace: namespace.Name, clock: clocktesting.NewFakePassiveClock(start), reader: &reader{Reader: env.Client}}
	p.registry = account.NewRegistry(p.reader, account.Options{
		NotifyBaseURL: baseURL, EndpointHosts: hosts.MustParse(allowed), RefreshAfter: refresh, Clock: p.clock,
	})
	return p
}

// merchant returns a Merchant that is not created in the API server: a Registry reads only its
// Secrets.
func (p *fixture) merchant(changes ...func(*v1alpha1.MerchantSpec)) *v1alpha1.Merchant {
	m := &v1alpha1.Merchant{
		ObjectMeta: metav1.ObjectMeta{Namespace: p.namespace, Name: "shop", UID: types.UID("uid-of-" + p.namespace), Generation: 1},
		Spec: v1alpha1.MerchantSpec{
			MchID: mchID, AppID: appID, SignType: v1alpha1.SignTypeHMACSHA256,
			APIKeySecretRef: v1alpha1.SecretKeyReference{Name: keyName, Key: "apiKey"},
			Endpoint:        &v1alpha1.Endpoint{URL: ownHost},
		},
	}
	for _, change := range changes {
		change(&m.Spec)
	}
	return m
}

func withCertificate(spec *v1alpha1.MerchantSpec) {
	spec.CertificateSecretRef = &v1alpha1.SecretReference{Name: certName}
}

// store creates or updates a Secret.
func (p *fixture) store(name string, data map[string][]byte) {
	p.t.Helper()
	secret := &corev1.Secret{ObjectMeta: metav1.ObjectMeta{Namespace: p.namespace, Name: name}, Data: data}
	if err := env.Client.Create(p.t.Context(), secret); err == nil {
		return
	}
	must(p.t, env.Client.Update(p.t.Context(), secret))
}

func (p *fixture) remove(name string) {
	p.t.Helper()
	must(p.t, env.Client.Delete(p.t.Context(), &corev1.Secret{ObjectMeta: metav1.ObjectMeta{Namespace: p.namespace, Name: name}}))
}

func (p *fixture) storeKey(key string) {
	p.t.Helper()
	p.store(keyName, map[string][]byte{"apiKey": []byte(key)})
}

func (p *fixture) advance(d time.Duration) { p.clock.SetTime(p.clock.Now().Add(d)) }

func (p *fixture) get(m *v1alpha1.Merchant) *account.Account {
	p.t.Helper()
	acc, err := p.registry.Get(p.t.Context(), m)
	must(p.t, err)
	return acc
}

// allowLookup reports whether a Merchant may query an unknown refund.
func (p *fixture) allowLookup(m *v1alpha1.Merchant, outRefundNo string) bool {
	p.t.Helper()
	allowed, _ := p.get(m).AllowLookup(p.t.Context(), outRefundNo, p.clock.Now())
	return allowed
}

// pastProblemTTL is longer than a Problem is cached.
const pastProblemTTL = 6 * time.Second

// problem reads the Secrets again and returns why there is no Account.
func (p *fixture) problem(m *v1alpha1.Merchant) *account.Problem {
	p.t.Helper()
	p.advance(pastProblemTTL)
	acc, err := p.registry.Get(p.t.Context(), m)
	found, isProblem := account.AsProblem(err)
	if !isProblem || acc != nil {
		p.t.Fatalf("got %v, %v instead of a Problem", acc, err)
	}
	return found
}

// reader is an API server that can fail or block.
type reader struct {
	client.Reader
	reads atomic.Int64
	fail  atomic.Pointer[error]
	gate  atomic.Pointer[gate]
}

// gate blocks reads until it is opened.
type gate struct{ entered, open chan struct{} }

func (r *reader) Get(ctx context.Context, key client.ObjectKey, object client.Object, options ...client.GetOption) error {
	r.reads.Add(1)
	if gate := r.gate.Load(); gate != nil {
		gate.entered <- struct{}{}
		select {
		case <-gate.open:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	if fail := r.fail.Load(); fail != nil {
		return *fail
	}
	return r.Reader.Get(ctx, key, object, options...)
}

func (r *reader) failWith(err error) {
	if err == nil {
		r.fail.Store(nil)
		return
	}
	r.fail.Store(&err)
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// pair is a certificate and its private key, as PEM.
type pair struct{ certificate, key []byte }

func (p pair) data() map[string][]byte {
	return map[string][]byte{corev1.TLSCertKey: p.certificate, corev1.TLSPrivateKeyKey: p.key}
}

func newPair(t *testing.T, notBefore, notAfter time.Time) pair {
	t.Helper()
	return newPairOf(t, mchID, notBefore, notAfter)
}

func newPairOf(t *testing.T, name string, notBefore, notAfter time.Time) pair {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	must(t, err)
	template := &x509.Certificate{
		SerialNumber: big.NewInt(0xABCDEF), Subject: pkix.Name{CommonName: name, Organization: []string{"微信商户系统"}},
		NotBefore: notBefore, NotAfter: notAfter,
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	must(t, err)
	keyDER, err := x509.MarshalPKCS8PrivateKey(key)
	must(t, err)
	return pair{
		certificate: pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}),
		key:         pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: keyDER}),
	}
}

func validPair(t *testing.T) pair { return newPair(t, start.AddDate(-1, 0, 0), start.AddDate(4, 0, 0)) }

// wantNoSecret fails if a text contains twelve consecutive characters of a Secret's content.
func wantNoSecret(t *testing.T, text string, data map[string][]byte) {
	t.Helper()
	for entry, content := range data {
		for _, line := range strings.Fields(string(content)) {
			if strings.Contains(line, "-----") || line == "CERTIFICATE-----" {
				continue
			}
			for i := 0; i+12 <= len(line); i++ {
				if strings.Contains(text, line[i:i+12]) {
					t.Errorf("%q tells a part of %s", text, entry)
				}
			}
		}
	}
}
