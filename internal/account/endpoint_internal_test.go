package account

import (
	"strings"
	"testing"

	"github.com/wechatpay-operator/wechatpay-operator/api/v1alpha1"
	"github.com/wechatpay-operator/wechatpay-operator/internal/hosts"
)

func TestBackupHosts(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		endpoint        *v1alpha1.Endpoint
		primary, backup string
	}{
		"default":           {nil, "https://api.mch.weixin.qq.com", "https://api2.mch.weixin.qq.com"},
		"mainland":          {&v1alpha1.Endpoint{URL: "https://api.mch.weixin.qq.com/"}, "https://api.mch.weixin.qq.com", "https://api2.mch.weixin.qq.com"},
		"with its port":     {&v1alpha1.Endpoint{URL: "https://api.mch.weixin.qq.com:443"}, "https://api.mch.weixin.qq.com:443", "https://api2.mch.weixin.qq.com"},
		"in capitals":       {&v1alpha1.Endpoint{URL: "https://API.mch.weixin.qq.com"}, "https://API.mch.weixin.qq.com", "https://api2.mch.weixin.qq.com"},
		"the other city":    {&v1alpha1.Endpoint{URL: "https://api2.mch.weixin.qq.com"}, "https://api2.mch.weixin.qq.com", "https://api.mch.weixin.qq.com"},
		"Hong Kong":         {&v1alpha1.Endpoint{URL: "https://apihk.mch.weixin.qq.com"}, "https://apihk.mch.weixin.qq.com", "https://api.mch.weixin.qq.com"},
		"elsewhere":         {&v1alpha1.Endpoint{URL: "https://apius.mch.weixin.qq.com"}, "https://apius.mch.weixin.qq.com", "https://apihk.mch.weixin.qq.com"},
		"named":             {&v1alpha1.Endpoint{URL: "https://api.mch.weixin.qq.com", BackupURL: "https://apihk.mch.weixin.qq.com"}, "https://api.mch.weixin.qq.com", "https://apihk.mch.weixin.qq.com"},
		"own":               {&v1alpha1.Endpoint{URL: "https://wechat.example.test:8443/x/"}, "https://wechat.example.test:8443/x", ""},
		"own, with another": {&v1alpha1.Endpoint{URL: "https://one.example.test", BackupURL: "https://two.example.test"}, "https://one.example.test", "https://two.example.test"},
	} {
		primary, backup, problem := endpoints(&v1alpha1.Merchant{Spec: v1alpha1.MerchantSpec{Endpoint: test.endpoint}}, hosts.MustParse(hosts.WeChats+",*.example.test"))
		if problem != nil || primary.String() != test.primary || backupOf(backup) != test.backup {
			t.Errorf("%s: %s, %s, %v", name, primary, backupOf(backup), problem)
		}
	}
}

// TestDisallowedEndpoints: the list applies to every host that is called, defaults included.
func TestDisallowedEndpoints(t *testing.T) {
	t.Parallel()
	own, weChats := "https://wechat.example.test", "https://api.mch.weixin.qq.com"
	for name, c := range map[string]struct {
		list     string
		endpoint *v1alpha1.Endpoint
		// primary and backup are the hosts that are called; problem is part of the message if none
		// is.
		primary, backup, problem string
	}{
		"not on the list":          {hosts.WeChats, &v1alpha1.Endpoint{URL: own}, "", "", "spec.endpoint.url names the host wechat.example.test,"},
		"an address":               {hosts.WeChats, &v1alpha1.Endpoint{URL: "https://169.254.169.254:8443"}, "", "", "spec.endpoint.url names the host 169.254.169.254:8443,"},
		"backup not on the list":   {hosts.WeChats, &v1alpha1.Endpoint{URL: weChats, BackupURL: own}, "", "", "spec.endpoint.backupURL names the host wechat.example.test,"},
		"WeChat not on the list":   {"wechat.example.test", nil, "", "", "Without spec.endpoint calls go to the host api.mch.weixin.qq.com,"},
		"another port":             {"wechat.example.test:8443", &v1alpha1.Endpoint{URL: own}, "", "", "names the host wechat.example.test,"},
		"backup that nobody named": {"api.mch.weixin.qq.com", nil, weChats, "", ""},
		"both on the list":         {"wechat.example.test,api.mch.weixin.qq.com", &v1alpha1.Endpoint{URL: own, BackupURL: weChats}, own, weChats, ""},
	} {
		primary, backup, problem := endpoints(&v1alpha1.Merchant{Spec: v1alpha1.MerchantSpec{Endpoint: c.endpoint}}, hosts.MustParse(c.list))
		switch {
		case c.problem == "":
			if problem != nil || primary.String() != c.primary || backupOf(backup) != c.backup {
				t.Errorf("%s: %v, %v, %v", name, primary, backup, problem)
			}
		case problem == nil || problem.Reason != v1alpha1.ReasonEndpointNotAllowed || !strings.Contains(problem.Message, c.problem) ||
			!strings.Contains(problem.Message, "--endpoint-hosts"):
			t.Errorf("%s: %v", name, problem)
		}
	}
}
