package judge

import (
	"fmt"
	"strconv"
	"time"

	"github.com/wechatpay-operator/wechatpay-operator/internal/wechatpay/simulator"
	"github.com/wechatpay-operator/wechatpay-operator/test/framework/tenancy"
)

// orderParameters are the expected parameters of the call that created an order, from the spec and
// the Merchant, in the words of a protocol.
func orderParameters(requested *AskedOrder, protocol simulator.Protocol) map[string]string {
	if protocol == simulator.ProtocolV3 {
		return orderParametersV3(requested)
	}
	return orderParametersV2(requested)
}

var beijing = time.FixedZone("UTC+8", 8*60*60)

func orderParametersV2(requested *AskedOrder) map[string]string {
	spec, merchant := requested.Order.Spec, requested.Merchant.Spec
	parameters := map[string]string{
		"appid": merchant.AppID, "mch_id": merchant.MchID, "out_trade_no": requested.Order.Number(),
		"body": spec.Description, "total_fee": strconv.FormatInt(spec.Amount.Total, 10), "trade_type": string(spec.TradeType),
		"attach": tenancy.Attach(requested.Order),
	}
	if spec.ProductID != "" {
		parameters["product_id"] = spec.ProductID
	}
	if merchant.Partner != nil {
		parameters["sub_mch_id"] = merchant.Partner.SubMchID
	}
	if spec.Payer != nil {
		parameters["openid"] = spec.Payer.OpenID
	}
	if spec.H5 != nil {
		parameters["scene_info"] = fmt.Sprintf(`{"h5_info":{"type":%q,"wap_url":%q,"wap_name":%q}}`, spec.H5.Type, spec.H5.URL, spec.H5.Name)
	}
	if spec.ExpireTime != nil {
		parameters["time_expire"] = spec.ExpireTime.In(beijing).Format("20060102150405")
	}
	return parameters
}

// orderParametersV3 has no trade type, which is in the path of the call, and no product.
func orderParametersV3(requested *AskedOrder) map[string]string {
	spec, merchant := requested.Order.Spec, requested.Merchant.Spec
	parameters := map[string]string{
		"out_trade_no": requested.Order.Number(), "description": spec.Description,
		"amount.total": strconv.FormatInt(spec.Amount.Total, 10), "amount.currency": "CNY", "attach": tenancy.Attach(requested.Order),
		"scene_info.payer_client_ip": spec.ClientIP,
	}
	payer := "payer.openid"
	if merchant.Partner == nil {
		parameters["appid"], parameters["mchid"] = merchant.AppID, merchant.MchID
	} else {
		payer = "payer.sp_openid"
		parameters["sp_appid"], parameters["sp_mchid"], parameters["sub_mchid"] = merchant.AppID, merchant.MchID, merchant.Partner.SubMchID
	}
	if spec.Payer != nil {
		parameters[payer] = spec.Payer.OpenID
	}
	if spec.H5 != nil {
		parameters["scene_info.h5_info.type"] = string(spec.H5.Type)
		parameters["scene_info.h5_info.app_url"], parameters["scene_info.h5_info.app_name"] = spec.H5.URL, spec.H5.Name
	}
	if spec.ExpireTime != nil {
		parameters["time_expire"] = spec.ExpireTime.In(beijing).Format(time.RFC3339)
	}
	return parameters
}
