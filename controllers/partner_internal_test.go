package controllers

import (
	"testing"

	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/wechatpay-operator/wechatpay-operator/api/v1alpha1"
	"github.com/wechatpay-operator/wechatpay-operator/internal/lifecycle"
)

// TestAnOrderOfAPayerThatCantBeFoundIsRejectedUnsent: a payer's openid under a sub merchant's appid
// needs that appid. Nothing is asked of WeChat Pay: there is no account here.
func TestAnOrderOfAPayerThatCantBeFoundIsRejectedUnsent(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		partner  *v1alpha1.Partner
		rejected bool
	}{
		"direct mode":             {nil, true},
		"sub merchant, no appid":  {&v1alpha1.Partner{SubMchID: "1900000200"}, true},
		"sub merchant with appid": {&v1alpha1.Partner{SubMchID: "1900000200", SubAppID: "wx2"}, false},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			merchant, placed := merchantOfOneNumber("shop", true), orderOfOneNumber("shop")
			merchant.Spec.Partner = test.partner
			placed.Status, placed.Spec.Payer = v1alpha1.OrderStatus{}, &v1alpha1.Payer{SubOpenID: "oSub"}
			base := staleReaders(t, []client.Object{merchant, placed}, nil)
			orders := &OrderReconciler{Base: base}
			orders.init()
			o := &order{Order: stored(t, base, placed), merchant: merchant}
			end := orders.checkSpec(t.Context(), o)
			if rejected := lifecycle.PaidReason(o.Order) == v1alpha1.ReasonRejected; end.err != nil || end.stop != test.rejected || rejected != test.rejected {
				t.Errorf("%+v, %+v", end, o.Status.Conditions)
			}
		})
	}
}
