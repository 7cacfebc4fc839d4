package simulator

import (
	"net/http"
	"strings"
	"testing"
	"time"

	. "github.com/onsi/gomega"
)

// callback returns the only callback of one kind for a number.
func (f *fixture) callback(operation Operation, number string) Callback {
	f.t.Helper()
	found := f.sim.Ledger().CallbacksOf(operation, number)
	f.Expect(found).To(HaveLen(1))
	return found[0]
}

// delivered waits until a callback reaches a state.
func (f *fixture) delivered(operation Operation, number string, state CallbackState) Callback {
	f.t.Helper()
	f.Eventually(func() CallbackState { return f.callback(operation, number).State }).WithTimeout(10 * time.Second).Should(Equal(state))
	return f.callback(operation, number)
}

// attempted waits until a callback was attempted the given number of times.
func (f *fixture) attempted(operation Operation, number string, times int) Callback {
	f.t.Helper()
	f.Eventually(func() int { return len(f.callback(operation, number).Attempts) }).WithTimeout(10 * time.Second).Should(Equal(times))
	return f.callback(operation, number)
}

func TestPaymentCallback(t *testing.T) {
	for _, signType := range []SignType{MD5, HMACSHA256} {
		t.Run(string(signType), func(t *testing.T) {
			f := start(t)
			f.signType = signType
			payment := f.paidOrder("order-0001", "attach", "a b", "version", "1.0")
			c := f.delivered(OperationPaymentCallback, "order-0001", CallbackDelivered)
			f.Expect(c.Attempts).To(HaveLen(1))
			f.Expect(c.Attempts[0]).To(And(HaveField("Outcome", OutcomeAccepted), HaveField("Status", 200), HaveField("Body", acknowledgement)))
			got, err := parseXML(f.shop.messages()[0], "xml")
			f.Expect(err).NotTo(HaveOccurred())
			f.Expect(got["sign"]).To(Equal(signature(got, testKey, signType)))
			f.Expect(got).NotTo(Or(HaveKey("sign_type"), HaveKey("trade_state")))
			for name, want := range map[string]string{
				"return_code": "SUCCESS", "result_code": "SUCCESS", "appid": testApp, "mch_id": testMerchant, "total_fee": "101",
				"fee_type": "CNY", "cash_fee": "101", "transaction_id": payment.TransactionID, "out_trade_no": "order-0001", "attach": "a b",
				"trade_type": "JSAPI", "bank_type": "OTHERS", "time_end": payment.Time.In(beijing).Format(compactTime), "version": "1.0",
			} {
				f.Expect(got[name]).To(Equal(want), name)
			}
		})
	}
}

func TestRefundCallback(t *testing.T) {
	f := start(t)
	f.paidOrder("order-0001")
	reply := f.mustCall(OperationRefund, f.refund("order-0001", "refund-1", "50"))
	f.Expect(f.sim.Ledger().CallbacksOf(OperationRefundCallback, "")).To(BeEmpty(), "nothing to tell yet")
	f.clock.Step(time.Minute)
	f.sim.Ledger() // settles what is due
	f.delivered(OperationRefundCallback, "refund-1", CallbackDelivered)
	messages := f.shop.messages()
	got, err := parseXML(messages[len(messages)-1], "xml")
	f.Expect(err).NotTo(HaveOccurred())
	f.Expect(got).NotTo(Or(HaveKey("sign"), HaveKey("result_code")))
	info, err := OpenRefundInfo(got["req_info"], testKey)
	f.Expect(err).NotTo(HaveOccurred())
	for name, want := range map[string]string{
		"refund_id": reply["refund_id"], "out_refund_no": "refund-1", "out_trade_no": "order-0001", "total_fee": "101", "refund_fee": "50",
		"refund_status": "SUCCESS", "refund_recv_accout": "支付用户零钱", "refund_request_source": "API",
		"success_time": f.clock.Now().In(beijing).Format(readableTime),
	} {
		f.Expect(info[name]).To(Equal(want), name)
	}
	_, err = OpenRefundInfo(got["req_info"], "wrongOnlyKey0000wrongOnlyKey0000")
	f.Expect(err).To(HaveOccurred())
}

func TestChangeIsToldAndThenItsEnd(t *testing.T) {
	f := start(t)
	f.paidOrder("order-0001")
	f.mustCall(OperationRefund, f.refund("order-0001", "refund-1", "50"))
	f.Expect(f.sim.SetRefundStatus(testMerchant, "refund-1", RefundChange)).To(Succeed())
	f.delivered(OperationRefundCallback, "refund-1", CallbackDelivered)
	f.Expect(f.sim.SetRefundStatus(testMerchant, "refund-1", RefundSuccess)).To(Succeed())
	var told []RefundStatus
	for _, c := range f.sim.Ledger().CallbacksOf(OperationRefundCallback, "refund-1") {
		told = append(told, c.RefundStatus)
	}
	f.Expect(told).To(Equal([]RefundStatus{RefundChange, RefundSuccess}))
}

func TestOnlyTheExactAnswerCounts(t *testing.T) {
	for name, answer := range map[string]func(http.ResponseWriter){
		"other status":    say(http.StatusAccepted, acknowledgement),
		"server error":    say(http.StatusInternalServerError, acknowledgement),
		"line end":        say(http.StatusOK, acknowledgement+"\n"),
		"space before":    say(http.StatusOK, " "+acknowledgement),
		"lower case":      say(http.StatusOK, strings.ToLower(acknowledgement)),
		"no CDATA":        say(http.StatusOK, "<xml><return_code>SUCCESS</return_code><return_msg>OK</return_msg></xml>"),
		"FAIL":            say(http.StatusOK, "<xml><return_code><![CDATA[FAIL]]></return_code><return_msg><![CDATA[OK]]></return_msg></xml>"),
		"word":            say(http.StatusOK, "SUCCESS"),
		"nothing":         say(http.StatusOK, ""),
		"redirect":        func(w http.ResponseWriter) { w.Header().Set("Location", "/x"); w.WriteHeader(http.StatusFound) },
		"connection dies": func(http.ResponseWriter) { panic(http.ErrAbortHandler) },
	} {
		t.Run(name, func(t *testing.T) {
			f := start(t, func(o *Options) { o.Rules.CallbackSchedule = []time.Duration{} })
			f.shop.answer(answer)
			f.paidOrder("order-0001")
			c := f.delivered(OperationPaymentCallback, "order-0001", CallbackExhausted)
			f.Expect(c.Attempts).To(HaveLen(1))
			want := OutcomeRefused
			if name == "connection dies" {
				want = OutcomeUnreachable
			}
			f.Expect(c.Attempts[0].Outcome).To(Equal(want))
		})
	}
}

func TestASlowShopIsTooLate(t *testing.T) {
	f := start(t, func(o *Options) {
		o.CallbackTimeout, o.Rules.CallbackSchedule = 50*time.Millisecond, []time.Duration{time.Second}
	})
	release := make(chan struct{})
	defer close(release)
	f.shop.answer(func(w http.ResponseWriter) { <-release })
	f.paidOrder("order-0001")
	c := f.attempted(OperationPaymentCallback, "order-0001", 1)
	f.Expect(c.Attempts[0].Outcome).To(Equal(OutcomeTimeout))
	f.clock.Step(time.Second)
	f.delivered(OperationPaymentCallback, "order-0001", CallbackDelivered)
}

func TestRetrySchedule(t *testing.T) {
	f := start(t, func(o *Options) { o.TimeScale = 60 })
	for range 16 {
		f.shop.answer(say(http.StatusOK, "no"))
	}
	began := f.clock.Now()
	f.paidOrder("order-0001")
	for n, pause := range append(wechatCallbackSchedule, 0) {
		c := f.attempted(OperationPaymentCallback, "order-0001", n+1)
		f.Expect(c.Attempts[n].Time).To(BeTemporally("==", f.clock.Now()))
		if pause > 0 {
			f.Expect(*c.NextAttempt).To(BeTemporally("==", f.clock.Now().Add(pause/60)))
			f.clock.Step(pause / 60)
		}
	}
	f.Expect(f.clock.Now().Sub(began)*60).To(Equal(24*time.Hour+4*time.Minute), "the whole schedule")
	f.delivered(OperationPaymentCallback, "order-0001", CallbackExhausted)
	f.Expect(f.sim.ResendCallback(OperationPaymentCallback, testMerchant, "order-0001")).To(Succeed())
	f.delivered(OperationPaymentCallback, "order-0001", CallbackDelivered)
	f.Expect(f.sim.ResendCallback(OperationRefundCallback, testMerchant, "order-0001")).To(MatchError(ErrNotFound))
}

func TestCallbackFaults(t *testing.T) {
	payment := func(f *fixture, body []byte) message {
		got, err := parseXML(body, "xml")
		f.Expect(err).NotTo(HaveOccurred())
		return got
	}
	wellSigned := func(got message) bool { return got["sign"] == signature(got, testKey, HMACSHA256) }
	for kind, test := range map[FaultKind]struct {
		check func(f *fixture, got message)
		// violates is true where this test's shop, which accepts anything, commits a violation.
		violates bool
	}{
		FaultForge: {func(f *fixture, got message) {
			f.Expect(got["sign"]).To(HaveLen(64))
			f.Expect(wellSigned(got)).To(BeFalse())
		}, true},
		FaultUnsigned: {func(f *fixture, got message) { f.Expect(got).NotTo(HaveKey("sign")) }, true},
		FaultMD5: {func(f *fixture, got message) {
			f.Expect(got["sign"]).To(Equal(signature(got, testKey, MD5)))
		}, true},
		FaultWrongMchID: {func(f *fixture, got message) {
			f.Expect(wellSigned(got)).To(BeTrue())
			f.Expect(got["mch_id"]).To(Equal(foreignMchID))
		}, true},
		FaultWrongAmount: {func(f *fixture, got message) {
			f.Expect(wellSigned(got)).To(BeTrue())
			f.Expect(got["total_fee"]).To(Equal("102"))
		}, false},
		FaultWrongCurrency: {func(f *fixture, got message) {
			f.Expect(wellSigned(got)).To(BeTrue())
			f.Expect(got["fee_type"]).To(Equal("USD"))
		}, false},
	} {
		t.Run(string(kind), func(t *testing.T) {
			f := start(t)
			_, err := f.sim.AddFault(Fault{Operation: OperationPaymentCallback, Kind: kind, Count: 1})
			f.Expect(err).NotTo(HaveOccurred())
			f.paidOrder("order-0001")
			f.attempted(OperationPaymentCallback, "order-0001", 1)
			test.check(f, payment(f, f.shop.messages()[0]))
			f.Expect(f.sim.Ledger().ViolationsOf(ViolationForgedCallback)).To(HaveLen(map[bool]int{true: 1}[test.violates]))
			f.clock.Step(15 * time.Second)
			c := f.delivered(OperationPaymentCallback, "order-0001", CallbackDelivered)
			f.Expect(c.Attempts).To(HaveLen(2), "the true message follows")
			f.Expect(wellSigned(payment(f, f.shop.messages()[1]))).To(BeTrue())
		})
	}
}

func TestLostIgnoredDelayedAndDoubledCallbacks(t *testing.T) {
	f := start(t)
	fault := func(number string, kind FaultKind) {
		_, err := f.sim.AddFault(Fault{Operation: OperationPaymentCallback, Number: number, Kind: kind, Count: 1, DelayMillis: 30_000})
		f.Expect(err).NotTo(HaveOccurred())
	}
	fault("order-0001", FaultLose)
	f.paidOrder("order-0001")
	f.Expect(f.attempted(OperationPaymentCallback, "order-0001", 1).Attempts[0].Outcome).To(Equal(OutcomeLost))
	f.Expect(f.shop.messages()).To(BeEmpty())

	fault("order-0002", FaultIgnoreAnswer)
	f.paidOrder("order-0002")
	c := f.attempted(OperationPaymentCallback, "order-0002", 1)
	f.Expect(c.Attempts[0].Outcome).To(Equal(OutcomeAccepted))
	f.Expect(c.State).To(Equal(CallbackPending))

	fault("order-0003", FaultDuplicate)
	f.paidOrder("order-0003")
	c = f.delivered(OperationPaymentCallback, "order-0003", CallbackDelivered)
	f.Expect(c.Attempts).To(HaveLen(2))
	f.Expect(c.Round).To(Equal(1))

	fault("order-0004", FaultDelay)
	f.paidOrder("order-0004")
	f.Eventually(func() *time.Time { return f.callback(OperationPaymentCallback, "order-0004").NextAttempt }).
		Should(HaveValue(BeTemporally("==", f.clock.Now().Add(30*time.Second))))
	f.Expect(f.callback(OperationPaymentCallback, "order-0004").Attempts).To(BeEmpty())

	f.clock.Step(30 * time.Second)
	for _, number := range []string{"order-0001", "order-0002", "order-0004"} {
		f.delivered(OperationPaymentCallback, number, CallbackDelivered)
	}
	f.Expect(f.violations()).To(BeEmpty())
}

func TestRefundCallbackFaults(t *testing.T) {
	for kind, violates := range map[FaultKind]bool{FaultForge: true, FaultWrongMchID: true, FaultWrongAmount: false} {
		t.Run(string(kind), func(t *testing.T) {
			f := start(t)
			_, err := f.sim.AddFault(Fault{Operation: OperationRefundCallback, Kind: kind, Count: 1})
			f.Expect(err).NotTo(HaveOccurred())
			f.paidOrder("order-0001")
			f.delivered(OperationPaymentCallback, "order-0001", CallbackDelivered)
			f.mustCall(OperationRefund, f.refund("order-0001", "refund-1", "50"))
			f.Expect(f.sim.SetRefundStatus(testMerchant, "refund-1", RefundSuccess)).To(Succeed())
			f.attempted(OperationRefundCallback, "refund-1", 1)
			got, err := parseXML(f.shop.messages()[1], "xml")
			f.Expect(err).NotTo(HaveOccurred())
			info, err := OpenRefundInfo(got["req_info"], testKey)
			switch kind {
			case FaultForge:
				f.Expect(err).To(HaveOccurred())
			case FaultWrongMchID:
				f.Expect(got["mch_id"]).To(Equal(foreignMchID))
			case FaultWrongAmount:
				f.Expect(info["refund_fee"]).To(Equal("51"))
			}
			f.Expect(f.sim.Ledger().ViolationsOf(ViolationForgedCallback)).To(HaveLen(map[bool]int{true: 1}[violates]))
			f.clock.Step(15 * time.Second)
			f.delivered(OperationRefundCallback, "refund-1", CallbackDelivered)
		})
	}
}

func TestExtraFieldsOfCallbacksAreSigned(t *testing.T) {
	f := start(t)
	_, err := f.sim.AddFault(Fault{Operation: OperationPaymentCallback, Kind: FaultExtraFields})
	f.Expect(err).NotTo(HaveOccurred())
	f.paidOrder("order-0001")
	f.delivered(OperationPaymentCallback, "order-0001", CallbackDelivered)
	got, err := parseXML(f.shop.messages()[0], "xml")
	f.Expect(err).NotTo(HaveOccurred())
	f.Expect(got).To(HaveKeyWithValue("some_future_field", "新字段"))
	f.Expect(got["sign"]).To(Equal(signature(got, testKey, HMACSHA256)))
}

func TestRefundsWithoutURLTellNobodyUnlessThePlatformHasOne(t *testing.T) {
	f := start(t)
	f.paidOrder("order-0001")
	f.mustCall(OperationRefund, f.refund("order-0001", "refund-1", "1", "notify_url", ""))
	f.Expect(f.sim.SetRefundStatus(testMerchant, "refund-1", RefundSuccess)).To(Succeed())
	f.Expect(f.sim.Ledger().CallbacksOf(OperationRefundCallback, "")).To(BeEmpty())

	f.Expect(f.sim.AddMerchant(Merchant{
		MchID: testMerchant, AppIDs: []string{testApp}, APIKey: testKey, RefundNotifyURL: f.shop.URL + "/platform",
	})).To(Succeed())
	staff, err := f.sim.RefundByStaff(testMerchant, "order-0001", 1)
	f.Expect(err).NotTo(HaveOccurred())
	f.Expect(f.sim.SetRefundStatus(testMerchant, staff.OutRefundNo, RefundSuccess)).To(Succeed())
	f.delivered(OperationRefundCallback, staff.OutRefundNo, CallbackDelivered)
}
