package v3

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/wechatpay-operator/wechatpay-operator/internal/wechatpay"
)

func ptr(n int64) *int64 { return &n }

func testPayment() wechatpay.Payment {
	return wechatpay.Payment{
		AppID: testAppID, MchID: testMchID, OutTradeNo: testNumber, TransactionID: "4200000000202406011234567890",
		Total: 101, Currency: "CNY", CashTotal: ptr(100), CashCurrency: "CNY", CouponTotal: ptr(1), OpenID: testOpenID,
		BankType: "OTHERS", PaidTime: time.Unix(1717199998, 0), TradeType: "JSAPI", Attach: "ns=default",
	}
}

func TestQueries(t *testing.T) {
	noCoupon := testPayment()
	noCoupon.CashTotal, noCoupon.CouponTotal = ptr(101), nil
	minimal := testPayment()
	minimal.CashTotal, minimal.CouponTotal, minimal.CashCurrency, minimal.OpenID, minimal.PaidTime = nil, nil, "", "", time.Time{}
	h5 := testPayment()
	h5.TradeType = "MWEB"
	bySub := testPayment()
	bySub.OpenID, bySub.SubOpenID = "", testSubOpenID
	for name, c := range map[string]struct {
		body    string
		partner bool
		want    wechatpay.Trade
	}{
		"not paid":       {tradeBody("NOTPAY", nil), false, wechatpay.Trade{State: wechatpay.TradeStateNotPay}},
		"closed":         {tradeBody("CLOSED", map[string]any{"attach": "x"}), false, wechatpay.Trade{State: wechatpay.TradeStateClosed, Attach: "x"}},
		"unknown":        {tradeBody("SOMETHING", nil), false, wechatpay.Trade{State: "SOMETHING"}},
		"few members":    {`{"out_trade_no":"` + testNumber + `","trade_state":"NOTPAY"}`, false, wechatpay.Trade{State: wechatpay.TradeStateNotPay}},
		"paid":           {tradeBody("SUCCESS", nil), false, wechatpay.Trade{State: wechatpay.TradeStateSuccess, Attach: "ns=default", Payment: testPayment()}},
		"refunded":       {tradeBody("REFUND", nil), false, wechatpay.Trade{State: wechatpay.TradeStateRefund, Attach: "ns=default", Payment: testPayment()}},
		"h5":             {tradeBody("SUCCESS", map[string]any{"trade_type": "MWEB"}), false, wechatpay.Trade{State: wechatpay.TradeStateSuccess, Attach: "ns=default", Payment: h5}},
		"without coupon": {tradeBody("SUCCESS", map[string]any{"amount": map[string]any{"total": 101, "payer_total": 101, "currency": "CNY", "payer_currency": "CNY"}}), false, wechatpay.Trade{State: wechatpay.TradeStateSuccess, Attach: "ns=default", Payment: noCoupon}},
		"the rest unsaid": {tradeBody("SUCCESS", map[string]any{"amount": map[string]any{"total": 101}, "payer": nil, "success_time": "yesterday"}), false,
			wechatpay.Trade{State: wechatpay.TradeStateSuccess, Attach: "ns=default", Payment: minimal}},
		"nulls": {tradeBody("SUCCESS", nil)[:len(tradeBody("SUCCESS", nil))-1] + `,"promotion_detail":null,"scene_info":null}`, false, wechatpay.Trade{State: wechatpay.TradeStateSuccess, Attach: "ns=default", Payment: testPayment()}},
		"more than the total was paid": {tradeBody("SUCCESS", map[string]any{"amount": map[string]any{"total": 101, "payer_total": 102}, "payer": nil, "success_time": ""}), false,
			wechatpay.Trade{State: wechatpay.TradeStateSuccess, Attach: "ns=default", Payment: minimal}},
		"partner":           {partnerBody("SUCCESS", nil), true, wechatpay.Trade{State: wechatpay.TradeStateSuccess, Attach: "ns=default", Payment: bySub}},
		"partner, not paid": {partnerBody("NOTPAY", nil), true, wechatpay.Trade{State: wechatpay.TradeStateNotPay}},
	} {
		t.Run(name, func(t *testing.T) {
			s := newServer(t, says(200, c.body))
			client, target := s.client(t), "/v3/pay/transactions/out-trade-no/ord_20260101-0001?mchid=1900000001"
			if c.partner {
				client, target = s.partnerClient(t), "/v3/pay/partner/transactions/out-trade-no/ord_20260101-0001?sp_mchid=1900000001&sub_mchid=1900000109"
			}
			got, err := client.QueryOrder(t.Context(), testOrderRef)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(c.want, got); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
			if sent := s.only(t); sent.method != "GET" || sent.target != target || sent.body != "" || sent.header.Get("Content-Type") != "" {
				t.Errorf("%+v", sent)
			}
		})
	}
}

func TestTradesThatAreNotTaken(t *testing.T) {
	amount := func(text string) string {
		return `{"appid":"a","mchid":"1900000001","out_trade_no":"` + testNumber + `","trade_state":"SUCCESS","transaction_id":"1","amount":{"total":` + text + `}}`
	}
	for want, c := range map[string]struct {
		body    string
		partner bool
	}{
		"the reply is for another out_trade_no":                                                                {tradeBody("NOTPAY", map[string]any{"out_trade_no": "other-0001"}), false},
		"the reply has no trade_state":                                                                         {tradeBody("", nil), false},
		"the reply is not for this call: mchid is not ours":                                                    {tradeBody("NOTPAY", map[string]any{"mchid": "1900000002"}), false},
		"the reply is not for this call: mchid is missing":                                                     {tradeBody("SUCCESS", map[string]any{"mchid": nil}), false},
		"the reply is not for this call: it is a service provider's, and this Merchant is not one's":           {partnerBody("SUCCESS", nil), false},
		"the reply is not for this call: it is a direct merchant's, and this Merchant is a service provider's": {tradeBody("SUCCESS", nil), true},
		"the reply is not for this call: sub_mchid is another sub merchant's":                                  {partnerBody("NOTPAY", map[string]any{"sub_mchid": "1900000110"}), true},
		"the reply is not for this call: sp_mchid is not ours":                                                 {partnerBody("NOTPAY", map[string]any{"sp_mchid": "1900000110"}), true},
		"the reply is not for this call: sp_mchid or sub_mchid is missing":                                     {partnerBody("SUCCESS", map[string]any{"sub_mchid": nil}), true},
		"the reply is incomplete: appid is missing":                                                            {tradeBody("SUCCESS", map[string]any{"appid": nil}), false},
		"the reply is incomplete: transaction_id is missing":                                                   {tradeBody("SUCCESS", map[string]any{"transaction_id": nil}), false},
		"the reply is incomplete: transaction_id holds control characters":                                     {tradeBody("SUCCESS", map[string]any{"transaction_id": "1\u202e2"}), false},
	} {
		s := newServer(t, says(200, c.body))
		client := s.client(t)
		if c.partner {
			client = s.partnerClient(t)
		}
		_, err := client.QueryOrder(t.Context(), testOrderRef)
		expect(t, err, wechatpay.Unknown, wechatpay.NeedsAttention, "QueryOrder: "+want)
	}
	for text, want := range map[string]string{
		"1.0": "/amount/total has a value of the wrong type", "1e2": "/amount/total has a value of the wrong type", `"101"`: "/amount/total has a value of the wrong type",
		"9223372036854775808": "/amount/total has a value of the wrong type", "true": "/amount/total has a value of the wrong type",
		"101,\"total\":102": "a member occurs twice", "0101": "it is not JSON",
		"0": "", "-1": "", "null": "", "1000000000000001": "",
	} {
		prefix := "QueryOrder: the reply cannot be read: " + want
		if want == "" {
			prefix = "QueryOrder: the reply is incomplete: amount.total is not an amount"
		}
		_, err := newServer(t, says(200, amount(text))).client(t).QueryOrder(t.Context(), testOrderRef)
		expect(t, err, wechatpay.Unknown, wechatpay.NeedsAttention, prefix)
	}
}

func TestClose(t *testing.T) {
	for _, partner := range []bool{false, true} {
		s := newServer(t, says(204, ""))
		client, target, body := s.client(t), "/v3/pay/transactions/out-trade-no/ord_20260101-0001/close", `{"mchid":"1900000001"}`
		if partner {
			client, target, body = s.partnerClient(t), "/v3/pay/partner/transactions/out-trade-no/ord_20260101-0001/close", `{"sp_mchid":"1900000001","sub_mchid":"1900000109"}`
		}
		if err := client.CloseOrder(t.Context(), testOrderRef); err != nil {
			t.Fatal(err)
		}
		if sent := s.only(t); sent.method != "POST" || sent.target != target || sent.body != body {
			t.Errorf("%+v", sent)
		}
	}
	for name, c := range map[string]struct {
		answer  answer
		outcome wechatpay.Outcome
		meaning wechatpay.Meaning
	}{
		"closed":                {fails(400, "ORDER_CLOSED"), "", ""},
		"closed, unsigned":      {unsigned(400, errorBody("ORDER_CLOSED", "x")), wechatpay.Refused, wechatpay.OrderClosed},
		"paid":                  {fails(400, "ORDERPAID"), wechatpay.Failed, wechatpay.OrderPaid},
		"too early":             {fails(400, "INVALID_REQUEST"), wechatpay.Failed, wechatpay.StateConflict},
		"another call's answer": {says(200, tradeBody("NOTPAY", nil)), wechatpay.Unknown, wechatpay.NeedsAttention},
		"an error as 204":       {says(200, errorBody("ORDER_PAID", "x")), wechatpay.Unknown, wechatpay.NeedsAttention},
	} {
		err := newServer(t, c.answer).client(t).CloseOrder(t.Context(), testOrderRef)
		if c.outcome == "" {
			if err != nil {
				t.Errorf("%s: %v", name, err)
			}
			continue
		}
		expect(t, err, c.outcome, c.meaning, "")
	}
}

// TestNumbersAreEscapedOnce: a vertical bar is %7C on the wire and in the signature, which the
// server verifies.
func TestNumbersAreEscapedOnce(t *testing.T) {
	s := newServer(t, says(204, ""))
	if err := s.client(t).CloseOrder(t.Context(), wechatpay.OrderRef{OutTradeNo: "a|b*c-0001"}); err != nil {
		t.Fatal(err)
	}
	if sent := s.only(t); sent.target != "/v3/pay/transactions/out-trade-no/a%7Cb%2Ac-0001/close" {
		t.Error(sent.target)
	}
}

func TestNumbersThatNoAddressHolds(t *testing.T) {
	c := newTestClient(t, testOptions())
	for _, number := range []string{"", "short", "../../../x", "a?b=c&d=e", "ord 0001", "ord-0001/close", "订单0000001"} {
		_, err := c.QueryOrder(t.Context(), wechatpay.OrderRef{OutTradeNo: number})
		expect(t, err, wechatpay.NotSent, wechatpay.Rejected, "")
		err = c.CloseOrder(t.Context(), wechatpay.OrderRef{OutTradeNo: number})
		expect(t, err, wechatpay.NotSent, wechatpay.Rejected, "")
	}
	for _, number := range []string{"", "../x", "a?b=c", "r 1"} {
		_, err := c.QueryRefund(t.Context(), wechatpay.RefundRef{OutRefundNo: number})
		expect(t, err, wechatpay.NotSent, wechatpay.Rejected, "")
	}
}
