package lifecycle_test

import (
	"strings"
	"testing"

	"github.com/wechatpay-operator/wechatpay-operator/api/v1alpha1"
	"github.com/wechatpay-operator/wechatpay-operator/internal/lifecycle"
)

const (
	subMchID = "1900000200"
	subAppID = "wxsub"
)

func partnerOf(subAppID string) *v1alpha1.Partner {
	return &v1alpha1.Partner{SubMchID: subMchID, SubAppID: subAppID}
}

// TestAppIDs: an order is made with an appid of the merchant number; the payer pays in it, or in the
// sub merchant's.
func TestAppIDs(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		partner             *v1alpha1.Partner
		orderAppID          string
		payer               *v1alpha1.Payer
		wantAppID, wantPays string
		rejected            string
	}{
		"direct":               {nil, "", nil, appID, appID, ""},
		"direct, own appid":    {nil, "wxother", nil, "wxother", "wxother", ""},
		"direct, openID":       {nil, "", &v1alpha1.Payer{OpenID: "o"}, appID, appID, ""},
		"direct, subOpenID":    {nil, "", &v1alpha1.Payer{SubOpenID: "s"}, appID, appID, "has no spec.partner,"},
		"partner":              {partnerOf(subAppID), "", nil, appID, appID, ""},
		"partner, openID":      {partnerOf(subAppID), "", &v1alpha1.Payer{OpenID: "o"}, appID, appID, ""},
		"partner, provider's":  {partnerOf(subAppID), "wxother", nil, "wxother", "wxother", ""},
		"partner, subAppID":    {partnerOf(subAppID), subAppID, nil, appID, subAppID, ""},
		"partner, subOpenID":   {partnerOf(subAppID), "", &v1alpha1.Payer{SubOpenID: "s"}, appID, subAppID, ""},
		"both of the sub":      {partnerOf(subAppID), subAppID, &v1alpha1.Payer{SubOpenID: "s"}, appID, subAppID, ""},
		"provider's, subOpen":  {partnerOf(subAppID), "wxother", &v1alpha1.Payer{SubOpenID: "s"}, "wxother", subAppID, ""},
		"no subAppID":          {partnerOf(""), "", nil, appID, appID, ""},
		"no subAppID, other":   {partnerOf(""), "wxother", nil, "wxother", "wxother", ""},
		"no subAppID, subOpen": {partnerOf(""), "", &v1alpha1.Payer{SubOpenID: "s"}, appID, appID, "has no spec.partner.subAppID"},
		"both openids":         {partnerOf(subAppID), "", &v1alpha1.Payer{OpenID: "o", SubOpenID: "s"}, appID, subAppID, "names the payer twice"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			order, merchant := newOrder(), newMerchant()
			order.Spec.AppID, order.Spec.Payer, merchant.Spec.Partner = test.orderAppID, test.payer, test.partner

			request := lifecycle.OrderRequest(order, merchant, notifyURL)
			wantSame(t, "appids", []string{test.wantAppID, test.wantPays}, []string{request.AppID, request.PayerAppID})
			if test.payer != nil {
				wantSame(t, "payer", *test.payer, v1alpha1.Payer{OpenID: request.OpenID, SubOpenID: request.SubOpenID})
			}
			// Payments, refunds and queries are under the appid that the order was made with.
			wantSame(t, "payee", lifecycle.Payee{MchID: mchID, AppID: test.wantAppID}, lifecycle.PayeeOf(order, merchant))
			wantSame(t, "refund", test.wantAppID, lifecycle.RefundRequest(newRefund("refund-1", 1), order, merchant, notifyURL).AppID)

			problem := lifecycle.PayerProblem(order, merchant)
			if (problem == "") != (test.rejected == "") || !strings.Contains(problem, test.rejected) {
				t.Errorf("the payer: %q, want %q", problem, test.rejected)
			}
			if problem != "" && (!strings.Contains(problem, "WeChat Pay was not asked") || !strings.Contains(problem, "Create another Order")) {
				t.Errorf("%q does not say what to do", problem)
			}
		})
	}
}
