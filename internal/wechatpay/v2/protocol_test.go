package v2

import (
	"net/http/httptest"
	"testing"

	"github.com/wechatpay-operator/wechatpay-operator/internal/wechatpay"
)

func TestWeaker(t *testing.T) {
	for _, test := range []struct {
		callback, order wechatpay.Scheme
		want            bool
	}{
		{HMACSHA256, HMACSHA256, false},
		{HMACSHA256, MD5, false},
		{MD5, MD5, false},
		{MD5, HMACSHA256, true},
		{MD5, "", true},
		{MD5, "WECHATPAY2-SHA256-RSA2048", true}, // an order of another protocol
		{HMACSHA256, "WECHATPAY2-SHA256-RSA2048", false},
	} {
		if got := (Protocol{}).Weaker(test.callback, test.order); got != test.want {
			t.Errorf("%q for an order of %q: %t", test.callback, test.order, got)
		}
	}
}

// TestNothingUnsignedProvesTheKey: anybody could have said it.
func TestNothingUnsignedProvesTheKey(t *testing.T) {
	for _, meaning := range []wechatpay.Meaning{wechatpay.OrderNotExist, wechatpay.NeedsAttention} {
		if (Protocol{}).AcceptedUnsigned(&wechatpay.Error{Outcome: wechatpay.Refused, Meaning: meaning}) {
			t.Errorf("%s does", meaning)
		}
	}
}

// WeChat takes these bytes for a yes, and repeats the callback after anything else (chapter 9_7).
func TestReply(t *testing.T) {
	for name, test := range map[string]struct {
		reply  wechatpay.Reply
		status int
		body   string
	}{
		"stored":     {wechatpay.Reply{Confirm: true, Status: 500}, 200, "<xml><return_code><![CDATA[SUCCESS]]></return_code><return_msg><![CDATA[OK]]></return_msg></xml>"},
		"not stored": {wechatpay.Reply{Status: 403, Reason: "not verified"}, 403, "<xml><return_code><![CDATA[FAIL]]></return_code><return_msg><![CDATA[not verified]]></return_msg></xml>"},
	} {
		w := httptest.NewRecorder()
		Protocol{}.Reply(w, test.reply)
		if w.Code != test.status || w.Body.String() != test.body || w.Header().Get("Content-Type") != "text/xml; charset=utf-8" {
			t.Errorf("%s: %d %q", name, w.Code, w.Body.String())
		}
	}
}
