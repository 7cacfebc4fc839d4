package simulator

import (
	"testing"

	. "github.com/onsi/gomega"
)

const unknownOrder = "/v3/pay/transactions/out-trade-no/order-9999?mchid=" + testMerchant

// signers returns who signed the given number of answers.
func (c *clientV3) signers(answers int) []string {
	c.t.Helper()
	var out []string
	for range answers {
		out = append(out, c.get(unknownOrder).header.Get("Wechatpay-Serial"))
	}
	return out
}

func TestCertificatesAreListedAndRotate(t *testing.T) {
	c := startV3(t)
	old := c.sim.Platform().Certificates[0]
	listed := func() []string {
		var serials []string
		for _, entry := range c.get("/v3/certificates").body["data"].([]any) {
			certificate := entry.(map[string]any)
			opened := c.open(certificate["encrypt_certificate"].(map[string]any))
			parsed, err := parseCertificate([]byte(opened["plain"].(string)))
			c.Expect(err).NotTo(HaveOccurred())
			c.Expect(serialOf(parsed)).To(Equal(certificate["serial_no"]))
			c.Expect(certificate["effective_time"]).To(Equal(rfc3339(parsed.NotBefore)))
			c.Expect(certificate["encrypt_certificate"]).To(HaveKeyWithValue("associated_data", "certificate"))
			serials = append(serials, serialOf(parsed))
		}
		return serials
	}
	c.Expect(listed()).To(Equal([]string{old.SerialNo}))
	c.Expect(old.SerialNo).To(MatchRegexp("^0[0-9A-F]{39}$"))

	next, err := c.sim.AddPlatformCertificate()
	c.Expect(err).NotTo(HaveOccurred())
	c.Expect(listed()).To(Equal([]string{old.SerialNo, next.SerialNo}))
	c.Expect(c.signers(4)).To(HaveEach(old.SerialNo), "it does not sign yet")
	c.Expect(c.sim.SignWithPlatformCertificates(old.SerialNo, next.SerialNo)).To(Succeed())
	c.Expect(c.signers(4)).To(ConsistOf(old.SerialNo, old.SerialNo, next.SerialNo, next.SerialNo), "both in turn")
	c.Expect(c.sim.RemovePlatformCertificate(old.SerialNo)).To(Succeed())
	c.Expect(listed()).To(Equal([]string{next.SerialNo}))
	c.Expect(c.signers(2)).To(HaveEach(next.SerialNo))
	c.Expect(c.sim.RemovePlatformCertificate(old.SerialNo)).To(MatchError(ErrNotFound))
	c.Expect(c.sim.SignWithPlatformCertificates(old.SerialNo)).To(MatchError(ErrNotFound))
}

func TestMigrationToThePublicKey(t *testing.T) {
	c := startV3(t)
	platform := c.sim.Platform()
	certificate := platform.Certificates[0].SerialNo
	for name, test := range map[string]struct {
		verification Verification
		wanted       string
		signer       string
		list         int
	}{
		"before, asking for the key": {VerifyByCertificate, platform.PublicKeyID, certificate, 200},
		"migrating, asking":          {VerifyMigrating, platform.PublicKeyID, platform.PublicKeyID, 200},
		"migrating, not asking":      {VerifyMigrating, "", certificate, 200},
		"migrating, certificate":     {VerifyMigrating, certificate, certificate, 200},
		"after":                      {VerifyByPublicKey, "", platform.PublicKeyID, 404},
	} {
		t.Run(name, func(t *testing.T) {
			c := c.in(t)
			c.Expect(c.sim.SetVerification(testMerchant, test.verification, 0)).To(Succeed())
			c.wanted = test.wanted
			c.Expect(c.signers(2)).To(HaveEach(test.signer))
			list := c.get("/v3/certificates")
			c.Expect(list.status).To(Equal(test.list))
			if test.list == 404 {
				c.Expect(list.code()).To(Equal("RESOURCE_NOT_EXISTS"))
			}
		})
	}
	c.Expect(c.sim.SetVerification(testMerchant, "both", 0)).To(MatchError(ErrInvalid))
	c.Expect(c.sim.SetVerification(testMerchant, VerifyMigrating, 2)).To(MatchError(ErrInvalid))
	c.Expect(c.sim.SetVerification("1900000999", VerifyMigrating, 0)).To(MatchError(ErrNotFound))
}

func TestAShareOfTheCallbacksComesByPublicKey(t *testing.T) {
	c := startV3(t)
	platform := c.sim.Platform()
	c.Expect(c.sim.SetVerification(testMerchant, VerifyMigrating, 0.25)).To(Succeed())
	var signed []string
	for range 8 {
		made, err := c.sim.Notify(testMerchant, "TRANSACTION.SUCCESS", "transaction", fields{})
		c.Expect(err).NotTo(HaveOccurred())
		signed = append(signed, made.Header.Get("Wechatpay-Serial"))
	}
	certificate := platform.Certificates[0].SerialNo
	c.Expect(signed).To(Equal([]string{
		certificate, certificate, certificate, platform.PublicKeyID, certificate, certificate, certificate, platform.PublicKeyID,
	}))
}

func TestSpoiledAnswersV3(t *testing.T) {
	c := startV3(t)
	c.mustOrder("order-0001")
	payment := c.mustPay("order-0001")
	const path = "/v3/pay/transactions/out-trade-no/order-0001?mchid=" + testMerchant
	for kind, test := range map[FaultKind]struct {
		signed bool
		check  func(c *clientV3, reply replyV3)
	}{
		FaultTruncate:     {false, func(c *clientV3, reply replyV3) { c.Expect(reply.body).To(BeNil()) }},
		FaultBadSignature: {false, nil},
		FaultUnsigned:     {false, func(c *clientV3, reply replyV3) { c.Expect(reply.header).NotTo(HaveKey("Wechatpay-Signature")) }},
		FaultSignTest: {false, func(c *clientV3, reply replyV3) {
			c.Expect(reply.header.Get("Wechatpay-Signature")).To(HavePrefix("WECHATPAY/SIGNTEST/"))
		}},
		FaultUnknownSerial: {false, func(c *clientV3, reply replyV3) {
			c.Expect(reply.header.Get("Wechatpay-Serial")).NotTo(Equal(c.sim.Platform().Certificates[0].SerialNo))
		}},
		FaultWrongNumber: {true, func(c *clientV3, reply replyV3) {
			c.Expect(reply.text("out_trade_no")).To(Equal("another001"))
			c.Expect(reply.text("transaction_id")).NotTo(Equal(payment.TransactionID))
		}},
		FaultExtraFields: {true, func(c *clientV3, reply replyV3) {
			c.Expect(reply.body).To(And(HaveKeyWithValue("some_future_field", "新字段"), HaveKey("amount")))
		}},
		FaultSparse: {true, func(c *clientV3, reply replyV3) {
			c.Expect(reply.body).To(And(HaveKeyWithValue("trade_state", "SUCCESS"), Not(HaveKey("amount"))))
		}},
	} {
		t.Run(string(kind), func(t *testing.T) {
			c := c.in(t)
			c.fault(Fault{Operation: OperationOrderQuery, Protocol: ProtocolV3, Kind: kind, Count: 1})
			c.mustCall(OperationOrderQuery, message{"out_trade_no": "order-0001"}) // not struck
			reply, err := c.try("GET", path, nil)
			c.Expect(err).NotTo(HaveOccurred())
			c.Expect(reply.status).To(Equal(200))
			c.Expect(c.verifies(reply.header, reply.raw)).To(Equal(test.signed))
			if test.check != nil {
				test.check(c, reply)
			}
			c.Expect(c.get(path).text("trade_state")).To(Equal("SUCCESS"))
		})
	}
	c.fault(Fault{Operation: OperationOrderQuery, Kind: FaultCut, Count: 1})
	_, err := c.try("GET", path, nil)
	c.Expect(err).To(HaveOccurred())
}

func TestErrorFaultsV3(t *testing.T) {
	for name, test := range map[string]struct {
		fault  Fault
		status int
		code   string
		signed bool
	}{
		"system-error":      {Fault{Kind: FaultSystemError}, 500, "SYSTEM_ERROR", true},
		"frequency-limited": {Fault{Kind: FaultFrequencyLimited}, 429, "FREQUENCY_LIMITED", true},
		"rate-limited":      {Fault{Kind: FaultRateLimited}, 429, "RATELIMIT_EXCEEDED", false},
		"not-enough":        {Fault{Kind: FaultNotEnough}, 403, "NOT_ENOUGH", true},
		"need-retry":        {Fault{Kind: FaultNeedRetry}, 500, "SYSTEM_ERROR", true},
		"error in v2 words": {Fault{Kind: FaultError, ErrCode: "ORDERNOTEXIST"}, 404, "ORDER_NOT_EXIST", true},
		"error in v3 words": {Fault{Kind: FaultError, ErrCode: "RULE_LIMIT"}, 403, "RULE_LIMIT", true},
		"error as it is":    {Fault{Kind: FaultError, ErrCode: "ORDERPAID", Status: 400}, 400, "ORDERPAID", true},
		"fail":              {Fault{Kind: FaultFail, ReturnMsg: "商户号该产品权限未开通"}, 403, "NO_AUTH", false},
		"html":              {Fault{Kind: FaultHTML, Status: 503}, 503, "", false},
	} {
		for _, after := range []bool{false, true} {
			t.Run(name, func(t *testing.T) {
				c := startV3(t)
				test.fault.Operation, test.fault.AfterEffect, test.fault.Count = OperationUnifiedOrder, after, 1
				c.fault(test.fault)
				reply, err := c.try("POST", jsapiPath, c.jsapi("order-0001"))
				c.Expect(err).NotTo(HaveOccurred())
				c.Expect(reply.status).To(Equal(test.status))
				c.Expect(reply.code()).To(Equal(test.code))
				c.Expect(c.verifies(reply.header, reply.raw)).To(Equal(test.signed))
				c.Expect(c.sim.Ledger().Order(testMerchant, "order-0001") != nil).To(Equal(after))
				c.mustOrder("order-0001")
			})
		}
	}
}

func TestUnsignedErrors(t *testing.T) {
	c := startV3(t, func(o *Options) { o.Rules.UnsignedErrors = true })
	reply, err := c.try("GET", unknownOrder, nil)
	c.Expect(err).NotTo(HaveOccurred())
	c.Expect(reply.code()).To(Equal("ORDER_NOT_EXIST"))
	c.Expect(reply.header).NotTo(HaveKey("Wechatpay-Signature"))
	c.get("/v3/certificates")
}
