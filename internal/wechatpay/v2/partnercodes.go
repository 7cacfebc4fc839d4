package v2

import (
	"slices"

	"github.com/wechatpay-operator/wechatpay-operator/internal/wechatpay"
)

// Codes and texts about what a merchant number may do, and about the relation between a service
// provider and its sub merchant. A person can grant all of it, often within minutes, so none of
// them ends an Order or a Refund, whatever code they come with.

// refundRightWords say that the sub merchant never granted the refund right (服务商API退款), or has
// revoked it, or that the refund allow-list of the platform lacks our address.
var refundRightWords = wording{texts: bare(
	"未授权服务商的产品权限",
	"该产品授权已被解除",
	"异常IP请求不予受理",
)}

// relationWords are about the two merchant numbers and their appids. A new relation works after
// some ten minutes, and a newly bound sub_appid after a few.
var relationWords = wording{texts: bare(
	"受理关系不存在", "受理关系不可用",
	"普通商户不允许传sub_mch_id", "必须传入sub_mch_id",
	"请求参数与订单信息不一致", "商户号和订单信息不匹配",
	"sub_mch_id与sub_appid不匹配",
	"收款功能已被限制",
	"产品权限未开通",
)}

// judgeRights returns the meaning of a text about rights and relations, if it is one.
func judgeRights(operation wechatpay.Operation, texts ...string) (wechatpay.Meaning, bool) {
	switch {
	case slices.ContainsFunc(texts, refundRightWords.isIn):
		return rightMeaning(operation), true
	case slices.ContainsFunc(texts, relationWords.isIn):
		return wechatpay.NeedsAttention, true
	default:
		return "", false
	}
}

// rightMeaning returns NoRight for a refund: it is a finding about all refunds of the merchant.
func rightMeaning(operation wechatpay.Operation) wechatpay.Meaning {
	if operation == wechatpay.OperationCreateRefund {
		return wechatpay.NoRight
	}
	return wechatpay.NeedsAttention
}

// mayBeAboutRights reports whether a code is so general that a text about rights decides. A code
// that says that WeChat Pay has the order, or does not know what happened, is not.
func mayBeAboutRights(known judgement, found bool) bool {
	return !found || known.outcome == wechatpay.Failed &&
		(known.meaning == wechatpay.Rejected || known.meaning == wechatpay.NeedsAttention)
}
