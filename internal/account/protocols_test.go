package account_test

import (
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"math/big"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/wechatpay-operator/wechatpay-operator/api/v1alpha1"
	"github.com/wechatpay-operator/wechatpay-operator/internal/account"
	"github.com/wechatpay-operator/wechatpay-operator/internal/hosts"
	"github.com/wechatpay-operator/wechatpay-operator/internal/wechatpay"
	"github.com/wechatpay-operator/wechatpay-operator/internal/wechatpay/protocols"
)

const publicKeyID = "PUB_KEY_ID_0114232134912410000000000000"

// testRSA is one key for all tests: making one takes long.
var testRSA = sync.OnceValue(func() *rsa.PrivateKey {
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		panic(err)
	}
	return key
})

// rsaPair is a merchant certificate whose serial number begins with a zero.
func rsaPair(t *testing.T, notAfter time.Time) pair {
	t.Helper()
	key := testRSA()
	template := &x509.Certificate{
		SerialNumber: big.NewInt(0x0ABCDEF), Subject: pkix.Name{CommonName: mchID}, NotBefore: start.AddDate(-1, 0, 0), NotAfter: notAfter,
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

func fingerprintOfTestRSA() string {
	return wechatpay.Fingerprint(x509.MarshalPKCS1PublicKey(&testRSA().PublicKey))
}

func publicKeyPEM(t *testing.T) string {
	t.Helper()
	der, err := x509.MarshalPKIXPublicKey(testRSA().Public())
	must(t, err)
	return string(pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: der}))
}

// speaksV3 gives a Merchant the credentials of V3 beside those of V2.
func speaksV3(t *testing.T) func(*v1alpha1.MerchantSpec) {
	t.Helper()
	key := publicKeyPEM(t)
	return func(spec *v1alpha1.MerchantSpec) {
		spec.Protocol, spec.APIV3KeySecretRef = v1alpha1.ProtocolV3, v1alpha1.APIV3KeyReference{Name: keyName, Key: "apiV3Key"}
		spec.PublicKeys = []v1alpha1.PublicKey{{ID: publicKeyID, PEM: key}}
		withCertificate(spec)
	}
}

func (p *fixture) storeBoth() {
	p.store(keyName, map[string][]byte{"apiKey": []byte(key1), "apiV3Key": []byte(key2)})
	p.store(certName, rsaPair(p.t, start.AddDate(4, 0, 0)).data())
}

func TestAccountSpeaksEachProtocolThatItHasCredentialsFor(t *testing.T) {
	t.Parallel()
	p := newFixture(t)
	p.storeBoth()
	acc := p.get(p.merchant(speaksV3(t)))
	if acc.Protocol != v1alpha1.ProtocolV3 || acc.CertificateUse != protocols.CertificateForAllCalls || acc.Certificate.SerialNumber != "ABCDEF" {
		t.Errorf("%s, %+v", acc.Protocol, acc.Certificate)
	}
	other, err := acc.In(v1alpha1.ProtocolV2)
	must(t, err)
	if others := acc.Others(); other.Protocol != v1alpha1.ProtocolV2 || len(others) != 1 || other != others[0] {
		t.Errorf("the other one is %+v", other)
	}
	for connection, path := range map[*account.Connection]string{acc.Connection: "/notify/v3/", other: "/notify/v2/"} {
		if !strings.Contains(connection.PaymentNotifyURL, path) || !strings.Contains(connection.RefundNotifyURL, path) {
			t.Errorf("%s is called back at %s and %s", connection.Protocol, connection.PaymentNotifyURL, connection.RefundNotifyURL)
		}
	}
	only := p.merchant(speaksV3(t), func(spec *v1alpha1.MerchantSpec) { spec.APIKeySecretRef = v1alpha1.SecretKeyReference{} })
	only.UID = "only"
	if _, err := p.get(only).In(v1alpha1.ProtocolV2); err == nil || !strings.Contains(err.Error(), "no credentials for protocol V2") {
		t.Errorf("%v", err)
	}
	if len(p.get(only).Others()) > 0 {
		t.Error("it has another one")
	}
}

// TestProblemOfOneProtocol: a mistake in the Secret of the new protocol must not stop callbacks of
// the old one.
func TestProblemOfOneProtocol(t *testing.T) {
	t.Parallel()
	p := newFixture(t)
	p.store(certName, rsaPair(t, start.AddDate(4, 0, 0)).data())
	for reason, c := range map[string]struct {
		entries map[string][]byte
		change  func(*v1alpha1.MerchantSpec)
	}{
		v1alpha1.ReasonInvalidAPIV3Key: {map[string][]byte{"apiV3Key": []byte(key2[1:])}, nil},
		v1alpha1.ReasonInvalidPublicKey: {map[string][]byte{"apiV3Key": []byte(key2)}, func(spec *v1alpha1.MerchantSpec) {
			spec.PublicKeys[0].PEM = "-----BEGIN PUBLIC KEY-----\nrubbish\n-----END PUBLIC KEY-----"
		}},
		v1alpha1.ReasonSecretNotFound: {map[string][]byte{}, func(spec *v1alpha1.MerchantSpec) { spec.APIV3KeySecretRef.Name = "missing" }},
	} {
		c.entries["apiKey"] = []byte(key1)
		p.store(keyName, c.entries)
		m := p.merchant(speaksV3(t))
		if c.change != nil {
			c.change(&m.Spec)
		}
		m.UID = "uid-" + m.UID + "-" + m.UID[:1]
		m.Generation++
		if found := p.problem(m); found.Reason != reason {
			t.Errorf("%s: %+v", reason, found)
		}
		_, connection, err := p.registry.In(t.Context(), m, v1alpha1.ProtocolV2)
		if err != nil || connection.Protocol != v1alpha1.ProtocolV2 {
			t.Errorf("%s: callbacks of V2 are not taken: %v", reason, err)
		}
		if _, _, err := p.registry.In(t.Context(), m, v1alpha1.ProtocolV3); err == nil {
			t.Errorf("%s: V3 can be used", reason)
		}
		p.registry.Forget(m.UID)
	}
}

func TestProtocolThatSignsEachCallNeedsAnRSAKey(t *testing.T) {
	t.Parallel()
	p := newFixture(t)
	p.storeBoth()
	p.store(certName, validPair(t).data())
	if found := p.problem(p.merchant(speaksV3(t))); found.Reason != v1alpha1.ReasonInvalidCertificate || !strings.Contains(found.Message, "RSA") {
		t.Errorf("%+v", found)
	}
}

// TestExpiredCertificateOfAProtocolThatSignsEachCall: the account stays for callbacks.
func TestExpiredCertificateOfAProtocolThatSignsEachCall(t *testing.T) {
	t.Parallel()
	p := newFixture(t)
	p.storeBoth()
	p.store(certName, rsaPair(t, start.Add(-time.Hour)).data())
	acc := p.get(p.merchant(speaksV3(t)))
	if acc.HasCertificate || acc.CertificateProblem.Reason != v1alpha1.ReasonCertificateExpired ||
		!strings.Contains(acc.CertificateProblem.Message, "Nothing is sent until then; callbacks are still taken") {
		t.Errorf("%+v", acc.CertificateProblem)
	}
}

// TestCallbacksOnlyVerifiesWithPublicKeys: the process has no right to private keys.
func TestCallbacksOnlyVerifiesWithPublicKeys(t *testing.T) {
	t.Parallel()
	p := newFixture(t)
	p.store(keyName, map[string][]byte{"apiV3Key": []byte(key2)})
	p.registry = account.NewRegistry(p.reader, account.Options{EndpointHosts: hosts.MustParse(allowed), Clock: p.clock, CallbacksOnly: true})
	m := p.merchant(speaksV3(t), func(spec *v1alpha1.MerchantSpec) { spec.APIKeySecretRef = v1alpha1.SecretKeyReference{} })
	acc, fingerprint := p.get(m), fingerprintOfTestRSA()
	if acc.Believes(m, acc.Connection, fingerprint) {
		t.Error("a public key is believed before it verified an answer")
	}
	m.Status.KeysEndpoint = account.EndpointID(m)
	m.Status.Verifiers = []v1alpha1.Verifier{{ID: publicKeyID, Type: "PublicKey", Fingerprint: fingerprint}}
	if !acc.Believes(m, acc.Connection, fingerprint) {
		t.Error("what the leader has proven is not believed")
	}
	if acc.Believes(m, acc.Connection, publicKeyID) {
		t.Error("the id is believed, whatever key has it")
	}
	m.Status.Verifiers[0].Fingerprint = "0123456789abcdef"
	if acc.Believes(m, acc.Connection, fingerprint) {
		t.Error("another key is believed under an id that was proven")
	}
	m.Status.Keys = []string{"ABCDEF"}
	if acc.Believes(m, acc.Connection, "ABCDEF") {
		t.Error("the merchant's own certificate is believed to be WeChat's")
	}
}

// TestProvenKeysOfBothProtocolsStay: what was proven in one protocol is not forgotten while the other
// one is not proven yet.
func TestProvenKeysOfBothProtocolsStay(t *testing.T) {
	t.Parallel()
	p := newFixture(t)
	p.storeBoth()
	m := p.merchant(speaksV3(t))
	m.Status.Keys, m.Status.KeysEndpoint = []string{"86a20f2fb668f64c"}, account.EndpointID(m)
	m.Status.Verifiers = []v1alpha1.Verifier{
		{ID: publicKeyID, Type: "PublicKey", Fingerprint: fingerprintOfTestRSA()}, {ID: "PUB_KEY_ID_2", Type: "PublicKey", Fingerprint: "01"}, {ID: "0A", Type: "Certificate", Fingerprint: "02"},
	}
	acc := p.get(m)
	if keys, _ := acc.ProvenKeys(m); len(keys) != 1 || keys[0] != "86a20f2fb668f64c" {
		t.Errorf("%v", keys)
	}
	for _, err := range []error{nil, &wechatpay.Error{Outcome: wechatpay.Refused, Meaning: wechatpay.CredentialsRejected}} {
		keys, _ := acc.ProvenKeys(m)
		if acc.AcceptedUnsigned(err) || len(keys) != 1 {
			t.Errorf("proven by %v", err)
		}
	}
	if !acc.AcceptedUnsigned(&wechatpay.Error{Outcome: wechatpay.Refused, Meaning: wechatpay.OrderNotExist}) {
		t.Error("not proven")
	}
	if keys, _ := acc.ProvenKeys(m); len(keys) != 2 || keys[0] != fingerprintOfTestRSA() {
		t.Errorf("%v", keys)
	}
	// A key that the Merchant does not name any more is dropped; certificates are not known yet.
	verifiers := acc.ProvenVerifiers(m)
	if len(verifiers) != 2 || verifiers[0].ID != "0A" || verifiers[1].ID != publicKeyID {
		t.Errorf("%v", verifiers)
	}
	m.Status.KeysEndpoint = "elsewhere"
	if verifiers := acc.ProvenVerifiers(m); len(verifiers) != 0 {
		t.Errorf("of another endpoint: %v", verifiers)
	}
}

// TestASerialNumberProvesNothing: anybody can make a certificate with the serial number of another one.
// A status of before, which has the serial number, is proven anew.
func TestASerialNumberProvesNothing(t *testing.T) {
	t.Parallel()
	p := newFixture(t)
	p.storeBoth()
	m := p.merchant(speaksV3(t))
	m.Status.Keys, m.Status.KeysEndpoint = []string{"ABCDEF"}, account.EndpointID(m)
	m.Status.Verifiers = []v1alpha1.Verifier{{ID: publicKeyID, Type: "PublicKey", Fingerprint: fingerprintOfTestRSA()}}
	acc := p.get(m)
	if acc.Certificate.SerialNumber != "ABCDEF" || acc.KeyProven(m) {
		t.Error("the serial number is taken for a proof")
	}
	m.Status.Keys = []string{fingerprintOfTestRSA()}
	if !acc.KeyProven(m) {
		t.Error("the key that WeChat accepted is not taken")
	}
}

// TestChangesOfProtocolTakeEffectAtOnce changes each field that a second protocol brought.
func TestChangesOfProtocolTakeEffectAtOnce(t *testing.T) {
	t.Parallel()
	for name, change := range map[string]func(*v1alpha1.MerchantSpec){
		"protocol":    func(s *v1alpha1.MerchantSpec) { s.Protocol = v1alpha1.ProtocolV2 },
		"key's entry": func(s *v1alpha1.MerchantSpec) { s.APIV3KeySecretRef.Key = "other" },
		"publicKeys":  func(s *v1alpha1.MerchantSpec) { s.PublicKeys = nil },
		"partner":     func(s *v1alpha1.MerchantSpec) { s.Partner = &v1alpha1.Partner{SubMchID: "1900000201"} },
	} {
		p := newFixture(t)
		p.store(keyName, map[string][]byte{"apiKey": []byte(key1), "apiV3Key": []byte(key2), "other": []byte(key1)})
		p.store(certName, rsaPair(t, start.AddDate(4, 0, 0)).data())
		first := p.get(p.merchant(speaksV3(t)))
		changed := p.merchant(speaksV3(t), change)
		changed.Generation++
		if second := p.get(changed); second == first || second.Version == first.Version {
			t.Errorf("%s: the change has no effect", name)
		}
	}
}
