package plugin_test

import (
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"os"
	"testing"

	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/clientcmd"
	clientcmdapi "k8s.io/client-go/tools/clientcmd/api"

	"github.com/wechatpay-operator/wechatpay-operator/api/v1alpha1"
	"github.com/wechatpay-operator/wechatpay-operator/internal/plugin"
)

// userAt is a user with a token, at another address of the API server.
func userAt(t *testing.T, name, address, token string) call {
	t.Helper()
	config := clientcmdapi.NewConfig()
	config.Clusters["c"] = &clientcmdapi.Cluster{Server: address}
	config.AuthInfos["u"] = &clientcmdapi.AuthInfo{Token: token}
	config.Contexts["x"] = &clientcmdapi.Context{Cluster: "c", AuthInfo: "u"}
	config.CurrentContext = "x"
	must(t, clientcmd.WriteToFile(*config, kubeconfigOf(name)))
	t.Cleanup(func() { _ = os.Remove(kubeconfigOf(name)) })
	return call{user: name}
}

// relay is a proxy between the plugin and the API server. pass decides which responses it passes on.
func relay(t *testing.T, pass func(w http.ResponseWriter, r *http.Request, next http.Handler)) string {
	t.Helper()
	address, err := url.Parse(env.Config.Host)
	must(t, err)
	transport, err := rest.TransportFor(env.Config)
	must(t, err)
	proxy := &httputil.ReverseProxy{Transport: transport,
		Rewrite: func(r *httputil.ProxyRequest) { r.SetURL(address); r.Out.Header.Del("Authorization") }}
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { pass(w, r, proxy) }))
	t.Cleanup(server.Close)
	return server.URL
}

// TestLostAnswer: if the response is lost, it is unknown whether the decision was recorded, and repeating the command
// shows it.
func TestLostAnswer(t *testing.T) {
	ns := namespaceFor(t, "lost")
	create(t, paidOrder(ns, "order-0001"), newRefund(ns, "refund-0001"))
	patches := 0
	lossy := userAt(t, "lossy", relay(t, func(w http.ResponseWriter, r *http.Request, next http.Handler) {
		if r.Method != http.MethodPatch {
			next.ServeHTTP(w, r)
			return
		}
		patches++
		next.ServeHTTP(httptest.NewRecorder(), r)
		connection, _, err := http.NewResponseController(w).Hijack()
		if err == nil {
			_ = connection.Close()
		}
	}), "")
	lossy.run(t, ns, "approve", "refund-0001", "--yes").expect(t, plugin.ExitFailure,
		"Whether the decision was recorded is not known")
	if got := refundNow(t, ns, "refund-0001").Spec.Approval; got != v1alpha1.ApprovalApproved {
		t.Fatalf("it is %q", got)
	}
	lossy.run(t, ns, "approve", "refund-0001", "--yes").expect(t, plugin.ExitDone, "is Approved already")
	if patches != 1 {
		t.Errorf("%d patches, want 1", patches)
	}
}

// TestNoAnswer: the error says what is wrong and what to do.
func TestNoAnswer(t *testing.T) {
	server := httptest.NewServer(http.NotFoundHandler())
	server.Close()
	gone := userAt(t, "gone", server.URL, "")
	gone.run(t, "default", "approve", "refund-0001").expect(t, plugin.ExitFailure, "The API server cannot be reached")
	gone.run(t, "default", "doctor").expect(t, plugin.ExitUnexpected, "FAIL  API server: cannot be reached")

	stranger := userAt(t, "stranger", relay(t, func(w http.ResponseWriter, _ *http.Request, _ http.Handler) {
		w.Header().Set("Content-Type", "application/json")
		w.WriteHeader(http.StatusUnauthorized)
		_, _ = w.Write([]byte(`{"kind":"Status","apiVersion":"v1","status":"Failure","message":"Unauthorized","reason":"Unauthorized","code":401}`))
	}), "old")
	stranger.run(t, "default", "approve", "refund-0001").expect(t, plugin.ExitNotPermitted, "does not accept these credentials")

	empty := userAt(t, "empty", relay(t, func(w http.ResponseWriter, r *http.Request, next http.Handler) {
		switch r.URL.Path {
		case "/apis":
			w.Header().Set("Content-Type", "application/json")
			_, _ = w.Write([]byte(`{"kind":"APIGroupList","apiVersion":"v1","groups":[]}`))
		case "/apis/" + v1alpha1.GroupVersion.Group, "/apis/" + v1alpha1.GroupVersion.String():
			http.NotFound(w, r)
		default:
			next.ServeHTTP(w, r)
		}
	}), "")
	empty.run(t, "default", "approve", "refund-0001").expect(t, plugin.ExitFailure, "does not have the kinds of this plugin")
	empty.run(t, "default", "doctor").expect(t, plugin.ExitUnexpected,
		"FAIL  Kinds (CRDs): not installed: [Merchant Order Refund", "kubectl apply --server-side -k config/crd")
}
