package simulator

import "regexp"

// products are the trade types of the prepay paths.
var products = map[string]string{"jsapi": "JSAPI", "native": "NATIVE", "app": "APP", "h5": "MWEB"}

var goodsIDFormat = regexp.MustCompile(`^[0-9A-Za-z_-]+$`)

// prepayShape describes the request of a prepay path.
func prepayShape(product string, partner bool) shape {
	out := shape{
		"description":    {max: 127, required: true},
		"out_trade_no":   {max: 32, required: true, format: outTradeNoFormat},
		"time_expire":    {max: 64},
		"attach":         {max: 128},
		"notify_url":     {max: 255, required: true},
		"goods_tag":      {max: 32},
		"limit_pay":      {kind: ofList, max: 32, words: []string{"no_balance", "no_credit", "no_debit", "balance_only"}},
		"support_fapiao": {kind: ofFlag},
		"amount": {kind: ofObject, required: true, in: shape{
			"total": {kind: ofWhole, required: true, least: 1}, "currency": {max: 16, words: []string{"CNY"}},
		}},
		"detail": {kind: ofObject, in: shape{
			"cost_price": {kind: ofWhole}, "invoice_id": {max: 32},
			"goods_detail": {kind: ofList, in: shape{
				"merchant_goods_id":  {max: 32, required: true, format: goodsIDFormat},
				"wechatpay_goods_id": {max: 32}, "goods_name": {max: 256},
				"quantity": {kind: ofWhole, required: true, least: 1}, "unit_price": {kind: ofWhole, required: true},
			}},
		}},
		"scene_info":  {kind: ofObject, required: product == "h5", in: sceneShape(product)},
		"settle_info": {kind: ofObject, in: shape{"profit_sharing": {kind: ofFlag}}},
	}
	addParties(out, partner, true)
	if product == "jsapi" {
		payer := shape{"openid": {max: 128, required: true}}
		if partner {
			payer = shape{"sp_openid": {max: 128}, "sub_openid": {max: 128}}
		}
		out["payer"] = member{kind: ofObject, required: true, in: payer}
	}
	return out
}

func sceneShape(product string) shape {
	out := shape{
		"payer_client_ip": {max: 45, required: true},
		"device_id":       {max: 32},
		"store_info": {kind: ofObject, in: shape{
			"id": {max: 32, required: true}, "name": {max: 256}, "area_code": {max: 32}, "address": {max: 512},
		}},
	}
	if product == "h5" {
		out["h5_info"] = member{kind: ofObject, required: true, in: shape{
			"type": {max: 32, required: true, words: []string{"iOS", "Android", "Wap"}}, "app_name": {max: 64}, "app_url": {max: 128},
			"bundle_id": {max: 128}, "package_name": {max: 128},
		}}
	}
	return out
}

// addParties adds the members that say who orders: they have other names in service-provider mode.
func addParties(out shape, partner, apps bool) {
	id := func(required bool) member { return member{max: 32, required: required} }
	if !partner {
		out["mchid"] = id(true)
		if apps {
			out["appid"] = id(true)
		}
		return
	}
	out["sp_mchid"], out["sub_mchid"] = id(true), id(true)
	if apps {
		out["sp_appid"], out["sub_appid"] = id(true), id(false)
	}
}

// partiesShape describes requests that say only who orders, such as closing.
func partiesShape(partner bool) shape {
	out := shape{}
	addParties(out, partner, false)
	return out
}

// refundShape describes a refund request, which is the same in both modes but for sub_mchid.
var refundShape = shape{
	"sub_mchid":      {max: 32},
	"transaction_id": {max: 32},
	"out_trade_no":   {max: 32},
	"out_refund_no":  {max: 64, required: true, format: outRefundNoFormat},
	"reason":         {max: 80},
	"notify_url":     {max: 256},
	"funds_account":  {max: 32, words: []string{"AVAILABLE", "UNSETTLED"}},
	"amount": {kind: ofObject, required: true, in: shape{
		"refund": {kind: ofWhole, required: true, least: 1}, "total": {kind: ofWhole, required: true, least: 1},
		"currency": {max: 16, required: true, words: []string{"CNY"}},
		"from": {kind: ofList, in: shape{
			"account": {max: 32, required: true, words: []string{"AVAILABLE", "UNAVAILABLE"}}, "amount": {kind: ofWhole, required: true, least: 1},
		}},
	}},
	"goods_detail": {kind: ofList, in: shape{
		"merchant_goods_id": {max: 32, required: true}, "wechatpay_goods_id": {max: 32}, "goods_name": {max: 256},
		"unit_price": {kind: ofWhole, required: true}, "refund_amount": {kind: ofWhole, required: true},
		"refund_quantity": {kind: ofWhole, required: true},
	}},
}

// abnormalShape describes apply-abnormal-refund. The account and the name are encrypted.
var abnormalShape = shape{
	"sub_mchid":     {max: 32},
	"out_refund_no": {max: 64, required: true, format: outRefundNoFormat},
	"type":          {max: 32, required: true, words: []string{"USER_BANK_CARD", "MERCHANT_BANK_CARD"}},
	"bank_type":     {max: 16},
	"bank_account":  {max: 1024},
	"real_name":     {max: 1024},
}
