package v2

import (
	"crypto/tls"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/wechatpay-operator/wechatpay-operator/internal/wechatpay"
	"github.com/wechatpay-operator/wechatpay-operator/internal/wechatpay/transport"
)

func TestOptionsThatAreRefused(t *testing.T) {
	at := func(text string) *url.URL {
		u, err := url.Parse(text)
		if err != nil {
			t.Fatal(err)
		}
		return u
	}
	for name, change := range map[string]func(*Options){
		"no merchant number":         func(o *Options) { o.MchID = "" },
		"short merchant number":      func(o *Options) { o.MchID = "1234567" },
		"merchant number in letters": func(o *Options) { o.MchID = "19000001ab" },
		"no sub merchant":            func(o *Options) { o.Partner = &wechatpay.Partner{} },
		"short sub merchant number":  func(o *Options) { o.Partner = &wechatpay.Partner{SubMchID: "1234567"} },
		"long sub merchant number":   func(o *Options) { o.Partner = &wechatpay.Partner{SubMchID: "12345678901"} },
		"sub merchant in letters":    func(o *Options) { o.Partner = &wechatpay.Partner{SubMchID: "19000002ab"} },
		"sub merchant is provider":   func(o *Options) { o.Partner = &wechatpay.Partner{SubMchID: o.MchID} },
		"sub appid with a border":    func(o *Options) { o.Partner = &wechatpay.Partner{SubMchID: testSubMchID, SubAppID: "wx1&total_fee=1"} },
		"sub appid too long": func(o *Options) {
			o.Partner = &wechatpay.Partner{SubMchID: testSubMchID, SubAppID: strings.Repeat("w", 33)}
		},
		"no key":                   func(o *Options) { o.Key = "" },
		"short key":                func(o *Options) { o.Key = testKey[:31] },
		"key with a line feed":     func(o *Options) { o.Key = testKey[:31] + "\n" },
		"key beyond ASCII":         func(o *Options) { o.Key = testKey[:30] + "é" },
		"previous key too long":    func(o *Options) { o.PreviousKey = testKey + "0" },
		"no sign type":             func(o *Options) { o.Scheme = "" },
		"sign type unheard of":     func(o *Options) { o.Scheme = "HMAC_SHA256" },
		"empty certificate":        func(o *Options) { o.Certificate = &tls.Certificate{} },
		"endpoint without TLS":     func(o *Options) { o.Endpoint = at("http://api.mch.weixin.qq.com") },
		"endpoint without host":    func(o *Options) { o.Endpoint = at("https:///pay") },
		"endpoint with a password": func(o *Options) { o.Endpoint = at("https://me:" + testOtherKey + "@host") },
		"endpoint with a query":    func(o *Options) { o.Endpoint = at("https://host/?a=b") },
		"backup without TLS":       func(o *Options) { o.Endpoint, o.BackupEndpoint = at("https://host"), at("http://host") },
		"only a backup":            func(o *Options) { o.BackupEndpoint = at("https://host") },
		"negative timeout":         func(o *Options) { o.Timeouts.Query = -time.Second },
	} {
		t.Run(name, func(t *testing.T) {
			options := testOptions()
			change(&options)
			_, err := New(options)
			if err == nil {
				t.Fatal("taken")
			}
			for _, secret := range []string{testKey[:8], testPreviousKey[:8], testOtherKey[:8]} {
				if strings.Contains(err.Error(), secret) {
					t.Errorf("the error gives a secret away: %v", err)
				}
			}
		})
	}
}

func TestDefaults(t *testing.T) {
	c := newTestClient(t, testOptions())
	if c.settings.Endpoint.String() != "https://api.mch.weixin.qq.com" || c.settings.BackupEndpoint.String() != "https://api2.mch.weixin.qq.com" {
		t.Errorf("calls %s and %s", c.settings.Endpoint, c.settings.BackupEndpoint)
	}
	want := map[wechatpay.Operation]time.Duration{
		wechatpay.OperationCreateOrder: 20 * time.Second, wechatpay.OperationCreateRefund: 20 * time.Second,
		wechatpay.OperationQueryOrder: 10 * time.Second, wechatpay.OperationQueryRefund: 10 * time.Second, wechatpay.OperationCloseOrder: 10 * time.Second,
	}
	for operation, limit := range want {
		if got := transport.Limit(c.settings.Timeouts, operation); got != limit {
			t.Errorf("%s may take %v", operation, got)
		}
	}
	if c.settings.Timeouts.Connect != 5*time.Second {
		t.Errorf("connecting may take %v", c.settings.Timeouts.Connect)
	}
	if c.settings.Scheme != HMACSHA256 {
		t.Errorf("signs with %s", c.settings.Scheme)
	}
}

func TestAnEndpointOfItsOwnIsItsBackup(t *testing.T) {
	options := testOptions()
	options.Endpoint = &url.URL{Scheme: "https", Host: "proxy.example"}
	if c := newTestClient(t, options); c.settings.Endpoint != c.settings.BackupEndpoint || c.settings.Endpoint.Host != "proxy.example" {
		t.Errorf("calls %s and %s", c.settings.Endpoint, c.settings.BackupEndpoint)
	}
}

func TestTransportsVerifyAndShowTheCertificateOnlyForRefunds(t *testing.T) {
	options := testOptions()
	options.Certificate = testCertificate
	c := newTestClient(t, options)
	for name, client := range map[string]*http.Client{"anonymous": c.anonymous, "certified": c.certified} {
		transport, ok := client.Transport.(*http.Transport)
		if !ok {
			t.Fatalf("%s: %T", name, client.Transport)
		}
		configuration := transport.TLSClientConfig
		if configuration.InsecureSkipVerify || configuration.MinVersion < tls.VersionTLS12 || configuration.VerifyPeerCertificate != nil {
			t.Errorf("%s: TLS is not what it should be", name)
		}
		if shows := configuration.GetClientCertificate != nil || len(configuration.Certificates) > 0; shows != (name == "certified") {
			t.Errorf("%s: shows a certificate: %v", name, shows)
		}
		if transport.Proxy == nil || transport.Protocols.HTTP2() || !transport.DisableCompression || transport.MaxConnsPerHost == 0 {
			t.Errorf("%s: the transport is not what it should be", name)
		}
	}
	if c.httpClient(call{}) != c.anonymous || c.httpClient(refundCall(wechatpay.RefundRequest{})) != c.certified {
		t.Error("only a refund shows the certificate")
	}
}
