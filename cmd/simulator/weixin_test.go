package main

import (
	"crypto/tls"
	"crypto/x509"
	"io"
	"net/http"
	"net/url"
	"testing"

	. "github.com/onsi/gomega"

	"github.com/wechatpay-operator/wechatpay-operator/internal/wechatpay/simulator"
	weixinsimulator "github.com/wechatpay-operator/wechatpay-operator/internal/weixin/simulator"
)

func TestAMiniProgramLogsInBesideWeChatPay(t *testing.T) {
	g := NewWithT(t)
	urls, stop := launch(t, "--merchant", merchant, "--mini-program", "wxd678efh567hg6787:0123456789abcdef0123456789abcdef")
	defer stop()
	ca, err := simulator.NewAdminClient(urls["admin_url"]).CAPEM(t.Context())
	g.Expect(err).NotTo(HaveOccurred())
	admin := weixinsimulator.NewAdminClient(urls["weixin_admin_url"])
	g.Expect(admin.URL(t.Context())).To(Equal(urls["weixin_url"]))
	code, err := admin.Login(t.Context(), "wxd678efh567hg6787", "oUpF8uMuAJO_M2pxb1Q9zNjWeS6o")
	g.Expect(err).NotTo(HaveOccurred())

	pool := x509.NewCertPool()
	pool.AppendCertsFromPEM(ca)
	client := &http.Client{Transport: &http.Transport{TLSClientConfig: &tls.Config{RootCAs: pool}}}
	query := url.Values{
		"appid": {"wxd678efh567hg6787"}, "secret": {"0123456789abcdef0123456789abcdef"}, "js_code": {code}, "grant_type": {"authorization_code"},
	}
	reply, err := client.Get(urls["weixin_url"] + "/sns/jscode2session?" + query.Encode())
	g.Expect(err).NotTo(HaveOccurred())
	body, err := io.ReadAll(reply.Body)
	g.Expect(err).NotTo(HaveOccurred())
	g.Expect(string(body)).To(ContainSubstring(`"openid":"oUpF8uMuAJO_M2pxb1Q9zNjWeS6o"`))
}

func TestBadMiniPrograms(t *testing.T) {
	for _, text := range []string{"wx1", "wx1:secret:else", "wx1:a:b:c"} {
		_, err := parse([]string{"--mini-program", text}, io.Discard)
		NewWithT(t).Expect(err).To(HaveOccurred(), text)
	}
	NewWithT(t).Expect(run(t.Context(), []string{"--mini-program", "WX:secret"}, io.Discard, io.Discard)).NotTo(Succeed())
}
