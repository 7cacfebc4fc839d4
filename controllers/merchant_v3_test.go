package controllers_test

import (
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"errors"
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/onsi/gomega"
	corev1 "k8s.io/api/core/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/wechatpay-operator/wechatpay-operator/api/v1alpha1"
	"github.com/wechatpay-operator/wechatpay-operator/controllers"
	"github.com/wechatpay-operator/wechatpay-operator/internal/wechatpay"
	"github.com/wechatpay-operator/wechatpay-operator/internal/wechatpay/simulator"
	"github.com/wechatpay-operator/wechatpay-operator/test/framework"
)

var inV3 = framework.Speaking(v1alpha1.ProtocolV3)

// byCertificate makes WeChat sign with platform certificates.
var byCertificate = framework.WithWeChat(func(o *simulator.Options) {
	o.Merchants[0].Verification = simulator.VerifyByCertificate
})

func withoutPublicKeys(m *v1alpha1.Merchant) { m.Spec.PublicKeys = nil }

func TestMerchantSaysWhatIsWrongWithItsAPIV3Key(t *testing.T) {
	shop, g := openReady(t, inV3)
	for _, c := range []struct {
		key            []byte
		state, message string
	}{
		{nil, "Ready=False/InvalidAPIV3Key", "it must be there"},
		{[]byte("too short"), "Ready=False/InvalidAPIV3Key", "exactly 32 letters and digits"},
		{[]byte(framework.APIV3Key + "\n"), "Ready=True/Ready", "WeChat Pay accepts the API certificate"},
	} {
		setSecret(shop, "wechatpay", map[string][]byte{"apiV3Key": c.key})
		g.Expect(ready(shop.WaitMerchant(framework.MerchantName, c.state))).To(gomega.ContainSubstring(c.message))
	}
	shop.Must(shop.Client.Delete(shop.Context(), secret(shop, "wechatpay")))
	g.Expect(ready(shop.WaitMerchant(framework.MerchantName, "Ready=False/SecretNotFound"))).To(gomega.ContainSubstring("create it"))
	waitEvent(shop, framework.MerchantName, "SecretNotFound")
}

// TestAPIV3KeyThatWeChatDoesNotUse: only a callback shows it, because WeChat signs answers without
// that key. WeChat repeats the callback until the Secret is corrected.
func TestAPIV3KeyThatWeChatDoesNotUse(t *testing.T) {
	shop, g := openReady(t, inV3)
	shop.Must(shop.WeChat.SetAPIV3Key(framework.MchID, secondKey))
	shop.Create(shop.NewOrder("order-0001"))
	shop.WaitOrder("order-0001", "Prepared=True/Prepared")
	shop.Pay("order-0001")
	merchant := shop.WaitMerchant(framework.MerchantName, "Ready=False/InvalidAPIV3Key")
	g.Expect(ready(merchant)).To(gomega.ContainSubstring("APIv3"))
	g.Expect(ready(merchant)).NotTo(gomega.ContainSubstring(framework.APIV3Key))
	waitEvent(shop, framework.MerchantName, "InvalidAPIV3Key")
	shop.Create(shop.NewOrder("order-0002")) // calls do not need that key
	shop.WaitOrder("order-0002", "Prepared=True/Prepared")
	setSecret(shop, "wechatpay", map[string][]byte{"apiV3Key": []byte(secondKey)})
	shop.WaitMerchant(framework.MerchantName, "Ready=True/Ready")
	shop.WaitOrder("order-0001", "Paid=True/Paid")
}

// TestCallbackEncryptedWithThePreviousAPIV3Key: WeChat uses the new key somewhat later or earlier
// than the Secret.
func TestCallbackEncryptedWithThePreviousAPIV3Key(t *testing.T) {
	shop, _ := openReady(t, inV3)
	setSecret(shop, "wechatpay", map[string][]byte{"apiV3Key": []byte(secondKey), "apiV3Key.previous": []byte(framework.APIV3Key)})
	shop.Paid("order-0001")
	shop.Must(shop.WeChat.SetAPIV3Key(framework.MchID, secondKey))
	shop.Paid("order-0002")
	shop.WaitMerchant(framework.MerchantName, "Ready=True/Ready")
}

// TestCertificateThatIsNotTheMerchants: WeChat answers 401, and nothing is sent until the Secret is
// corrected.
func TestCertificateThatIsNotTheMerchants(t *testing.T) {
	shop, g := openReady(t, inV3, framework.WithTiming(func(timing *controllers.Timing) { timing.ProbeRejected = time.Hour }))
	setWrongCredentials(shop)
	merchant := shop.WaitMerchant(framework.MerchantName, "Ready=False/CredentialsRejected")
	g.Expect(ready(merchant)).To(gomega.And(gomega.ContainSubstring("SIGN_ERROR"), gomega.ContainSubstring("API certificate in Secret "+shop.Namespace+"/wechatpay-cert")))
	waitEvent(shop, framework.MerchantName, "CredentialsRejected")
	shop.Create(shop.NewOrder("order-0001"))
	shop.WaitOrder("order-0001", "Prepared=False/MerchantNotReady")
	g.Expect(shop.WeChat.Ledger().CallsOf(simulator.OperationUnifiedOrder, "")).To(gomega.BeEmpty())
	setGoodCredentials(shop)
	shop.WaitMerchant(framework.MerchantName, "Ready=True/Ready")
	shop.WaitOrder("order-0001", "Prepared=True/Prepared")
}

// TestKnownBadCertificateThatComesBackIsNotUsed: that WeChat rejected it is known.
func TestKnownBadCertificateThatComesBackIsNotUsed(t *testing.T) {
	shop, g := openReady(t, inV3, framework.WithTiming(func(timing *controllers.Timing) { timing.ProbeRejected = time.Hour }))
	bad, err := elsewhere(shop, secondKey).IssueClientCertificate(framework.MchID)
	shop.Must(err)
	for _, step := range []struct {
		certificate []byte
		state       string
	}{
		{bad.CertPEM, "Ready=False/CredentialsRejected"}, {[]byte("rubbish"), "Ready=False/InvalidCertificate"}, {bad.CertPEM, "Ready=False/CredentialsRejected"},
	} {
		setSecret(shop, "wechatpay-cert", map[string][]byte{"tls.crt": step.certificate, "tls.key": bad.KeyPEM})
		shop.WaitMerchant(framework.MerchantName, step.state)
	}
	shop.Create(shop.NewOrder("order-0001"))
	shop.WaitOrder("order-0001", "Prepared=False/MerchantNotReady")
	g.Expect(shop.WeChat.Ledger().CallsOf(simulator.OperationUnifiedOrder, "")).To(gomega.BeEmpty())
}

// TestExpiredCertificateStopsCallsNotCallbacks: a payer who has paid must not wait for it.
func TestExpiredCertificateStopsCallsNotCallbacks(t *testing.T) {
	shop, g := openReady(t, inV3)
	shop.Create(shop.NewOrder("order-0001"))
	shop.WaitOrder("order-0001", "Prepared=True/Prepared")
	expired, err := shop.WeChat.IssueClientCertificateValid(framework.MchID, time.Now().Add(-48*time.Hour), time.Now().Add(-24*time.Hour))
	shop.Must(err)
	setSecret(shop, "wechatpay-cert", map[string][]byte{"tls.crt": expired.CertPEM, "tls.key": expired.KeyPEM})
	merchant := shop.WaitMerchant(framework.MerchantName, "Ready=False/CertificateExpired")
	g.Expect(ready(merchant)).To(gomega.ContainSubstring("Nothing is sent until then; callbacks are still taken"))
	calls := len(shop.WeChat.Ledger().Calls)
	shop.Pay("order-0001")
	shop.WaitOrder("order-0001", "Paid=True/Paid")
	shop.Create(shop.NewOrder("order-0002"), shop.NewRefund("refund-0001", "order-0001", 50, approved))
	shop.WaitOrder("order-0002", "Prepared=False/MerchantNotReady")
	shop.Eventually("the Refund says so", func() error {
		return contains(message(shop.Refund("refund-0001").Status.Conditions, v1alpha1.ConditionAccepted), "expired on")
	})
	g.Expect(shop.WeChat.Ledger().Calls).To(gomega.HaveLen(calls))
	setGoodCredentials(shop)
	shop.WaitOrder("order-0002", "Prepared=True/Prepared")
	shop.WaitRefund("refund-0001", "Succeeded=True/Succeeded")
}

// TestCertificateSecretThatIsMissing: each call needs it, so nothing is sent.
func TestCertificateSecretThatIsMissing(t *testing.T) {
	t.Parallel()
	shop := framework.Open(t, env, inV3)
	shop.Must(shop.Client.Delete(shop.Context(), secret(shop, "wechatpay-cert")))
	shop.Create(shop.NewMerchant())
	merchant := shop.WaitMerchant(framework.MerchantName, "Ready=False/SecretNotFound")
	shop.Must(contains(ready(merchant), "wechatpay-cert"))
	shop.Create(shop.NewOrder("order-0001"))
	shop.WaitOrder("order-0001", "Prepared=False/MerchantNotReady")
	gomega.NewWithT(t).Expect(shop.WeChat.Ledger().Calls).To(gomega.BeEmpty())
}

// TestMerchantWithPlatformCertificates: the operator downloads them, and shows which of WeChat's
// keys have verified an answer.
func TestMerchantWithPlatformCertificates(t *testing.T) {
	t.Parallel()
	g := gomega.NewWithT(t)
	shop := framework.Open(t, env, inV3, byCertificate)
	shop.Create(shop.NewMerchant(withoutPublicKeys))
	merchant := shop.WaitMerchant(framework.MerchantName, "Ready=True/Ready")
	shop.Paid("order-0001")
	shop.Create(shop.NewRefund("refund-0001", "order-0001", 50, approved))
	shop.WaitRefund("refund-0001", "Succeeded=True/Succeeded")
	g.Expect(merchant.Status.Verifiers).To(gomega.HaveLen(1))
	verifier := merchant.Status.Verifiers[0]
	g.Expect(verifier.ID).To(gomega.Equal(shop.WeChat.Platform().Certificates[0].SerialNo))
	g.Expect(string(verifier.Type)).To(gomega.Equal("Certificate"))
	g.Expect(verifier.NotAfter).NotTo(gomega.BeNil())
	g.Expect(shop.WeChat.Ledger().CallsOf(simulator.OperationCertificates, "")).To(gomega.HaveLen(1))
	shop.NoViolations()
}

// keyIDs are the ids of the API certificate in the shop's Secret.
func keyIDs(shop *framework.Shop) []string {
	shop.T.Helper()
	secret := &corev1.Secret{}
	shop.Must(shop.Client.Get(shop.Context(), client.ObjectKey{Namespace: shop.Namespace, Name: "wechatpay-cert"}, secret))
	block, _ := pem.Decode(secret.Data[corev1.TLSCertKey])
	certificate, err := x509.ParseCertificate(block.Bytes)
	shop.Must(err)
	return []string{wechatpay.Fingerprint(x509.MarshalPKCS1PublicKey(certificate.PublicKey.(*rsa.PublicKey)))}
}

// TestMerchantShowsWhatProvesItUnderV3: the key of the API certificate that WeChat took, and the
// public key that verified its answers. A certificate that it rejects is not added.
func TestMerchantShowsWhatProvesItUnderV3(t *testing.T) {
	shop, g := openReady(t, inV3)
	shown := func() ([]string, []v1alpha1.Verifier) {
		m := shop.NewMerchant()
		shop.Must(shop.Client.Get(shop.Context(), keyOf(m), m))
		return m.Status.Keys, m.Status.Verifiers
	}
	before := shop.WaitMerchant(framework.MerchantName, "Ready=True/Ready").Status
	g.Expect(before.Keys).To(gomega.Equal(keyIDs(shop)))
	g.Expect(before.Verifiers).To(gomega.HaveLen(1))
	g.Expect(before.Verifiers[0].ID).To(gomega.Equal(shop.WeChat.Platform().PublicKeyID))
	g.Expect(before.Verifiers[0].Fingerprint).To(gomega.HaveLen(16))
	setWrongCredentials(shop)
	shop.WaitMerchant(framework.MerchantName, "Ready=False/CredentialsRejected")
	keys, verifiers := shown()
	g.Expect(keys).To(gomega.Equal(before.Keys))
	g.Expect(verifiers).To(gomega.Equal(before.Verifiers))
	setGoodCredentials(shop)
	shop.WaitMerchant(framework.MerchantName, "Ready=True/Ready")
	shop.Eventually("the new certificate is shown", func() error {
		m := shop.WaitMerchant(framework.MerchantName, "Ready=True/Ready")
		if !slices.Equal(m.Status.Keys, keyIDs(shop)) || m.Status.Keys[0] == before.Keys[0] {
			return fmt.Errorf("%v", m.Status.Keys)
		}
		return nil
	})
	shop.WipeStatus(shop.NewMerchant()) // as after a restore
	shop.Eventually("it is written again", func() error {
		if keys, verifiers := shown(); len(keys) != 1 || len(verifiers) != 1 {
			return errors.New("not yet")
		}
		return nil
	})
}

// TestAPIV3KeyThatOpensNoCertificates: the list of platform certificates is encrypted with it.
func TestAPIV3KeyThatOpensNoCertificates(t *testing.T) {
	t.Parallel()
	shop := framework.Open(t, env, inV3, byCertificate)
	setSecret(shop, "wechatpay", map[string][]byte{"apiV3Key": []byte(secondKey)})
	shop.Create(shop.NewMerchant(withoutPublicKeys))
	shop.WaitMerchant(framework.MerchantName, "Ready=False/InvalidAPIV3Key")
	shop.Create(shop.NewOrder("order-0001"))
	setSecret(shop, "wechatpay", map[string][]byte{"apiV3Key": []byte(framework.APIV3Key)})
	shop.WaitMerchant(framework.MerchantName, "Ready=True/Ready")
	shop.WaitOrder("order-0001", "Prepared=True/Prepared")
}

// TestMerchantWithoutPlatformCertificates: WeChat gives new merchants a public key only.
func TestMerchantWithoutPlatformCertificates(t *testing.T) {
	t.Parallel()
	shop := framework.Open(t, env, inV3)
	shop.Create(shop.NewMerchant(withoutPublicKeys))
	merchant := shop.WaitMerchant(framework.MerchantName, "Ready=False/PlatformCertificatesMissing")
	shop.Must(contains(ready(merchant), "spec.publicKeys"))
	shop.Create(shop.NewOrder("order-0001"))
	shop.WaitOrder("order-0001", "Prepared=False/MerchantNotReady", "Prepared=False/NotSent")
	gomega.NewWithT(t).Expect(shop.WeChat.Ledger().CallsOf(simulator.OperationUnifiedOrder, "")).To(gomega.BeEmpty())
	setPublicKeys(shop, shop.PublicKeys()[0])
	shop.WaitMerchant(framework.MerchantName, "Ready=True/Ready")
	shop.WaitOrder("order-0001", "Prepared=True/Prepared")
}

func setPublicKeys(shop *framework.Shop, keys ...v1alpha1.PublicKey) {
	shop.T.Helper()
	patch, err := json.Marshal(map[string]any{"spec": map[string]any{"publicKeys": keys}})
	shop.Must(err)
	shop.Patch(shop.NewMerchant(), string(patch))
}

// TestPublicKeyThatIsNotWeChats: no answer verifies with it, under WeChat's id or another.
func TestPublicKeyThatIsNotWeChats(t *testing.T) {
	t.Parallel()
	shop := framework.Open(t, env, inV3)
	wrong := framework.PublicKeysOf(elsewhere(shop, secondKey))[0]
	wrong.ID = shop.PublicKeys()[0].ID
	shop.Create(shop.NewMerchant(func(m *v1alpha1.Merchant) { m.Spec.PublicKeys = []v1alpha1.PublicKey{wrong} }))
	shop.WaitMerchant(framework.MerchantName, "Ready=False/AnswersNotVerified")
	shop.Create(shop.NewOrder("order-0001"))
	setPublicKeys(shop, shop.PublicKeys()[0])
	shop.WaitMerchant(framework.MerchantName, "Ready=True/Ready")
	shop.WaitOrder("order-0001", "Prepared=True/Prepared")
}

// TestClockThatDiffersFromWeChats: it is shown before WeChat refuses requests, stops nothing, and
// goes with the next answer.
func TestClockThatDiffersFromWeChats(t *testing.T) {
	shop, g := openReady(t, inV3)
	shop.WeChat.SetClockSkew(-270 * time.Second) // less than the five minutes at which WeChat refuses
	shop.Create(shop.NewOrder("order-0001"))
	shop.WaitOrder("order-0001", "Prepared=True/Prepared")
	merchant := shop.WaitMerchant(framework.MerchantName, "Ready=False/ClockSkewed")
	g.Expect(ready(merchant)).To(gomega.ContainSubstring("NTP"))
	shop.Create(shop.NewOrder("order-0002"))
	shop.WaitOrder("order-0002", "Prepared=True/Prepared")
	shop.WeChat.SetClockSkew(0)
	shop.Create(shop.NewOrder("order-0003"))
	shop.WaitOrder("order-0003", "Prepared=True/Prepared")
	shop.WaitMerchant(framework.MerchantName, "Ready=True/Ready")
}

// TestClockThatWeChatRefuses: WeChat's refusal looks like that of a wrong certificate, and the
// clock is named as the reason.
func TestClockThatWeChatRefuses(t *testing.T) {
	shop, _ := openReady(t, inV3)
	shop.WeChat.SetClockSkew(10 * time.Minute)
	shop.Create(shop.NewOrder("order-0001"))
	shop.WaitMerchant(framework.MerchantName, "Ready=False/ClockSkewed")
	shop.WeChat.SetClockSkew(0)
	shop.WaitMerchant(framework.MerchantName, "Ready=True/Ready")
	shop.WaitOrder("order-0001", "Prepared=True/Prepared")
}

// TestSecretsOfV3AreNeverShown, also while they are wrong.
func TestSecretsOfV3AreNeverShown(t *testing.T) {
	shop, g := openReady(t, inV3)
	shop.Must(shop.WeChat.SetAPIV3Key(framework.MchID, secondKey))
	shop.Create(shop.NewOrder("order-0001"))
	shop.WaitOrder("order-0001", "Prepared=True/Prepared")
	shop.Pay("order-0001")
	shop.WaitMerchant(framework.MerchantName, "Ready=False/InvalidAPIV3Key")
	setWrongCredentials(shop)
	shop.WaitMerchant(framework.MerchantName, "Ready=False/CredentialsRejected")
	for _, list := range []client.ObjectList{&v1alpha1.OrderList{}, &v1alpha1.MerchantList{}, &corev1.EventList{}} {
		shop.Must(shop.Client.List(shop.Context(), list, client.InNamespace(shop.Namespace)))
		text, err := json.Marshal(list)
		shop.Must(err)
		for _, secret := range []string{framework.APIV3Key, secondKey, "PRIVATE KEY", "Wechatpay-Signature"} {
			g.Expect(string(text)).NotTo(gomega.ContainSubstring(secret))
		}
	}
}

// TestAnotherKeyUnderAKnownID: what was proven holds for the key and not for its id. Whoever may
// write spec.publicKeys could otherwise sign callbacks.
func TestAnotherKeyUnderAKnownID(t *testing.T) {
	shop, g := openReady(t, inV3)
	known := shop.WaitMerchant(framework.MerchantName, "Ready=True/Ready").Status.Verifiers
	g.Expect(known).To(gomega.HaveLen(1))
	shop.ChangeMerchant(publicKeysPatch(t, known[0].ID, foreignPublicKey(t)))
	shop.WaitMerchant(framework.MerchantName, "Ready=False/AnswersNotVerified")
	shop.Eventually("the key is proven no more", func() error {
		if left := shop.WaitMerchant(framework.MerchantName, "Ready=False/AnswersNotVerified").Status.Verifiers; len(left) != 0 {
			return fmt.Errorf("%v", left)
		}
		return nil
	})
	shop.ChangeMerchant(publicKeysPatch(t, known[0].ID, shop.PublicKeys()[0].PEM))
	shop.WaitMerchant(framework.MerchantName, "Ready=True/Ready")
}

func publicKeysPatch(t *testing.T, id, pem string) string {
	t.Helper()
	patch, err := json.Marshal(map[string]any{"spec": map[string]any{"publicKeys": []map[string]string{{"id": id, "pem": pem}}}})
	if err != nil {
		t.Fatal(err)
	}
	return string(patch)
}

func foreignPublicKey(t *testing.T) string {
	t.Helper()
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	der, err := x509.MarshalPKIXPublicKey(key.Public())
	if err != nil {
		t.Fatal(err)
	}
	return string(pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: der}))
}

// TestUnsignedErrorsProveTheCertificateOnly: WeChat has verified the request before it says that
// there is no such order, signed or not. Its own key is proven by the first signed answer.
func TestUnsignedErrorsProveTheCertificateOnly(t *testing.T) {
	shop, g := openReady(t, inV3, framework.WithWeChat(func(o *simulator.Options) { o.Rules.UnsignedErrors = true }))
	ready := shop.WaitMerchant(framework.MerchantName, "Ready=True/Ready")
	g.Expect(ready.Status.Keys).To(gomega.HaveLen(1))
	g.Expect(ready.Status.Verifiers).To(gomega.BeEmpty())
	shop.Paid("order-0001")
	shop.Eventually("the public key is proven", func() error {
		if proven := shop.WaitMerchant(framework.MerchantName, "Ready=True/Ready").Status.Verifiers; len(proven) != 1 {
			return fmt.Errorf("%v", proven)
		}
		return nil
	})
}
