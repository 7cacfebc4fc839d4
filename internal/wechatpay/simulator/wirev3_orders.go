package simulator

import (
	"encoding/json"
	"errors"
	"net/http"
	"net/netip"
	"regexp"
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
		Protocol: ProtocolV3, MchID: c.mchID, AppID: firstOf(p["sp_appid"], p["appid"]), SubMchID: p["sub_mchid"],
		SubAppID: p["sub_appid"], OutTradeNo: p["out_trade_no"], TradeType: products[c.product], TotalFee: total, FeeType: "CNY", State: StateNotPay,
		Description: p["description"], Attach: p["attach"], NotifyURL: p["notify_url"], DeviceInfo: p["scene_info.device_id"],
		OpenID: firstOf(p["payer.openid"], p["payer.sp_openid"]), SubOpenID: p["payer.sub_openid"],
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

var transactionIDFormat = regexp.MustCompile(`^\d{1,32}$`)

// orderOfPath finds the order in the path of a query or a close call.
func (s *Simulator) orderOfPath(c *callV3) (*Order, error) {
	if err := c.merchant.checkParties("", c.params["sub_mchid"], ""); err != nil {
		return nil, err
	}
	ref := orderRef{mchID: c.mchID, subMchID: c.params["sub_mchid"]}
	if c.byID {
		if !transactionIDFormat.MatchString(c.pathNumber) {
			return nil, newProblem(500, "INVALID_TRANSACTIONID", internalParameter, "微信支付订单号非法")
		}
		ref.transactionID = c.pathNumber
	} else {
		ref.outTradeNo = c.pathNumber
	}
	return s.findOrder(ref)
}

// orderQueryV3 returns an order's state.
func (s *Simulator) orderQueryV3(c *callV3) (answerV3, error) {
	required := []string{"mchid"}
	if c.partner {
		required = []string{"sp_mchid", "sub_mchid"}
	}
	if err := c.checkQuery(required); err != nil {
		return answerV3{}, err
	}
	order, err := s.orderOfPath(c)
	if err != nil {
		return answerV3{}, err
	}
	return ok(transactionOf(order)), nil
}

// closeOrderV3 closes an unpaid order. Closing a closed one again is permitted.
func (s *Simulator) closeOrderV3(c *callV3) (answerV3, error) {
	if err := c.checkBody(partiesShape(c.partner)); err != nil {
		return answerV3{}, err
	}
	order, err := s.orderOfPath(c)
	if err == nil {
		err = s.closeOrder(order)
	}
	if errors.Is(err, errClosedAlready) || errors.Is(err, errOrderNotExist) && s.rules.closeUnknownOrders {
		err = nil
	}
	return answerV3{status: http.StatusNoContent}, err
}

// stateWordsV3 are WeChat's descriptions of the trade states.
var stateWordsV3 = map[TradeState]string{
	StateNotPay:  "订单未支付",
	StateSuccess: "支付成功",
	StateRefund:  "转入退款",
	StateClosed:  "订单已关闭",
}

// parties are the members that say whose order or refund it is.
func parties(mchID, subMchID string) document {
	if subMchID == "" {
		return document{"mchid": mchID}
	}
	return document{"sp_mchid": mchID, "sub_mchid": subMchID}
}

// transactionOf is an order in the query and in the callback.
func transactionOf(o *Order) document {
	out := parties(o.MchID, o.SubMchID)
	out["out_trade_no"], out["trade_state"], out["trade_state_desc"] = o.OutTradeNo, string(o.State), stateWordsV3[o.State]
	if o.SubMchID == "" {
		out["appid"] = o.AppID
	} else {
		out["sp_appid"] = o.AppID
	}
	out.set("sub_appid", o.SubAppID)
	out.set("attach", o.Attach)
	if p := o.Payment; p != nil {
		out["transaction_id"], out["trade_type"], out["bank_type"] = p.TransactionID, o.TradeType, p.BankType
		out["success_time"] = rfc3339(p.Time)
		out["payer"] = payerOf(o)
		out["amount"] = document{"total": p.TotalFee, "payer_total": p.CashFee, "currency": p.FeeType, "payer_currency": p.CashFeeType}
		if o.DeviceInfo != "" {
			out["scene_info"] = document{"device_id": o.DeviceInfo}
		}
		if len(p.Coupons) > 0 {
			out["promotion_detail"] = promotionsOf(p)
		}
	}
	return out
}

func payerOf(o *Order) document {
	if o.SubMchID == "" {
		return document{"openid": o.Payment.OpenID}
	}
	out := document{"sp_openid": o.Payment.OpenID}
	out.set("sub_openid", o.Payment.SubOpenID)
	return out
}

func promotionsOf(p *Payment) []document {
	var out []document
	for _, coupon := range p.Coupons {
		kind := "CASH"
		if coupon.Type == "NO_CASH" {
			kind = "NOCASH"
		}
		out = append(out, document{
			"coupon_id": coupon.ID, "name": "代金券", "scope": "GLOBAL", "type": kind, "amount": coupon.Fee, "stock_id": "10000001",
			"wechatpay_contribute": coupon.Fee, "merchant_contribute": 0, "other_contribute": 0, "currency": p.FeeType,
		})
	}
	return out
}

func rfc3339(t time.Time) string { return t.In(beijing).Format(time.RFC3339) }
