package simulator

import (
	"encoding/json"
	"net/http"
	"testing"
	"time"

	. "github.com/onsi/gomega"
)

// event is a callback as the shop received it.
type event struct {
	header http.Header
	raw    []byte
	body   struct {
		ID           string `json:"id"`
		EventType    string `json:"event_type"`
		ResourceType string `json:"resource_type"`
		Resource     fields `json:"resource"`
	}
}

// events returns the received callbacks of API v3.
func (c *clientV3) events() []event {
	c.t.Helper()
	var out []event
	for _, r := range c.shop.requests() {
		e := event{header: r.header, raw: r.body}
		if json.Unmarshal(r.body, &e.body) == nil {
			out = append(out, e)
		}
	}
	return out
}

func TestPaymentCallbackV3(t *testing.T) {
	for name, answer := range map[string]func(http.ResponseWriter){
		"204": say(204, ""), "200": say(200, ""), "200 with FAIL counts by its status": say(200, `{"code":"FAIL"}`),
	} {
		t.Run(name, func(t *testing.T) {
			c := startV3(t)
			c.shop.answer(answer)
			c.mustOrder("order-0001", "attach", "a b")
			payment := c.mustPay("order-0001")
			done := c.delivered(OperationPaymentCallback, "order-0001", CallbackDelivered)
			c.Expect(done.Attempts).To(HaveLen(1))
			got := c.events()[0]
			c.Expect(got.header.Get("Content-Type")).To(HavePrefix("application/json"))
			c.Expect(c.verifies(got.header, got.raw)).To(BeTrue())
			c.Expect(got.body.EventType).To(Equal("TRANSACTION.SUCCESS"))
			c.Expect(got.body.ResourceType).To(Equal("encrypt-resource"))
			c.Expect(got.body.Resource).To(And(HaveKeyWithValue("algorithm", "AEAD_AES_256_GCM"), HaveKeyWithValue("original_type", "transaction")))
			c.Expect(c.open(got.body.Resource)).To(And(
				HaveKeyWithValue("mchid", testMerchant), HaveKeyWithValue("appid", testApp), HaveKeyWithValue("out_trade_no", "order-0001"),
				HaveKeyWithValue("transaction_id", payment.TransactionID), HaveKeyWithValue("trade_state", "SUCCESS"),
				HaveKeyWithValue("attach", "a b"), HaveKeyWithValue("amount", HaveKeyWithValue("total", 101.0))))
		})
	}
}

func TestOtherStatusesAreTriedAgainV3(t *testing.T) {
	c := startV3(t)
	for _, status := range []int{202, 302, 400, 500} {
		c.shop.answer(say(status, ""))
	}
	c.mustOrder("order-0001")
	c.mustPay("order-0001")
	for n, pause := range wechatCallbackSchedule[:4] {
		c.attempted(OperationPaymentCallback, "order-0001", n+1)
		c.clock.Step(pause)
	}
	done := c.delivered(OperationPaymentCallback, "order-0001", CallbackDelivered)
	c.Expect(done.Attempts).To(HaveLen(5))
	events := c.events()
	c.Expect(events).To(HaveLen(5))
	for _, e := range events[1:] {
		c.Expect(c.verifies(e.header, e.raw)).To(BeTrue())
		c.Expect(e.body.ID).To(Equal(events[0].body.ID))
		c.Expect(e.header.Get("Wechatpay-Nonce")).NotTo(Equal(events[0].header.Get("Wechatpay-Nonce")), "each attempt is signed anew")
	}
}

func TestRefundCallbackV3(t *testing.T) {
	for status, want := range map[RefundStatus]string{RefundSuccess: "SUCCESS", RefundChange: "ABNORMAL", RefundClosed: "CLOSED"} {
		t.Run(want, func(t *testing.T) {
			c := startV3(t)
			c.mustOrder("order-0001")
			c.mustPay("order-0001")
			refundID := c.post(refundsPath, c.refundBody("order-0001", "refund-1", 50)).text("refund_id")
			c.Expect(c.sim.SetRefundStatus(testMerchant, "refund-1", status)).To(Succeed())
			c.delivered(OperationRefundCallback, "refund-1", CallbackDelivered)
			c.delivered(OperationPaymentCallback, "order-0001", CallbackDelivered)
			for _, e := range c.events() {
				if e.body.Resource["original_type"] != "refund" {
					continue
				}
				c.Expect(e.body.EventType).To(Equal("REFUND." + want))
				content := c.open(e.body.Resource)
				c.Expect(content).To(And(HaveKeyWithValue("refund_status", want), HaveKeyWithValue("refund_id", refundID),
					HaveKeyWithValue("mchid", testMerchant), HaveKeyWithValue("amount", fields{
						"total": 101.0, "refund": 50.0, "payer_total": 101.0, "payer_refund": 50.0,
					})))
				c.Expect(content).NotTo(HaveKey("status"))
				c.Expect(content["success_time"] != nil).To(Equal(status == RefundSuccess))
				return
			}
			t.Fatal("no refund callback")
		})
	}
}

// A payment is told in the protocol of its order, a refund in that of its request.
func TestCallbacksComeInTheirProtocol(t *testing.T) {
	c := startV3(t)
	c.shop.exact = true
	c.mustOrder("order-v3")
	c.mustPay("order-v3")
	c.paidOrder("order-v2")
	c.mustCall(OperationRefund, c.refund("order-v3", "refund-v2", "50"))
	c.Expect(c.post(refundsPath, c.refundBody("order-v2", "refund-v3", 50)).status).To(Equal(200))
	for _, number := range []string{"refund-v2", "refund-v3"} {
		c.Expect(c.sim.SetRefundStatus(testMerchant, number, RefundSuccess)).To(Succeed())
		c.delivered(OperationRefundCallback, number, CallbackDelivered)
	}
	for number, want := range map[string]Protocol{"order-v3": ProtocolV3, "order-v2": ProtocolV2, "refund-v2": ProtocolV2, "refund-v3": ProtocolV3} {
		found := append(c.sim.Ledger().CallbacksOf(OperationPaymentCallback, number), c.sim.Ledger().CallbacksOf(OperationRefundCallback, number)...)
		c.Expect(found[0].Protocol).To(Equal(want), number)
	}
}

func TestCallbackFaultsV3(t *testing.T) {
	for kind, test := range map[FaultKind]struct {
		signed bool
		// violates is true where this test's shop, which takes anything, commits a violation.
		violates bool
		check    func(c *clientV3, e event)
	}{
		FaultForge:    {signed: false, violates: true},
		FaultUnsigned: {signed: false, violates: true},
		FaultSignTest: {signed: false, violates: true, check: func(c *clientV3, e event) {
			c.Expect(e.header.Get("Wechatpay-Signature")).To(HavePrefix("WECHATPAY/SIGNTEST/"))
		}},
		FaultUnknownSerial: {signed: false, violates: true},
		FaultReplay: {signed: true, violates: true, check: func(c *clientV3, e event) {
			c.Expect(e.header.Get("Wechatpay-Timestamp")).To(Equal(formatInt(c.clock.Now().Add(-10 * time.Minute).Unix())))
		}},
		FaultWrongMchID: {signed: true, violates: true, check: func(c *clientV3, e event) {
			c.Expect(c.open(e.body.Resource)).To(HaveKeyWithValue("mchid", foreignMchID))
		}},
		FaultWrongAmount: {signed: true, check: func(c *clientV3, e event) {
			c.Expect(c.open(e.body.Resource)).To(HaveKeyWithValue("amount", HaveKeyWithValue("total", 102.0)))
		}},
		FaultWrongCurrency: {signed: true, check: func(c *clientV3, e event) {
			c.Expect(c.open(e.body.Resource)).To(HaveKeyWithValue("amount", HaveKeyWithValue("currency", "USD")))
		}},
		FaultWrongKey: {signed: true, violates: true},
	} {
		t.Run(string(kind), func(t *testing.T) {
			c := startV3(t)
			c.fault(Fault{Operation: OperationPaymentCallback, Kind: kind, Count: 1})
			c.mustOrder("order-0001")
			c.mustPay("order-0001")
			c.attempted(OperationPaymentCallback, "order-0001", 1)
			false1 := c.events()[0]
			c.Expect(c.verifies(false1.header, false1.raw)).To(Equal(test.signed))
			if test.check != nil {
				test.check(c, false1)
			}
			c.Expect(c.sim.Ledger().ViolationsOf(ViolationForgedCallback)).To(HaveLen(map[bool]int{true: 1}[test.violates]))
			c.clock.Step(15 * time.Second)
			c.delivered(OperationPaymentCallback, "order-0001", CallbackDelivered)
			true1 := c.events()[1]
			c.Expect(c.verifies(true1.header, true1.raw)).To(BeTrue(), "the true message follows")
			c.Expect(c.open(true1.body.Resource)).To(HaveKeyWithValue("mchid", testMerchant))
		})
	}
}

// A callback of an ordinary merchant names no sub merchant, so that there is nothing to falsify.
func TestAFaultThatChangesNothingDoesNotMakeACallbackFalse(t *testing.T) {
	c := startV3(t)
	c.fault(Fault{Operation: OperationPaymentCallback, Kind: FaultWrongSubMchID, Count: 1})
	c.mustOrder("order-0001")
	c.mustPay("order-0001")
	c.delivered(OperationPaymentCallback, "order-0001", CallbackDelivered)
	c.Expect(c.sim.Ledger().Violations).To(BeEmpty())
}

// A replayed callback is old for the shop too while WeChat Pay's clock is ahead.
func TestAReplayIsOldWhateverTheClock(t *testing.T) {
	c := startV3(t)
	c.fault(Fault{Operation: OperationPaymentCallback, Kind: FaultReplay, Count: 1})
	c.mustOrder("order-0001")
	c.sim.SetClockSkew(time.Hour)
	c.mustPay("order-0001")
	c.attempted(OperationPaymentCallback, "order-0001", 1)
	c.Expect(c.events()[0].header.Get("Wechatpay-Timestamp")).To(Equal(formatInt(c.clock.Now().Add(-10 * time.Minute).Unix())))
}

func TestNoAPIV3KeyNoCallback(t *testing.T) {
	c := startV3(t, func(o *Options) { o.Merchants[0].APIV3Key = "" })
	c.mustOrder("order-0001")
	c.mustPay("order-0001")
	c.Expect(c.sim.Ledger().Callbacks).To(BeEmpty())
}

func TestNotifyMakesATrueCallback(t *testing.T) {
	c := startV3(t)
	made, err := c.sim.Notify(testMerchant, "TRANSACTION.SUCCESS", "transaction", map[string]any{"out_trade_no": "order-0001"})
	c.Expect(err).NotTo(HaveOccurred())
	c.Expect(c.verifies(made.Header, made.Body)).To(BeTrue())
	var body struct{ Resource fields }
	c.Expect(json.Unmarshal(made.Body, &body)).To(Succeed())
	c.Expect(c.open(body.Resource)).To(Equal(fields{"out_trade_no": "order-0001"}))
}
