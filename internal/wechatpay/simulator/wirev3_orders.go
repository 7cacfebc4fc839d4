package simulator

import (
	"cmp"
	"encoding/json"
	"net/netip"
	"time"
)

// prepayV3 creates an order, or issues another prepay_id, code_url or h5_url for it.
func (s *Simulator) prepayV3(c *callV3) (answerV3, error) {
	if err := c.checkBody(prepayShape(c.product, c.partner)); err != nil {
		return answerV3{}, err
	}
	wanted, err := s.readOrderV3(c)
	if err != nil {
		return answerV3{}, err
	}
	if err := c.merchant.checkParties(wanted.AppID, wanted.SubMchID, wanted.SubAppID); err != nil {
		return answerV3{}, err
	}
	_, prepay, err := s.placeOrder(wanted)
	if err != nil {
		return answerV3{}, err
	}
	switch c.product {
	case "native":
		return ok(document{"code_url": prepay.CodeURL}), nil
	case "h5":
		return ok(document{"h5_url": prepay.MwebURL}), nil
	}
	return ok(document{"prepay_id": prepay.ID}), nil
}

// readOrderV3 checks what the shape of a request does not say.
func (s *Simulator) readOrderV3(c *callV3) (*Order, error) {
	p := c.params
	if !isNotifyURL(p["notify_url"], s.rules.strictNotifyURL) {
		return nil, badParameter("notify_url", "is not as documented", internalParameter)
	}
	if detail, _ := json.Marshal(c.document["detail"]); len(detail) > 6144 {
		return nil, badParameter("detail", "is too long", internalRange)
	}
	if err := checkScene(c); err != nil {
		return nil, err
	}
	if err := checkPayerV3(c); err != nil {
		return nil, err
	}
	expire, err := timeOfV3(p["time_expire"])
	if err != nil {
		return nil, err
	}
	total, _ := c.document["amount"].(map[string]any)["total"].(json.Number).Int64() // its shape is checked
	return &Order{
		Protocol: ProtocolV3, MchID: c.mchID, AppID: cmp.Or(p["sp_appid"], p["appid"]), SubMchID: p["sub_mchid"],
		SubAppID: p["sub_appid"], OutTradeNo: p["out_trade_no"], TradeType: products[c.product], TotalFee: total, FeeType: "CNY", State: StateNotPay,
		Description: p["description"], Attach: p["attach"], NotifyURL: p["notify_url"], DeviceInfo: p["scene_info.device_id"],
		OpenID: cmp.Or(p["payer.openid"], p["payer.sp_openid"]), SubOpenID: p["payer.sub_openid"],
		Params: p, CreateTime: s.now(), ExpireTime: expire,
	}, nil
}

func checkScene(c *callV3) error {
	text := c.params["scene_info.payer_client_ip"]
	if text == "" {
		return nil
	}
	address, err := netip.ParseAddr(text)
	if err != nil || c.product == "h5" && address.IsLoopback() {
		return badParameter("scene_info.payer_client_ip", "is not as documented", internalParameter)
	}
	return nil
}

// checkPayerV3 requires exactly one openid; one under sub_appid needs sub_appid.
func checkPayerV3(c *callV3) error {
	p := c.params
	if c.product != "jsapi" || !c.partner {
		return nil
	}
	if (p["payer.sp_openid"] == "") == (p["payer.sub_openid"] == "") {
		return badParameter("payer", "needs sp_openid or sub_openid", internalOpenIDMissing)
	}
	if p["payer.sub_openid"] != "" && p["sub_appid"] == "" {
		return badParameter("sub_appid", "is missing", internalParameter)
	}
	return nil
}

// timeOfV3 reads RFC 3339; nil if the member is absent.
func timeOfV3(text string) (*time.Time, error) {
	if text == "" {
		return nil, nil
	}
	at, err := time.Parse(time.RFC3339, text)
	if err != nil {
		return nil, badParameter("time_expire", "is not RFC 3339", internalParameter)
	}
	return &at, nil
}
