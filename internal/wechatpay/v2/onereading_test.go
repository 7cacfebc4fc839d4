package v2

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"github.com/wechatpay-operator/wechatpay-operator/internal/wechatpay"
)

func TestBordersInValues(t *testing.T) {
	for value, holds := range map[string]bool{
		"a&total_fee=1": true, "&a=": true, "&_=": true, "&A-b.c9=x": true, "&&a=": true, "&a&b=1": true, "肥皂&total_fee=1": true,
		"": false, "&": false, "a=1": false, "&=": false, "& a=1": false, "&a =1": false, "&9=1": false, "&a": false, "a & b = c": false,
		"&肥=1": false, "Fish & Chips": false, "a&b": false,
	} {
		if got := holdsBorder(value); got != holds {
			t.Errorf("%q: %v", value, got)
		}
	}
}

// TestASignedRequestHasOneReading: whatever an Order contains, the text signed for it can't be
// split into other fields than those that were sent.
func TestASignedRequestHasOneReading(t *testing.T) {
	pieces := []string{"&", "=", "&out_trade_no=", "&return_code=SUCCESS", "&result_code=SUCCESS", "&total_fee=9999900", "&transaction_id=4200",
		"{", "}", `"`, `\`, "肥皂", " ", "a", "_", "0", "&a", "a="}
	text := rapid.Custom(func(t *rapid.T) string {
		return "{" + strings.Join(rapid.SliceOfN(rapid.SampledFrom(pieces), 0, 8).Draw(t, "pieces"), "") + "}"
	})
	c := newTestClient(t, testOptions())
	rapid.Check(t, func(t *rapid.T) {
		order := testOrder()
		order.Description, order.Attach, order.GoodsTag = text.Draw(t, "body"), text.Draw(t, "attach"), text.Draw(t, "goods_tag")
		order.Goods = &wechatpay.Goods{Items: []wechatpay.GoodsItem{{Name: text.Draw(t, "goods_name"), Quantity: 1, Price: 1}}}
		order.H5 = &wechatpay.H5{Type: wechatpay.H5TypeWap, URL: text.Draw(t, "wap_url")}
		order.DeviceInfo = text.Draw(t, "device_info")
		order.ProductID, order.NotifyURL = text.Draw(t, "product_id"), "https://pay.example.com/"+text.Draw(t, "path")
		call, err := orderCall(order)
		if err != nil || call.check() != nil {
			return
		}
		sent, err := oracleRead(c.encode(call), messageRoot)
		if err != nil {
			t.Fatal(err)
		}
		signedText := string(appendTextToSign(nil, fieldsOf(sent), testKey))
		if borders := len(strings.Split(signedText, "&")) - 1; borders < len(sent)-1 {
			t.Fatalf("%d borders for %d fields", borders, len(sent))
		}
		var names []string
		for i, piece := range strings.Split("&"+signedText, "&") {
			if name, _, found := strings.Cut(piece, "="); i > 0 && found && oracleName(name) {
				names = append(names, name)
			}
		}
		want := append(slices.Sorted(maps.Keys(without(sent, "sign"))), "key")
		if !slices.Equal(names, want) {
			t.Fatalf("%q can be read as %v, sent was %v", signedText, names, want)
		}
	})
}

func fieldsOf(message map[string]string) fields {
	var all fields
	for name, value := range message {
		all = append(all, field{name, value})
	}
	return newFields(all...)
}

// TestValuesWithBordersAreNotSent: the error says what is wrong, and where.
func TestValuesWithBordersAreNotSent(t *testing.T) {
	const forged = "肥皂&out_trade_no=order-0002&result_code=SUCCESS&total_fee=9999900"
	for name, set := range map[string]func(*wechatpay.OrderRequest){
		"attach":       func(o *wechatpay.OrderRequest) { o.Attach = forged },
		"body":         func(o *wechatpay.OrderRequest) { o.Description = forged },
		"device_info":  func(o *wechatpay.OrderRequest) { o.DeviceInfo = forged },
		"fee_type":     func(o *wechatpay.OrderRequest) { o.Currency = forged },
		"goods_tag":    func(o *wechatpay.OrderRequest) { o.GoodsTag = forged },
		"limit_pay":    func(o *wechatpay.OrderRequest) { o.LimitPay = forged },
		"notify_url":   func(o *wechatpay.OrderRequest) { o.NotifyURL = "https://pay.example.com/" + forged },
		"openid":       func(o *wechatpay.OrderRequest) { o.OpenID = forged },
		"out_trade_no": func(o *wechatpay.OrderRequest) { o.OutTradeNo = forged },
		"product_id":   func(o *wechatpay.OrderRequest) { o.ProductID = forged },
		"appid":        func(o *wechatpay.OrderRequest) { o.AppID = forged },
	} {
		s := newServer(t, done(doneFields[wechatpay.OperationCreateOrder]))
		order := testOrder()
		set(&order)
		_, err := s.client(t).CreateOrder(t.Context(), order)
		expect(t, err, wechatpay.NotSent, wechatpay.Rejected, "CreateOrder: "+name+
			" holds an ampersand, a name and an equals sign (&name=), which WeChat Pay's signature does not tell from another field: write it without")
		if sent := s.seen(); len(sent) != 0 {
			t.Errorf("%s: sent all the same: %v", name, sent)
		}
	}
	s := newServer(t, done(doneFields[wechatpay.OperationCreateRefund]))
	refund := testRefund()
	refund.Reason = forged
	_, err := s.client(t).CreateRefund(t.Context(), refund)
	expect(t, err, wechatpay.NotSent, wechatpay.Rejected, "")
	if sent := s.seen(); len(sent) != 0 {
		t.Errorf("refund_desc: sent all the same: %v", sent)
	}
}

// TestSignedAnswersAreNoPaymentCallbacks: a message that WeChat Pay signed for one purpose is not
// accepted for another.
func TestSignedAnswersAreNoPaymentCallbacks(t *testing.T) {
	for operation, more := range doneFields {
		if operation == wechatpay.OperationCloseOrder {
			continue // it has no fields of its own, and none of a payment
		}
		// A reply with all other fields of a payment.
		message := with(paymentMessage(), more)
		_, err := newTestClient(t, testOptions()).receiver.parsePayment(paymentBody(message, testKey, HMACSHA256))
		expect(t, err, wechatpay.Refused, wechatpay.Rejected, "")
		if !strings.Contains(err.Error(), "belongs to another message") {
			t.Errorf("the answer to %s: %v", operation, err)
		}
	}
	for _, name := range []string{"trade_state", "trade_state_desc", "prepay_id", "code_url", "mweb_url", "refund_id", "refund_count", "total_refund_count",
		"out_refund_no", "out_refund_no_0", "refund_status_3", "refund_fee_12", "refund_id_0", "req_info"} {
		message := with(paymentMessage(), map[string]string{name: "1"})
		_, err := newTestClient(t, testOptions()).receiver.parsePayment(paymentBody(message, testKey, HMACSHA256))
		expect(t, err, wechatpay.Refused, wechatpay.Rejected, "payment callback: "+name+" belongs to another message")
	}
	for _, name := range []string{"trade_state", "prepay_id", "refund_count", "transaction_id", "total_fee"} {
		message := with(refundMessage(refundInfo(), testKey), map[string]string{name: "1"})
		_, err := newTestClient(t, testOptions()).receiver.parseRefund(oracleWrite(messageRoot, message))
		expect(t, err, wechatpay.Refused, wechatpay.Rejected, "refund callback: "+name+" belongs to another message")
	}
	coupons := map[string]string{"coupon_count": "1", "coupon_fee_0": "1", "coupon_id_0": "2", "coupon_type_0": "CASH", "rate_value": "1", "version": "1.0", "promotion_detail": "{}"}
	message := with(paymentMessage(), coupons)
	if _, err := newTestClient(t, testOptions()).receiver.parsePayment(paymentBody(message, testKey, HMACSHA256)); err != nil {
		t.Errorf("a callback with coupons is refused: %v", err)
	}
}

// TestCloseOrderTakesNoOtherAnswer: the reply to another operation does not close an order.
func TestCloseOrderTakesNoOtherAnswer(t *testing.T) {
	for name, more := range map[string]map[string]string{
		"orderquery": doneFields[wechatpay.OperationQueryOrder], "unifiedorder": doneFields[wechatpay.OperationCreateOrder],
		"refund": doneFields[wechatpay.OperationCreateRefund], "refundquery": doneFields[wechatpay.OperationQueryRefund], "payment callback": paidFields(),
	} {
		err := newServer(t, done(more)).client(t).CloseOrder(t.Context(), wechatpay.OrderRef{OutTradeNo: testNumber, AppID: testAppID})
		expect(t, err, wechatpay.Unknown, wechatpay.NeedsAttention, "")
		if !strings.Contains(err.Error(), "the reply is for another call") {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestMessagesWithBordersAreRefused(t *testing.T) {
	const forged = "x&total_fee=9999900"
	for operation, call := range calls {
		more := with(doneFields[operation], map[string]string{"device_info": forged})
		err := call(t.Context(), newServer(t, done(more)).client(t))
		expect(t, err, wechatpay.Unknown, wechatpay.NeedsAttention,
			string(operation)+": the reply is not taken: device_info holds text that could be another field (&name=), which the signature does not tell apart")
	}
	body := paymentBody(with(paymentMessage(), map[string]string{"attach": forged}), testKey, HMACSHA256)
	_, err := newTestClient(t, testOptions()).receiver.parsePayment(body)
	expect(t, err, wechatpay.Refused, wechatpay.Rejected, "payment callback: attach holds text that could be another field (&name=), which the signature does not tell apart")

	info := oracleWrite(messageRoot, refundMessage(with(refundInfo(), map[string]string{"refund_recv_accout": forged}), testKey))
	_, err = newTestClient(t, testOptions()).receiver.parseRefund(info)
	expect(t, err, wechatpay.Refused, wechatpay.Rejected, "")
}

// TestLinksOfAnOrderMayHaveAQuery: URLs may have a query.
func TestLinksOfAnOrderMayHaveAQuery(t *testing.T) {
	const link = "https://wx.tenpay.com/cgi-bin/mmpayweb-bin/checkmweb?prepay_id=wx2016&package=123&sign=A"
	s := newServer(t, done(map[string]string{"trade_type": "MWEB", "prepay_id": "wx2016", "mweb_url": link, "code_url": link}))
	order := testOrder()
	order.TradeType = wechatpay.TradeTypeMWEB
	got, err := s.client(t).CreateOrder(t.Context(), order)
	if err != nil || got.MWEBURL != link || got.CodeURL != link {
		t.Errorf("%+v, %v", got, err)
	}
	err = newServer(t, done(map[string]string{"mweb_url": link})).client(t).CloseOrder(t.Context(), wechatpay.OrderRef{OutTradeNo: testNumber, AppID: testAppID})
	expect(t, err, wechatpay.Unknown, wechatpay.NeedsAttention, "")
}

// manyFields extends a message to the given number of fields.
func manyFields(message map[string]string, count int) map[string]string {
	message = maps.Clone(message)
	for i := len(message); i < count; i++ {
		message[fmt.Sprintf("future_%d", i)] = "1"
	}
	return message
}

func TestMessagesWithTooManyFields(t *testing.T) {
	client := newTestClient(t, testOptions())
	for count, taken := range map[int]bool{maxCallbackFields: true, maxCallbackFields + 1: false, 1000: false} {
		// The signature is one more.
		payment := paymentBody(manyFields(paymentMessage(), count-1), testKey, HMACSHA256)
		if _, err := client.receiver.parsePayment(payment); (err == nil) != taken {
			t.Errorf("a payment of %d fields: %v", count, err)
		}
		refund := oracleWrite(messageRoot, manyFields(refundMessage(refundInfo(), testKey), count))
		if _, err := client.receiver.parseRefund(refund); (err == nil) != taken {
			t.Errorf("a refund of %d fields: %v", count, err)
		}
	}
	refund := oracleWrite(messageRoot, refundMessage(manyFields(refundInfo(), maxCallbackFields+1), testKey))
	if _, err := client.receiver.parseRefund(refund); err == nil {
		t.Error("a refund with too many fields within is taken")
	}
	// The fields are short, so that the documents stay within maxDocument.
	for count, text := range map[int]string{maxReplyFields: "xml-duplicate-field", maxReplyFields + 1: "xml-too-many-fields"} {
		_, err := readFields([]byte("<xml>"+strings.Repeat("<a/>", count)+"</xml>"), messageRoot, maxReplyFields)
		if err == nil || err.Error() != text {
			t.Errorf("an answer of %d fields: %v", count, err)
		}
	}
}
