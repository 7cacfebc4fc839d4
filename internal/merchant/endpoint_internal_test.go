package merchant

import (
	"testing"

	"github.com/wechatpay-operator/wechatpay-operator/api/v1alpha1"
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
		primary, backup, problem := endpoints(&v1alpha1.Merchant{Spec: v1alpha1.MerchantSpec{Endpoint: test.endpoint}})
		if problem != nil || primary.String() != test.primary || backupOf(backup) != test.backup {
			t.Errorf("%s: %s, %s, %v", name, primary, backupOf(backup), problem)
		}
	}
}
