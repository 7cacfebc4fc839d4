package simulator

import (
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha1"
	"crypto/x509"
	"encoding/base64"
	"encoding/pem"
	"testing"
	"time"

	. "github.com/onsi/gomega"
)

func TestRefundV3(t *testing.T) {
	c := startV3(t)
	c.mustOrder("order-0001")
	payment := c.mustPay("order-0001")
	accepted := c.post(refundsPath, c.refundBody("order-0001", "refund@1", 50))
	c.Expect(accepted.status).To(Equal(200), "%s", accepted.raw)
	c.Expect(accepted.body).To(And(HaveKeyWithValue("status", "PROCESSING"), HaveKeyWithValue("transaction_id", payment.TransactionID),
		HaveKeyWithValue("create_time", rfc3339(c.clock.Now())), HaveKeyWithValue("amount", And(HaveKeyWithValue("refund", 50.0),
			HaveKeyWithValue("total", 101.0), HaveKeyWithValue("payer_refund", 50.0), HaveKeyWithValue("currency", "CNY"))),
		Not(HaveKey("success_time")), Not(HaveKey("mchid"))))
	c.clock.Step(time.Minute)
	done := c.get(refundsPath + "/refund@1")
	c.Expect(done.body).To(And(HaveKeyWithValue("status", "SUCCESS"), HaveKeyWithValue("success_time", rfc3339(c.clock.Now())),
		HaveKeyWithValue("user_received_account", "支付用户零钱"), HaveKeyWithValue("refund_id", accepted.text("refund_id"))))
	again := c.post(refundsPath, c.refundBody("order-0001", "refund@1", 50))
	c.Expect(again.text("refund_id")).To(Equal(accepted.text("refund_id")), "one number refunds once")
	c.Expect(c.get("/v3/pay/transactions/out-trade-no/order-0001?mchid=" + testMerchant).text("trade_state")).To(Equal("REFUND"))
	c.Expect(c.get(refundsPath + "/refund-9").code()).To(Equal("RESOURCE_NOT_EXISTS"))
	c.Expect(c.violations()).To(BeEmpty())
}

func TestRefundV3ChecksItsMembers(t *testing.T) {
	c := startV3(t, func(o *Options) {
		o.Rules.MinRefundInterval, o.Rules.InvalidRefundWindow = -1, -1
		o.Merchants[0].Balance = pointer(int64(60))
	})
	c.mustOrder("order-0001")
	payment := c.mustPay("order-0001")
	c.mustOrder("order-0002")
	amount := func(pairs ...any) fields { return but(fields{"refund": 1, "total": 101, "currency": "CNY"}, pairs...) }
	for name, test := range map[string]struct {
		pairs  []any
		status int
		want   string
	}{
		"no number":             {[]any{"out_refund_no", nil}, 400, "PARAM_ERROR"},
		"bad number":            {[]any{"out_refund_no", "refund 1"}, 400, "PARAM_ERROR"},
		"no order":              {[]any{"out_trade_no", nil}, 400, "PARAM_ERROR"},
		"both orders":           {[]any{"transaction_id", payment.TransactionID}, 400, "PARAM_ERROR"},
		"by transaction":        {[]any{"out_trade_no", nil, "transaction_id", payment.TransactionID, "out_refund_no", "refund-2"}, 200, ""},
		"no currency":           {[]any{"amount", amount("currency", nil)}, 400, "PARAM_ERROR"},
		"nothing":               {[]any{"amount", amount("refund", 0)}, 400, "PARAM_ERROR"},
		"more than the total":   {[]any{"amount", amount("refund", 102)}, 400, "PARAM_ERROR"},
		"other total":           {[]any{"amount", amount("total", 100)}, 400, "INVALID_REQUEST"},
		"unknown order":         {[]any{"out_trade_no", "order-9999"}, 404, "RESOURCE_NOT_EXISTS"},
		"unknown transaction":   {[]any{"out_trade_no", nil, "transaction_id", "42000"}, 404, "RESOURCE_NOT_EXISTS"},
		"unpaid order":          {[]any{"out_trade_no", "order-0002"}, 404, "RESOURCE_NOT_EXISTS"},
		"mchid":                 {[]any{"mchid", testMerchant}, 400, "PARAM_ERROR"},
		"sub merchant":          {[]any{"sub_mchid", testSub}, 403, "NO_AUTH"},
		"from that differs":     {[]any{"amount", amount("from", []fields{{"account": "AVAILABLE", "amount": 2}})}, 400, "PARAM_ERROR"},
		"more than the rest":    {[]any{"amount", amount("refund", 101)}, 400, "INVALID_REQUEST"},
		"more than the balance": {[]any{"amount", amount("refund", 60)}, 403, "NOT_ENOUGH"},
		"notify_url with query": {[]any{"notify_url", "https://pay.example.com/n?a=1"}, 400, "PARAM_ERROR"},
	} {
		if name == "more than the rest" || name == "more than the balance" {
			continue // after the others, which refund something
		}
		t.Run(name, func(t *testing.T) {
			c := c.in(t)
			reply := c.post(refundsPath, c.refundBody("order-0001", "refund-1", 1, test.pairs...))
			c.Expect(reply.status).To(Equal(test.status), "%s", reply.raw)
			c.Expect(reply.code()).To(Equal(test.want))
		})
	}
	c.Expect(c.post(refundsPath, c.refundBody("order-0001", "refund-3", 101)).code()).To(Equal("INVALID_REQUEST"))
	c.Expect(c.post(refundsPath, c.refundBody("order-0001", "refund-3", 60)).code()).To(Equal("NOT_ENOUGH"))
	c.Expect(c.post(refundsPath, c.refundBody("order-0001", "refund-2", 2)).code()).To(Equal("INVALID_REQUEST"))
	c.Expect(c.violations()).To(ConsistOf(ViolationRefundTotal, ViolationRefundSum, ViolationRefundParams))
}

func TestRefundsOfBothProtocolsKeepApart(t *testing.T) {
	c := startV3(t)
	c.mustOrder("order-0001")
	c.mustPay("order-0001")
	c.mustCall(OperationRefund, c.refund("order-0001", "refund-1", "1"))
	reply := c.post(refundsPath, c.refundBody("order-0001", "refund-2", 1))
	c.Expect(reply.status).To(Equal(429))
	c.Expect(reply.code()).To(Equal("FREQUENCY_LIMITED"))
	c.Expect(c.violations()).To(Equal([]ViolationKind{ViolationRefundPace}))
}

func TestSixInvalidRefundsBlockAMerchantOfV3(t *testing.T) {
	c := startV3(t)
	for range 6 {
		c.Expect(c.post(refundsPath, c.refundBody("order-9999", "refund-1", 1)).code()).To(Equal("RESOURCE_NOT_EXISTS"))
	}
	c.Expect(c.post(refundsPath, c.refundBody("order-9999", "refund-1", 1)).status).To(Equal(429))
	c.Expect(c.violations()).To(Equal([]ViolationKind{ViolationInvalidRefunds, ViolationCallWhenBlocked}))
}

func TestAbnormalRefund(t *testing.T) {
	c := startV3(t)
	c.mustOrder("order-0001")
	c.mustPay("order-0001")
	refundID := c.post(refundsPath, c.refundBody("order-0001", "refund-1", 50)).text("refund_id")
	path := refundsPath + "/" + refundID + "/apply-abnormal-refund"
	toShop := fields{"out_refund_no": "refund-1", "type": "MERCHANT_BANK_CARD"}
	c.Expect(c.post(path, toShop).code()).To(Equal("INVALID_REQUEST"), "it is not abnormal")
	c.Expect(c.sim.SetRefundStatus(testMerchant, "refund-1", RefundChange)).To(Succeed())
	c.Expect(c.get(refundsPath + "/refund-1").text("status")).To(Equal("ABNORMAL"))

	platform := c.sim.Platform()
	certificate, err := parseCertificate([]byte(platform.Certificates[0].CertPEM))
	c.Expect(err).NotTo(HaveOccurred())
	block, _ := pem.Decode([]byte(platform.PublicKeyPEM))
	public, err := x509.ParsePKIXPublicKey(block.Bytes)
	c.Expect(err).NotTo(HaveOccurred())
	encrypt := func(key any, plain string) string {
		sealed, err := rsa.EncryptOAEP(sha1.New(), rand.Reader, key.(*rsa.PublicKey), []byte(plain), nil)
		c.Expect(err).NotTo(HaveOccurred())
		return base64.StdEncoding.EncodeToString(sealed)
	}
	toUser := func(key any, pairs ...any) fields {
		return but(fields{
			"out_refund_no": "refund-1", "type": "USER_BANK_CARD", "bank_type": "ICBC_DEBIT", "bank_account": encrypt(key, "6222020000000000"),
			"real_name": encrypt(key, "张三"),
		}, pairs...)
	}
	byCertificate := toUser(certificate.PublicKey)
	for name, test := range map[string]struct {
		serial string
		body   fields
	}{
		"no serial":           {"", byCertificate},
		"of the other key":    {platform.PublicKeyID, byCertificate},
		"unknown serial":      {"0123", byCertificate},
		"no account":          {platform.Certificates[0].SerialNo, but(byCertificate, "bank_account", nil)},
		"plain":               {platform.Certificates[0].SerialNo, but(byCertificate, "real_name", "张三")},
		"credit card":         {platform.Certificates[0].SerialNo, but(byCertificate, "bank_type", "ICBC_CREDIT")},
		"unknown bank":        {platform.Certificates[0].SerialNo, but(byCertificate, "bank_type", "XYZ_DEBIT")},
		"another type":        {platform.Certificates[0].SerialNo, but(byCertificate, "type", "CASH")},
		"no number of refund": {platform.Certificates[0].SerialNo, but(byCertificate, "out_refund_no", nil)},
	} {
		c.wanted = test.serial
		c.Expect(c.post(path, test.body).code()).To(Equal("PARAM_ERROR"), name)
	}
	c.wanted = platform.PublicKeyID
	c.Expect(c.post(path, toUser(public, "out_refund_no", "refund-2")).code()).To(Equal("INVALID_REQUEST"))
	sent := c.post(path, toUser(public))
	c.Expect(sent.status).To(Equal(200), "%s", sent.raw)
	c.Expect(sent.body).To(And(HaveKeyWithValue("status", "PROCESSING"), HaveKeyWithValue("channel", "OTHER_BANKCARD")))
	c.Expect(c.sim.Ledger().Refund(testMerchant, "refund-1").Abnormal).To(Equal(&AbnormalRefund{
		Type: "USER_BANK_CARD", BankType: "ICBC_DEBIT", BankAccount: "6222020000000000", RealName: "张三",
	}))
	c.clock.Step(time.Minute)
	c.Expect(c.get(refundsPath + "/refund-1").text("status")).To(Equal("SUCCESS"))
	c.Expect(c.sim.Ledger().Refund(testMerchant, "refund-1").Payouts).To(Equal(1))
}
