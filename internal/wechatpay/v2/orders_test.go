package v2

import (
	"maps"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/wechatpay-operator/wechatpay-operator/internal/wechatpay"
)

// fullOrder has every parameter.
func fullOrder() wechatpay.OrderRequest {
	order := testOrder()
	order.TradeType = wechatpay.TradeTypeMWEB
	order.OpenID, order.Attach, order.GoodsTag, order.DeviceInfo = "oUpF8uMuAJO", "a=1 & b=]]>", "WXG", "WEB"
	order.Goods = &wechatpay.Goods{Items: []wechatpay.GoodsItem{{ID: "1", Name: "A & B <1>", Quantity: 1, Price: 101}}}
	order.H5 = &wechatpay.H5{Type: wechatpay.H5TypeWap}
	order.LimitPay, order.Receipt, order.ProfitSharing = "no_credit", "Y", "N"
	// 20:30 in New York is 8:30 in Beijing on the next morning.
	order.ExpireTime = time.Date(2026, 1, 1, 20, 30, 0, 0, time.FixedZone("New York", -4*60*60))
	return order
}

func TestUnifiedOrderSendsEveryParameter(t *testing.T) {
	s := newServer(t, done(map[string]string{"trade_type": "MWEB", "prepay_id": "wx2016", "mweb_url": "https://wx.tenpay.com/" + strings.Repeat("x", 300)}))
	got, err := s.client(t).CreateOrder(t.Context(), fullOrder())
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(wechatpay.Prepay{ID: "wx2016", MWEBURL: "https://wx.tenpay.com/" + strings.Repeat("x", 300), Scheme: HMACSHA256}, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	want := map[string]string{
		"appid": testAppID, "mch_id": testMchID, "sign_type": "HMAC-SHA256",
		"attach": "a=1 & b=]]>", "body": "肥皂 x1", "detail": `{"goods_detail":[{"goods_id":"1","goods_name":"A & B <1>","quantity":1,"price":101}]}`, "device_info": "WEB",
		"fee_type": "CNY", "goods_tag": "WXG", "limit_pay": "no_credit", "notify_url": "https://pay.example.com/notify", "openid": "oUpF8uMuAJO",
		"out_trade_no": testNumber, "product_id": "12", "profit_sharing": "N", "receipt": "Y", "scene_info": `{"h5_info":{"type":"Wap"}}`,
		"spbill_create_ip": "203.0.113.7", "time_expire": "20260102083000", "total_fee": "101", "trade_type": "MWEB",
	}
	if diff := cmp.Diff(want, without(s.only(t).fields, "nonce_str", "sign")); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

func TestUnifiedOrderLeavesOutWhatIsNotSet(t *testing.T) {
	s := newServer(t, done(doneFields[wechatpay.OperationCreateOrder]))
	if _, err := s.client(t).CreateOrder(t.Context(), testOrder()); err != nil {
		t.Fatal(err)
	}
	for name, value := range s.only(t).fields {
		if value == "" {
			t.Errorf("%s is sent empty", name)
		}
	}
	if _, sent := s.only(t).fields["time_expire"]; sent {
		t.Error("time_expire is sent although none was asked for")
	}
}

func TestAnUnknownAddressHasAConstantStandIn(t *testing.T) {
	s := newServer(t, done(doneFields[wechatpay.OperationCreateOrder]))
	order := testOrder()
	order.ClientIP = ""
	if _, err := s.client(t).CreateOrder(t.Context(), order); err != nil {
		t.Fatal(err)
	}
	if got := s.only(t).fields["spbill_create_ip"]; got != "127.0.0.1" {
		t.Errorf("spbill_create_ip is %q", got)
	}
}

func TestOrdersThatAreNotSent(t *testing.T) {
	for name, c := range map[string]struct {
		change func(*wechatpay.OrderRequest)
		text   string
	}{
		"no number":           {func(o *wechatpay.OrderRequest) { o.OutTradeNo = "" }, "out_trade_no is missing"},
		"no appid":            {func(o *wechatpay.OrderRequest) { o.AppID = "" }, "appid is missing"},
		"no body":             {func(o *wechatpay.OrderRequest) { o.Description = "" }, "body is missing"},
		"no notify URL":       {func(o *wechatpay.OrderRequest) { o.NotifyURL = "" }, "notify_url is missing"},
		"no trade type":       {func(o *wechatpay.OrderRequest) { o.TradeType = "" }, "trade_type is missing"},
		"nothing to pay":      {func(o *wechatpay.OrderRequest) { o.Total = 0 }, "total_fee is out of range"},
		"less than nothing":   {func(o *wechatpay.OrderRequest) { o.Total = -1 }, "total_fee is out of range"},
		"more than there is":  {func(o *wechatpay.OrderRequest) { o.Total = maxAmount + 1 }, "total_fee is out of range"},
		"carriage return":     {func(o *wechatpay.OrderRequest) { o.Attach = "a\r\nb" }, "attach contains a carriage return"},
		"white space outside": {func(o *wechatpay.OrderRequest) { o.Description = "soap " }, "body begins or ends with white space"},
		"control character":   {func(o *wechatpay.OrderRequest) { o.Attach = "a\x00b" }, "attach contains a character that XML does not allow"},
		"not UTF-8":           {func(o *wechatpay.OrderRequest) { o.GoodsTag = "\xff" }, "goods_tag is not valid UTF-8"},
	} {
		t.Run(name, func(t *testing.T) {
			s := newServer(t, done(nil))
			order := testOrder()
			c.change(&order)
			_, err := s.client(t).CreateOrder(t.Context(), order)
			expect(t, err, wechatpay.NotSent, wechatpay.Rejected, "CreateOrder: "+c.text)
			if len(s.seen()) != 0 {
				t.Error("it was sent")
			}
		})
	}
}

func TestRepliesToUnifiedOrderThatHelpNoPayer(t *testing.T) {
	for name, c := range map[string]struct {
		tradeType wechatpay.TradeType
		fields    map[string]string
		text      string
	}{
		"no prepay_id":       {wechatpay.TradeTypeJSAPI, map[string]string{}, "the reply has no prepay_id"},
		"no code_url":        {wechatpay.TradeTypeNative, map[string]string{"prepay_id": "1"}, "the reply has no code_url"},
		"no mweb_url":        {wechatpay.TradeTypeMWEB, map[string]string{"prepay_id": "1"}, "the reply has no mweb_url"},
		"another trade type": {wechatpay.TradeTypeApp, map[string]string{"prepay_id": "1", "trade_type": "JSAPI"}, "the reply is for another trade_type"},
	} {
		t.Run(name, func(t *testing.T) {
			order := testOrder()
			order.TradeType = c.tradeType
			_, err := newServer(t, done(c.fields)).client(t).CreateOrder(t.Context(), order)
			expect(t, err, wechatpay.Unknown, wechatpay.NeedsAttention, "CreateOrder: "+c.text)
		})
	}
	order := testOrder()
	order.TradeType = wechatpay.TradeTypeApp
	got, err := newServer(t, done(map[string]string{"prepay_id": "1"})).client(t).CreateOrder(t.Context(), order)
	if err != nil || got.ID != "1" {
		t.Errorf("a prepay_id is all that an app needs: %v", err)
	}
}

// paidFields are the fields of a paid order with a coupon in orderquery and the payment callback.
func paidFields() map[string]string {
	return map[string]string{
		"out_trade_no": testNumber, "transaction_id": "4200000000202601010000000001", "total_fee": "101", "fee_type": "CNY",
		"cash_fee": "81", "cash_fee_type": "CNY", "settlement_total_fee": "91", "coupon_fee": "20", "coupon_count": "1",
		"coupon_fee_0": "20", "coupon_id_0": "10000", "coupon_type_0": "NO_CASH", "openid": "oUpF8uMEb4qRXf22hE3X68TekukE",
		"bank_type": "OTHERS", "time_end": "20260101120500", "trade_type": "NATIVE", "attach": "支付测试", "some_future_field": "v",
	}
}

func paidPayment(t *testing.T) wechatpay.Payment {
	cash, settlement, coupon := int64(81), int64(91), int64(20)
	return wechatpay.Payment{
		AppID: testAppID, MchID: testMchID, OutTradeNo: testNumber, TransactionID: "4200000000202601010000000001",
		Total: 101, Currency: "CNY", CashTotal: &cash, CashCurrency: "CNY", SettlementTotal: &settlement, CouponTotal: &coupon,
		OpenID: "oUpF8uMEb4qRXf22hE3X68TekukE", BankType: "OTHERS", PaidTime: beijingTime(t, "2026-01-01T12:05:00"),
		TradeType: "NATIVE", Attach: "支付测试",
	}
}

func with(message, more map[string]string) map[string]string {
	message = maps.Clone(message)
	maps.Copy(message, more)
	return message
}

func TestQueryOrder(t *testing.T) {
	least := wechatpay.Payment{
		AppID: testAppID, MchID: testMchID, OutTradeNo: testNumber, TransactionID: "42", Total: 101, Currency: "CNY",
	}
	foreign := paidPayment(t)
	foreign.Total, foreign.Currency = 42, "USD"
	for name, c := range map[string]struct {
		fields map[string]string
		want   wechatpay.Trade
	}{
		"paid": {with(paidFields(), map[string]string{"trade_state": "SUCCESS", "trade_state_desc": "支付成功"}),
			wechatpay.Trade{State: wechatpay.TradeStateSuccess, Attach: "支付测试", Payment: paidPayment(t)}},
		"refunded was paid": {with(paidFields(), map[string]string{"trade_state": "REFUND"}),
			wechatpay.Trade{State: wechatpay.TradeStateRefund, Attach: "支付测试", Payment: paidPayment(t)}},
		"paid, in as few words as can be": {map[string]string{"out_trade_no": testNumber, "trade_state": "SUCCESS", "transaction_id": "42", "total_fee": "101"},
			wechatpay.Trade{State: wechatpay.TradeStateSuccess, Payment: least}},
		"paid, details in no shape we know": {map[string]string{"out_trade_no": testNumber, "trade_state": "SUCCESS", "transaction_id": "42", "total_fee": "101", "cash_fee": "0.81", "time_end": "noon"},
			wechatpay.Trade{State: wechatpay.TradeStateSuccess, Payment: least}},
		"paid in another currency": {with(paidFields(), map[string]string{"trade_state": "SUCCESS", "total_fee": "42", "fee_type": "USD"}),
			wechatpay.Trade{State: wechatpay.TradeStateSuccess, Attach: "支付测试", Payment: foreign}},
		"not paid": {map[string]string{"out_trade_no": testNumber, "trade_state": "NOTPAY", "trade_state_desc": "订单未支付", "total_fee": "101"},
			wechatpay.Trade{State: wechatpay.TradeStateNotPay}},
		"closed":               {map[string]string{"out_trade_no": testNumber, "trade_state": "CLOSED"}, wechatpay.Trade{State: wechatpay.TradeStateClosed}},
		"a state of next year": {map[string]string{"out_trade_no": testNumber, "trade_state": "NEXT"}, wechatpay.Trade{State: "NEXT"}},
	} {
		t.Run(name, func(t *testing.T) {
			s := newServer(t, done(c.fields))
			got, err := s.client(t).QueryOrder(t.Context(), wechatpay.OrderRef{OutTradeNo: testNumber, AppID: testAppID})
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(c.want, got); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
			want := map[string]string{"appid": testAppID, "mch_id": testMchID, "sign_type": "HMAC-SHA256", "out_trade_no": testNumber}
			if diff := cmp.Diff(want, without(s.only(t).fields, "nonce_str", "sign")); diff != "" {
				t.Errorf("request (-want +got):\n%s", diff)
			}
		})
	}
}

func TestRepliesToOrderQueryThatProveNothing(t *testing.T) {
	paid := with(paidFields(), map[string]string{"trade_state": "SUCCESS"})
	for name, c := range map[string]struct {
		fields map[string]string
		text   string
	}{
		"another order":         {with(paid, map[string]string{"out_trade_no": "other"}), "the reply is for another out_trade_no"},
		"no order":              {without(paid, "out_trade_no"), "the reply is for another out_trade_no"},
		"no state":              {without(paid, "trade_state"), "the reply has no trade_state"},
		"paid without number":   {without(paid, "transaction_id"), "the reply is incomplete: transaction_id is missing"},
		"paid without total":    {without(paid, "total_fee"), "the reply is incomplete: total_fee is not a whole number of minor units"},
		"paid in broken fen":    {with(paid, map[string]string{"total_fee": "1.01"}), "the reply is incomplete: total_fee is not a whole number of minor units"},
		"paid less than nought": {with(paid, map[string]string{"total_fee": "-101"}), "the reply is incomplete: total_fee is not a whole number of minor units"},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := newServer(t, done(c.fields)).client(t).QueryOrder(t.Context(), wechatpay.OrderRef{OutTradeNo: testNumber, AppID: testAppID})
			expect(t, err, wechatpay.Unknown, wechatpay.NeedsAttention, "QueryOrder: "+c.text)
		})
	}
}

func TestCloseOrder(t *testing.T) {
	for name, answer := range map[string]answer{"closed now": done(map[string]string{"result_msg": "OK"}), "closed before": fails("ORDERCLOSED", "订单已关闭")} {
		s := newServer(t, answer)
		if err := s.client(t).CloseOrder(t.Context(), wechatpay.OrderRef{OutTradeNo: testNumber, AppID: testAppID}); err != nil {
			t.Errorf("%s: %v", name, err)
		}
		if got := s.only(t).fields["out_trade_no"]; got != testNumber {
			t.Errorf("closes %s", got)
		}
	}
	err := newServer(t, fails("ORDERPAID", "订单已支付")).client(t).CloseOrder(t.Context(), wechatpay.OrderRef{OutTradeNo: testNumber, AppID: testAppID})
	expect(t, err, wechatpay.Failed, wechatpay.OrderPaid, "CloseOrder: WeChat Pay answered ORDERPAID: 订单已支付")
	if !wechatpay.Means(err, wechatpay.OrderPaid) {
		t.Error("a verified ORDERPAID is a fact")
	}
}

func TestAmounts(t *testing.T) {
	for text, want := range map[string]int64{"0": 0, "1": 1, "101": 101, "1000000000000000": maxAmount} {
		if got, err := parseAmount(text); err != nil || got != want {
			t.Errorf("%q: %d, %v", text, got, err)
		}
		if got := formatAmount(want); got != text {
			t.Errorf("%d is written %q", want, got)
		}
	}
	for _, text := range []string{"", "-1", "+1", " 1", "1 ", "01", "00", "1.0", "1e3", "1_000", "0x1", "１", "1000000000000001", "99999999999999999999"} {
		if got, err := parseAmount(text); err == nil {
			t.Errorf("%q is read as %d", text, got)
		}
	}
}

func TestAnOrderKeepsTheAlgorithmItWasMadeWith(t *testing.T) {
	s := newServer(t, done(doneFields[wechatpay.OperationCreateOrder]))
	order := testOrder()
	order.Scheme = MD5
	prepay, err := s.client(t).CreateOrder(t.Context(), order)
	if err != nil {
		t.Fatal(err)
	}
	if prepay.Scheme != MD5 {
		t.Errorf("the prepay names %q", prepay.Scheme)
	}
	if sent := s.only(t).fields; sent["sign_type"] != "MD5" || len(sent["sign"]) != 32 {
		t.Errorf("sign_type %s with a sign of %d characters", sent["sign_type"], len(sent["sign"]))
	}
}
