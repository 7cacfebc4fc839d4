package webhookserver_test

import (
	"errors"
	"maps"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil"

	"github.com/wechatpay-operator/wechatpay-operator/internal/metrics"
	"github.com/wechatpay-operator/wechatpay-operator/internal/wechatpay/simulator"
)

// results are all label values of the results of callbacks.
var results = []string{"recorded", "repeated", "unmatched", "mismatch", "conflict", "refused", "unproven", "ignored", "failed"}

// counted reads all counters of callbacks, by "kind result".
func counted(t *testing.T) map[string]float64 {
	t.Helper()
	registry := prometheus.NewPedanticRegistry()
	registry.MustRegister(metrics.Callbacks)
	families, err := registry.Gather()
	if err != nil {
		t.Fatal(err)
	}
	values := map[string]float64{}
	for _, family := range families {
		for _, metric := range family.Metric {
			var labels []string
			for _, label := range metric.Label {
				labels = append(labels, label.GetValue())
			}
			values[strings.Join(labels, " ")] = metric.GetCounter().GetValue()
		}
	}
	return values
}

// TestCallbacksAreCounted: not parallel: the counters are global.
func TestCallbacksAreCounted(t *testing.T) {
	d := openFixture(t)
	c, clock := d.callbackServerWithClock()
	order, other := d.prepared("order-0001"), d.prepared("order-0002")
	refund, _ := d.refunding("order-0003", "refund-0001", "")
	body, payment := paymentOf(order).good(), paymentOf(order)
	broken := d.callbackServer(failingWrites(func() (error, bool) { return errors.New("away"), false }))
	steps := []struct {
		name string
		call func() answer
		want string // "" where nothing is counted
	}{
		{"stored", func() answer { return c.pay(body) }, "payment recorded"},
		{"again", func() answer { return c.pay(body) }, "payment repeated"},
		{"another transaction", func() answer { return c.pay(payment.with("transaction_id", "42999").good()) }, "payment conflict"},
		{"unknown number", func() answer { return c.pay(payment.with("out_trade_no", "order-9999").good()) }, "payment unmatched"},
		{"another amount", func() answer { return c.pay(paymentOf(other).with("total_fee", "1").good()) }, "payment mismatch"},
		{"forged", func() answer { return c.pay(payment.forged()) }, "payment refused"},
		{"too large", func() answer { return c.pay(raw(strings.Repeat("x", 65<<10))) }, "payment refused"},
		{"no merchant", func() answer { return c.post(strings.Replace(d.paymentPath(), "shop/", "other/", 1), body) }, "payment refused"},
		{"no write", func() answer { return broken.pay(paymentOf(other).good()) }, "payment failed"},
		{"another method", func() answer { return d.send(http.MethodGet, c.base+d.paymentPath(), nil) }, ""},
		{"another path", func() answer { return c.post("/metrics", body) }, ""},
		{"refund under way", func() answer { return c.refund(d.refundBody(refund, "CHANGE")) }, "refund failed"},
		{"refund forged", func() answer { return c.refund(raw("<xml></xml>")) }, "refund refused"},
		{"refund unknown", func() answer {
			return c.refund(refundOf(d.NewRefund("refund-9999", "order-0003", 50), order, "SUCCESS").refunded())
		}, "refund unmatched"},
		{"refund done", func() answer {
			d.turn(refund, simulator.RefundSuccess)
			clock.SetTime(clock.Now().Add(time.Second)) // the query interval is over
			return c.refund(d.refundBody(refund, "SUCCESS"))
		}, "refund recorded"},
		{"refund again", func() answer {
			d.sync(refund)
			return c.refund(d.refundBody(refund, "SUCCESS"))
		}, "refund repeated"},
	}
	mismatches := testutil.ToFloat64(metrics.AmountMismatches)
	for _, step := range steps {
		t.Run(step.name, func(t *testing.T) {
			want := counted(t)
			if step.want != "" {
				want[step.want]++
			}
			step.call()
			if got := counted(t); !maps.Equal(got, want) {
				t.Errorf("counted %v, want %v", got, want)
			}
		})
	}
	if got := testutil.ToFloat64(metrics.AmountMismatches) - mismatches; got != 1 {
		t.Errorf("%v mismatches", got)
	}
	known := map[string]bool{}
	for _, kind := range []string{"payment", "refund"} {
		for _, result := range results {
			known[kind+" "+result] = true
		}
	}
	for labels := range counted(t) {
		if !known[labels] {
			t.Errorf("a label of its own: %q", labels)
		}
	}
}

// TestHealthChecksAreCountedApart: not parallel: the counters are global.
func TestHealthChecksAreCountedApart(t *testing.T) {
	d := openFixture(t)
	c := d.callbackServer()
	before, checks := counted(t), testutil.ToFloat64(metrics.CallbackHealthChecks.WithLabelValues(metrics.HealthOK))
	for _, method := range []string{http.MethodGet, http.MethodHead} {
		for _, path := range []string{"/", "/healthz"} {
			d.send(method, c.base+path, nil)
		}
	}
	if got := testutil.ToFloat64(metrics.CallbackHealthChecks.WithLabelValues(metrics.HealthOK)) - checks; got != 4 {
		t.Errorf("%v health checks counted", got)
	}
	if got := counted(t); !maps.Equal(got, before) {
		t.Errorf("counted as callbacks: %v, before %v", got, before)
	}
	if lines := c.log.all(); strings.Contains(strings.Join(lines, "\n"), "healthz") {
		t.Errorf("logged: %q", lines)
	}
}
