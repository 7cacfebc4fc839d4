package simulator

import (
	"strings"
	"testing"
	"time"

	. "github.com/onsi/gomega"
)

const wapScene = `{"h5_info":{"type":"Wap","wap_url":"https://shop.example.com","wap_name":"店"}}`

func TestUnifiedOrderChecksItsFields(t *testing.T) {
	f := start(t)
	soon := func(d time.Duration) string { return f.clock.Now().Add(d).In(beijing).Format(compactTime) }
	for name, test := range map[string]struct {
		pairs []string
		want  string
	}{
		"JSAPI":                       {nil, "SUCCESS"},
		"NATIVE":                      {[]string{"trade_type", "NATIVE", "product_id", "p1", "openid", ""}, "SUCCESS"},
		"APP":                         {[]string{"trade_type", "APP", "openid", ""}, "SUCCESS"},
		"MWEB":                        {[]string{"trade_type", "MWEB", "scene_info", wapScene, "openid", ""}, "SUCCESS"},
		"no body":                     {[]string{"body", ""}, "LACK_PARAMS"},
		"no out_trade_no":             {[]string{"out_trade_no", ""}, "LACK_PARAMS"},
		"no total_fee":                {[]string{"total_fee", ""}, "LACK_PARAMS"},
		"no spbill_create_ip":         {[]string{"spbill_create_ip", ""}, "LACK_PARAMS"},
		"no notify_url":               {[]string{"notify_url", ""}, "LACK_PARAMS"},
		"no trade_type":               {[]string{"trade_type", ""}, "LACK_PARAMS"},
		"JSAPI without openid":        {[]string{"openid", ""}, "LACK_PARAMS"},
		"NATIVE without product":      {[]string{"trade_type", "NATIVE"}, "LACK_PARAMS"},
		"MWEB without scene":          {[]string{"trade_type", "MWEB"}, "LACK_PARAMS"},
		"MWEB with shop scene":        {[]string{"trade_type", "MWEB", "scene_info", `{"store_info":{"id":"1"}}`}, "PARAM_ERROR"},
		"unknown trade type":          {[]string{"trade_type", "MICROPAY"}, "PARAM_ERROR"},
		"body of 127 bytes":           {[]string{"body", strings.Repeat("b", 127)}, "SUCCESS"},
		"body of 128 bytes":           {[]string{"body", strings.Repeat("b", 128)}, "PARAM_ERROR"},
		"body of 43 three-byte signs": {[]string{"body", strings.Repeat("皂", 43)}, "PARAM_ERROR"},
		"attach of 128 bytes":         {[]string{"attach", strings.Repeat("a", 128)}, "PARAM_ERROR"},
		"number of 5":                 {[]string{"out_trade_no", "a-123"}, "PARAM_ERROR"},
		"number of 32":                {[]string{"out_trade_no", strings.Repeat("9", 32)}, "SUCCESS"},
		"number of 33":                {[]string{"out_trade_no", strings.Repeat("9", 33)}, "PARAM_ERROR"},
		"number with @":               {[]string{"out_trade_no", "order@0001"}, "PARAM_ERROR"},
		"number of all signs":         {[]string{"out_trade_no", "aZ0_-|*"}, "SUCCESS"},
		"zero":                        {[]string{"total_fee", "0"}, "PARAM_ERROR"},
		"negative":                    {[]string{"total_fee", "-1"}, "PARAM_ERROR"},
		"yuan":                        {[]string{"total_fee", "1.01"}, "PARAM_ERROR"},
		"leading zero":                {[]string{"total_fee", "0101"}, "PARAM_ERROR"},
		"beyond int32":                {[]string{"total_fee", "2147483648"}, "PARAM_ERROR"},
		"foreign currency":            {[]string{"fee_type", "USD"}, "PARAM_ERROR"},
		"no address":                  {[]string{"spbill_create_ip", "here"}, "PARAM_ERROR"},
		"IPv6":                        {[]string{"spbill_create_ip", "2001:db8::7"}, "SUCCESS"},
		"notify_url with query":       {[]string{"notify_url", "https://shop.example.com/n?a=1"}, "PARAM_ERROR"},
		"notify_url with login":       {[]string{"notify_url", "https://u:p@shop.example.com/n"}, "PARAM_ERROR"},
		"notify_url relative":         {[]string{"notify_url", "/n"}, "PARAM_ERROR"},
		"notify_url ftp":              {[]string{"notify_url", "ftp://shop.example.com/n"}, "PARAM_ERROR"},
		"limit_pay":                   {[]string{"limit_pay", "no_debit"}, "PARAM_ERROR"},
		"profit_sharing":              {[]string{"profit_sharing", "y"}, "PARAM_ERROR"},
		"expires in 5 minutes":        {[]string{"time_expire", soon(5 * time.Minute)}, "SUCCESS"},
		"expires in less":             {[]string{"time_expire", soon(5*time.Minute - time.Second)}, "INVALID_REQUEST"},
		"expires in another format":   {[]string{"time_expire", "2026-11-21 10:00"}, "PARAM_ERROR"},
		"expires on no day":           {[]string{"time_expire", "20270231100000"}, "PARAM_ERROR"},
	} {
		t.Run(name, func(t *testing.T) {
			f := f.in(t)
			number := "n" + randomDigits(12)
			reply := f.call(OperationUnifiedOrder, f.order(number, test.pairs...))
			f.Expect(outcome(reply)).To(Equal(test.want), "%v", reply)
			if test.want != "SUCCESS" {
				f.Expect(f.sim.Ledger().Order(testMerchant, number)).To(BeNil())
			}
		})
	}
	reply := f.call(OperationUnifiedOrder, f.order("order-late", "time_expire", soon(time.Minute)))
	f.Expect(reply["err_code_des"]).To(Equal("time_expire时间过短,刷卡至少1分钟,其他5分钟"))
	f.Expect(f.violations()).To(BeEmpty())
}

func TestStrictNotifyURL(t *testing.T) {
	for url, want := range map[string]string{
		"https://shop.example.com/notify":      "SUCCESS",
		"http://shop.example.com/notify":       "PARAM_ERROR",
		"https://shop.example.com:8443/notify": "PARAM_ERROR",
		"https://localhost/notify":             "PARAM_ERROR",
		"https://shop/notify":                  "PARAM_ERROR",
		"https://10.0.0.7/notify":              "PARAM_ERROR",
		"https://[::1]/notify":                 "PARAM_ERROR",
		"https://203.0.113.7/notify":           "SUCCESS",
	} {
		err := checkNotifyURL(message{"notify_url": url}, true)
		NewWithT(t).Expect(err == nil).To(Equal(want == "SUCCESS"), url)
	}
}

func TestAnswersOfTheTradeTypes(t *testing.T) {
	f := start(t)
	jsapi := f.mustCall(OperationUnifiedOrder, f.order("order-0001", "device_info", "WEB"))
	f.Expect(jsapi["prepay_id"]).To(And(HavePrefix("wx"), HaveLen(36)))
	f.Expect(jsapi["device_info"]).To(Equal("WEB"))
	f.Expect(jsapi).NotTo(Or(HaveKey("code_url"), HaveKey("mweb_url")))
	native := f.mustCall(OperationUnifiedOrder, f.order("order-0002", "trade_type", "NATIVE", "product_id", "p"))
	f.Expect(native["code_url"]).To(HavePrefix("weixin://wxpay/bizpayurl?pr="))
	mweb := f.mustCall(OperationUnifiedOrder, f.order("order-0003", "trade_type", "MWEB", "scene_info", wapScene))
	f.Expect(mweb["mweb_url"]).To(ContainSubstring(mweb["prepay_id"]))
}

func TestSendingANumberAgain(t *testing.T) {
	for state, test := range map[string]struct {
		bring      func(f *fixture)
		same       string
		other      string
		otherWords string
	}{
		"not paid": {func(*fixture) {}, "SUCCESS", "INVALID_REQUEST", "201 商户订单号重复"},
		"close to its deadline": {func(f *fixture) { f.clock.Step(58 * time.Minute) }, "SUCCESS", "INVALID_REQUEST",
			"201 商户订单号重复"},
		"expired": {func(f *fixture) { f.clock.Step(2 * time.Hour) }, "SUCCESS", "INVALID_REQUEST", "201 商户订单号重复"},
		"paid": {func(f *fixture) {
			_, err := f.sim.Pay(testMerchant, "order-0001", PayOptions{})
			f.Expect(err).NotTo(HaveOccurred())
		}, "ORDERPAID", "ORDERPAID", "该订单已支付"},
		"closed": {func(f *fixture) {
			f.mustCall(OperationCloseOrder, message{"out_trade_no": "order-0001"})
		}, "ORDERCLOSED", "ORDERCLOSED", "订单已关闭"},
		"refunded": {func(f *fixture) {
			_, err := f.sim.Pay(testMerchant, "order-0001", PayOptions{})
			f.Expect(err).NotTo(HaveOccurred())
			f.mustCall(OperationRefund, f.refund("order-0001", "refund-1", "101"))
		}, "ORDERPAID", "ORDERPAID", "该订单已支付"},
	} {
		t.Run(state, func(t *testing.T) {
			f := start(t)
			order := f.order("order-0001", "time_expire", f.clock.Now().Add(time.Hour).In(beijing).Format(compactTime))
			first := f.mustCall(OperationUnifiedOrder, order)
			test.bring(f)
			again := f.call(OperationUnifiedOrder, order)
			f.Expect(outcome(again)).To(Equal(test.same))
			f.Expect(f.violations()).To(BeEmpty(), "the same parameters are no violation")
			if test.same == "SUCCESS" {
				f.Expect(again["prepay_id"]).NotTo(BeEmpty())
				f.Expect(again["prepay_id"]).NotTo(Equal(first["prepay_id"]))
			}
			for field, value := range map[string]string{"total_fee": "102", "body": "soap", "attach": "new", "time_expire": "20990101000000"} {
				reply := f.call(OperationUnifiedOrder, order.with(field, value))
				f.Expect(outcome(reply)).To(Equal(test.other), field)
				f.Expect(reply["err_code_des"]).To(Equal(test.otherWords), field)
			}
			ledger := f.sim.Ledger()
			f.Expect(ledger.Orders).To(HaveLen(1))
			f.Expect(ledger.Orders[0].UnifiedOrderCalls).To(Equal(6))
			f.Expect(ledger.Orders[0].TotalFee).To(Equal(int64(101)), "the first call stands")
			f.Expect(ledger.ViolationsOf(ViolationOrderParams)).To(HaveLen(4))
		})
	}
}

func TestNumbersAreUniquePerMerchant(t *testing.T) {
	f := start(t)
	f.Expect(f.sim.AddMerchant(Merchant{MchID: "1900000110", AppIDs: []string{testApp}, APIKey: testKey})).To(Succeed())
	f.mustCall(OperationUnifiedOrder, f.order("order-0001"))
	f.mustCall(OperationUnifiedOrder, f.order("order-0001", "mch_id", "1900000110", "total_fee", "7"))
	f.Expect(f.violations()).To(BeEmpty())
	f.Expect(outcome(f.call(OperationUnifiedOrder, f.order("order-0001", "appid", "wx0000000000000002")))).
		To(Equal("INVALID_REQUEST"), "across the appids of one merchant")
}

func TestOrderQueryTellsOnlyWhatIsPromised(t *testing.T) {
	f := start(t)
	f.mustCall(OperationUnifiedOrder, f.order("order-0001", "attach", "a b"))
	reply := f.mustCall(OperationOrderQuery, message{"out_trade_no": "order-0001"})
	f.Expect(reply["trade_state"]).To(Equal("NOTPAY"))
	f.Expect(reply["attach"]).To(Equal("a b"))
	f.Expect(reply).NotTo(Or(HaveKey("total_fee"), HaveKey("transaction_id"), HaveKey("trade_type")))
	f.Expect(outcome(f.call(OperationOrderQuery, message{}))).To(Equal("PARAM_ERROR"))

	payment, err := f.sim.Pay(testMerchant, "order-0001", PayOptions{
		Coupons: []Coupon{{ID: "c1", Type: "CASH", Fee: 10}, {ID: "c2", Type: "NO_CASH", Fee: 5}},
	})
	f.Expect(err).NotTo(HaveOccurred())
	paid := f.mustCall(OperationOrderQuery, message{"transaction_id": payment.TransactionID, "out_trade_no": "order-9999"})
	for name, want := range map[string]string{
		"trade_state": "SUCCESS", "total_fee": "101", "fee_type": "CNY", "cash_fee": "86", "coupon_fee": "15", "coupon_count": "2",
		"coupon_id_0": "c1", "coupon_type_1": "NO_CASH", "coupon_fee_1": "5", "settlement_total_fee": "96",
		"transaction_id": payment.TransactionID, "openid": "oUpF8uMuAJO_M2pxb1Q9zNjWeS6o", "trade_type": "JSAPI",
		"time_end": f.clock.Now().In(beijing).Format(compactTime), "out_trade_no": "order-0001", "attach": "a b",
	} {
		f.Expect(paid[name]).To(Equal(want), name)
	}

	f.mustCall(OperationRefund, f.refund("order-0001", "refund-1", "1"))
	refunded := f.mustCall(OperationOrderQuery, message{"out_trade_no": "order-0001"})
	f.Expect(refunded["trade_state"]).To(Equal("REFUND"), "a partial refund as well")
	f.Expect(refunded["total_fee"]).To(Equal("101"))
}

func TestExpiryClosesNothing(t *testing.T) {
	f := start(t)
	expire := f.clock.Now().Add(10 * time.Minute).In(beijing).Format(compactTime)
	f.mustCall(OperationUnifiedOrder, f.order("order-0001", "time_expire", expire))
	f.clock.Step(30 * 24 * time.Hour)
	f.Expect(f.mustCall(OperationOrderQuery, message{"out_trade_no": "order-0001"})["trade_state"]).To(Equal("NOTPAY"))
	_, err := f.sim.Pay(testMerchant, "order-0001", PayOptions{})
	f.Expect(err).To(MatchError(ErrOrderExpired))
	f.mustCall(OperationCloseOrder, message{"out_trade_no": "order-0001"})
}

func TestOrdersWithoutDeadlineCloseBySevenDays(t *testing.T) {
	f := start(t)
	f.mustCall(OperationUnifiedOrder, f.order("order-0001"))
	f.clock.Step(7*24*time.Hour + time.Second)
	f.Expect(f.mustCall(OperationOrderQuery, message{"out_trade_no": "order-0001"})["trade_state"]).To(Equal("CLOSED"))
}

func TestCloseOrder(t *testing.T) {
	f := start(t)
	number := message{"out_trade_no": "order-0001"}
	f.Expect(outcome(f.call(OperationCloseOrder, message{}))).To(Equal("LACK_PARAMS"))
	f.Expect(outcome(f.call(OperationCloseOrder, number))).To(Equal("ORDERNOTEXIST"))
	f.mustCall(OperationUnifiedOrder, f.order("order-0001"))
	f.Expect(f.mustCall(OperationCloseOrder, number)["result_msg"]).To(Equal("OK"))
	f.Expect(outcome(f.call(OperationCloseOrder, number))).To(Equal("ORDERCLOSED"))
	f.Expect(f.mustCall(OperationOrderQuery, number)["trade_state"]).To(Equal("CLOSED"))
	f.paidOrder("order-0002")
	f.Expect(outcome(f.call(OperationCloseOrder, message{"out_trade_no": "order-0002"}))).To(Equal("ORDERPAID"))
}

func TestEarlyCloseIsRefusedOnDemand(t *testing.T) {
	f := start(t, func(o *Options) { o.TimeScale, o.Rules.RefuseEarlyClose = 60, true })
	f.mustCall(OperationUnifiedOrder, f.order("order-0001"))
	f.clock.Step(5*time.Second - time.Millisecond)
	f.Expect(outcome(f.call(OperationCloseOrder, message{"out_trade_no": "order-0001"}))).To(Equal("TRADE_STATE_ERROR"))
	f.clock.Step(time.Millisecond)
	f.mustCall(OperationCloseOrder, message{"out_trade_no": "order-0001"})
}

func TestPayerIsRefusedAsWeChatRefuses(t *testing.T) {
	f := start(t)
	_, err := f.sim.Pay(testMerchant, "order-0001", PayOptions{})
	f.Expect(err).To(MatchError(ErrNotFound))
	first := f.mustCall(OperationUnifiedOrder, f.order("order-0001"))
	f.clock.Step(2 * time.Hour)
	_, err = f.sim.PayByPrepayID(first["prepay_id"], PayOptions{})
	f.Expect(err).To(MatchError(ErrPrepayExpired))
	second := f.mustCall(OperationUnifiedOrder, f.order("order-0001"))
	_, err = f.sim.PayByPrepayID(first["prepay_id"], PayOptions{})
	f.Expect(err).To(MatchError(ErrPrepayExpired), "a new prepay_id does not revive the old one")
	payment, err := f.sim.PayByPrepayID(second["prepay_id"], PayOptions{})
	f.Expect(err).NotTo(HaveOccurred())
	f.Expect(payment.TransactionID).To(HaveLen(28))
	_, err = f.sim.PayAfterClose(testMerchant, "order-0001", PayOptions{})
	f.Expect(err).To(MatchError(ErrOrderPaid), "nothing is ever paid twice")

	f.mustCall(OperationUnifiedOrder, f.order("order-0002"))
	f.mustCall(OperationCloseOrder, message{"out_trade_no": "order-0002"})
	_, err = f.sim.Pay(testMerchant, "order-0002", PayOptions{})
	f.Expect(err).To(MatchError(ErrOrderClosed))
	late, err := f.sim.PayAfterClose(testMerchant, "order-0002", PayOptions{})
	f.Expect(err).NotTo(HaveOccurred())
	f.Expect(late.Forced).To(BeTrue())
	f.Expect(f.mustCall(OperationOrderQuery, message{"out_trade_no": "order-0002"})["trade_state"]).To(Equal("SUCCESS"))

	f.mustCall(OperationUnifiedOrder, f.order("order-0003"))
	_, err = f.sim.Pay(testMerchant, "order-0003", PayOptions{TransactionID: late.TransactionID})
	f.Expect(err).To(MatchError(ErrInvalid))
	_, err = f.sim.Pay(testMerchant, "order-0003", PayOptions{Coupons: []Coupon{{Fee: 102}}})
	f.Expect(err).To(MatchError(ErrInvalid))
}

func TestForeignCurrencyAndOtherAmount(t *testing.T) {
	f := start(t, func(o *Options) { o.Merchants[0].Currencies = []string{"USD"} })
	f.mustCall(OperationUnifiedOrder, f.order("order-0001", "fee_type", "USD", "total_fee", "42"))
	_, err := f.sim.Pay(testMerchant, "order-0001", PayOptions{
		CashFee: pointer(int64(301)), CashFeeType: "CNY", RateValue: "717420000", TotalFee: pointer(int64(43)),
	})
	f.Expect(err).NotTo(HaveOccurred())
	reply := f.mustCall(OperationOrderQuery, message{"out_trade_no": "order-0001"})
	f.Expect(reply).To(And(HaveKeyWithValue("fee_type", "USD"), HaveKeyWithValue("total_fee", "43"), HaveKeyWithValue("cash_fee", "301"),
		HaveKeyWithValue("cash_fee_type", "CNY"), HaveKeyWithValue("rate_value", "717420000")))
}

func TestPayersPayByThemselves(t *testing.T) {
	f := start(t, func(o *Options) { o.PayAfter = time.Minute })
	state := func(number string) TradeState { return f.sim.Ledger().Order(testMerchant, number).State }
	f.mustCall(OperationUnifiedOrder, f.order("order-0001"))
	f.mustCall(OperationUnifiedOrder, f.order("order-0001")) // a second prepay_id is no second payment
	f.mustCall(OperationUnifiedOrder, f.order("order-0002"))
	f.mustCall(OperationCloseOrder, message{"out_trade_no": "order-0002"})
	f.Expect(state("order-0001")).To(Equal(StateNotPay))
	f.clock.Step(time.Minute)
	f.Eventually(func() TradeState { return state("order-0001") }).WithTimeout(10 * time.Second).Should(Equal(StateSuccess))
	f.delivered(OperationPaymentCallback, "order-0001", CallbackDelivered)
	f.Expect(state("order-0002")).To(Equal(StateClosed))
	f.Expect(f.sim.Ledger().CallbacksOf(OperationPaymentCallback, "")).To(HaveLen(1))
}
