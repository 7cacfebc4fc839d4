package simulator

import (
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	. "github.com/onsi/gomega"
)

func TestARestartedSimulatorKnowsItsKeys(t *testing.T) {
	state := filepath.Join(t.TempDir(), "state.jsonl")
	var options Options
	c := startV3(t, func(o *Options) {
		o.StateFile, o.CertificateDir = state, ""
		options = *o
	})
	issued, err := c.sim.IssueClientCertificate(testMerchant)
	c.Expect(err).NotTo(HaveOccurred())
	added, err := c.sim.AddPlatformCertificate()
	c.Expect(err).NotTo(HaveOccurred())
	c.Expect(c.sim.SignWithPlatformCertificates(added.SerialNo)).To(Succeed())
	c.Expect(c.sim.SetRefundRight(testProvider, otherSub, true)).To(Succeed())
	c.Expect(c.sim.SetVerification(testProvider, VerifyMigrating, 0.5)).To(Succeed())
	c.Expect(c.sim.SetAPIV3Key(testMerchant, testKey)).To(Succeed())
	c.Expect(c.sim.SetVerification(testMerchant, VerifyMigrating, 0)).To(Succeed())
	c.mustOrder("order-0001")
	c.mustPay("order-0001")
	c.Expect(c.post(refundsPath, c.refundBody("order-0001", "refund-1", 50)).status).To(Equal(200))
	c.delivered(OperationPaymentCallback, "order-0001", CallbackDelivered)
	c.Expect(c.sim.Close()).To(Succeed())
	before, platform := c.sim.Ledger(), c.sim.Platform()

	again, err := New(options)
	c.Expect(err).NotTo(HaveOccurred())
	defer func() { _ = again.Close() }()
	c.Expect(cmp.Diff(before, again.Ledger())).To(BeEmpty())
	c.Expect(again.Platform()).To(Equal(platform))
	c.sim, c.base, c.apiV3Key = again, again.URL(), testKey
	c.plain = c.client()
	c.serial, err = issued.SerialNo()
	c.Expect(err).NotTo(HaveOccurred())
	c.key, err = parseRSAKey(string(issued.KeyPEM))
	c.Expect(err).NotTo(HaveOccurred())
	c.Expect(c.signers(1)).To(Equal([]string{added.SerialNo}))
	c.clock.Step(time.Minute)
	c.Expect(c.get(refundsPath + "/refund-1").text("status")).To(Equal("SUCCESS"))
	c.delivered(OperationRefundCallback, "refund-1", CallbackDelivered)
}

// A certificate directory keeps WeChat Pay's keys, so that a client still trusts the next process.
func TestACertificateDirectoryKeepsThePlatformsKeys(t *testing.T) {
	g := NewWithT(t)
	options := Options{CertificateDir: t.TempDir()}
	var first Platform
	for n := range 2 {
		sim, err := New(options)
		g.Expect(err).NotTo(HaveOccurred())
		if n == 0 {
			first = sim.Platform()
		}
		g.Expect(sim.Platform()).To(Equal(first))
		g.Expect(sim.Close()).To(Succeed())
	}
}

// oldState is a state file from before API v3 was simulated.
const oldState = `{"merchant":{"mch_id":"1900000109","appids":["wxd678efh567hg6787"],"api_key":"Zx81TestOnlyKey0Zx81TestOnlyKey0"}}
{"order":{"mch_id":"1900000109","appid":"wxd678efh567hg6787","out_trade_no":"order-0001","trade_type":"JSAPI","total_fee":101,"fee_type":"CNY","sign_type":"MD5","state":"REFUND","params":{"body":"soap","attach":"a","notify_url":"http://127.0.0.1:1/payment","openid":"o1","device_info":"WEB"},"unified_order_calls":1,"prepays":[],"create_time":"2026-11-01T00:00:00Z","payment":{"transaction_id":"4200000000000000000000000001","time":"2026-11-01T00:01:00Z","openid":"o1","bank_type":"OTHERS","total_fee":101,"fee_type":"CNY","cash_fee":101,"cash_fee_type":"CNY"},"sums":{"paid":0,"accepted":0,"refunded":0,"count":0}}}
{"refund":{"mch_id":"1900000109","appid":"wxd678efh567hg6787","out_trade_no":"order-0001","transaction_id":"4200000000000000000000000001","out_refund_no":"refund-1","refund_id":"50300000000000000000000000001","total_fee":101,"refund_fee":50,"fee_type":"CNY","status":"SUCCESS","request_source":"API","calls":1,"payouts":1,"accept_time":"2026-11-01T00:02:00Z","success_time":"2026-11-01T00:03:00Z"}}
{"callback":{"id":"1","operation":"payment-callback","mch_id":"1900000109","number":"order-0001","url":"http://127.0.0.1:1/payment","state":"delivered","round":1,"attempts":[]}}
{"call":{"time":"2026-11-01T00:00:00Z","host":"primary","operation":"unifiedorder","mch_id":"1900000109","number":"order-0001","outcome":"SUCCESS"}}
{"counts":{"unifiedorder":{"SUCCESS":1}}}
`

func TestAnOldStateFile(t *testing.T) {
	state := filepath.Join(t.TempDir(), "state.jsonl")
	NewWithT(t).Expect(os.WriteFile(state, []byte(oldState), 0o600)).To(Succeed())
	c := startV3(t, func(o *Options) { o.StateFile = state })
	ledger := c.sim.Ledger()
	c.Expect(ledger.Order(testMerchant, "order-0001")).To(And(HaveField("Protocol", ProtocolV2), HaveField("Attach", "a"),
		HaveField("Description", "soap"), HaveField("NotifyURL", "http://127.0.0.1:1/payment"), HaveField("OpenID", "o1")))
	c.Expect(ledger.Refund(testMerchant, "refund-1").Protocol).To(Equal(ProtocolV2))
	c.Expect(ledger.Callbacks[0].Protocol).To(Equal(ProtocolV2))
	c.signType = MD5
	c.Expect(c.mustCall(OperationOrderQuery, message{"out_trade_no": "order-0001"})).To(And(
		HaveKeyWithValue("attach", "a"), HaveKeyWithValue("device_info", "WEB"), HaveKeyWithValue("trade_state", "REFUND")))
	c.Expect(c.get(refundsPath + "/refund-1").text("status")).To(Equal("SUCCESS"))
	c.Expect(c.get("/v3/pay/transactions/out-trade-no/order-0001?mchid="+testMerchant).text("payer", "openid")).To(Equal("o1"))
}
