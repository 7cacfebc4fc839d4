package simulator

import (
	"net/http"
	"testing"
	"time"

	. "github.com/onsi/gomega"
)

func (f *fixture) fault(fault Fault) Fault {
	f.t.Helper()
	added, err := f.sim.AddFault(fault)
	f.Expect(err).NotTo(HaveOccurred())
	return added
}

func TestErrorFaultsBeforeAndAfterTheEffect(t *testing.T) {
	for kind, want := range map[FaultKind]string{
		FaultSystemError: "SYSTEMERROR", FaultFrequencyLimited: "FREQUENCY_LIMITED", FaultRateLimited: "频率限制", FaultNotEnough: "NOTENOUGH",
		FaultNeedRetry: "BIZERR_NEED_RETRY", FaultError: "NOAUTH", FaultFail: "商户号该产品权限未开通",
	} {
		for _, after := range []bool{false, true} {
			t.Run(string(kind)+map[bool]string{true: " after"}[after], func(t *testing.T) {
				f := start(t)
				f.fault(Fault{
					Operation: OperationUnifiedOrder, Kind: kind, AfterEffect: after, Count: 1, ErrCode: "NOAUTH", ErrCodeDes: "无权限",
					ReturnMsg: "商户号该产品权限未开通",
				})
				reply := f.call(OperationUnifiedOrder, f.order("order-0001"))
				f.Expect(outcome(reply)).To(Equal(want))
				f.Expect(f.sim.Ledger().Order(testMerchant, "order-0001") != nil).To(Equal(after))
				f.mustCall(OperationUnifiedOrder, f.order("order-0001"))
				calls := f.sim.Ledger().CallsOf(OperationUnifiedOrder, "order-0001")
				f.Expect(calls[0]).To(And(HaveField("Fault", kind), HaveField("Outcome", want)))
				f.Expect(calls[1]).To(And(HaveField("Fault", FaultKind("")), HaveField("Outcome", "SUCCESS")))
			})
		}
	}
}

func TestAReturnCodeOfItsOwn(t *testing.T) {
	f := start(t)
	f.fault(Fault{Operation: OperationOrderQuery, Kind: FaultFail, ReturnCode: "PARAM_ERROR", ReturnMsg: "签名错误"})
	reply := f.call(OperationOrderQuery, message{"out_trade_no": "order-0001"})
	f.Expect(reply).To(Equal(message{"return_code": "PARAM_ERROR", "return_msg": "签名错误"}))
}

func TestBrokenConnections(t *testing.T) {
	for _, after := range []bool{false, true} {
		f := start(t)
		body := formatXML(f.sign(f.order("order-0001")), "xml")
		f.fault(Fault{Operation: OperationUnifiedOrder, Kind: FaultDrop, AfterEffect: after, Count: 1})
		_, _, err := f.post(f.sim.URL(), OperationUnifiedOrder, body)
		f.Expect(err).To(HaveOccurred())
		f.Expect(f.sim.Ledger().Order(testMerchant, "order-0001") != nil).To(Equal(after))

		f.fault(Fault{Operation: OperationUnifiedOrder, Kind: FaultHTML, AfterEffect: after, Count: 1, Status: 503})
		response, page, err := f.post(f.sim.URL(), OperationUnifiedOrder, body)
		f.Expect(err).NotTo(HaveOccurred())
		f.Expect(response.StatusCode).To(Equal(http.StatusServiceUnavailable))
		f.Expect(string(page)).To(ContainSubstring("<h1>503 Service Unavailable</h1>"))

		f.plain.Timeout = 100 * time.Millisecond
		f.fault(Fault{Operation: OperationUnifiedOrder, Kind: FaultHang, AfterEffect: after, Count: 1})
		_, _, err = f.post(f.sim.URL(), OperationUnifiedOrder, body)
		f.Expect(err).To(MatchError(ContainSubstring("Timeout")))
		f.plain.Timeout = 0
		f.Expect(f.sim.Ledger().Order(testMerchant, "order-0001") != nil).To(Equal(after))
	}
}

func TestSpoiledReplies(t *testing.T) {
	f := start(t)
	payment := f.paidOrder("order-0001")
	query := message{"out_trade_no": "order-0001"}
	spoiled := func(kind FaultKind) []byte {
		f.fault(Fault{Operation: OperationOrderQuery, Kind: kind, Count: 1})
		_, body, err := f.post(f.sim.URL(), OperationOrderQuery, formatXML(f.sign(query), "xml"))
		if kind == FaultCut {
			f.Expect(err).To(HaveOccurred())
			return body
		}
		f.Expect(err).NotTo(HaveOccurred())
		return body
	}
	read := func(kind FaultKind) message {
		reply, err := parseXML(spoiled(kind), "xml")
		f.Expect(err).NotTo(HaveOccurred())
		return reply
	}
	wellSigned := func(reply message) bool { return reply["sign"] == signature(reply, testKey, HMACSHA256) }

	_, err := parseXML(spoiled(FaultTruncate), "xml")
	f.Expect(err).To(MatchError(errNotXML))
	spoiled(FaultCut)
	f.Expect(wellSigned(read(FaultBadSignature))).To(BeFalse())
	f.Expect(read(FaultUnsigned)).To(And(Not(HaveKey("sign")), HaveKeyWithValue("trade_state", "SUCCESS")))
	wrong := read(FaultWrongNumber)
	f.Expect(wellSigned(wrong)).To(BeTrue())
	f.Expect(wrong["out_trade_no"]).To(Equal("another001"))
	f.Expect(wrong["transaction_id"]).NotTo(Equal(payment.TransactionID))
	extra := read(FaultExtraFields)
	f.Expect(wellSigned(extra)).To(BeTrue())
	f.Expect(extra).To(And(HaveKeyWithValue("some_future_field", "新字段"), HaveKeyWithValue("total_fee", "101")))
	sparse := read(FaultSparse)
	f.Expect(wellSigned(sparse)).To(BeTrue())
	f.Expect(sparse).To(And(HaveKeyWithValue("trade_state", "SUCCESS"), Not(HaveKey("total_fee"))))

	query = message{"out_trade_no": "order-9999"}
	failed := read(FaultBadSignature)
	f.Expect(failed["err_code"]).To(Equal("ORDERNOTEXIST"), "failures are spoiled as well")
	f.Expect(wellSigned(failed)).To(BeFalse())
	f.Expect(wellSigned(f.call(OperationOrderQuery, query))).To(BeTrue())
}

func TestDelay(t *testing.T) {
	f := start(t)
	f.fault(Fault{Operation: OperationOrderQuery, Kind: FaultDelay, DelayMillis: 50})
	began := time.Now()
	f.call(OperationOrderQuery, message{"out_trade_no": "order-0001"})
	f.Expect(time.Since(began)).To(BeNumerically(">=", 50*time.Millisecond))
}

func TestWhomFaultsStrike(t *testing.T) {
	f := start(t)
	f.Expect(f.sim.AddMerchant(Merchant{MchID: "1900000110", AppIDs: []string{testApp}, APIKey: testKey})).To(Succeed())
	ask := func(base, mchID, number string) string {
		return outcome(f.callAt(base, OperationOrderQuery, message{"out_trade_no": number, "mch_id": mchID}))
	}
	primary, backup := f.sim.URL(), f.sim.BackupURL()

	byHost := f.fault(Fault{Operation: OperationOrderQuery, Kind: FaultSystemError, Host: HostPrimary})
	f.Expect(ask(primary, testMerchant, "order-0001")).To(Equal("SYSTEMERROR"))
	f.Expect(ask(backup, testMerchant, "order-0001")).To(Equal("ORDERNOTEXIST"))
	f.Expect(f.sim.RemoveFault(byHost.ID)).To(BeTrue())
	f.Expect(f.sim.RemoveFault(byHost.ID)).To(BeFalse())

	f.fault(Fault{Operation: OperationOrderQuery, Kind: FaultSystemError, MchID: "1900000110"})
	f.Expect(ask(primary, "1900000110", "order-0001")).To(Equal("SYSTEMERROR"))
	f.Expect(ask(primary, testMerchant, "order-0001")).To(Equal("ORDERNOTEXIST"))

	f.fault(Fault{Operation: OperationOrderQuery, Kind: FaultNotEnough, Number: "order-0002", Count: 2})
	for _, want := range []string{"NOTENOUGH", "NOTENOUGH", "ORDERNOTEXIST"} {
		f.Expect(ask(primary, testMerchant, "order-0002")).To(Equal(want))
	}
	f.Expect(f.sim.Faults()).To(HaveExactElements(HaveField("Struck", 1), HaveField("Struck", 2)))
	f.sim.ClearFaults()
	f.Expect(f.sim.Faults()).To(BeEmpty())
}

func TestChanceIsRepeatable(t *testing.T) {
	f := start(t)
	run := func(seed uint64) (struck []bool) {
		f.sim.ClearFaults()
		f.fault(Fault{Operation: OperationOrderQuery, Kind: FaultSystemError, Probability: 0.5, Seed: seed})
		for range 40 {
			struck = append(struck, outcome(f.call(OperationOrderQuery, message{"out_trade_no": "order-0001"})) == "SYSTEMERROR")
		}
		return struck
	}
	first := run(7)
	f.Expect(first).To(ContainElements(true, false))
	f.Expect(run(7)).To(Equal(first))
	f.Expect(run(8)).NotTo(Equal(first))
}

func TestImpossibleFaults(t *testing.T) {
	f := start(t)
	for name, fault := range map[string]Fault{
		"no operation":           {Kind: FaultDrop},
		"no kind":                {Operation: OperationRefund},
		"unknown kind":           {Operation: OperationRefund, Kind: "rain"},
		"outcome of an order":    {Operation: OperationUnifiedOrder, Kind: FaultRefundChange},
		"currency of a refund":   {Operation: OperationRefundCallback, Kind: FaultWrongCurrency},
		"unsigned refund notice": {Operation: OperationRefundCallback, Kind: FaultUnsigned},
		"lost call":              {Operation: OperationRefund, Kind: FaultLose},
		"host":                   {Operation: OperationRefund, Kind: FaultDrop, Host: "third"},
		"probability":            {Operation: OperationRefund, Kind: FaultDrop, Probability: 2},
		"count":                  {Operation: OperationRefund, Kind: FaultDrop, Count: -1},
		"status":                 {Operation: OperationRefund, Kind: FaultHTML, Status: 200},
		"error without code":     {Operation: OperationRefund, Kind: FaultError},
		"refusal without words":  {Operation: OperationRefund, Kind: FaultFail},
		"order has no number":    {Operation: OperationUnifiedOrder, Kind: FaultWrongNumber},
	} {
		_, err := f.sim.AddFault(fault)
		f.Expect(err).To(MatchError(ErrInvalid), name)
	}
	f.Expect(f.sim.Faults()).To(BeEmpty())
}

func TestFaultyRefunds(t *testing.T) {
	f := start(t)
	f.paidOrder("order-0001")
	f.fault(Fault{Operation: OperationRefund, Kind: FaultSystemError, Count: 1})
	f.Expect(outcome(f.call(OperationRefund, f.refund("order-0001", "refund-1", "50")))).To(Equal("SYSTEMERROR"))
	f.Expect(outcome(f.call(OperationRefund, f.refund("order-0001", "refund-1", "50")))).To(Equal("FREQUENCY_LIMITED"), "WeChat saw the first")
	f.clock.Step(time.Minute)

	f.fault(Fault{Operation: OperationRefund, Kind: FaultDrop, AfterEffect: true, Count: 1})
	body := formatXML(f.sign(f.refund("order-0001", "refund-1", "50")), "xml")
	_, _, err := f.post(f.sim.URL(), OperationRefund, body)
	f.Expect(err).To(HaveOccurred())
	f.clock.Step(time.Minute)
	f.mustCall(OperationRefund, f.refund("order-0001", "refund-1", "50"))
	ledger := f.sim.Ledger()
	f.Expect(ledger.Refunds).To(HaveExactElements(And(HaveField("Calls", 2), HaveField("RefundFee", int64(50)))))
	f.Expect(ledger.Merchants[0].InvalidRefundCalls).To(BeZero(), "faults are not the merchant's")
}
