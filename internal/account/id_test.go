package account_test

import (
	"testing"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/wechatpay-operator/wechatpay-operator/api/v1alpha1"
	"github.com/wechatpay-operator/wechatpay-operator/internal/account"
)

func at(url, backupURL string) *v1alpha1.Merchant {
	m := &v1alpha1.Merchant{Spec: v1alpha1.MerchantSpec{MchID: "1900000109"}}
	if url != "" {
		m.Spec.Endpoint = &v1alpha1.Endpoint{URL: url, BackupURL: backupURL}
	}
	return m
}

// TestAccounts: a Merchant belongs to the account of all hosts that can prove its key, whatever
// their spelling.
func TestAccounts(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		a, b *v1alpha1.Merchant
		same bool
	}{
		"WeChat's own":                {at("", ""), at("https://api.mch.weixin.qq.com", ""), true},
		"WeChat's others":             {at("", ""), at("https://apihk.mch.weixin.qq.com/", "https://api2.mch.weixin.qq.com"), true},
		"WeChat's in other letters":   {at("", ""), at("https://API.mch.weixin.qq.com.", ""), true},
		"WeChat's in wide letters":    {at("", ""), at("https://ａｐｉ.mch.weixin.qq.com", ""), true},
		"WeChat's, with another's":    {at("", ""), at("https://api.mch.weixin.qq.com", "https://relay.example.com"), false},
		"another's, with WeChat's":    {at("", ""), at("https://relay.example.com", "https://api.mch.weixin.qq.com"), false},
		"a relay":                     {at("https://relay.example.com", ""), at("https://relay.example.com:443/", ""), true},
		"a relay with a zero":         {at("https://relay.example.com:8443", ""), at("https://relay.example.com:08443", ""), true},
		"a relay at another port":     {at("https://relay.example.com", ""), at("https://relay.example.com:8443", ""), false},
		"a relay with a backup":       {at("https://relay.example.com", ""), at("https://relay.example.com", "https://other.example.com"), false},
		"a backup that is the same":   {at("https://relay.example.com", ""), at("https://relay.example.com", "https://relay.example.com:443"), true},
		"the same two":                {at("https://a.example.com", "https://b.example.com"), at("https://b.example.com", "https://a.example.com"), true},
		"an address":                  {at("https://127.0.0.1:8443", ""), at("https://[::ffff:127.0.0.1]:8443", ""), true},
		"the paths of a proxy":        {at("https://proxy.example.com/a", ""), at("https://proxy.example.com/b", ""), false},
		"a path of a proxy":           {at("https://proxy.example.com", ""), at("https://proxy.example.com/b", ""), false},
		"a path with a slash behind":  {at("https://proxy.example.com/a", ""), at("https://proxy.example.com/a/", ""), true},
		"a path that leads elsewhere": {at("https://proxy.example.com/a", ""), at("https://proxy.example.com/b/../a", ""), false},
		"the same, hidden":            {at("https://proxy.example.com/a", ""), at("https://proxy.example.com/b%2f..%2fa", ""), false},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if a, b := account.IDOf(c.a), account.IDOf(c.b); (a == b) != c.same {
				t.Errorf("%+v and %+v", a, b)
			}
		})
	}
}

// TestProofIsBoundToPath: a key that was accepted at one path of a proxy is not proven at another.
func TestProofIsBoundToPath(t *testing.T) {
	t.Parallel()
	if account.EndpointID(at("https://proxy.example.com/a", "")) == account.EndpointID(at("https://proxy.example.com/b", "")) {
		t.Error("they are one")
	}
}

// TestWhatKeepsAKeyProven: by Ready's reason and the protocol. The certificate is for refunds in one
// protocol, and what WeChat knows the merchant by in the other.
func TestWhatKeepsAKeyProven(t *testing.T) {
	t.Parallel()
	for reason, want := range map[string]struct{ v2, v3 bool }{
		v1alpha1.ReasonReady:               {true, true},
		v1alpha1.ReasonWeChatUnreachable:   {true, true},
		v1alpha1.ReasonClockSkewed:         {true, true},
		v1alpha1.ReasonInvalidNotifyURL:    {true, true},
		v1alpha1.ReasonCertificateExpired:  {true, false},
		v1alpha1.ReasonCertificateMismatch: {true, false},
		v1alpha1.ReasonInvalidCertificate:  {true, false},
		v1alpha1.ReasonCertificateRejected: {true, false},
		v1alpha1.ReasonCredentialsRejected: {false, false},
		v1alpha1.ReasonSecretNotFound:      {false, false},
		v1alpha1.ReasonInvalidAPIKey:       {false, false},
		v1alpha1.ReasonInvalidAPIV3Key:     {false, false},
		v1alpha1.ReasonAnswersNotVerified:  {false, false},
		v1alpha1.ReasonEndpointNotAllowed:  {false, false},
	} {
		for protocol, proven := range map[v1alpha1.Protocol]bool{v1alpha1.ProtocolV2: want.v2, v1alpha1.ProtocolV3: want.v3} {
			m := at("", "")
			m.Spec.Protocol = protocol
			m.Status.Keys, m.Status.KeysEndpoint = []string{"AB"}, account.EndpointID(m)
			m.Status.Conditions = []metav1.Condition{{Type: v1alpha1.ConditionReady, Reason: reason}}
			if account.IsProven(m) != proven {
				t.Errorf("%s under %s: %t", reason, protocol, !proven)
			}
		}
	}
}
