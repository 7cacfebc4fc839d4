package simulator

import (
	"fmt"
	"testing"
	"time"

	. "github.com/onsi/gomega"
)

func TestRefundIsAcceptedFirstAndSucceedsLater(t *testing.T) {
	f := start(t)
	payment := f.paidOrder("order-0001")
	reply := f.mustCall(OperationRefund, f.refund("order-0001", "refund-1", "50"))
	f.Expect(reply["refund_id"]).To(HavePrefix("50"))
	f.Expect(reply).To(And(HaveKeyWithValue("transaction_id", payment.TransactionID), HaveKeyWithValue("refund_fee", "50"),
		HaveKeyWithValue("total_fee", "101"), Not(HaveKey("refund_status"))))
	query := message{"out_refund_no": "refund-1"}
	processing := f.mustCall(OperationRefundQuery, query)
	f.Expect(processing).To(And(HaveKeyWithValue("refund_status_0", "PROCESSING"), Not(HaveKey("refund_success_time_0"))))
	f.clock.Step(time.Minute)
	success := f.mustCall(OperationRefundQuery, query)
	f.Expect(success).To(And(HaveKeyWithValue("refund_status_0", "SUCCESS"), HaveKeyWithValue("refund_recv_accout_0", "支付用户零钱"),
		HaveKeyWithValue("refund_success_time_0", f.clock.Now().In(beijing).Format(readableTime)), HaveKeyWithValue("refund_count", "1"),
		Not(HaveKey("total_refund_count"))))
	ledger := f.sim.Ledger()
	f.Expect(ledger.Order(testMerchant, "order-0001").Sums).To(Equal(OrderSums{Paid: 101, Accepted: 50, Refunded: 50, Count: 1}))
	f.Expect(ledger.Refund(testMerchant, "refund-1").Payouts).To(Equal(1))
	f.Expect(ledger.Violations).To(BeEmpty())
}

func TestRefundChecksItsFields(t *testing.T) {
	f := start(t, func(o *Options) { o.Rules.MinRefundInterval, o.Rules.InvalidRefundWindow = -1, -1 })
	f.paidOrder("order-0001")
	f.mustCall(OperationUnifiedOrder, f.order("order-0002"))
	for name, test := range map[string]struct {
		pairs []string
		want  string
	}{
		"no refund number":      {[]string{"out_refund_no", ""}, "PARAM_ERROR"},
		"no order":              {[]string{"out_trade_no", ""}, "PARAM_ERROR"},
		"no total":              {[]string{"total_fee", ""}, "PARAM_ERROR"},
		"no amount":             {[]string{"refund_fee", ""}, "PARAM_ERROR"},
		"nothing":               {[]string{"refund_fee", "0"}, "PARAM_ERROR"},
		"more than the total":   {[]string{"refund_fee", "102"}, "invalid refund_fee"},
		"other total":           {[]string{"total_fee", "102"}, "REFUND_FEE_MISMATCH"},
		"other currency":        {[]string{"refund_fee_type", "USD"}, "PARAM_ERROR"},
		"unknown order":         {[]string{"out_trade_no", "order-9999"}, "ORDERNOTEXIST"},
		"unpaid order":          {[]string{"out_trade_no", "order-0002"}, "ORDERNOTEXIST"},
		"unknown transaction":   {[]string{"transaction_id", "4200000000000000000000000000"}, "INVALID_TRANSACTIONID"},
		"bad sign in number":    {[]string{"out_refund_no", "refund 1"}, "PARAM_ERROR"},
		"notify_url with query": {[]string{"notify_url", "https://shop.example.com/n?a=1"}, "PARAM_ERROR"},
		"number with @":         {[]string{"out_refund_no", "refund@1", "refund_fee", "1"}, "SUCCESS"},
	} {
		t.Run(name, func(t *testing.T) {
			f := f.in(t)
			before := len(f.sim.Ledger().Refunds)
			f.Expect(outcome(f.call(OperationRefund, f.refund("order-0001", "refund-1", "50", test.pairs...)))).To(Equal(test.want))
			if test.want != "SUCCESS" {
				f.Expect(f.sim.Ledger().Refunds).To(HaveLen(before))
			}
		})
	}
	f.Expect(f.sim.Ledger().ViolationsOf(ViolationRefundTotal)).To(HaveLen(1))
}

func TestOneNumberRefundsOnce(t *testing.T) {
	f := start(t, func(o *Options) {
		o.Merchants[0].Balance = pointer(int64(100))
		o.Rules.AllowRefundRepeats = true
	})
	f.paidOrder("order-0001")
	f.paidOrder("order-0002")
	first := f.mustCall(OperationRefund, f.refund("order-0001", "refund-1", "50"))
	again := f.mustCall(OperationRefund, f.refund("order-0001", "refund-1", "50", "refund_desc", "other words"))
	f.Expect(again["refund_id"]).To(Equal(first["refund_id"]))
	f.clock.Step(time.Minute)
	late := f.mustCall(OperationRefund, f.refund("order-0001", "refund-1", "50"))
	f.Expect(late["refund_id"]).To(Equal(first["refund_id"]))
	ledger := f.sim.Ledger()
	f.Expect(ledger.Refunds).To(HaveLen(1))
	f.Expect(ledger.Refunds[0]).To(And(HaveField("Calls", 3), HaveField("Payouts", 1)))
	f.Expect(*ledger.Merchants[0].Balance).To(Equal(int64(50)))
	f.Expect(ledger.Violations).To(BeEmpty())

	f.Expect(outcome(f.call(OperationRefund, f.refund("order-0001", "refund-1", "51")))).To(Equal("REFUND_FEE_MISMATCH"))
	f.Expect(outcome(f.call(OperationRefund, f.refund("order-0002", "refund-1", "50")))).To(Equal("REFUND_FEE_MISMATCH"))
	f.Expect(f.violations()).To(Equal([]ViolationKind{ViolationRefundParams, ViolationRefundParams}))
}

func TestRefundsOfAnOrderKeepApart(t *testing.T) {
	f := start(t, func(o *Options) { o.TimeScale = 60 })
	f.paidOrder("order-0001")
	f.paidOrder("order-0002")
	f.mustCall(OperationRefund, f.refund("order-0001", "refund-1", "1"))
	f.clock.Step(time.Second - time.Millisecond)
	f.Expect(outcome(f.call(OperationRefund, f.refund("order-0001", "refund-2", "1")))).To(Equal("FREQUENCY_LIMITED"))
	f.Expect(outcome(f.call(OperationRefund, f.refund("order-0001", "refund-1", "1")))).To(Equal("FREQUENCY_LIMITED"), "a repeat is a call too")
	f.mustCall(OperationRefund, f.refund("order-0002", "refund-3", "1"))
	f.clock.Step(time.Millisecond)
	f.mustCall(OperationRefund, f.refund("order-0001", "refund-2", "1"))
	f.Expect(f.violations()).To(Equal([]ViolationKind{ViolationRefundPace, ViolationRefundPace}))
	f.Expect(f.sim.Ledger().Merchants[0].InvalidRefundCalls).To(BeZero())
}

func TestRefundsNeverExceedWhatWasPaid(t *testing.T) {
	f := start(t, func(o *Options) { o.Rules.MinRefundInterval = -1 })
	f.paidOrder("order-0001")
	f.mustCall(OperationRefund, f.refund("order-0001", "refund-1", "60"))
	over := f.call(OperationRefund, f.refund("order-0001", "refund-2", "42"))
	f.Expect(outcome(over)).To(Equal("INVALID_REQUEST"))
	f.mustCall(OperationRefund, f.refund("order-0001", "refund-3", "41"))
	full := f.call(OperationRefund, f.refund("order-0001", "refund-4", "1"))
	f.Expect(full["err_code_des"]).To(Equal("订单已全额退款"))
	f.Expect(f.violations()).To(Equal([]ViolationKind{ViolationRefundSum, ViolationRefundSum}))

	f.Expect(f.sim.SetRefundStatus(testMerchant, "refund-3", RefundClosed)).To(Succeed())
	f.mustCall(OperationRefund, f.refund("order-0001", "refund-5", "41"))
	f.Expect(f.sim.Ledger().Order(testMerchant, "order-0001").Sums.Accepted).To(Equal(int64(101)))
}

func TestFiftyRefundsAndTheirPages(t *testing.T) {
	f := start(t, func(o *Options) { o.Rules.MinRefundInterval, o.Rules.RefundDelay = -1, -1 })
	f.paidOrder("order-0001")
	for n := range maxRefundsPerOrder {
		f.mustCall(OperationRefund, f.refund("order-0001", fmt.Sprintf("refund-%02d", n), "1"))
	}
	f.Expect(outcome(f.call(OperationRefund, f.refund("order-0001", "refund-50", "1")))).To(Equal("INVALID_REQUEST"))
	f.Expect(f.violations()).To(Equal([]ViolationKind{ViolationRefundCount}))

	page := func(pairs ...string) message {
		return f.mustCall(OperationRefundQuery, message{"out_trade_no": "order-0001"}.with(pairs...))
	}
	first := page()
	f.Expect(first).To(And(HaveKeyWithValue("refund_count", "10"), HaveKeyWithValue("total_refund_count", "50"),
		HaveKeyWithValue("out_refund_no_0", "refund-00"), HaveKeyWithValue("refund_status_9", "SUCCESS"), Not(HaveKey("refund_id_10"))))
	f.Expect(page("offset", "24")).To(HaveKeyWithValue("out_refund_no_0", "refund-24"))
	f.Expect(page("offset", "45")).To(And(HaveKeyWithValue("refund_count", "5"), HaveKeyWithValue("out_refund_no_4", "refund-49")))
	for _, offset := range []string{"50", "-1", "x"} {
		reply := f.call(OperationRefundQuery, message{"out_trade_no": "order-0001", "offset": offset})
		f.Expect(outcome(reply)).To(Equal("PARAM_ERROR"), offset)
	}
}

func TestRefundQueryFindsByItsPriority(t *testing.T) {
	f := start(t)
	payment := f.paidOrder("order-0001")
	f.paidOrder("order-0002")
	refund := f.mustCall(OperationRefund, f.refund("order-0001", "refund-1", "1"))
	for name, test := range map[string]struct {
		query message
		want  string
	}{
		"refund_id":               {message{"refund_id": refund["refund_id"], "out_refund_no": "other"}, "SUCCESS"},
		"out_refund_no":           {message{"out_refund_no": "refund-1", "transaction_id": "other"}, "SUCCESS"},
		"transaction_id":          {message{"transaction_id": payment.TransactionID, "out_trade_no": "other"}, "SUCCESS"},
		"out_trade_no":            {message{"out_trade_no": "order-0001"}, "SUCCESS"},
		"nothing":                 {message{}, "PARAM_ERROR"},
		"unknown refund_id":       {message{"refund_id": "50"}, "REFUNDNOTEXIST"},
		"unknown out_refund_no":   {message{"out_refund_no": "refund-9"}, "REFUNDNOTEXIST"},
		"unknown transaction":     {message{"transaction_id": "42"}, "INVALID_TRANSACTIONID"},
		"unknown order":           {message{"out_trade_no": "order-9999"}, "REFUNDNOTEXIST"},
		"order without refunds":   {message{"out_trade_no": "order-0002"}, "REFUNDNOTEXIST"},
		"under another appid":     {message{"out_refund_no": "refund-1", "appid": "wx0000000000000002"}, "REFUNDNOTEXIST"},
		"offset asks for a count": {message{"out_refund_no": "refund-1", "offset": "0"}, "SUCCESS"},
	} {
		t.Run(name, func(t *testing.T) {
			f := f.in(t)
			reply := f.call(OperationRefundQuery, test.query)
			f.Expect(outcome(reply)).To(Equal(test.want))
			if test.want == "SUCCESS" {
				f.Expect(reply["out_refund_no_0"]).To(Equal("refund-1"))
			}
			_, counted := reply["total_refund_count"]
			f.Expect(counted).To(Equal(test.query["offset"] != ""))
		})
	}
}

func TestBalance(t *testing.T) {
	f := start(t, func(o *Options) {
		o.Merchants[0].Balance = pointer(int64(60))
		o.Rules.MinRefundInterval = -1
	})
	f.paidOrder("order-0001")
	f.mustCall(OperationRefund, f.refund("order-0001", "refund-1", "50"))
	f.Expect(outcome(f.call(OperationRefund, f.refund("order-0001", "refund-2", "11")))).To(Equal("NOTENOUGH"))
	f.Expect(f.sim.SetBalance(testMerchant, pointer(int64(11)))).To(Succeed())
	f.mustCall(OperationRefund, f.refund("order-0001", "refund-2", "11"))
	f.Expect(f.sim.SetRefundStatus(testMerchant, "refund-1", RefundClosed)).To(Succeed())
	f.Expect(*f.sim.Ledger().Merchants[0].Balance).To(Equal(int64(50)), "a closed refund gives its amount back")
	f.Expect(f.violations()).To(BeEmpty())
}

func TestRefundPeriod(t *testing.T) {
	f := start(t)
	f.paidOrder("order-0001")
	f.clock.Step(365*24*time.Hour + time.Second)
	f.Expect(outcome(f.call(OperationRefund, f.refund("order-0001", "refund-1", "1")))).To(Equal("TRADE_OVERDUE"))
}

func TestSixInvalidRefundsBlockTheMerchant(t *testing.T) {
	f := start(t)
	f.paidOrder("order-0001")
	invalid := f.refund("order-9999", "refund-1", "1")
	for range 5 {
		f.Expect(outcome(f.call(OperationRefund, invalid))).To(Equal("ORDERNOTEXIST"))
	}
	f.clock.Step(time.Second)
	for n := range 6 {
		f.Expect(f.sim.Ledger().Merchants[0].Blocks).To(BeZero(), "five calls that are a second old, %d new ones", n)
		f.Expect(outcome(f.call(OperationRefund, invalid))).To(Equal("ORDERNOTEXIST"))
	}
	record := f.sim.Ledger().Merchants[0]
	f.Expect(record).To(And(HaveField("Blocks", 1), HaveField("InvalidRefundCalls", 11)))
	f.Expect(record.BlockedUntil).To(HaveValue(BeTemporally("==", f.clock.Now().Add(time.Minute))))

	valid := f.refund("order-0001", "refund-2", "1")
	f.clock.Step(time.Minute - time.Millisecond)
	f.Expect(outcome(f.call(OperationRefund, valid))).To(Equal("INVALID_REQ_TOO_MUCH"))
	f.mustCall(OperationOrderQuery, message{"out_trade_no": "order-0001"})
	f.clock.Step(time.Millisecond)
	f.mustCall(OperationRefund, valid)
	f.Expect(f.violations()).To(Equal([]ViolationKind{ViolationInvalidRefunds, ViolationCallWhenBlocked}))
}

func TestBadSignaturesOfRefundsCountAsInvalid(t *testing.T) {
	f := start(t)
	f.key = "wrongOnlyKey0000wrongOnlyKey0000"
	for range 6 {
		f.Expect(outcome(f.call(OperationRefund, f.refund("order-0001", "refund-1", "1")))).To(Equal("签名错误"))
	}
	f.Expect(f.violations()).To(Equal([]ViolationKind{ViolationInvalidRefunds}))
}

func TestRefundOutcomesOnDemand(t *testing.T) {
	f := start(t, func(o *Options) { o.Rules.MinRefundInterval = -1 })
	f.paidOrder("order-0001")
	for number, kind := range map[string]FaultKind{"refund-1": FaultRefundChange, "refund-2": FaultRefundClose, "refund-3": FaultRefundHold} {
		_, err := f.sim.AddFault(Fault{Operation: OperationRefund, Number: number, Kind: kind})
		f.Expect(err).NotTo(HaveOccurred())
		f.mustCall(OperationRefund, f.refund("order-0001", number, "10"))
	}
	status := func(number string) string {
		return f.mustCall(OperationRefundQuery, message{"out_refund_no": number})["refund_status_0"]
	}
	f.Expect(status("refund-1")).To(Equal("PROCESSING"))
	f.clock.Step(time.Hour)
	f.Expect(status("refund-1")).To(Equal("CHANGE"))
	f.Expect(status("refund-2")).To(Equal("REFUNDCLOSE"))
	f.Expect(status("refund-3")).To(Equal("PROCESSING"))

	f.Expect(f.sim.SetRefundStatus(testMerchant, "refund-1", RefundSuccess)).To(Succeed())
	f.Expect(status("refund-1")).To(Equal("SUCCESS"))
	f.Expect(f.sim.SetRefundStatus(testMerchant, "refund-1", RefundClosed)).To(MatchError(ErrInvalid), "SUCCESS is final")
	f.Expect(f.sim.SetRefundStatus(testMerchant, "refund-9", RefundSuccess)).To(MatchError(ErrNotFound))
	f.Expect(f.sim.SetRefundStatus(testMerchant, "refund-3", "LOST")).To(MatchError(ErrInvalid))
	f.Expect(f.mustCall(OperationRefund, f.refund("order-0001", "refund-2", "10"))["refund_id"]).NotTo(BeEmpty())
	f.Expect(status("refund-2")).To(Equal("REFUNDCLOSE"), "the number is used up")
}

func TestStaffRefundsLessenTheRest(t *testing.T) {
	f := start(t)
	f.paidOrder("order-0001")
	made, err := f.sim.RefundByStaff(testMerchant, "order-0001", 100)
	f.Expect(err).NotTo(HaveOccurred())
	f.Expect(made.RequestSource).To(Equal("VENDOR_PLATFORM"))
	f.Expect(outcome(f.call(OperationRefund, f.refund("order-0001", "refund-1", "2")))).To(Equal("INVALID_REQUEST"))
	_, err = f.sim.RefundByStaff(testMerchant, "order-0001", 2)
	f.Expect(err).To(MatchError(ErrInvalid))
	_, err = f.sim.RefundByStaff(testMerchant, "order-9999", 2)
	f.Expect(err).To(MatchError(ErrNotFound))
}
