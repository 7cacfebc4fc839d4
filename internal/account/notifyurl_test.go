package account_test

import (
	"strings"
	"testing"
	"time"

	clocktesting "k8s.io/utils/clock/testing"

	"github.com/wechatpay-operator/wechatpay-operator/api/v1alpha1"
	"github.com/wechatpay-operator/wechatpay-operator/internal/account"
	"github.com/wechatpay-operator/wechatpay-operator/internal/hosts"
)

// weChats are spellings of WeChat's own hosts; nil is the default.
var weChats = []*v1alpha1.Endpoint{nil, {URL: "https://api.mch.weixin.qq.com"}, {URL: "https://APIHK.mch.weixin.qq.com:443/"}, {URL: "https://apius.mch.weixin.qq.com./"}}

func TestCallbackAddressesThatWeChatRefuses(t *testing.T) {
	t.Parallel()
	p := newFixture(t)
	p.storeKey(key1)
	for base, why := range map[string]string{
		"http://pay.example.com":          "it is not https",
		"https://pay.example.com:8443":    "it has a port",
		"https://pay.example.com:443":     "it has a port",
		"https://pay.example.com:":        "it has a port",
		"https://localhost":               "the host is not public",
		"https://LOCALHOST/":              "the host is not public",
		"https://pay.localhost":           "the host is not public",
		"https://localhost.":              "the host is not public",
		"https://pay":                     "the host is not public",
		"https://pay.":                    "the host is not public",
		"https://pay.shop.svc":            "the host is not public",
		"https://pay.svc.cluster.local":   "the host is not public",
		"https://pay.internal":            "the host is not public",
		"https://pay.home.arpa":           "the host is not public",
		"https://127.1":                   "the host is not public",
		"https://2130706433":              "the host is not public",
		"https://10.0.0.1":                "the host is not a public address",
		"https://172.16.0.1":              "the host is not a public address",
		"https://192.168.1.1/pay":         "the host is not a public address",
		"https://127.0.0.1":               "the host is not a public address",
		"https://169.254.1.1":             "the host is not a public address",
		"https://100.64.0.1":              "the host is not a public address",
		"https://0.0.0.0":                 "the host is not a public address",
		"https://224.0.0.1":               "the host is not a public address",
		"https://[::1]":                   "the host is not a public address",
		"https://[fd00::1]":               "the host is not a public address",
		"https://[fe80::1]":               "the host is not a public address",
		"https://[::ffff:192.168.1.1]":    "the host is not a public address",
		"https://168.63.129.16":           "the host is not a public address",
		"https://192.0.2.1":               "the host is not a public address",
		"https://[2001:db8::1]":           "the host is not a public address",
		"https://[64:ff9b::a00:1]":        "the host is not a public address",
		"https://pay.example.com?a=b":     "without user, query and fragment",
		"https://pay.example.com?":        "without user, query and fragment",
		"https://pay.example.com/a#":      "without user, query and fragment",
		"https://u:" + key2 + "@pay.x.cn": "without user, query and fragment",
		"ftp://pay.example.com":           "must be an absolute http or https URL",
		"pay.example.com":                 "must be an absolute http or https URL",
		"https://":                        "must be an absolute http or https URL",
		"https://a b":                     "must be an absolute http or https URL",
	} {
		for _, endpoint := range weChats {
			found := p.problem(p.merchant(func(spec *v1alpha1.MerchantSpec) { spec.NotifyBaseURL, spec.Endpoint = base, endpoint }))
			if found.Reason != v1alpha1.ReasonInvalidNotifyURL || !strings.Contains(found.Message, why) || !strings.Contains(found.Message, "spec.notifyBaseURL") {
				t.Errorf("%s: %+v", base, found)
			}
			wantNoSecret(t, found.Message, map[string][]byte{"password": []byte(key2)})
		}
	}
}

func TestCallbackAddresses(t *testing.T) {
	t.Parallel()
	for base, want := range map[string]string{
		"":                            baseURL,
		"https://pay.example.com":     "https://pay.example.com",
		"https://pay.example.com/":    "https://pay.example.com",
		"https://pay.example.com/wx/": "https://pay.example.com/wx",
		"https://8.8.8.8":             "https://8.8.8.8",
		"https://[2400:3200::1]":      "https://[2400:3200::1]",
		"https://支付.example.com":      "https://支付.example.com",
	} {
		p := newFixture(t)
		p.storeKey(key1)
		for _, endpoint := range weChats {
			acc := p.get(p.merchant(func(spec *v1alpha1.MerchantSpec) { spec.NotifyBaseURL, spec.Endpoint = base, endpoint }))
			path := want + "/notify/v2/" + p.namespace + "/shop/"
			if acc.PaymentNotifyURL != path+"payment" || acc.RefundNotifyURL != path+"refund" {
				t.Errorf("%q: %s, %s", base, acc.PaymentNotifyURL, acc.RefundNotifyURL)
			}
			p.registry.Forget(p.merchant().UID)
		}
	}
}

// TestOwnEndpointAcceptsAnyCallbackAddress: a simulator or a proxy accepts addresses that are not
// public, but they must be valid URLs.
func TestOwnEndpointAcceptsAnyCallbackAddress(t *testing.T) {
	t.Parallel()
	p := newFixture(t)
	p.storeKey(key1)
	for _, base := range []string{"http://pay.example.com", "http://127.0.0.1:8088", "https://localhost:8443", "http://pay.shop.svc:8088/x", "http://[::1]:1"} {
		for _, host := range []string{ownHost, "https://api.mch.weixin.qq.com.example.test", "https://mch.weixin.qq.com.cn"} {
			acc := p.get(p.merchant(func(spec *v1alpha1.MerchantSpec) { spec.NotifyBaseURL, spec.Endpoint.URL = base, host }))
			if !strings.HasPrefix(acc.PaymentNotifyURL, base+"/notify/v2/") {
				t.Errorf("%s: %s", base, acc.PaymentNotifyURL)
			}
			p.registry.Forget(p.merchant().UID)
		}
	}
	found := p.problem(p.merchant(func(spec *v1alpha1.MerchantSpec) { spec.NotifyBaseURL = "http://127.0.0.1:8088?a=b" }))
	if found.Reason != v1alpha1.ReasonInvalidNotifyURL {
		t.Errorf("%+v", found)
	}
}

func TestCallbackAddressTooLong(t *testing.T) {
	t.Parallel()
	p := newFixture(t)
	p.storeKey(key1)
	fixed := len("/notify/v2/" + p.namespace + "/shop/payment")
	for length, tooLong := range map[int]bool{256: false, 257: true} {
		base := baseURL + "/" + strings.Repeat("x", length-fixed-len(baseURL)-1)
		acc, err := p.registry.Get(t.Context(), p.merchant(func(spec *v1alpha1.MerchantSpec) { spec.NotifyBaseURL = base }))
		switch found, isProblem := account.AsProblem(err); {
		case !tooLong && (err != nil || len(acc.PaymentNotifyURL) != 256):
			t.Errorf("%d: %v", length, err)
		case tooLong && (!isProblem || found.Reason != v1alpha1.ReasonInvalidNotifyURL || !strings.Contains(found.Message, "257 characters")):
			t.Errorf("%d: %v", length, err)
		}
		p.registry.Forget(p.merchant().UID)
	}
}

func TestInvalidNotifyFlagIsNamed(t *testing.T) {
	t.Parallel()
	p := newFixture(t)
	p.storeKey(key1)
	for base, says := range map[string]string{
		"":                       "set spec.notifyBaseURL, or the manager's flag --notify-base-url",
		"http://pay.example.com": "(--notify-base-url): it is not https",
		"nothing":                "--notify-base-url must be",
	} {
		registry := account.NewRegistry(env.Client, account.Options{NotifyBaseURL: base, EndpointHosts: hosts.MustParse(allowed), Clock: clocktesting.NewFakePassiveClock(time.Now())})
		_, err := registry.Get(t.Context(), p.merchant(func(spec *v1alpha1.MerchantSpec) { spec.Endpoint = nil }))
		if found, isProblem := account.AsProblem(err); !isProblem || found.Reason != v1alpha1.ReasonInvalidNotifyURL || !strings.Contains(found.Message, says) {
			t.Errorf("%q: %v", base, err)
		}
	}
}
