package simulator

import (
	"strings"
	"testing"
	"time"

	. "github.com/onsi/gomega"
)

func TestPrepayV3(t *testing.T) {
	c := startV3(t)
	h5 := fields{"payer_client_ip": "203.0.113.7", "h5_info": fields{"type": "Wap"}}
	for product, test := range map[string]struct {
		body         fields
		member, want string
	}{
		"jsapi":  {c.jsapi("order-jsapi"), "prepay_id", "wx"},
		"app":    {c.jsapi("order-app", "payer", nil), "prepay_id", "wx"},
		"native": {c.jsapi("order-native", "payer", nil), "code_url", "weixin://wxpay/bizpayurl?pr="},
		"h5":     {c.jsapi("order-h5", "payer", nil, "scene_info", h5), "h5_url", "https://wx.tenpay.com/"},
	} {
		t.Run(product, func(t *testing.T) {
			c := c.in(t)
			reply := c.post("/v3/pay/transactions/"+product, test.body)
			c.Expect(reply.status).To(Equal(200), "%s", reply.raw)
			c.Expect(reply.body).To(HaveLen(1))
			c.Expect(reply.text(test.member)).To(HavePrefix(test.want))
			order := c.sim.Ledger().Order(testMerchant, "order-"+product)
			c.Expect(order).To(And(HaveField("Protocol", ProtocolV3), HaveField("TradeType", products[product]),
				HaveField("TotalFee", int64(101)), HaveField("Description", "肥皂 x1")))
			c.Expect(order.Params).To(HaveKeyWithValue("amount.total", "101"))
		})
	}
}

func TestPrepayV3ChecksItsMembers(t *testing.T) {
	c := startV3(t, func(o *Options) { o.Rules.StrictNotifyURL = true })
	good := c.jsapi("order-0001", "notify_url", "https://pay.example.com/notify")
	amount := func(pairs ...any) fields { return but(fields{"total": 101, "currency": "CNY"}, pairs...) }
	scene := func(pairs ...any) fields { return but(fields{"payer_client_ip": "203.0.113.7"}, pairs...) }
	for name, test := range map[string]struct {
		body any
		want string
	}{
		"good":                      {good, ""},
		"unknown member":            {but(good, "profit_sharing", true), "PARAM_ERROR"},
		"unknown member inside":     {but(good, "amount", amount("payer_total", 1)), "PARAM_ERROR"},
		"null":                      {strings.Replace(`{"appid":"x","attach":null}`, "x", testApp, 1), "PARAM_ERROR"},
		"not JSON":                  {`{"appid":`, "PARAM_ERROR"},
		"list":                      {`[]`, "PARAM_ERROR"},
		"nothing":                   {``, "PARAM_ERROR"},
		"more behind it":            {`{} {}`, "PARAM_ERROR"},
		"member twice":              {`{"appid":"a","appid":"a"}`, "PARAM_ERROR"},
		"emoji":                     {but(good, "description", "肥皂 😀"), "PARAM_ERROR"},
		"escaped emoji":             {`{"description":"\ud83d\ude00"}`, "PARAM_ERROR"},
		"no total":                  {but(good, "amount", amount("total", nil)), "PARAM_ERROR"},
		"total 0":                   {but(good, "amount", amount("total", 0)), "PARAM_ERROR"},
		"total as text":             {but(good, "amount", amount("total", "101")), "PARAM_ERROR"},
		"total with fraction":       {but(good, "amount", amount("total", 1.5)), "PARAM_ERROR"},
		"dollars":                   {but(good, "amount", amount("currency", "USD")), "PARAM_ERROR"},
		"no currency":               {but(good, "out_trade_no", "order-0002", "amount", amount("currency", nil)), ""},
		"no description":            {but(good, "description", nil), "PARAM_ERROR"},
		"127 characters":            {but(good, "out_trade_no", "order-0003", "description", strings.Repeat("皂", 127)), ""},
		"128 characters":            {but(good, "description", strings.Repeat("皂", 128)), "PARAM_ERROR"},
		"short number":              {but(good, "out_trade_no", "order"), "PARAM_ERROR"},
		"no payer":                  {but(good, "payer", nil), "PARAM_ERROR"},
		"http notify_url":           {but(good, "notify_url", "http://pay.example.com/notify"), "PARAM_ERROR"},
		"notify_url with a query":   {but(good, "notify_url", "https://pay.example.com/notify?a=1"), "PARAM_ERROR"},
		"time_expire as in v2":      {but(good, "time_expire", "20261129120000"), "PARAM_ERROR"},
		"goods without id":          {but(good, "detail", fields{"goods_detail": []fields{{"quantity": 1, "unit_price": 1}}}), "PARAM_ERROR"},
		"no goods in the list":      {but(good, "detail", fields{"goods_detail": []fields{}}), "PARAM_ERROR"},
		"goods":                     {but(good, "out_trade_no", "order-0004", "detail", fields{"goods_detail": []fields{{"merchant_goods_id": "a-1", "quantity": 1, "unit_price": 1}}}), ""},
		"bad client ip":             {but(good, "scene_info", scene("payer_client_ip", "here")), "PARAM_ERROR"},
		"h5_info of another path":   {but(good, "scene_info", scene("h5_info", fields{"type": "Wap"})), "PARAM_ERROR"},
		"foreign appid":             {but(good, "appid", "wx0000000000000009"), "APPID_MCHID_NOT_MATCH"},
		"sub merchant in direct":    {but(good, "sub_mchid", testSub), "PARAM_ERROR"},
		"unknown limit":             {but(good, "limit_pay", []string{"no_money"}), "PARAM_ERROR"},
		"limit":                     {but(good, "out_trade_no", "order-0005", "limit_pay", []string{"no_credit"}), ""},
		"mchid of somebody else":    {but(good, "mchid", "1900000999"), "SIGN_ERROR"},
		"profit sharing as settled": {but(good, "out_trade_no", "order-0006", "settle_info", fields{"profit_sharing": true}), ""},
	} {
		t.Run(name, func(t *testing.T) {
			c := c.in(t)
			reply := c.post(jsapiPath, test.body)
			c.Expect(reply.code()).To(Equal(test.want), "%s", reply.raw)
			if test.want == "PARAM_ERROR" {
				c.Expect(reply.status).To(Equal(400))
				c.Expect(reply.text("detail", "field")).NotTo(BeEmpty())
			}
		})
	}
}

func TestReentryV3(t *testing.T) {
	c := startV3(t)
	first := c.mustOrder("order-0001", "attach", "a")
	c.Expect(c.mustOrder("order-0001", "attach", "a")).NotTo(Equal(first), "the same parameters give a new prepay_id")
	for name, pairs := range map[string][]any{
		"description": {"description", "other"}, "amount": {"amount", fields{"total": 102, "currency": "CNY"}}, "attach": {"attach", "b"},
		"time_expire": {"attach", "a", "time_expire", "2030-01-01T00:00:00+08:00"},
	} {
		reply := c.post(jsapiPath, c.jsapi("order-0001", pairs...))
		c.Expect(reply.status).To(Equal(403), name)
		c.Expect(reply.code()).To(Equal("OUT_TRADE_NO_USED"), name)
		c.Expect(reply.header.Get("Request-Id")).To(HaveSuffix("-268498688"))
	}
	c.Expect(c.sim.Ledger().ViolationsOf(ViolationOrderParams)).To(HaveLen(4))

	c.mustPay("order-0001")
	reply := c.post(jsapiPath, c.jsapi("order-0001", "attach", "a"))
	c.Expect(reply.status).To(Equal(400))
	c.Expect(reply.code()).To(Equal("ORDER_PAID"))

	c.mustOrder("order-0002")
	c.Expect(c.post("/v3/pay/transactions/out-trade-no/order-0002/close", fields{"mchid": testMerchant}).status).To(Equal(204))
	c.Expect(c.post(jsapiPath, c.jsapi("order-0002")).code()).To(Equal("ORDER_CLOSED"))
}

func TestTimeExpireV3(t *testing.T) {
	c := startV3(t)
	now := c.clock.Now()
	for number, test := range map[string]struct{ given, want time.Duration }{
		"order-soon": {time.Second, time.Minute}, "order-late": {90 * 24 * time.Hour, 15 * 24 * time.Hour}, "order-good": {time.Hour, time.Hour},
	} {
		c.mustOrder(number, "time_expire", now.Add(test.given).Format(time.RFC3339))
		c.Expect(*c.sim.Ledger().Order(testMerchant, number).ExpireTime).To(BeTemporally("==", now.Add(test.want)), number)
	}
	c.clock.Step(2 * time.Minute)
	_, err := c.sim.Pay(testMerchant, "order-soon", PayOptions{})
	c.Expect(err).To(MatchError(ErrOrderExpired))
}

func TestOrderQueryV3(t *testing.T) {
	c := startV3(t)
	const path = "/v3/pay/transactions/out-trade-no/order-0001?mchid=" + testMerchant
	c.Expect(c.get(path).code()).To(Equal("ORDER_NOT_EXIST"))
	c.mustOrder("order-0001", "attach", "a b")
	unpaid := c.get(path)
	c.Expect(unpaid.body).To(Equal(fields{
		"appid": testApp, "mchid": testMerchant, "out_trade_no": "order-0001", "trade_state": "NOTPAY", "trade_state_desc": "订单未支付",
		"attach": "a b",
	}))
	payment, err := c.sim.Pay(testMerchant, "order-0001", PayOptions{Coupons: []Coupon{{ID: "c1", Type: "NO_CASH", Fee: 1}}})
	c.Expect(err).NotTo(HaveOccurred())
	for _, target := range []string{path, "/v3/pay/transactions/id/" + payment.TransactionID + "?mchid=" + testMerchant} {
		paid := c.get(target)
		c.Expect(paid.body).To(And(HaveKeyWithValue("trade_state", "SUCCESS"), HaveKeyWithValue("trade_type", "JSAPI"),
			HaveKeyWithValue("transaction_id", payment.TransactionID), HaveKeyWithValue("success_time", rfc3339(payment.Time)),
			HaveKeyWithValue("payer", fields{"openid": "oUpF8uMuAJO_M2pxb1Q9zNjWeS6o"}),
			HaveKeyWithValue("amount", fields{"total": 101.0, "payer_total": 100.0, "currency": "CNY", "payer_currency": "CNY"})))
		c.Expect(paid.body["promotion_detail"].([]any)[0]).To(HaveKeyWithValue("type", "NOCASH"))
	}
	for target, want := range map[string]string{
		"/v3/pay/transactions/out-trade-no/order-0001": "PARAM_ERROR",
		path + "&limit=1":               "PARAM_ERROR",
		path + "&mchid=" + testMerchant: "PARAM_ERROR",
		"/v3/pay/transactions/id/4200000000000000000000000000?mchid=" + testMerchant:                              "ORDER_NOT_EXIST",
		"/v3/pay/partner/transactions/out-trade-no/order-0001?sp_mchid=" + testMerchant + "&sub_mchid=" + testSub: "NO_AUTH",
		"/v3/pay/transactions/id/order-0001?mchid=" + testMerchant:                                                "INVALID_TRANSACTIONID",
		"/v3/pay/transactions/nothing":                             "RESOURCE_NOT_EXISTS",
		"/v3/pay/transactions/out-trade-no/?mchid=" + testMerchant: "RESOURCE_NOT_EXISTS",
	} {
		c.Expect(c.get(target).code()).To(Equal(want), target)
	}
}

func TestCloseV3(t *testing.T) {
	c := startV3(t)
	closing := func(number string) replyV3 {
		return c.post("/v3/pay/transactions/out-trade-no/"+number+"/close", fields{"mchid": testMerchant})
	}
	c.mustOrder("order-0001")
	for range 2 {
		reply := closing("order-0001")
		c.Expect(reply.status).To(Equal(204), "closing again is permitted")
		c.Expect(reply.raw).To(BeEmpty())
	}
	c.mustOrder("order-0002")
	c.mustPay("order-0002")
	c.Expect(closing("order-0002").code()).To(Equal("ORDER_PAID"))
	c.Expect(closing("order-9999").code()).To(Equal("ORDER_NOT_EXIST"))
	c.Expect(c.post("/v3/pay/transactions/out-trade-no/order-0001/close", fields{"mchid": testMerchant, "reason": "x"}).code()).To(Equal("PARAM_ERROR"))
}

func TestCloseOfUnknownOrdersCanBeAnswered204(t *testing.T) {
	c := startV3(t, func(o *Options) { o.Rules.CloseUnknownOrders = true })
	c.Expect(c.post("/v3/pay/transactions/out-trade-no/order-9999/close", fields{"mchid": testMerchant}).status).To(Equal(204))
}

// What one protocol ordered the other can query, close, refund and not order again.
func TestProtocolsShareTheLedger(t *testing.T) {
	c := startV3(t, func(o *Options) { o.Rules.MinRefundInterval = -1 })
	c.paidOrder("order-v2", "attach", "a")
	c.mustOrder("order-v3", "attach", "a")
	c.mustPay("order-v3")
	c.Expect(c.get("/v3/pay/transactions/out-trade-no/order-v2?mchid=" + testMerchant).body).To(And(
		HaveKeyWithValue("trade_state", "SUCCESS"), HaveKeyWithValue("attach", "a"),
		HaveKeyWithValue("payer", fields{"openid": "oUpF8uMuAJO_M2pxb1Q9zNjWeS6o"})))
	c.Expect(c.mustCall(OperationOrderQuery, message{"out_trade_no": "order-v3"})).To(And(
		HaveKeyWithValue("trade_state", "SUCCESS"), HaveKeyWithValue("total_fee", "101"), HaveKeyWithValue("attach", "a"),
		HaveKeyWithValue("openid", "oUpF8uMuAJO_M2pxb1Q9zNjWeS6o")))

	c.Expect(c.post(refundsPath, c.refundBody("order-v2", "refund-v3", 50)).text("status")).To(Equal("PROCESSING"))
	c.mustCall(OperationRefund, c.refund("order-v3", "refund-v2", "50"))
	c.Expect(c.mustCall(OperationRefundQuery, message{"out_refund_no": "refund-v3"})).To(HaveKeyWithValue("refund_fee_0", "50"))
	c.Expect(c.get(refundsPath+"/refund-v2").text("amount", "refund")).To(Equal("50"))

	c.mustCall(OperationUnifiedOrder, c.order("order-0002"))
	c.Expect(c.post(jsapiPath, c.jsapi("order-0002")).code()).To(Equal("OUT_TRADE_NO_USED"))
	c.mustOrder("order-0003")
	c.Expect(c.call(OperationUnifiedOrder, c.order("order-0003"))["err_code_des"]).To(Equal("201 商户订单号重复"))
	c.Expect(c.violations()).To(BeEmpty(), "another protocol's call for the same order is no violation")
	c.Expect(c.post("/v3/pay/transactions/out-trade-no/order-0002/close", fields{"mchid": testMerchant}).status).To(Equal(204))
	c.mustCall(OperationCloseOrder, message{"out_trade_no": "order-0003"})
	c.Expect(c.post(jsapiPath, c.jsapi("order-0003", "amount", fields{"total": 1})).code()).To(Equal("ORDER_CLOSED"))
}
