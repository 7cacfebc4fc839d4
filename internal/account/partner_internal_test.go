package account

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/wechatpay-operator/wechatpay-operator/api/v1alpha1"
	"github.com/wechatpay-operator/wechatpay-operator/internal/wechatpay"
)

// TestPartners: each sub merchant is another Account, of the same account at WeChat Pay.
func TestPartners(t *testing.T) {
	t.Parallel()
	versions, ids := map[string]bool{}, map[ID]bool{}
	for _, test := range []struct {
		spec *v1alpha1.Partner
		want *wechatpay.Partner
	}{
		{nil, nil},
		{&v1alpha1.Partner{SubMchID: "1900000200"}, &wechatpay.Partner{SubMchID: "1900000200"}},
		{&v1alpha1.Partner{SubMchID: "1900000200", SubAppID: "wx2"}, &wechatpay.Partner{SubMchID: "1900000200", SubAppID: "wx2"}},
		{&v1alpha1.Partner{SubMchID: "1900000300", SubAppID: "wx2"}, &wechatpay.Partner{SubMchID: "1900000300", SubAppID: "wx2"}},
	} {
		merchant := &v1alpha1.Merchant{Spec: v1alpha1.MerchantSpec{MchID: "1900000109", Partner: test.spec}}
		got := partnerOf(merchant)
		if diff := cmp.Diff(test.want, got); diff != "" {
			t.Errorf("(-want +got):\n%s", diff)
		}
		versions[partnerVersion(got)], ids[IDOf(merchant)] = true, true
	}
	if len(versions) != 4 || len(ids) != 1 {
		t.Errorf("versions %v, accounts %v", versions, ids)
	}
}
