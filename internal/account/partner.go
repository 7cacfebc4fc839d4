package account

import (
	"github.com/wechatpay-operator/wechatpay-operator/api/v1alpha1"
	"github.com/wechatpay-operator/wechatpay-operator/internal/wechatpay"
)

// partnerOf returns the sub merchant that a Merchant acts for; nil in direct mode.
func partnerOf(merchant *v1alpha1.Merchant) *wechatpay.Partner {
	if partner := merchant.Spec.Partner; partner != nil {
		return &wechatpay.Partner{SubMchID: partner.SubMchID, SubAppID: partner.SubAppID}
	}
	return nil
}

// partnerVersion identifies a sub merchant in the version of an Account.
func partnerVersion(partner *wechatpay.Partner) string {
	if partner == nil {
		return ""
	}
	return partner.SubMchID + "/" + partner.SubAppID
}
