package simulator

// orderLengths are the documented maximum lengths of unifiedorder's fields.
var orderLengths = map[string]int{
	"device_info": 32, "body": 127, "detail": 6000, "attach": 127, "out_trade_no": 32, "fee_type": 16,
	"spbill_create_ip": 64, "time_start": 14, "time_expire": 14, "goods_tag": 32, "notify_url": 256, "trade_type": 16,
	"product_id": 32, "limit_pay": 32, "openid": 128, "receipt": 8, "profit_sharing": 1, "scene_info": 256, "version": 32,
	"sub_openid": 128,
}

// unifiedOrder creates an order, or issues another prepay_id for it.
func (s *Simulator) unifiedOrder(c *callV2) (message, error) {
	wanted, err := s.readOrder(c)
	if err != nil {
		return nil, err
	}
	order, prepay, err := s.placeOrder(wanted)
	if err != nil {
		return nil, err
	}
	return message{
		"trade_type": order.TradeType, "prepay_id": prepay.ID, "code_url": prepay.CodeURL, "mweb_url": prepay.MwebURL,
		"device_info": order.DeviceInfo,
	}, nil
}

// readOrder validates the required fields and the values of a request.
func (s *Simulator) readOrder(c *callV2) (*Order, error) {
	request := c.request
	if err := require(request, "body", "out_trade_no", "total_fee", "spbill_create_ip", "notify_url", "trade_type"); err != nil {
		return nil, err
	}
	if err := checkLengths(request, orderLengths); err != nil {
		return nil, err
	}
	if !outTradeNoFormat.MatchString(request["out_trade_no"]) {
		return nil, malformed("out_trade_no")
	}
	for _, check := range []error{
		checkIP(request, "spbill_create_ip"),
		checkNotifyURL(request, s.rules.strictNotifyURL),
		oneOf(request, "trade_type", "JSAPI", "NATIVE", "APP", "MWEB"),
		oneOf(request, "limit_pay", "no_credit"),
		oneOf(request, "receipt", "Y", "N"),
		oneOf(request, "profit_sharing", "Y", "N"),
		checkTradeType(request),
	} {
		if check != nil {
			return nil, check
		}
	}
	return s.newOrder(c)
}

// checkTradeType requires the fields specific to a trade type.
func checkTradeType(request message) error {
	switch request["trade_type"] {
	case "JSAPI":
		return checkPayerV2(request)
	case "NATIVE":
		return require(request, "product_id")
	case "MWEB":
		if err := require(request, "scene_info"); err != nil {
			return err
		}
		return checkH5Scene(request)
	}
	return nil
}

// checkPayerV2 requires openid, or sub_openid in service-provider mode, which needs sub_appid.
func checkPayerV2(request message) error {
	if request["sub_openid"] == "" {
		return require(request, "openid")
	}
	return require(request, "sub_appid")
}

func (s *Simulator) newOrder(c *callV2) (*Order, error) {
	total, err := amountOf(c.request, "total_fee")
	if err != nil {
		return nil, err
	}
	currency := c.request["fee_type"]
	if currency == "" {
		currency = "CNY"
	}
	if !currencyFormat.MatchString(currency) || !c.merchant.mayOrderIn(currency) {
		return nil, malformed("fee_type")
	}
	if _, err := timeOf(c.request, "time_start"); err != nil {
		return nil, err
	}
	expire, err := timeOf(c.request, "time_expire")
	if err != nil {
		return nil, err
	}
	o := &Order{
		Protocol: ProtocolV2, MchID: c.request["mch_id"], AppID: c.request["appid"], SubMchID: c.request["sub_mch_id"],
		SubAppID: c.request["sub_appid"], OutTradeNo: c.request["out_trade_no"], TradeType: c.request["trade_type"],
		TotalFee: total, FeeType: currency, SignType: c.signType, State: StateNotPay, Params: paramsOf(c.request),
		CreateTime: s.now(), ExpireTime: expire,
	}
	o.fillFromV2()
	return o, nil
}

// fillFromV2 sets what both protocols need from the fields of unifiedorder.
func (o *Order) fillFromV2() {
	o.Description, o.Attach, o.NotifyURL = o.Params["body"], o.Params["attach"], o.Params["notify_url"]
	o.OpenID, o.SubOpenID, o.DeviceInfo = o.Params["openid"], o.Params["sub_openid"], o.Params["device_info"]
}

// paramsOf returns a request's fields without those that may differ between two calls for the same
// order or refund.
func paramsOf(request message) map[string]string {
	params := make(map[string]string, len(request))
	for name, value := range request {
		if name != "sign" && name != "nonce_str" && value != "" {
			params[name] = value
		}
	}
	return params
}

// findOrderV2 finds the order that a request names. An order of another appid is not found.
func (s *Simulator) findOrderV2(request message) (*Order, error) {
	if request["transaction_id"] == "" && request["out_trade_no"] == "" {
		return nil, fail("PARAM_ERROR", "缺少参数 transaction_id 或 out_trade_no")
	}
	order, err := s.findOrder(orderRef{
		mchID: request["mch_id"], subMchID: request["sub_mch_id"],
		transactionID: request["transaction_id"], outTradeNo: request["out_trade_no"],
	})
	if err == nil && order.AppID != request["appid"] {
		return nil, errOrderNotExist
	}
	return order, err
}
