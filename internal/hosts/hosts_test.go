package hosts_test

import (
	"flag"
	"net/url"
	"testing"

	"github.com/wechatpay-operator/wechatpay-operator/internal/hosts"
)

func TestAllows(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		list    string
		yes, no []string
	}{
		{hosts.WeChats,
			[]string{
				"https://api.mch.weixin.qq.com", "https://api2.mch.weixin.qq.com/", "https://apihk.mch.weixin.qq.com:443", "https://apius.mch.weixin.qq.com/x",
				"https://API.MCH.WeiXin.QQ.com", "https://api.mch.weixin.qq.com.", "https://api.mch.weixin.qq.com:8443", "https://api.mch.weixin.qq.com:",
				"https://ａｐｉ.mch.weixin.qq.com", // full-width letters, which net/http converts to ASCII
			},
			[]string{
				"https://mch.weixin.qq.com", "https://x.api.mch.weixin.qq.com", "https://api.mch.weixin.qq.com.example.test", "https://xapi.mch.weixin.qq.com",
				"https://127.0.0.1", "https://localhost", "https://10.0.0.1", "https://[::1]", "https://169.254.169.254", "https://kubernetes.default.svc",
				"https://api.mch.weixin.qq.com@127.0.0.1", "https://127.0.0.1/api.mch.weixin.qq.com", "https://аpi.mch.weixin.qq.com", // a Cyrillic letter
			}},
		{"wechat.example.test:8443",
			[]string{"https://wechat.example.test:8443", "https://wechat.example.test:08443/v1"},
			[]string{"https://wechat.example.test", "https://wechat.example.test:443", "https://wechat.example.test:84430", "https://wechat.example.test:8444"}},
		{"wechat.example.test:443", []string{"https://wechat.example.test", "https://wechat.example.test:443"}, []string{"https://wechat.example.test:22"}},
		{"*.example.test",
			[]string{"https://a.example.test", "https://a.b.example.test:9443", "https://A.EXAMPLE.test."},
			[]string{"https://example.test", "https://.example.test.org", "https://aexample.test", "https://example.test.a.org", "https://10.example.test.1"}},
		{"*.example.test:8443", []string{"https://a.example.test:8443"}, []string{"https://a.example.test"}},
		{"支付.example.test", []string{"https://支付.example.test", "https://xn--bnq875c.example.test", "https://XN--BNQ875C.example.test"}, []string{"https://支.example.test"}},
		{"127.0.0.1", []string{"https://127.0.0.1:1", "https://[::ffff:127.0.0.1]:1"}, []string{"https://127.0.0.2", "https://127.1", "https://2130706433", "https://localhost", "https://0x7f000001", "https://[::1]"}},
		{"::1, [fd00::2]:8443", []string{"https://[::1]", "https://[0:0::1]:9", "https://[FD00:0::2]:8443"}, []string{"https://[fd00::2]", "https://127.0.0.1", "https://[fe80::1%25eth0]"}},
		{"*.0.0.1x", []string{"https://127.0.0.1x"}, []string{"https://127.0.0.1"}},
		{" a.example.test , b.example.test ", []string{"https://a.example.test", "https://b.example.test"}, []string{"https://c.example.test"}},
	} {
		list, err := hosts.Parse(c.list)
		if err != nil {
			t.Errorf("%s: %v", c.list, err)
			continue
		}
		for want, addresses := range map[bool][]string{true: c.yes, false: c.no} {
			for _, address := range addresses {
				parsed, err := url.Parse(address)
				if err != nil {
					t.Fatal(err)
				}
				if list.Allows(parsed) != want {
					t.Errorf("%s with the list %s: %v, not %v", address, c.list, !want, want)
				}
			}
		}
	}
}

func TestListsThatAreMistakes(t *testing.T) {
	t.Parallel()
	for _, text := range []string{
		"", ",", "a.example.test,", "*", "*.", "**.example.test", "a.*.example.test", "https://a.example.test", "a.example.test/x", "a b", "a.example.test:",
		"a.example.test:0", "a.example.test:65536", "a.example.test:x", "*.127.0.0.1", "user@a.example.test", ".example.test", "a..test", "[::1", "-a.test", "fe80::1%eth0/1",
	} {
		if list, err := hosts.Parse(text); err == nil {
			t.Errorf("%q is taken: %+v", text, list)
		}
	}
}

func TestNothingIsAllowedByNoList(t *testing.T) {
	t.Parallel()
	var list hosts.List
	if address, _ := url.Parse("https://api.mch.weixin.qq.com"); list.Allows(address) || !list.IsZero() {
		t.Error("a host is allowed by an empty list")
	}
}

func TestFlag(t *testing.T) {
	t.Parallel()
	list := hosts.MustParse(hosts.WeChats)
	flags := flag.NewFlagSet("", flag.ContinueOnError)
	flags.Var(&list, "hosts", "")
	if said := flags.Lookup("hosts").DefValue; said != hosts.WeChats {
		t.Errorf("the default is shown as %q", said)
	}
	if err := flags.Parse([]string{"--hosts=a.example.test"}); err != nil || list.String() != "a.example.test" {
		t.Errorf("%v %s", err, list.String())
	}
	if address, _ := url.Parse("https://api.mch.weixin.qq.com"); list.Allows(address) {
		t.Error("the default is kept beside what was set")
	}
}

func TestCanonical(t *testing.T) {
	t.Parallel()
	for address, want := range map[string]string{
		"https://API.example.test.": "api.example.test 443", "https://api.example.test:0443/x": "api.example.test 443", "https://[::1]:8443": "::1 8443",
	} {
		if parsed, _ := url.Parse(address); hosts.Canonical(parsed) != want {
			t.Errorf("%s is %s", address, hosts.Canonical(parsed))
		}
	}
}
