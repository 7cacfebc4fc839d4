package v2

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/wechatpay-operator/wechatpay-operator/internal/wechatpay"
)

// paymentMessage is an unsigned payment callback.
func paymentMessage() map[string]string { return reply("result_code", "SUCCESS", paidFields()) }

func paymentBody(message map[string]string, key string, algorithm wechatpay.Scheme) []byte {
	return oracleWrite(messageRoot, signed(message, key, algorithm))
}

func TestPaymentNotification(t *testing.T) {
	least := without(paymentMessage(), "cash_fee", "cash_fee_type", "fee_type", "settlement_total_fee", "coupon_fee", "openid", "bank_type",
		"time_end", "trade_type", "attach", "return_msg", "nonce_str")
	for name, c := range map[string]struct {
		message   map[string]string
		key       string
		algorithm wechatpay.Scheme
		want      wechatpay.Payment
	}{
		"HMAC-SHA256":      {paymentMessage(), testKey, HMACSHA256, paidPayment(t)},
		"MD5":              {paymentMessage(), testKey, MD5, paidPayment(t)},
		"with sign_type":   {with(paymentMessage(), map[string]string{"sign_type": "MD5"}), testKey, MD5, paidPayment(t)},
		"the previous key": {paymentMessage(), testPreviousKey, HMACSHA256, paidPayment(t)},
		"in the fewest words": {least, testKey, HMACSHA256, wechatpay.Payment{
			AppID: testAppID, MchID: testMchID, OutTradeNo: testNumber, TransactionID: "4200000000202601010000000001", Total: 101, Currency: "CNY",
		}},
	} {
		t.Run(name, func(t *testing.T) {
			got, err := rotating(t).receiver.parsePayment(paymentBody(c.message, c.key, c.algorithm))
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(wechatpay.Notification{Payment: &c.want, Proven: true, Scheme: c.algorithm, KeyID: wechatpay.KeyID(c.key, testMchID)}, got); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}

func TestPaymentNotificationsThatAreRefused(t *testing.T) {
	good := signed(paymentMessage(), testKey, HMACSHA256)
	changed := func(more map[string]string) []byte { return oracleWrite(messageRoot, with(good, more)) }
	resigned := func(more map[string]string) []byte {
		return paymentBody(with(paymentMessage(), more), testKey, HMACSHA256)
	}
	for name, c := range map[string]struct {
		body []byte
		text string
	}{
		"nothing":                {nil, "xml-malformed"},
		"too large":              {changed(map[string]string{"pad": strings.Repeat("x", maxDocument)}), "xml-too-large"},
		"document type":          {[]byte("<!DOCTYPE xml>" + string(changed(nil))), "xml-doctype"},
		"another root":           {oracleWrite(refundInfoRoot, good), "xml-wrong-root"},
		"field given twice":      {[]byte(strings.Replace(string(changed(nil)), "<xml>", "<xml><total_fee>1</total_fee>", 1)), "xml-duplicate-field"},
		"no signature":           {oracleWrite(messageRoot, without(good, "sign")), "the signature is missing"},
		"empty signature":        {changed(map[string]string{"sign": ""}), "the signature is missing"},
		"short signature":        {changed(map[string]string{"sign": good["sign"][:63]}), "the signature has a length that no algorithm has"},
		"lower-case signature":   {changed(map[string]string{"sign": strings.ToLower(good["sign"])}), "the signature is wrong"},
		"another's signature":    {paymentBody(paymentMessage(), testOtherKey, HMACSHA256), "the signature is wrong"},
		"changed total":          {changed(map[string]string{"total_fee": "1"}), "the signature is wrong"},
		"field added":            {changed(map[string]string{"x": "1"}), "the signature is wrong"},
		"field taken away":       {oracleWrite(messageRoot, without(good, "some_future_field")), "the signature is wrong"},
		"sign_type of the other": {resigned(map[string]string{"sign_type": "MD5"}), "sign_type and the signature do not agree"},
		"sign_type unheard of":   {resigned(map[string]string{"sign_type": "SM3"}), "sign_type and the signature do not agree"},
		"req_info beside":        {resigned(map[string]string{"req_info": "x"}), "req_info belongs to another message"},
		"req_info, unsigned":     {oracleWrite(messageRoot, without(with(good, map[string]string{"req_info": "x"}), "sign")), "req_info belongs to another message"},
		"req_info, empty":        {changed(map[string]string{"req_info": ""}), "req_info belongs to another message"},
		"another merchant":       {resigned(map[string]string{"mch_id": "1900000110"}), "mch_id is not ours"},
		"no merchant":            {resigned(map[string]string{"mch_id": ""}), "mch_id is not ours"},
		"no appid":               {resigned(map[string]string{"appid": ""}), "appid is missing"},
		"not communicated":       {resigned(map[string]string{"return_code": "FAIL"}), "return_code and result_code are not both SUCCESS"},
		"not paid":               {resigned(map[string]string{"result_code": "FAIL"}), "return_code and result_code are not both SUCCESS"},
		"no result":              {resigned(map[string]string{"result_code": ""}), "return_code and result_code are not both SUCCESS"},
		"no order":               {resigned(map[string]string{"out_trade_no": ""}), "out_trade_no is missing"},
		"no transaction":         {resigned(map[string]string{"transaction_id": ""}), "transaction_id is missing"},
		"no total":               {resigned(map[string]string{"total_fee": ""}), "total_fee is not a whole number of minor units"},
		"negative total":         {resigned(map[string]string{"total_fee": "-101"}), "total_fee is not a whole number of minor units"},
	} {
		t.Run(name, func(t *testing.T) {
			got, err := rotating(t).receiver.parsePayment(c.body)
			expect(t, err, wechatpay.Refused, wechatpay.Rejected, "payment callback: "+c.text)
			if diff := cmp.Diff(wechatpay.Notification{}, got); diff != "" {
				t.Errorf("something is returned all the same:\n%s", diff)
			}
		})
	}
}

func TestWithoutRotationThePreviousKeyIsWorthless(t *testing.T) {
	body := paymentBody(paymentMessage(), testPreviousKey, HMACSHA256)
	if _, err := newTestClient(t, testOptions()).receiver.parsePayment(body); err == nil {
		t.Error("taken")
	}
}

// refundInfo is the plain text of a refund callback.
func refundInfo() map[string]string {
	return map[string]string{
		"out_trade_no": testNumber, "out_refund_no": testRefundNumber, "refund_id": "503", "refund_status": "SUCCESS",
		"total_fee": "101", "refund_fee": "50", "success_time": "2026-01-02 10:00:00", "transaction_id": "42",
	}
}

// refundMessage is a refund callback; it has no result_code and no signature.
func refundMessage(info map[string]string, key string) map[string]string {
	return without(reply("req_info", oracleEncrypt(oracleWrite(refundInfoRoot, info), key), nil), "result_code")
}

func TestRefundNotification(t *testing.T) {
	want := wechatpay.Notification{Refund: &wechatpay.RefundFact{
		OutTradeNo: testNumber, OutRefundNo: testRefundNumber, RefundID: "503", Status: wechatpay.RefundStatusSucceeded,
	}}
	for _, key := range []string{testKey, testPreviousKey} {
		got, err := rotating(t).receiver.parseRefund(oracleWrite(messageRoot, refundMessage(refundInfo(), key)))
		if err != nil {
			t.Fatal(err)
		}
		want.KeyID = wechatpay.KeyID(key, testMchID)
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("(-want +got):\n%s", diff)
		}
	}
}

func TestRefundNotificationsThatAreRefused(t *testing.T) {
	good := refundMessage(refundInfo(), testKey)
	encrypted := func(document string) map[string]string {
		return with(good, map[string]string{"req_info": oracleEncrypt([]byte(document), testKey)})
	}
	// Padding of three bytes, the middle one wrong.
	badPadding := oracleEncryptBlocks([]byte("<root></root>\x03\x04\x03"), testKey)
	for name, c := range map[string]struct {
		message map[string]string
		text    string
	}{
		"not communicated":          {with(good, map[string]string{"return_code": "FAIL"}), "return_code is not SUCCESS"},
		"another merchant":          {with(good, map[string]string{"mch_id": "1900000110"}), "mch_id is not ours"},
		"no appid":                  {without(good, "appid"), "appid is missing"},
		"no req_info":               {without(good, "req_info"), "req_info: empty"},
		"not base64":                {with(good, map[string]string{"req_info": "@"}), "req_info: bad-base64"},
		"base64 with bits to spare": {with(good, map[string]string{"req_info": strings.Repeat("A", 21) + "B=="}), "req_info: bad-base64"},
		"not blocks":                {with(good, map[string]string{"req_info": "AAAA"}), "req_info: length-not-multiple-of-16"},
		"another key":               {refundMessage(refundInfo(), testOtherKey), "req_info: bad-padding-or-not-xml"},
		"bad padding":               {with(good, map[string]string{"req_info": badPadding}), "req_info: bad-padding-or-not-xml"},
		"no padding":                {with(good, map[string]string{"req_info": oracleEncryptBlocks([]byte("<root>00</root>\n"), testKey)}), "req_info: bad-padding-or-not-xml"},
		"another root":              {encrypted("<xml></xml>"), "req_info: xml-wrong-root"},
		"document type":             {encrypted("<!DOCTYPE root><root></root>"), "req_info: xml-doctype"},
		"field twice":               {encrypted("<root><out_refund_no>1</out_refund_no><out_refund_no>2</out_refund_no></root>"), "req_info: xml-duplicate-field"},
		"no order":                  {refundMessage(without(refundInfo(), "out_trade_no"), testKey), "out_trade_no or out_refund_no is missing"},
		"no refund":                 {refundMessage(without(refundInfo(), "out_refund_no"), testKey), "out_trade_no or out_refund_no is missing"},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := rotating(t).receiver.parseRefund(oracleWrite(messageRoot, c.message))
			expect(t, err, wechatpay.Refused, wechatpay.Rejected, "refund callback: "+c.text)
		})
	}
	_, err := rotating(t).receiver.parseRefund(nil)
	expect(t, err, wechatpay.Refused, wechatpay.Rejected, "refund callback: xml-malformed")
}
