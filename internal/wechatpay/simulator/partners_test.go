package simulator

import (
	"testing"
	"time"

	. "github.com/onsi/gomega"
)

const partnerQuery = "/v3/pay/partner/transactions/out-trade-no/order-0001?sp_mchid=" + testProvider + "&sub_mchid="

// partner is a call of API v2 in service-provider mode.
func (c *clientV3) partner(operation Operation, fields message, pairs ...string) message {
	c.t.Helper()
	certified := c.certified
	defer func() { c.certified = certified }()
	if operation == OperationRefund {
		issued, err := c.sim.IssueClientCertificate(testProvider)
		c.Expect(err).NotTo(HaveOccurred())
		pair, err := issued.TLS()
		c.Expect(err).NotTo(HaveOccurred())
		c.certified = c.client(pair)
	}
	return c.call(operation, fields.with("appid", testSpApp, "mch_id", testProvider, "sub_mch_id", testSub).with(pairs...))
}

func TestPartnerV3(t *testing.T) {
	c := startV3(t).provider()
	reply := c.post(partnerPath, c.partnerJSAPI("order-0001"))
	c.Expect(reply.status).To(Equal(200), "%s", reply.raw)
	payment := c.mustPay("order-0001")
	paid := c.get(partnerQuery + testSub)
	c.Expect(paid.body).To(And(HaveKeyWithValue("sp_mchid", testProvider), HaveKeyWithValue("sub_mchid", testSub),
		HaveKeyWithValue("sp_appid", testSpApp), HaveKeyWithValue("sub_appid", testSubApp), Not(HaveKey("mchid")), Not(HaveKey("appid")),
		HaveKeyWithValue("payer", fields{"sp_openid": payment.OpenID, "sub_openid": "oSubUserUnderTheSubApp000000"})))
	c.delivered(OperationPaymentCallback, "order-0001", CallbackDelivered)
	c.Expect(c.open(c.events()[0].body.Resource)).To(And(HaveKeyWithValue("sp_mchid", testProvider), HaveKeyWithValue("sub_mchid", testSub)))

	refund := c.post(refundsPath, c.refundBody("order-0001", "refund-1", 50, "sub_mchid", testSub))
	c.Expect(refund.status).To(Equal(200), "%s", refund.raw)
	c.clock.Step(time.Minute)
	c.Expect(c.get(refundsPath + "/refund-1?sub_mchid=" + testSub).text("status")).To(Equal("SUCCESS"))
	c.delivered(OperationRefundCallback, "refund-1", CallbackDelivered)
	c.Expect(c.open(c.events()[1].body.Resource)).To(And(HaveKeyWithValue("sp_mchid", testProvider), HaveKeyWithValue("sub_mchid", testSub)))

	c.Expect(c.post(partnerPath, c.partnerJSAPI("order-0002")).status).To(Equal(200))
	closing := fields{"sp_mchid": testProvider, "sub_mchid": testSub}
	c.Expect(c.post("/v3/pay/partner/transactions/out-trade-no/order-0002/close", closing).status).To(Equal(204))
	ledger := c.sim.Ledger()
	c.Expect(ledger.Order(testProvider, "order-0001")).To(And(HaveField("SubMchID", testSub), HaveField("SubAppID", testSubApp)))
	c.Expect(ledger.Refund(testProvider, "refund-1").SubMchID).To(Equal(testSub))
	c.Expect(ledger.Violations).To(BeEmpty())
}

func TestPartnerV3Refusals(t *testing.T) {
	c := startV3(t).provider()
	c.Expect(c.post(partnerPath, c.partnerJSAPI("order-0001")).status).To(Equal(200))
	c.mustPay("order-0001")
	for name, test := range map[string]struct {
		reply    func(c *clientV3) replyV3
		status   int
		code     string
		internal string
	}{
		"direct call of a provider": {func(c *clientV3) replyV3 {
			return c.post(jsapiPath, c.jsapi("order-0002", "mchid", testProvider, "appid", testSpApp))
		}, 400, "INVALID_REQUEST", "268443704"},
		"own number as sub merchant": {func(c *clientV3) replyV3 {
			return c.post(partnerPath, c.partnerJSAPI("order-0002", "sub_mchid", testProvider))
		}, 400, "INVALID_REQUEST", "268443705"},
		"no relation": {func(c *clientV3) replyV3 {
			return c.post(partnerPath, c.partnerJSAPI("order-0002", "sub_mchid", "1900000999"))
		}, 403, "NO_AUTH", "268443701"},
		"sub_appid of nobody": {func(c *clientV3) replyV3 {
			return c.post(partnerPath, c.partnerJSAPI("order-0002", "sub_appid", "wx1"))
		}, 400, "APPID_MCHID_NOT_MATCH", "268445527"},
		"two openids": {func(c *clientV3) replyV3 {
			return c.post(partnerPath, c.partnerJSAPI("order-0002", "payer", fields{"sp_openid": "a", "sub_openid": "b"}))
		}, 400, "PARAM_ERROR", "268501013"},
		"sub_openid without sub_appid": {func(c *clientV3) replyV3 {
			return c.post(partnerPath, c.partnerJSAPI("order-0002", "sub_appid", nil))
		}, 400, "PARAM_ERROR", "268435461"},
		"number of another sub merchant": {func(c *clientV3) replyV3 {
			return c.post(partnerPath, c.partnerJSAPI("order-0001", "sub_mchid", otherSub, "sub_appid", nil, "payer", fields{"sp_openid": "a"}))
		}, 400, "ORDER_PAID", "268449538"},
		"query of another sub merchant": {func(c *clientV3) replyV3 { return c.get(partnerQuery + otherSub) }, 400, "INVALID_REQUEST", "268447845"},
		"refund without sub merchant": {func(c *clientV3) replyV3 {
			return c.post(refundsPath, c.refundBody("order-0001", "refund-1", 1))
		}, 400, "INVALID_REQUEST", "268443704"},
	} {
		t.Run(name, func(t *testing.T) {
			c := c.in(t)
			reply := test.reply(c)
			c.Expect(reply.status).To(Equal(test.status), "%s", reply.raw)
			c.Expect(reply.code()).To(Equal(test.code))
			c.Expect(reply.header.Get("Request-Id")).To(HaveSuffix("-" + test.internal))
		})
	}
}

// The sub merchant's own calls and the provider's do not see each other's orders.
func TestModesNeverCross(t *testing.T) {
	c := startV3(t, func(o *Options) {
		o.Merchants = append(o.Merchants, Merchant{
			MchID: testSub, AppIDs: []string{testSubApp}, APIV3Key: testAPIV3Key, Certificates: []string{string(sharedIssued.CertPEM)},
		})
	})
	provider, sub := c.provider(), c.provider()
	sub.mchID = testSub
	c.Expect(provider.post(partnerPath, c.partnerJSAPI("order-0001")).status).To(Equal(200))
	c.Expect(sub.get("/v3/pay/transactions/out-trade-no/order-0001?mchid=" + testSub).code()).To(Equal("ORDER_NOT_EXIST"))
	c.Expect(sub.post(jsapiPath, c.jsapi("order-0001", "mchid", testSub, "appid", testSubApp)).status).To(Equal(200), "numbers are per merchant")
	_, err := c.sim.Pay(testSub, "order-0001", PayOptions{})
	c.Expect(err).NotTo(HaveOccurred())
	c.Expect(provider.get(partnerQuery + testSub).text("trade_state")).To(Equal("NOTPAY"))
	c.Expect(provider.post(refundsPath, c.refundBody("order-0001", "refund-1", 1, "sub_mchid", testSub)).code()).To(Equal("RESOURCE_NOT_EXISTS"))
}

func TestRefundRight(t *testing.T) {
	c := startV3(t, func(o *Options) { o.Rules.MinRefundInterval = -1 }).provider()
	order := c.partnerJSAPI("order-0001", "sub_mchid", otherSub, "sub_appid", nil, "payer", fields{"sp_openid": "a"})
	c.Expect(c.post(partnerPath, order).status).To(Equal(200))
	c.mustPay("order-0001")
	v3 := func(number string) replyV3 {
		return c.post(refundsPath, c.refundBody("order-0001", number, 1, "sub_mchid", otherSub))
	}
	v2 := func(number string) string {
		return outcome(c.partner(OperationRefund, c.refund("order-0001", number, "1"), "sub_mch_id", otherSub))
	}
	never := v3("refund-1")
	c.Expect(never.status).To(Equal(403))
	c.Expect(never.code()).To(Equal("NO_AUTH"))
	c.Expect(v2("refund-1")).To(Equal("特约子商户商户号未授权服务商的产品权限"))
	c.Expect(c.sim.SetRefundRight(testProvider, otherSub, true)).To(Succeed())
	c.Expect(v3("refund-1").status).To(Equal(200))
	c.Expect(v2("refund-2")).To(Equal("SUCCESS"))
	c.Expect(c.sim.SetRefundRight(testProvider, otherSub, false)).To(Succeed())
	c.Expect(v3("refund-3").text("message")).To(Equal("服务商与特约商户关系上，该产品授权已被解除"))
	c.Expect(v3("refund-1").status).To(Equal(403), "even though it was accepted before")
	c.Expect(c.get(refundsPath + "/refund-1?sub_mchid=" + otherSub).text("status")).To(Equal("PROCESSING"))
	c.Expect(c.sim.SetRefundRight(testProvider, "1900000999", true)).To(MatchError(ErrNotFound))
}

func TestRefundsDrawOnTheSubMerchant(t *testing.T) {
	c := startV3(t, func(o *Options) { o.Rules.MinRefundInterval = -1 }).provider()
	c.Expect(c.sim.SetSubBalance(testProvider, testSub, pointer(int64(50)))).To(Succeed())
	c.Expect(c.post(partnerPath, c.partnerJSAPI("order-0001")).status).To(Equal(200))
	c.mustPay("order-0001")
	refund := func(number string) replyV3 {
		return c.post(refundsPath, c.refundBody("order-0001", number, 50, "sub_mchid", testSub))
	}
	c.Expect(refund("refund-1").status).To(Equal(200))
	c.Expect(refund("refund-2").code()).To(Equal("NOT_ENOUGH"))
	c.Expect(c.sim.SetRefundStatus(testProvider, "refund-1", RefundClosed)).To(Succeed())
	c.Expect(refund("refund-2").status).To(Equal(200), "a closed refund gives its amount back")
}

func TestPartnerV2(t *testing.T) {
	c := startV3(t)
	order := c.order("order-0001", "openid", "", "sub_openid", "oSubUserUnderTheSubApp000000", "sub_appid", testSubApp)
	reply := c.partner(OperationUnifiedOrder, order)
	c.Expect(outcome(reply)).To(Equal("SUCCESS"))
	c.Expect(reply).To(And(HaveKeyWithValue("sub_mch_id", testSub), HaveKeyWithValue("sub_appid", testSubApp)))
	_, err := c.sim.Pay(testProvider, "order-0001", PayOptions{})
	c.Expect(err).NotTo(HaveOccurred())
	c.Expect(c.partner(OperationOrderQuery, message{"out_trade_no": "order-0001"})).To(And(
		HaveKeyWithValue("trade_state", "SUCCESS"), HaveKeyWithValue("sub_openid", "oSubUserUnderTheSubApp000000")))
	c.delivered(OperationPaymentCallback, "order-0001", CallbackDelivered)
	told, err := parseXML(c.shop.messages()[0], "xml")
	c.Expect(err).NotTo(HaveOccurred())
	c.Expect(told).To(And(HaveKeyWithValue("sub_mch_id", testSub), HaveKeyWithValue("sub_appid", testSubApp),
		HaveKeyWithValue("sub_openid", "oSubUserUnderTheSubApp000000")))

	c.Expect(outcome(c.partner(OperationRefund, c.refund("order-0001", "refund-1", "50")))).To(Equal("SUCCESS"))
	c.Expect(c.partner(OperationRefundQuery, message{"out_refund_no": "refund-1"})).To(HaveKeyWithValue("refund_status_0", "PROCESSING"))
	for name, test := range map[string]struct {
		reply message
		want  string
	}{
		"no sub merchant":             {c.partner(OperationOrderQuery, message{"out_trade_no": "order-0001"}, "sub_mch_id", ""), "受理机构必须传入sub_mch_id"},
		"another sub merchant":        {c.partner(OperationOrderQuery, message{"out_trade_no": "order-0001"}, "sub_mch_id", otherSub), "INVALID_REQUEST"},
		"another's refund":            {c.partner(OperationRefundQuery, message{"out_refund_no": "refund-1"}, "sub_mch_id", otherSub), "INVALID_REQUEST"},
		"no relation":                 {c.partner(OperationOrderQuery, message{"out_trade_no": "order-0001"}, "sub_mch_id", "1900000999"), "受理关系不存在"},
		"sub_appid of nobody":         {c.partner(OperationOrderQuery, message{"out_trade_no": "order-0001"}, "sub_appid", "wx1"), "APPID_MCHID_NOT_MATCH"},
		"ordinary merchant":           {c.call(OperationOrderQuery, message{"out_trade_no": "order-0001", "sub_mch_id": testSub}), "普通商户不允许传sub_mch_id"},
		"no sub_appid for the openid": {c.partner(OperationUnifiedOrder, order, "sub_appid", ""), "LACK_PARAMS"},
	} {
		c.Expect(outcome(test.reply)).To(Equal(test.want), name)
	}
}

func TestWrongSubMerchantInAnswersAndCallbacks(t *testing.T) {
	c := startV3(t).provider()
	c.Expect(c.post(partnerPath, c.partnerJSAPI("order-0001")).status).To(Equal(200))
	c.fault(Fault{Operation: OperationPaymentCallback, Kind: FaultWrongSubMchID, Count: 1})
	c.mustPay("order-0001")
	c.attempted(OperationPaymentCallback, "order-0001", 1)
	c.Expect(c.open(c.events()[0].body.Resource)).To(HaveKeyWithValue("sub_mchid", foreignMchID))
	c.Expect(c.violations()).To(Equal([]ViolationKind{ViolationForgedCallback}))
	c.fault(Fault{Operation: OperationOrderQuery, Kind: FaultWrongSubMchID, Count: 1})
	c.Expect(c.get(partnerQuery + testSub).text("sub_mchid")).To(Equal(foreignMchID))
}

func TestSubMerchantsAreChecked(t *testing.T) {
	for name, subs := range map[string][]SubMerchant{
		"no number": {{SubMchID: "sub"}}, "own number": {{SubMchID: testMerchant}}, "twice": {{SubMchID: testSub}, {SubMchID: testSub}},
		"debts": {{SubMchID: testSub, Balance: pointer(int64(-1))}},
	} {
		_, err := New(Options{Merchants: []Merchant{{MchID: testMerchant, AppIDs: []string{testApp}, APIKey: testKey, SubMerchants: subs}}})
		NewWithT(t).Expect(err).To(MatchError(ErrInvalid), name)
	}
}
