package webhookserver_test

import (
	"net/http"
	"testing"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/wechatpay-operator/wechatpay-operator/api/v1alpha1"
	"github.com/wechatpay-operator/wechatpay-operator/test/framework"
)

// keys sets the keys in the Merchant's Secret.
func (d *fixture) keys(current, previous string) {
	d.T.Helper()
	secret := &corev1.Secret{ObjectMeta: metav1.ObjectMeta{Namespace: d.Namespace, Name: "wechatpay"}}
	entry := d.KeyEntry()
	if previous == "" {
		d.Patch(secret, `{"data":{"`+entry+`.previous":null},"stringData":{"`+entry+`":"`+current+`"}}`)
		return
	}
	d.Patch(secret, `{"stringData":{"`+entry+`":"`+current+`","`+entry+`.previous":"`+previous+`"}}`)
}

func TestPreviousKeyIsAcceptedDuringRotation(t *testing.T) {
	t.Parallel()
	d := openFixtureIn(t, v1alpha1.ProtocolV2)
	c := d.callbackServer()
	one, other, third, fourth := d.prepared("order-0001"), d.prepared("order-0002"), d.prepared("order-0003"), d.prepared("order-0004")

	d.keys(framework.APIKey, previousKey)
	expectSuccess(t, c.pay(raw(paymentOf(one).body(previousKey, hmacSign))))
	expectSuccess(t, c.pay(raw(paymentOf(other).body(framework.APIKey, hmacSign))))
	expectFail(t, c.pay(raw(paymentOf(third).body(previousKey, md5Sign))), http.StatusForbidden)

	d.keys(framework.APIKey, "")
	expectFail(t, c.pay(raw(paymentOf(third).body(previousKey, hmacSign))), http.StatusForbidden)
	expectSuccess(t, c.pay(paymentOf(third).good()))

	// If one key is invalid, the other is not used alone.
	d.keys("too short", previousKey)
	expectFail(t, c.pay(raw(paymentOf(fourth).body(previousKey, hmacSign))), http.StatusServiceUnavailable)
	d.expectPaid(fourth, "Unknown/AwaitingPayment")
	d.keys(framework.APIKey, "")
	expectSuccess(t, c.pay(paymentOf(fourth).good()))
}

func TestMissingSecretIsRetried(t *testing.T) {
	t.Parallel()
	d := openFixture(t)
	c := d.callbackServer()
	order := d.prepared("order-0001")
	d.Must(d.live.Delete(d.Context(), &corev1.Secret{ObjectMeta: metav1.ObjectMeta{Namespace: d.Namespace, Name: "wechatpay"}}))
	for _, body := range []message{paymentOf(order).good(), paymentOf(order).forged(), raw(paymentOf(order).xml("xml"))} {
		expectFail(t, c.pay(body), http.StatusServiceUnavailable)
	}
	d.expectPaid(order, "Unknown/AwaitingPayment")
}

func md5Merchant(m *v1alpha1.Merchant) { m.Spec.SignType = v1alpha1.SignTypeMD5 }

func TestMD5IsForOrdersPreparedWithIt(t *testing.T) {
	t.Parallel()
	d := openFixtureIn(t, v1alpha1.ProtocolV2, md5Merchant)
	c := d.callbackServer()
	named := func(name string, how v1alpha1.SignType) *v1alpha1.Order {
		order := d.NewOrder(name)
		d.Create(order)
		return d.asPrepared(order, how)
	}
	before, strong, after := named("order-before", v1alpha1.SignTypeMD5), named("order-strong", v1alpha1.SignTypeHMACSHA256), named("order-after", v1alpha1.SignTypeMD5)
	expectSuccess(t, c.pay(raw(paymentOf(before).body(framework.APIKey, md5Sign))))
	expectFail(t, c.pay(raw(paymentOf(strong).body(framework.APIKey, md5Sign))), http.StatusForbidden)

	// The cache does not have the prepared Order yet, which says HMAC-SHA256; the API server does.
	lagging := d.NewOrder("order-lagging")
	d.Create(lagging)
	stale := d.callbackServer(staleOrder(lagging.DeepCopy()))
	d.asPrepared(lagging, v1alpha1.SignTypeHMACSHA256)
	expectFail(t, stale.pay(raw(paymentOf(lagging).body(framework.APIKey, md5Sign))), http.StatusForbidden)
	d.expectPaid(lagging, "Unknown/AwaitingPayment")

	m := d.NewMerchant()
	d.Patch(m, `{"spec":{"signType":"HMAC-SHA256"}}`)
	d.sync(m)
	expectSuccess(t, c.pay(raw(paymentOf(before).body(framework.APIKey, md5Sign))))
	expectSuccess(t, c.pay(raw(paymentOf(after).body(framework.APIKey, md5Sign))))
	expectFail(t, c.pay(raw(paymentOf(strong).body(framework.APIKey, md5Sign))), http.StatusForbidden)
	unprepared := d.NewOrder("order-fresh")
	d.Create(unprepared)
	d.sync(unprepared)
	expectFail(t, c.pay(raw(paymentOf(unprepared).body(framework.APIKey, md5Sign))), http.StatusForbidden)
	d.expectPaid(unprepared, "")
	expectSuccess(t, c.pay(paymentOf(unprepared).good()))
	expectSuccess(t, c.pay(paymentOf(strong).good()))
	for _, order := range []*v1alpha1.Order{before, strong, after, unprepared} {
		d.expectPaid(order, "True/Paid")
	}
}
