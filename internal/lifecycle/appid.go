package lifecycle

import (
	"cmp"

	"github.com/wechatpay-operator/wechatpay-operator/api/v1alpha1"
)

// AppID returns the appid that an Order is made with and that its payment names: the Order's own,
// or the Merchant's. In partner mode it is always one of the service provider, so an Order that
// names the sub merchant's is made with the Merchant's. All of them are immutable.
func AppID(order *v1alpha1.Order, merchant *v1alpha1.Merchant) string {
	if namesSubAppID(order, merchant) {
		return merchant.Spec.AppID
	}
	return cmp.Or(order.Spec.AppID, merchant.Spec.AppID)
}

// PayerAppID returns the appid in which the payer pays: the sub merchant's if the Order names it, or
// names the payer under it, and AppID otherwise.
func PayerAppID(order *v1alpha1.Order, merchant *v1alpha1.Merchant) string {
	if namesSubAppID(order, merchant) || namesSubOpenID(order) && subAppID(merchant) != "" {
		return subAppID(merchant)
	}
	return AppID(order, merchant)
}

// PayerProblem returns why WeChat Pay could not find the payer that an Order names, or "". The spec
// is immutable, so such an Order is never made.
func PayerProblem(order *v1alpha1.Order, merchant *v1alpha1.Merchant) string {
	if !namesSubOpenID(order) {
		return ""
	}
	const createAnother = " WeChat Pay was not asked. Create another Order "
	switch {
	case merchant.Spec.Partner == nil:
		return "spec.payer.subOpenID is the payer's openid at a sub merchant, but the Merchant has no spec.partner, so it acts for none." +
			createAnother + "with spec.payer.openID"
	case subAppID(merchant) == "":
		return "spec.payer.subOpenID is the payer's openid under an appid of the sub merchant, but the Merchant has no spec.partner.subAppID." +
			createAnother + "with spec.payer.openID, or for a Merchant that has one"
	case order.Spec.Payer.OpenID != "":
		return "spec.payer names the payer twice: openID is for the service provider's appid, subOpenID for the sub merchant's." +
			createAnother + "with the one of the app in which the payer pays"
	default:
		return ""
	}
}

func subAppID(merchant *v1alpha1.Merchant) string {
	if merchant.Spec.Partner == nil {
		return ""
	}
	return merchant.Spec.Partner.SubAppID
}

func namesSubAppID(order *v1alpha1.Order, merchant *v1alpha1.Merchant) bool {
	return order.Spec.AppID != "" && order.Spec.AppID == subAppID(merchant)
}

func namesSubOpenID(order *v1alpha1.Order) bool {
	return order.Spec.Payer != nil && order.Spec.Payer.SubOpenID != ""
}
