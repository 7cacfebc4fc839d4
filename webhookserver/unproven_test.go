package webhookserver_test

import (
	"fmt"
	"net/http"
	"strings"
	"testing"

	"github.com/prometheus/client_golang/prometheus/testutil"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/wechatpay-operator/wechatpay-operator/api/v1alpha1"
	"github.com/wechatpay-operator/wechatpay-operator/internal/metrics"
	"github.com/wechatpay-operator/wechatpay-operator/internal/wechatpay/simulator"
	"github.com/wechatpay-operator/wechatpay-operator/test/framework"
)

// chosenKey is a key that a user made up and set as the Merchant's key.
const chosenKey = "ChosenBySomebodyChosenBySomebody"

// TestUnprovenKeyIsNotTrusted: a callback that verifies under an unproven key gets an
// error, and WeChat repeats it.
func TestUnprovenKeyIsNotTrusted(t *testing.T) {
	t.Parallel()
	d := openFixtureIn(t, v1alpha1.ProtocolV2)
	c := d.callbackServer()
	order, other := d.prepared("order-0001"), d.prepared("order-0002")
	refund, _ := d.refunding("order-0003", "refund-0003", "")
	unproven := func() float64 { return testutil.ToFloat64(metrics.Callbacks.WithLabelValues("payment", "unproven")) }
	before := unproven()

	d.keys(chosenKey, "")
	expectFail(t, c.pay(raw(paymentOf(order).body(chosenKey, hmacSign))), http.StatusServiceUnavailable)
	d.keys(framework.APIKey, chosenKey)
	expectFail(t, c.pay(raw(paymentOf(order).body(chosenKey, hmacSign))), http.StatusServiceUnavailable)
	expectFail(t, c.refund(raw(fields{"out_trade_no": "order-0003", "out_refund_no": "refund-0003", "refund_status": "SUCCESS"}.sealed(chosenKey).xml("xml"))),
		http.StatusServiceUnavailable)
	d.expectPaid(order, "Unknown/AwaitingPayment")
	if calls := d.WeChat.Ledger().CallsOf(simulator.OperationRefundQuery, refund.Name); len(calls) > 0 {
		t.Errorf("WeChat was asked: %+v", calls)
	}
	if counted := unproven() - before; counted < 2 { // other tests run in parallel
		t.Errorf("%v were counted", counted)
	}
	expectSuccess(t, c.pay(paymentOf(order).good()))

	// A key proven at one endpoint is not proven at another, even if only the backup differs.
	m := d.NewMerchant()
	d.Patch(m, `{"spec":{"endpoint":{"backupURL":"https://127.0.0.1:1"}}}`)
	d.sync(m)
	expectFail(t, c.pay(paymentOf(other).good()), http.StatusServiceUnavailable)
	d.expectPaid(other, "Unknown/AwaitingPayment")
}

// TestMerchantPointedAtAttackersKey: with the operator running, the key is changed to one that
// the attacker knows. A callback signed with it arrives at once, and again after WeChat has
// rejected the key.
func TestMerchantPointedAtAttackersKey(t *testing.T) {
	t.Parallel()
	shop := framework.Open(t, environment(t), framework.Speaking(v1alpha1.ProtocolV2))
	shop.Create(shop.NewMerchant())
	shop.WaitMerchant(framework.MerchantName, "Ready=True/Ready")
	shop.Create(shop.NewOrder("order-0001"))
	order := shop.WaitOrder("order-0001", "Prepared=True/Prepared")
	d := &fixture{Shop: shop, http: newHTTPClient(t)}
	forge := func() answer {
		url := shop.CallbackURL(0) + "/notify/v2/" + shop.Namespace + "/" + framework.MerchantName + "/payment"
		return d.send(http.MethodPost, url, strings.NewReader(paymentOf(order).body(chosenKey, hmacSign)))
	}
	shop.Create(&corev1.Secret{ObjectMeta: metav1.ObjectMeta{Namespace: shop.Namespace, Name: "other"}, StringData: map[string]string{"known": chosenKey}})
	shop.Patch(shop.NewMerchant(), `{"spec":{"apiKeySecretRef":{"name":"other","key":"known"}}}`)
	shop.Eventually("WeChat has refused the key", func() error {
		if got := forge(); got.status == http.StatusOK {
			t.Fatal("a forged callback was taken before the key was tried")
		}
		ready := meta.FindStatusCondition(merchantOf(shop).Status.Conditions, v1alpha1.ConditionReady)
		if ready == nil || ready.Reason != v1alpha1.ReasonCredentialsRejected {
			return errNotYet
		}
		return nil
	})
	if got := forge(); got.status == http.StatusOK {
		t.Error("a forged callback was taken under a key that WeChat refused")
	}
	shop.Patch(shop.NewMerchant(), `{"spec":{"apiKeySecretRef":{"name":"wechatpay","key":"apiKey"}}}`)
	shop.Pay("order-0001")
	shop.WaitOrder("order-0001", "Paid=True/Paid")
}

// TestMerchantPointedAtAttackersPublicKey: the same with V3, by a public key of the attacker's own.
func TestMerchantPointedAtAttackersPublicKey(t *testing.T) {
	t.Parallel()
	shop := framework.Open(t, environment(t), framework.Speaking(v1alpha1.ProtocolV3))
	shop.Create(shop.NewMerchant())
	shop.WaitMerchant(framework.MerchantName, "Ready=True/Ready")
	shop.Create(shop.NewOrder("order-0001"))
	order := shop.WaitOrder("order-0001", "Prepared=True/Prepared")
	d := &fixture{Shop: shop, http: newHTTPClient(t)}
	forge := func() answer {
		sent := paymentOf(order).transaction().sent(unknownSigner, framework.APIV3Key)
		return d.send(http.MethodPost, shop.CallbackURL(0)+d.paymentPath(), strings.NewReader(sent.body), sent.setHeader)
	}
	name := func(keys ...v1alpha1.PublicKey) {
		t.Helper()
		shop.Patch(shop.NewMerchant(), `{"spec":{"publicKeys":`+toJSON(keys)+`}}`)
	}
	name(unknownSigner().public())
	shop.Eventually("no answer of WeChat's can be verified", func() error {
		if got := forge(); got.success() {
			t.Fatal("a forged callback was taken")
		}
		ready := meta.FindStatusCondition(merchantOf(shop).Status.Conditions, v1alpha1.ConditionReady)
		if ready == nil || ready.Status == metav1.ConditionTrue {
			return fmt.Errorf("%+v", ready)
		}
		return nil
	})
	name(append(shop.PublicKeys(), unknownSigner().public())...) // answers are verified by the other one
	shop.WaitMerchant(framework.MerchantName, "Ready=True/Ready")
	expectFail(t, forge(), http.StatusServiceUnavailable)
	shop.Pay("order-0001")
	if paid := shop.WaitOrder("order-0001", "Paid=True/Paid"); paid.Status.Transaction.ID == transactionOf("order-0001") {
		t.Error("the forged payment is recorded")
	}
}

func merchantOf(shop *framework.Shop) *v1alpha1.Merchant {
	shop.T.Helper()
	m := shop.NewMerchant()
	shop.Must(shop.Client.Get(shop.Context(), client.ObjectKeyFromObject(m), m))
	return m
}
