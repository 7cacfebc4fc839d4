package controllers_test

import (
	"encoding/base64"
	"encoding/json"
	"fmt"
	"testing"
	"time"

	"github.com/onsi/gomega"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/wechatpay-operator/wechatpay-operator/api/v1alpha1"
	"github.com/wechatpay-operator/wechatpay-operator/internal/hosts"
	"github.com/wechatpay-operator/wechatpay-operator/internal/manager"
	"github.com/wechatpay-operator/wechatpay-operator/internal/wechatpay/simulator"
	"github.com/wechatpay-operator/wechatpay-operator/test/framework"
)

func secret(shop *framework.Shop, name string) *corev1.Secret {
	return &corev1.Secret{ObjectMeta: metav1.ObjectMeta{Namespace: shop.Namespace, Name: name}}
}

// setSecret replaces entries of a Secret; nil removes one.
func setSecret(shop *framework.Shop, name string, entries map[string][]byte) {
	shop.T.Helper()
	data := map[string]any{}
	for entry, content := range entries {
		if data[entry] = nil; content != nil {
			data[entry] = base64.StdEncoding.EncodeToString(content)
		}
	}
	patch, err := json.Marshal(map[string]any{"data": data})
	shop.Must(err)
	shop.Patch(secret(shop, name), string(patch))
}

func ready(merchant *v1alpha1.Merchant) string { return merchant.Status.Conditions[0].Message }

func TestMerchantSaysWhatIsWrongWithItsKey(t *testing.T) {
	const wrongKey = "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
	shop, g := openReady(t, framework.Speaking(v1alpha1.ProtocolV2))
	for _, c := range []struct {
		key     []byte
		state   string
		message string
	}{
		{nil, "Ready=False/InvalidAPIKey", "it must be there"},
		{[]byte("too short"), "Ready=False/InvalidAPIKey", "exactly 32 letters and digits"},
		{[]byte(wrongKey), "Ready=False/CredentialsRejected", "WeChat Pay does not accept the API key (APIv2 密钥) in Secret"},
		{[]byte(framework.APIKey + "\n"), "Ready=True/Ready", "WeChat Pay accepts the key"},
	} {
		setSecret(shop, "wechatpay", map[string][]byte{"apiKey": c.key})
		merchant := shop.WaitMerchant(framework.MerchantName, c.state)
		g.Expect(ready(merchant)).To(gomega.ContainSubstring(c.message))
		g.Expect(ready(merchant)).NotTo(gomega.ContainSubstring(wrongKey))
	}
	shop.Must(shop.Client.Delete(shop.Context(), secret(shop, "wechatpay")))
	g.Expect(ready(shop.WaitMerchant(framework.MerchantName, "Ready=False/SecretNotFound"))).To(gomega.ContainSubstring("create it"))
	waitEvent(shop, framework.MerchantName, "SecretNotFound")
}

func TestWrongKeyStopsOrdersUntilItIsMended(t *testing.T) {
	shop, g := openReady(t)
	rejectCredentials(shop)
	shop.Create(shop.NewOrder("order-0001")) // its call is rejected
	shop.WaitMerchant(framework.MerchantName, "Ready=False/CredentialsRejected")
	shop.WaitOrder("order-0001", "Prepared=Unknown/Refused", "Prepared=False/MerchantNotReady")
	calls := len(shop.WeChat.Ledger().CallsOf(simulator.OperationUnifiedOrder, ""))
	shop.Create(shop.NewOrder("order-0002"))
	order := shop.WaitOrder("order-0002", "Prepared=False/MerchantNotReady")
	g.Expect(order.Status.Conditions[0].Message).To(gomega.ContainSubstring("WeChat Pay does not accept the API"))
	g.Expect(shop.WeChat.Ledger().CallsOf(simulator.OperationUnifiedOrder, "")).To(gomega.HaveLen(calls), "nothing is sent with a rejected key")

	renewCredentials(shop)
	shop.WaitMerchant(framework.MerchantName, "Ready=True/Ready")
	shop.WaitOrder("order-0001", "Prepared=True/Prepared")
	shop.WaitOrder("order-0002", "Prepared=True/Prepared")
}

func TestRejectedKeyIsTriedAgain(t *testing.T) {
	shop, _ := openReady(t)
	rejectCredentials(shop)
	shop.Create(shop.NewOrder("order-0001"))
	shop.WaitMerchant(framework.MerchantName, "Ready=False/CredentialsRejected")
	acceptCredentials(shop)
	shop.WaitMerchant(framework.MerchantName, "Ready=True/Ready")
	shop.WaitOrder("order-0001", "Prepared=True/Prepared")
}

func TestCallbackSignedWithThePreviousKey(t *testing.T) {
	shop, _ := openReady(t, framework.Speaking(v1alpha1.ProtocolV2))
	shop.Create(shop.NewOrder("order-0001"))
	shop.WaitOrder("order-0001", "Prepared=True/Prepared")
	// The Secret has the new key already, and WeChat still signs with the previous one.
	setSecret(shop, "wechatpay", map[string][]byte{"apiKey": []byte("bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb"), "apiKey.previous": []byte(framework.APIKey)})
	shop.WaitMerchant(framework.MerchantName, "Ready=False/CredentialsRejected")
	shop.Pay("order-0001")
	shop.WaitOrder("order-0001", "Paid=True/Paid")
}

func TestMerchantSaysWhatIsWrongWithItsCertificate(t *testing.T) {
	shop, g := openReady(t)
	good, err := shop.WeChat.IssueClientCertificate(framework.MchID)
	shop.Must(err)
	other, err := shop.WeChat.IssueClientCertificate(framework.MchID)
	shop.Must(err)
	expired, err := shop.WeChat.IssueClientCertificateValid(framework.MchID, time.Now().Add(-48*time.Hour), time.Now().Add(-24*time.Hour))
	shop.Must(err)
	soon, err := shop.WeChat.IssueClientCertificateValid(framework.MchID, time.Now().Add(-48*time.Hour), time.Now().Add(20*24*time.Hour))
	shop.Must(err)
	for _, c := range []struct {
		certificate, key []byte
		state, message   string
	}{
		{[]byte("rubbish"), good.KeyPEM, "Ready=False/InvalidCertificate", "can't be used as the API certificate of merchant number"},
		{good.CertPEM, other.KeyPEM, "Ready=False/CertificateMismatch", "is not that of its certificate"},
		{expired.CertPEM, expired.KeyPEM, "Ready=False/CertificateExpired", "expired on"},
		{soon.CertPEM, soon.KeyPEM, "Ready=True/Ready", "expires in less than 30 days"},
	} {
		setSecret(shop, "wechatpay-cert", map[string][]byte{"tls.crt": c.certificate, "tls.key": c.key})
		shop.Eventually(c.message, func() error {
			merchant := shop.WaitMerchant(framework.MerchantName, c.state)
			return contains(ready(merchant), c.message)
		})
	}
	waitEvent(shop, framework.MerchantName, "CertificateExpires")
	merchant := shop.WaitMerchant(framework.MerchantName, "Ready=True/Ready")
	g.Expect(merchant.Status.Certificate.Subject).To(gomega.ContainSubstring(framework.MchID))
	g.Expect(merchant.Status.Certificate.NotAfter.Time).To(gomega.BeTemporally("~", time.Now().Add(20*24*time.Hour), time.Hour))
}

func TestExpiredCertificateStopsRefundsNotOrders(t *testing.T) {
	shop, g := openReady(t, framework.Speaking(v1alpha1.ProtocolV2))
	expired, err := shop.WeChat.IssueClientCertificateValid(framework.MchID, time.Now().Add(-48*time.Hour), time.Now().Add(-24*time.Hour))
	shop.Must(err)
	setSecret(shop, "wechatpay-cert", map[string][]byte{"tls.crt": expired.CertPEM, "tls.key": expired.KeyPEM})
	shop.WaitMerchant(framework.MerchantName, "Ready=False/CertificateExpired")
	shop.Paid("order-0001")
	shop.Create(shop.NewRefund("refund-0001", "order-0001", 101, approved))
	refund := shop.WaitRefund("refund-0001", "Accepted=False/CertificateMissing")
	g.Expect(refund.Status.Conditions).To(gomega.ContainElement(gomega.HaveField("Message", gomega.ContainSubstring("expired on"))))
	g.Expect(shop.WeChat.Ledger().CallsOf(simulator.OperationRefund, "")).To(gomega.BeEmpty())

	good, err := shop.WeChat.IssueClientCertificate(framework.MchID)
	shop.Must(err)
	setSecret(shop, "wechatpay-cert", map[string][]byte{"tls.crt": good.CertPEM, "tls.key": good.KeyPEM})
	shop.WaitRefund("refund-0001", "Succeeded=True/Succeeded")
}

func TestRefundsWithoutACertificate(t *testing.T) {
	t.Parallel()
	shop := framework.Open(t, env, framework.Speaking(v1alpha1.ProtocolV2))
	shop.Create(shop.NewMerchant(func(m *v1alpha1.Merchant) { m.Spec.CertificateSecretRef = nil }))
	shop.WaitMerchant(framework.MerchantName, "Ready=True/Ready")
	shop.Paid("order-0001")
	shop.Create(shop.NewRefund("refund-0001", "order-0001", 101, approved))
	refund := shop.WaitRefund("refund-0001", "Accepted=False/CertificateMissing")
	gomega.NewWithT(t).Expect(refund.Status.Conditions).To(gomega.ContainElement(gomega.HaveField("Message", gomega.ContainSubstring("spec.certificateSecretRef"))))
}

func TestUnreachableWeChatLeavesReadyAsItWas(t *testing.T) {
	t.Parallel()
	shop := framework.Open(t, env)
	shop.Fault(simulator.Fault{Operation: simulator.OperationOrderQuery, Kind: simulator.FaultHTML})
	shop.Create(shop.NewMerchant())
	shop.WaitMerchant(framework.MerchantName, "Ready=Unknown/WeChatUnreachable")
	shop.WeChat.ClearFaults()
	shop.WaitMerchant(framework.MerchantName, "Ready=True/Ready")
}

// TestKeyIsTriedAlthoughTheNotifyURLIsInvalid: a callback address is no reason to go on believing in
// a key. Its former owner would keep the numbers of the merchant's Orders from everybody else.
func TestKeyIsTriedAlthoughTheNotifyURLIsInvalid(t *testing.T) {
	shop, _ := openReady(t)
	shop.StopOperators()
	shop.StartOperator(func(o *manager.Options) { o.NotifyBaseURL = "nothing" })
	shop.WaitMerchant(framework.MerchantName, "Ready=False/InvalidNotifyURL")
	shop.Create(shop.NewOrder("order-0001"))
	shop.WaitOrder("order-0001", "Prepared=False/MerchantNotReady")
	setWrongCredentials(shop)
	shop.WaitMerchant(framework.MerchantName, "Ready=False/CredentialsRejected")
	setGoodCredentials(shop)
	shop.WaitMerchant(framework.MerchantName, "Ready=False/InvalidNotifyURL")
	shop.Patch(shop.NewMerchant(), fmt.Sprintf(`{"spec":{"notifyBaseURL":%q}}`, shop.Base))
	shop.WaitMerchant(framework.MerchantName, "Ready=True/Ready")
	shop.WaitOrder("order-0001", "Prepared=True/Prepared")
}

func TestNotifyURLThatWeChatWouldRefuse(t *testing.T) {
	t.Parallel()
	// A name of WeChat's that does not exist, and a loopback base URL.
	const nobody = "nobody.mch.weixin.qq.com"
	shop := framework.Open(t, env, framework.WithOptions(func(o *manager.Options) { o.Accounts.EndpointHosts = hosts.MustParse(nobody) }))
	shop.Create(shop.NewMerchant(func(m *v1alpha1.Merchant) {
		m.Spec.Endpoint.URL, m.Spec.Endpoint.BackupURL = "https://"+nobody, ""
	}))
	merchant := shop.WaitMerchant(framework.MerchantName, "Ready=False/InvalidNotifyURL")
	gomega.NewWithT(t).Expect(ready(merchant)).To(gomega.ContainSubstring("Use a public https address without port"))
}

func TestMerchantOfAnotherNamespaceNeedsAGrant(t *testing.T) {
	shop, g := openReady(t, framework.WithNamespaces(1))
	elsewhere := func(o *v1alpha1.Order) {
		o.Namespace = shop.Other(0)
		o.Spec.MerchantRef.Namespace = shop.Namespace
	}
	shop.Create(shop.NewOrder("order-0001", elsewhere))
	shop.Create(shop.NewOrder("order-0002", elsewhere, func(o *v1alpha1.Order) { o.Spec.MerchantRef.Name = "there-is-none" }))
	refused := shop.WaitOrder(shop.Other(0)+"/order-0001", "Prepared=False/NotPermitted")
	missing := shop.WaitOrder(shop.Other(0)+"/order-0002", "Prepared=False/NotPermitted")
	g.Expect(missing.Status.Conditions[0].Message).To(gomega.Equal(
		replaceOnce(refused.Status.Conditions[0].Message, "a Merchant shop ", "a Merchant there-is-none ")), "nobody learns which Merchants exist")

	shop.Patch(shop.NewMerchant(), `{"spec":{"allowedNamespaces":{"from":"Selector","selector":{"matchLabels":{"team":"web"}}}}}`)
	shop.Patch(&corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: shop.Other(0)}}, `{"metadata":{"labels":{"team":"web"}}}`)
	shop.WaitOrder(shop.Other(0)+"/order-0001", "Prepared=True/Prepared")
	shop.Pay("order-0001")
	shop.WaitOrder(shop.Other(0)+"/order-0001", "Paid=True/Paid")

	// Without the grant no new Order is started, and a paid one remains paid.
	shop.ChangeMerchant(`{"spec":{"allowedNamespaces":{"from":"Same","selector":null}}}`)
	shop.Create(shop.NewOrder("order-0003", elsewhere))
	shop.WaitOrder(shop.Other(0)+"/order-0003", "Prepared=False/NotPermitted")
	shop.WaitOrder(shop.Other(0)+"/order-0001", "Paid=True/Paid")
}

// TestAMerchantNumberThatWeChatDoesNotKnow: WeChat says so, unsigned, and the Merchant shows it with
// what to do.
func TestAMerchantNumberThatWeChatDoesNotKnow(t *testing.T) {
	t.Parallel()
	shop := framework.Open(t, env, framework.Speaking(v1alpha1.ProtocolV2))
	shop.Create(shop.NewMerchant(func(m *v1alpha1.Merchant) { m.Spec.MchID = "1900000999" }))
	merchant := shop.WaitMerchant(framework.MerchantName, "Ready=False/CredentialsRejected")
	for _, words := range []string{"MCHID_NOT_EXIST", "the merchant number 1900000999", "create another Merchant"} {
		shop.Must(contains(ready(merchant), words))
	}
}

func TestSeveralMerchantsDoNotMix(t *testing.T) {
	t.Parallel()
	const otherMch, otherKey = "1900000209", "cccccccccccccccccccccccccccccccc"
	shop := framework.Open(t, env, framework.WithWeChat(func(o *simulator.Options) {
		o.Merchants = append(o.Merchants, framework.NewParty(otherMch, "wx0000000000000002", otherKey))
	}))
	shop.Create(shop.NewMerchant())
	shop.CreateCredentialsOf(shop.WeChat, shop.Namespace, "other", otherMch, otherKey)
	shop.Create(shop.NewMerchant(func(m *v1alpha1.Merchant) {
		m.Name, m.Spec.MchID, m.Spec.AppID = "other", otherMch, "wx0000000000000002"
		framework.UseCredentials(m, "other")
	}))
	// The same number at two merchant numbers are two orders.
	shop.Create(shop.NewOrder("order-0001"))
	shop.Create(shop.NewOrder("order-0002", func(o *v1alpha1.Order) {
		o.Spec.MerchantRef.Name, o.Spec.OutTradeNo = "other", "order-0001"
	}))
	shop.WaitOrder("order-0001", "Prepared=True/Prepared")
	shop.WaitOrder("order-0002", "Prepared=True/Prepared")
	_, err := shop.WeChat.Pay(otherMch, "order-0001", simulator.PayOptions{})
	shop.Must(err)
	shop.WaitOrder("order-0002", "Paid=True/Paid")
	shop.WaitOrder("order-0001", "Paid=Unknown/AwaitingPayment")
}

func TestTwoReplicas(t *testing.T) {
	t.Parallel()
	g := gomega.NewWithT(t)
	shop := framework.Open(t, env, framework.WithoutOperator(), framework.WithLeaderElection())
	shop.StartOperator()
	shop.StartOperator()
	shop.Create(shop.NewMerchant())
	const orders = 6
	for i := range orders {
		shop.Create(shop.NewOrder(orderName(i)))
	}
	for i := range orders {
		shop.WaitOrder(orderName(i), "Prepared=True/Prepared")
		shop.Pay(orderName(i))
	}
	for i := range orders {
		shop.WaitOrder(orderName(i), "Paid=True/Paid")
	}
	g.Expect(shop.WeChat.Ledger().CallsOf(simulator.OperationUnifiedOrder, "")).To(gomega.HaveLen(orders), "only one replica reconciles")
	g.Expect(shop.CallbacksByReplica()).To(gomega.HaveEach(gomega.BeNumerically(">=", 2)), "both take callbacks")
	shop.NoViolations()
}

func TestSecretsAreNeverShown(t *testing.T) {
	shop, g := paidShop(t)
	shop.Create(shop.NewRefund("refund-0001", "order-0001", 101, approved))
	shop.WaitRefund("refund-0001", "Succeeded=True/Succeeded")
	rejectCredentials(shop)
	shop.Create(shop.NewOrder("order-0002"))
	shop.WaitMerchant(framework.MerchantName, "Ready=False/CredentialsRejected")
	for _, list := range []client.ObjectList{&v1alpha1.OrderList{}, &v1alpha1.RefundList{}, &v1alpha1.MerchantList{}, &corev1.EventList{}} {
		shop.Must(shop.Client.List(shop.Context(), list, client.InNamespace(shop.Namespace)))
		text, err := json.Marshal(list)
		shop.Must(err)
		g.Expect(string(text)).NotTo(gomega.ContainSubstring(framework.APIKey))
		g.Expect(string(text)).NotTo(gomega.ContainSubstring(framework.APIV3Key))
		g.Expect(string(text)).NotTo(gomega.ContainSubstring("PRIVATE KEY"))
	}
}
