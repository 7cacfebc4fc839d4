package controllers_test

import (
	"context"
	"crypto/x509"
	"errors"
	"io"
	stdlog "log"
	"net"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/netip"
	"net/url"
	"sync/atomic"
	"testing"

	"github.com/onsi/gomega"
	"github.com/prometheus/client_golang/prometheus/testutil"
	corev1 "k8s.io/api/core/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/wechatpay-operator/wechatpay-operator/api/v1alpha1"
	"github.com/wechatpay-operator/wechatpay-operator/controllers"
	"github.com/wechatpay-operator/wechatpay-operator/internal/manager"
	"github.com/wechatpay-operator/wechatpay-operator/internal/metrics"
	"github.com/wechatpay-operator/wechatpay-operator/test/framework"
)

// publicHost is a public TLS host in front of the shop's ingress. Its certificate is httptest's,
// which is for example.com.
type publicHost struct {
	server *httptest.Server
	to     atomic.Pointer[url.URL]
	// status is answered instead if it is set.
	status atomic.Int32
	// calls counts the requests, and failed those that were answered with status.
	calls, failed atomic.Int32
}

func openFront(t *testing.T) *publicHost {
	f := &publicHost{}
	proxy := &httputil.ReverseProxy{Rewrite: func(r *httputil.ProxyRequest) { r.SetURL(f.to.Load()) }, ErrorLog: stdlog.New(io.Discard, "", 0)}
	f.server = httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, request *http.Request) {
		f.calls.Add(1)
		if status := f.status.Load(); status != 0 {
			f.failed.Add(1)
			w.WriteHeader(int(status))
			return
		}
		proxy.ServeHTTP(w, request)
	}))
	t.Cleanup(f.server.Close)
	return f
}

// LookupNetIP resolves every name to a public address.
func (f *publicHost) LookupNetIP(context.Context, string, string) ([]netip.Addr, error) {
	return []netip.Addr{netip.MustParseAddr("8.8.8.8")}, nil
}

// internet connects the operator's test callbacks to the publicHost only.
func (f *publicHost) internet(o *manager.Options) {
	o.CallbackProbe.Resolver, o.CallbackProbe.Roots = f, x509.NewCertPool()
	o.CallbackProbe.Roots.AddCert(f.server.Certificate())
	o.CallbackProbe.Dial = func(ctx context.Context, network, _ string) (net.Conn, error) {
		return (&net.Dialer{}).DialContext(ctx, network, f.server.Listener.Addr().String())
	}
}

func openBehind(t *testing.T, f *publicHost, options ...framework.Option) *framework.Shop {
	t.Helper()
	shop := framework.Open(t, env, append(options, framework.WithOptions(f.internet))...)
	base, err := url.Parse(shop.Base)
	shop.Must(err)
	f.to.Store(base)
	shop.Create(shop.NewMerchant(func(m *v1alpha1.Merchant) { m.Spec.NotifyBaseURL = "https://example.com" }))
	return shop
}

func TestCallbacksReachable(t *testing.T) {
	t.Parallel()
	f := openFront(t)
	shop := openBehind(t, f, framework.WithTiming(func(timing *controllers.Timing) { timing.CallbackCheck = timing.CallbackRetryFirst }))
	gauge := func() float64 {
		return testutil.ToFloat64(metrics.CallbacksReachable.WithLabelValues(shop.Namespace, framework.MerchantName))
	}
	measured := func(want float64) {
		shop.Eventually("it is measured", func() error {
			if gauge() != want {
				return errors.New("it is not")
			}
			return nil
		})
	}
	shop.WaitMerchant(framework.MerchantName, "CallbacksReachable=True/Reachable")
	measured(1)

	f.status.Store(http.StatusServiceUnavailable)
	merchant := shop.WaitMerchant(framework.MerchantName, "CallbacksReachable=False/HTTPStatus")
	if f.failed.Load() < 2 {
		t.Error("told after the first test callback that failed: a rollout of the ingress would do")
	}
	waitEvent(shop, framework.MerchantName, "HTTPStatus")
	measured(0)
	g := gomega.NewWithT(t)
	g.Expect(merchant.Status.Conditions).To(gomega.ContainElement(gomega.SatisfyAll(
		gomega.HaveField("Type", "CallbacksReachable"), gomega.HaveField("Message", gomega.ContainSubstring("HTTP 503")))))
	// It does not affect Ready.
	shop.WaitMerchant(framework.MerchantName, "Ready=True/Ready")
	shop.Create(shop.NewOrder("order-0001"))
	shop.WaitOrder("order-0001", "Prepared=True/Prepared")

	f.status.Store(0)
	shop.WaitMerchant(framework.MerchantName, "CallbacksReachable=True/Reachable")
	waitEvent(shop, framework.MerchantName, "Reachable")
	measured(1)
}

// TestStatusIsWrittenOnChangeOnly: however often the check runs.
func TestStatusIsWrittenOnChangeOnly(t *testing.T) {
	t.Parallel()
	f := openFront(t)
	f.status.Store(http.StatusNotFound)
	shop := openBehind(t, f)
	before := shop.WaitMerchant(framework.MerchantName, "CallbacksReachable=False/HTTPStatus")
	calls := f.calls.Load()
	shop.Eventually("it is checked again and again", func() error {
		if f.calls.Load() < calls+3 {
			return errors.New("not yet")
		}
		return nil
	})
	if now := shop.WaitMerchant(framework.MerchantName, "CallbacksReachable=False/HTTPStatus"); now.ResourceVersion != before.ResourceVersion {
		t.Errorf("written again: %+v", now.Status.Conditions)
	}
}

func TestCallbacksThatAreNotChecked(t *testing.T) {
	t.Parallel()
	f := openFront(t)
	for name, c := range map[string]struct {
		base    string
		options func(*manager.Options)
		says    string
	}{
		"not public": {"", f.internet, "it is not https"},
		"a port":     {"https://example.com:8443", f.internet, "it has a port"},
		"private":    {"https://10.0.0.1", f.internet, "not a public address"},
		"turned off": {"https://example.com", func(o *manager.Options) {
			f.internet(o)
			o.CheckCallbacks = false
		}, "--check-callbacks=false"},
	} {
		shop := framework.Open(t, env, framework.WithOptions(c.options))
		shop.Create(shop.NewMerchant(func(m *v1alpha1.Merchant) { m.Spec.NotifyBaseURL = c.base }))
		merchant := shop.WaitMerchant(framework.MerchantName, "CallbacksReachable=Unknown/NotChecked")
		gomega.NewWithT(t).Expect(merchant.Status.Conditions).To(gomega.ContainElement(gomega.HaveField("Message", gomega.ContainSubstring(c.says))), name)
	}
	if f.calls.Load() != 0 {
		t.Error("somebody was called")
	}
}

func TestCallbacksOfAMerchantWithoutAKey(t *testing.T) {
	t.Parallel()
	f := openFront(t)
	shop := openBehind(t, f)
	shop.WaitMerchant(framework.MerchantName, "CallbacksReachable=True/Reachable")
	held := &corev1.Secret{}
	shop.Must(shop.Client.Get(shop.Context(), client.ObjectKeyFromObject(secret(shop, "wechatpay")), held))
	shop.Must(shop.Client.Delete(shop.Context(), secret(shop, "wechatpay")))
	shop.WaitMerchant(framework.MerchantName, "CallbacksReachable=Unknown/Pending")
	// With the key back, the last finding is shown again; the next check may be hours away.
	held.ResourceVersion, held.UID = "", ""
	shop.Create(held)
	shop.WaitMerchant(framework.MerchantName, "CallbacksReachable=True/Reachable")
}
