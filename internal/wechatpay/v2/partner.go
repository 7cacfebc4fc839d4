package v2

import (
	"errors"

	"github.com/wechatpay-operator/wechatpay-operator/internal/wechatpay"
)

// In partner mode a service provider (服务商) calls for a sub merchant (特约商户): mch_id, appid and
// the key are the provider's, and every request names the sub merchant as well. An order belongs to
// the mode and to the sub merchant that it was made for.

// subMerchantFields returns what every request of a service provider adds; none in direct mode.
func subMerchantFields(partner *wechatpay.Partner) []field {
	if partner == nil {
		return nil
	}
	return []field{{"sub_appid", partner.SubAppID}, {"sub_mch_id", partner.SubMchID}}
}

// checkSubMerchant rejects a message about another sub merchant, and in direct mode one about any.
// Numbers are unique within the provider's number only, so a genuine message about the same
// out_trade_no may be about the order of another sub merchant. A message that names none passes.
func checkSubMerchant(partner *wechatpay.Partner, message fields) error {
	switch named := message.get("sub_mch_id"); {
	case named == "":
		return nil
	case partner == nil:
		return errors.New("sub_mch_id is named, but this merchant number does not act for a sub merchant")
	case named != partner.SubMchID:
		return errors.New("sub_mch_id is not ours")
	default:
		return nil
	}
}

// checkNamesSubMerchant also rejects, in partner mode, a message that names no sub merchant. It is
// for messages that can make an Order Paid or end it, all of which WeChat Pay sends with
// sub_mch_id.
func checkNamesSubMerchant(partner *wechatpay.Partner, message fields) error {
	if partner != nil && message.get("sub_mch_id") == "" {
		return errors.New("sub_mch_id is missing")
	}
	return checkSubMerchant(partner, message)
}

// checkReplySubMerchant checks the sub merchant of a verified reply. Only orderquery has to name
// it: replies to other calls may leave it out, and repeat the number that was sent.
func (c *Client) checkReplySubMerchant(operation wechatpay.Operation, reply fields) error {
	if operation == wechatpay.OperationQueryOrder && reply.get("result_code") == success {
		return checkNamesSubMerchant(c.settings.Partner, reply)
	}
	return checkSubMerchant(c.settings.Partner, reply)
}

// checkOrder rejects, before sending, an order without an amount, or whose payer WeChat Pay could not
// find: openid is known under appid only, sub_openid under sub_appid only, and the payer pays in one of
// the two.
func (c *Client) checkOrder(request wechatpay.OrderRequest) error {
	subAppID := ""
	if c.settings.Partner != nil {
		subAppID = c.settings.Partner.SubAppID
	}
	switch {
	case request.Total <= 0 || request.Total > maxAmount:
		return errors.New("total_fee is out of range")
	case request.OpenID != "" && request.SubOpenID != "":
		return errors.New("openid and sub_openid are both given")
	case request.SubOpenID != "" && subAppID == "":
		return errors.New("sub_openid is given, but the merchant has no sub_appid")
	case request.PayerAppID != "" && request.PayerAppID != request.AppID && request.PayerAppID != subAppID:
		return errors.New("the payer's appid is neither appid nor sub_appid")
	default:
		return nil
	}
}
