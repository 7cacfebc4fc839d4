package controllers_test

import (
	"encoding/base64"
	"encoding/pem"
	"errors"
	"io"
	"log"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/onsi/gomega"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/wechatpay-operator/wechatpay-operator/api/v1alpha1"
	"github.com/wechatpay-operator/wechatpay-operator/internal/hosts"
	"github.com/wechatpay-operator/wechatpay-operator/internal/manager"
	"github.com/wechatpay-operator/wechatpay-operator/internal/wechatpay/simulator"
	"github.com/wechatpay-operator/wechatpay-operator/test/framework"
)

// TestEndpointErrorsAreConcealed: a user who can write a Merchant can name addresses of the
// operator's own network, and reads the result. A missing host, a closed port, the API server and a
// server without TLS all give the same message.
func TestEndpointErrorsAreConcealed(t *testing.T) {
	shop, g := openReady(t, framework.WithOptions(func(o *manager.Options) {
		o.Accounts.EndpointHosts = hosts.MustParse("127.0.0.1,nobody.invalid,localhost")
	}))
	plain := httptest.NewServer(http.NotFoundHandler())
	t.Cleanup(plain.Close)
	secure := openTLS(t, http.NotFound)
	inside := openTLS(t, func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write([]byte(`{"status":"ok"}`)) })

	told := map[string]string{}
	for name, endpoint := range map[string]*v1alpha1.Endpoint{
		"no-such-host":  {URL: "https://nobody.invalid"},
		"closed":        {URL: "https://127.0.0.1:1"},
		"api-server":    {URL: env.Config.Host},
		"no-tls":        {URL: strings.Replace(plain.URL, "http://", "https://", 1)},
		"other-ca":      {URL: secure.URL},
		"other-name":    {URL: strings.Replace(secure.URL, "127.0.0.1", "localhost", 1), CABundle: certificateOf(secure)},
		"http-404":      {URL: secure.URL, CABundle: certificateOf(secure)},
		"not-wechat":    {URL: inside.URL, CABundle: certificateOf(inside)},
		"closed-backup": {URL: "https://127.0.0.1:1", BackupURL: inside.URL, CABundle: certificateOf(inside)},
	} {
		shop.Create(shop.NewMerchant(func(m *v1alpha1.Merchant) { m.Name, m.Spec.Endpoint = name, endpoint }))
		shop.Create(shop.NewOrder("order-"+name, func(o *v1alpha1.Order) { o.Spec.MerchantRef.Name = name }))
		told[name] = message(shop.WaitMerchant(name, "Ready=Unknown/WeChatUnreachable").Status.Conditions, v1alpha1.ConditionReady) + "\n" +
			message(shop.WaitOrder("order-"+name, "Prepared=Unknown/OutcomeUnknown").Status.Conditions, v1alpha1.ConditionPrepared)
	}
	for name, said := range told {
		g.Expect(said).To(gomega.Equal(told["closed"]), name)
	}
	// For a host that has given a verified answer, the error is shown.
	shop.Fault(simulator.Fault{Operation: simulator.OperationUnifiedOrder, Kind: simulator.FaultHTML})
	shop.Create(shop.NewOrder("order-0001"))
	said := message(shop.WaitOrder("order-0001", "Prepared=Unknown/OutcomeUnknown").Status.Conditions, v1alpha1.ConditionPrepared)
	g.Expect(said).To(gomega.ContainSubstring("HTTP 502"))
}

// TestUnlistedHostsAreNotCalled: no reconciler calls them, whenever the Merchant was
// created.
func TestUnlistedHostsAreNotCalled(t *testing.T) {
	shop, g := openReady(t)
	var connections atomic.Int64
	secret := openTLS(t, func(http.ResponseWriter, *http.Request) { connections.Add(1) })
	elsewhere := strings.Replace(secret.URL, "127.0.0.1", "localhost", 1)
	shop.Create(shop.NewOrder("order-0001"))
	shop.WaitOrder("order-0001", "Prepared=True/Prepared")
	for endpoint, says := range map[string]string{
		`{"url":"` + elsewhere + `","backupURL":null,"caBundle":null}`:        "spec.endpoint.url names the host localhost:",
		`{"url":"` + shop.WeChat.URL() + `","backupURL":"` + elsewhere + `"}`: "spec.endpoint.backupURL names the host localhost:",
		`null`: "Without spec.endpoint calls go to the host api.mch.weixin.qq.com", // this shop allows only the simulator
	} {
		shop.Patch(shop.NewMerchant(), `{"spec":{"endpoint":`+endpoint+`}}`)
		shop.Eventually(says, func() error {
			m := shop.WaitMerchant(framework.MerchantName, "Ready=False/EndpointNotAllowed")
			return errors.Join(contains(ready(m), says), contains(ready(m), "--endpoint-hosts"))
		})
	}
	shop.Create(shop.NewOrder("order-0002"))
	shop.WaitOrder("order-0002", "Prepared=False/MerchantNotReady")
	g.Expect(connections.Load()).To(gomega.BeZero())
	shop.Patch(shop.NewMerchant(), `{"spec":{"endpoint":{"url":"`+shop.WeChat.URL()+`","backupURL":null,"caBundle":"`+base64.StdEncoding.EncodeToString(shop.WeChat.CAPEM())+`"}}}`)
	shop.WaitOrder("order-0002", "Prepared=True/Prepared")
}

func message(conditions []metav1.Condition, kind string) string {
	if found := meta.FindStatusCondition(conditions, kind); found != nil {
		return found.Message
	}
	return ""
}

func certificateOf(server *httptest.Server) []byte {
	return pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: server.Certificate().Raw})
}

// openTLS starts a server that does not log failed handshakes.
func openTLS(t *testing.T, handler http.HandlerFunc) *httptest.Server {
	t.Helper()
	server := httptest.NewUnstartedServer(handler)
	server.Config.ErrorLog = log.New(io.Discard, "", 0)
	server.StartTLS()
	t.Cleanup(server.Close)
	return server
}
