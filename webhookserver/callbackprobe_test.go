package webhookserver_test

import (
	"context"
	"crypto/rand"
	"errors"
	"maps"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus/testutil"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/client/interceptor"

	"github.com/wechatpay-operator/wechatpay-operator/api/v1alpha1"
	"github.com/wechatpay-operator/wechatpay-operator/internal/callbackprobe"
	"github.com/wechatpay-operator/wechatpay-operator/internal/metrics"
	"github.com/wechatpay-operator/wechatpay-operator/internal/wechatpay"
	"github.com/wechatpay-operator/wechatpay-operator/test/framework"
)

// probeOf creates a probe as the leader does.
func (d *fixture) probeOf(key, kind string, at time.Time) callbackprobe.Probe {
	d.T.Helper()
	m := d.shopMerchant()
	return callbackprobe.NewKeys(key, "").Probe(callbackprobe.Target{Namespace: m.Namespace, Name: m.Name, UID: string(m.UID), Kind: kind}, rand.Text(), at)
}

func (d *fixture) shopMerchant() *v1alpha1.Merchant {
	d.T.Helper()
	m := &v1alpha1.Merchant{}
	d.Must(d.live.Get(d.Context(), client.ObjectKey{Namespace: d.Namespace, Name: framework.MerchantName}, m))
	return m
}

func checksCounted() map[string]float64 {
	counts := map[string]float64{}
	for _, result := range []string{"answered", "refused"} {
		counts[result] = testutil.ToFloat64(metrics.CallbackChecks.WithLabelValues(result))
	}
	return counts
}

// TestProbesAreAnswered: any replica answers them on both paths, and they have their own metric.
// Not parallel: the counters are global.
func TestProbesAreAnswered(t *testing.T) {
	d := openFixture(t)
	none := func(context.Context, client.Client, string, client.Object, ...client.SubResourceUpdateOption) error {
		t.Error("a probe wrote something")
		return errors.New("no writing")
	}
	replicas := []*callbackServer{d.callbackServer(interceptor.Funcs{SubResourceUpdate: none}), d.callbackServer(interceptor.Funcs{SubResourceUpdate: none})}
	callbacks, before, stored := counted(t), checksCounted(), d.versions()
	for _, replica := range replicas {
		for kind, path := range map[string]string{"payment": d.paymentPath(), "refund": d.refundPath()} {
			probe := d.probeOf(d.Key(), kind, time.Now())
			got := replica.post(path, raw(string(probe.Body)))
			if err := probe.Check([]byte(got.body)); err != nil || got.err != nil || got.status != http.StatusOK {
				t.Errorf("%s: %v %+v", kind, err, got)
			}
			if strings.Contains(got.body, "return_code") {
				t.Errorf("it reads like the answer to a callback: %s", got.body)
			}
		}
	}
	if got := checksCounted(); got["answered"] != before["answered"]+4 || got["refused"] != before["refused"] {
		t.Errorf("counted %v, before %v", got, before)
	}
	if got := counted(t); !maps.Equal(got, callbacks) {
		t.Errorf("probes were counted as callbacks: %v, before %v", got, callbacks)
	}
	if got := d.versions(); !maps.Equal(got, stored) {
		t.Errorf("something was stored: %v, before %v", got, stored)
	}
}

// TestProbesThatAreRefused: what is not a probe of this Merchant is refused like any callback, and
// is not handled as one.
func TestProbesThatAreRefused(t *testing.T) {
	d := openFixture(t)
	c := d.callbackServer()
	probe := func() string { return string(d.probeOf(d.Key(), "payment", time.Now()).Body) }
	good := func() message { return raw(probe()) }
	callbacks := counted(t)
	for name, call := range map[string]func() answer{
		"another key":      func() answer { return c.pay(raw(string(d.probeOf(secondKey, "payment", time.Now()).Body))) },
		"the other path":   func() answer { return c.refund(good()) },
		"another Merchant": func() answer { return c.post(d.secondPath(), good()) },
		"an hour old": func() answer {
			return c.pay(raw(string(d.probeOf(d.Key(), "payment", time.Now().Add(-time.Hour)).Body)))
		},
		"an hour ahead": func() answer {
			return c.pay(raw(string(d.probeOf(d.Key(), "payment", time.Now().Add(time.Hour)).Body)))
		},
		"without anything": func() answer { return c.pay(raw("<callback_check></callback_check>")) },
		"cut off":          func() answer { return c.pay(raw(probe()[:100])) },
		"larger than any":  func() answer { return c.pay(raw(probe() + strings.Repeat(" ", callbackprobe.MaxProbe))) },
		"signed in WeChat's way": func() answer {
			return c.pay(raw(paymentOf(d.NewOrder("order-0001")).signed(framework.APIKey, hmacSign).xml("callback_check")))
		},
	} {
		before := checksCounted()
		expectFail(t, call(), http.StatusForbidden)
		if got := checksCounted(); got["refused"] != before["refused"]+1 || got["answered"] != before["answered"] {
			t.Errorf("%s: counted %v, before %v", name, got, before)
		}
	}
	if got := counted(t); !maps.Equal(got, callbacks) {
		t.Errorf("counted as callbacks: %v, before %v", got, callbacks)
	}
}

// TestProbeIsNoCallback: a replica of an earlier version, which does not know probes, refuses it
// too.
func TestProbeIsNoCallback(t *testing.T) {
	t.Parallel()
	d := openFixture(t)
	body := string(d.probeOf(d.Key(), "payment", time.Now()).Body)
	acc, err := d.registry.Get(d.Context(), d.shopMerchant())
	d.Must(err)
	for _, text := range []string{body, strings.ReplaceAll(body, "callback_check>", "xml>")} {
		if _, err := acc.Receiver.Parse(wechatpay.Delivery{Kind: wechatpay.PaymentCallback, Body: []byte(text)}); err == nil {
			t.Errorf("a payment: %s", text)
		}
		if _, err := acc.Receiver.Parse(wechatpay.Delivery{Kind: wechatpay.RefundCallback, Body: []byte(text)}); err == nil {
			t.Errorf("a refund: %s", text)
		}
	}
}

// TestPaymentWithAProbeInItIsRecorded: a shop chooses attach, which may contain anything.
func TestPaymentWithAProbeInItIsRecorded(t *testing.T) {
	t.Parallel()
	d := openFixture(t)
	c := d.callbackServer()
	const attach = "<callback_check><nonce>"
	order := d.prepared("order-0001", func(o *v1alpha1.Order) { o.Spec.Attach = attach })
	expectSuccess(t, c.pay(paymentOf(order).with("attach", attach).good()))
	d.expectPaid(order, "True/Paid")
}

// TestProbesWhileAKeyIsRotated: the leader may have read the Secret before or after this replica
// did.
func TestProbesWhileAKeyIsRotated(t *testing.T) {
	t.Parallel()
	d := openFixture(t)
	c := d.callbackServer()
	d.keys(secondKey, d.Key())
	for _, key := range []string{d.Key(), secondKey} {
		probe := d.probeOf(key, "payment", time.Now())
		if err := probe.Check([]byte(c.pay(raw(string(probe.Body))).body)); err != nil {
			t.Error(err)
		}
	}
}
