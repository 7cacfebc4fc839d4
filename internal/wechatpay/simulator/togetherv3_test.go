package simulator

import (
	"encoding/json"
	"reflect"
	"sync"
	"testing"
	"time"

	. "github.com/onsi/gomega"
)

func TestBrokenConnectionsV3(t *testing.T) {
	for _, after := range []bool{false, true} {
		c := startV3(t)
		c.fault(Fault{Operation: OperationUnifiedOrder, Kind: FaultDrop, AfterEffect: after, Count: 1})
		_, err := c.try("POST", jsapiPath, c.jsapi("order-0001"))
		c.Expect(err).To(HaveOccurred())
		c.Expect(c.sim.Ledger().Order(testMerchant, "order-0001") != nil).To(Equal(after))
		calls := c.sim.Ledger().CallsOf(OperationUnifiedOrder, "order-0001")
		c.Expect(calls[0]).To(And(HaveField("Fault", FaultDrop), HaveField("Protocol", ProtocolV3)))

		c.plain.Timeout = 100 * time.Millisecond
		c.fault(Fault{Operation: OperationUnifiedOrder, Kind: FaultHang, AfterEffect: after, Count: 1})
		_, err = c.try("POST", jsapiPath, c.jsapi("order-0001"))
		c.Expect(err).To(MatchError(ContainSubstring("Timeout")))
		c.plain.Timeout = 0
		c.fault(Fault{Operation: OperationUnifiedOrder, Kind: FaultCut, Count: 1})
		_, err = c.try("POST", jsapiPath, c.jsapi("order-0001"))
		c.Expect(err).To(HaveOccurred())
		c.mustOrder("order-0001")
		c.Expect(c.violations()).To(BeEmpty())
	}
}

func TestRefundOutcomesOfV3(t *testing.T) {
	c := startV3(t, func(o *Options) { o.Rules.MinRefundInterval = -1 })
	c.mustOrder("order-0001")
	c.mustPay("order-0001")
	for number, kind := range map[string]FaultKind{"refund-1": FaultRefundChange, "refund-2": FaultRefundClose, "refund-3": FaultRefundHold} {
		c.fault(Fault{Operation: OperationRefund, Number: number, Kind: kind})
		c.Expect(c.post(refundsPath, c.refundBody("order-0001", number, 10)).text("status")).To(Equal("PROCESSING"))
	}
	c.clock.Step(time.Hour)
	for number, want := range map[string]string{"refund-1": "ABNORMAL", "refund-2": "CLOSED", "refund-3": "PROCESSING"} {
		c.Expect(c.get(refundsPath + "/" + number).text("status")).To(Equal(want))
	}
}

func TestDuplicatedLostAndIgnoredCallbacksOfV3(t *testing.T) {
	c := startV3(t)
	for number, kind := range map[string]FaultKind{"order-0001": FaultLose, "order-0002": FaultIgnoreAnswer, "order-0003": FaultDuplicate} {
		c.fault(Fault{Operation: OperationPaymentCallback, Number: number, Kind: kind, Count: 1})
		c.mustOrder(number)
		c.mustPay(number)
	}
	c.Expect(c.attempted(OperationPaymentCallback, "order-0001", 1).Attempts[0].Outcome).To(Equal(OutcomeLost))
	c.Expect(c.attempted(OperationPaymentCallback, "order-0002", 1).State).To(Equal(CallbackPending))
	c.Expect(c.delivered(OperationPaymentCallback, "order-0003", CallbackDelivered).Attempts).To(HaveLen(2))
	c.clock.Step(15 * time.Second)
	c.delivered(OperationPaymentCallback, "order-0001", CallbackDelivered)
	c.delivered(OperationPaymentCallback, "order-0002", CallbackDelivered)
	c.Expect(c.violations()).To(BeEmpty())
}

func TestBothProtocolsAtOnce(t *testing.T) {
	c := startV3(t, func(o *Options) { o.Now, o.TimeScale, o.Rules.MinRefundInterval = nil, 600, -1 })
	var running sync.WaitGroup
	for worker := range 8 {
		running.Go(func() {
			for range 3 {
				number := "n" + randomDigits(15)
				query := "/v3/pay/transactions/out-trade-no/" + number + "?mchid=" + testMerchant
				if worker%2 == 0 {
					c.mustOrder(number)
				} else {
					c.mustCall(OperationUnifiedOrder, c.order(number))
				}
				_, err := c.sim.Pay(testMerchant, number, PayOptions{})
				c.Expect(err).NotTo(HaveOccurred())
				c.Expect(c.get(query).text("trade_state")).To(Equal("SUCCESS"))
				c.Expect(c.post(refundsPath, c.refundBody(number, "a-"+number, 50)).status).To(Equal(200))
				c.mustCall(OperationRefund, c.refund(number, "b-"+number, "51"))
				c.sim.Platform()
			}
			c.sim.Ledger()
		})
	}
	running.Wait()
	c.Eventually(func() int {
		delivered := 0
		for _, callback := range c.sim.Ledger().Callbacks {
			if callback.State == CallbackDelivered {
				delivered++
			}
		}
		return delivered
	}).WithTimeout(20 * time.Second).Should(Equal(72))
	ledger := c.sim.Ledger()
	c.Expect(ledger.Violations).To(BeEmpty())
	c.Expect(ledger.Refunds).To(HaveEach(HaveField("Payouts", 1)))
}

func FuzzParseDocument(f *testing.F) {
	f.Add([]byte(`{"amount":{"total":101},"list":[{"a":"b"},true,1.5]}`))
	f.Add([]byte(`{"a":null}`))
	f.Add([]byte(`{"a":"😀"}`))
	f.Fuzz(func(t *testing.T, body []byte) {
		read, err := parseDocument(body)
		if err != nil {
			return
		}
		_ = prepayShape("jsapi", false).check("", read, map[string]string{}) // must not panic
		again, err := json.Marshal(read)
		if err != nil {
			t.Fatal(err)
		}
		twice, err := parseDocument(again)
		if err != nil || !reflect.DeepEqual(read, twice) {
			t.Fatalf("%q became %q: %v", body, again, err)
		}
	})
}
