package v2

import (
	"errors"
	"maps"
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"github.com/wechatpay-operator/wechatpay-operator/internal/wechatpay"
)

// checkPaymentClaim: whatever the bytes, an accepted payment is one that the oracle verifies with
// one of our keys, field by field.
func checkPaymentClaim(t rapid.TB, c *Client, body []byte) {
	got, err := c.receiver.parsePayment(body)
	if err != nil {
		if failure, ok := errors.AsType[*wechatpay.Error](err); !ok || failure.Outcome != wechatpay.Refused {
			t.Fatalf("an error of another kind: %v", err)
		}
		return
	}
	message, err := oracleRead(body, messageRoot)
	if err != nil {
		t.Fatalf("taken, but the oracle cannot read %q: %v", body, err)
	}
	if !slices.ContainsFunc([]string{testKey, testPreviousKey}, func(key string) bool { return oracleVerifies(message, key, got.Scheme) }) {
		t.Fatalf("taken, but not signed: %q", body)
	}
	if message["sub_mch_id"] != "" || message["mch_id"] != testMchID || message["out_trade_no"] != got.Payment.OutTradeNo || message["total_fee"] != formatAmount(got.Payment.Total) {
		t.Fatalf("read %+v from %q", got, body)
	}
}

func FuzzPaymentNotification(f *testing.F) {
	for _, key := range []string{testKey, testPreviousKey, testOtherKey} {
		f.Add(paymentBody(paymentMessage(), key, HMACSHA256))
		f.Add(paymentBody(paymentMessage(), key, MD5))
	}
	f.Add(oracleWrite(messageRoot, refundMessage(refundInfo(), testKey)))
	for _, v := range vectors(f) {
		if strings.HasPrefix(v.Kind, "sign-") {
			f.Add(oracleWrite(messageRoot, with(v.Params, map[string]string{"sign": strings.Trim(string(v.Expect), `"`)})))
		}
	}
	c := rotating(f)
	f.Fuzz(func(t *testing.T, body []byte) { checkPaymentClaim(t, c, body) })
}

func FuzzRefundNotification(f *testing.F) {
	f.Add(oracleWrite(messageRoot, refundMessage(refundInfo(), testKey)))
	f.Add(oracleWrite(messageRoot, refundMessage(refundInfo(), testOtherKey)))
	f.Add(paymentBody(paymentMessage(), testKey, MD5))
	c := rotating(f)
	f.Fuzz(func(t *testing.T, body []byte) {
		got, err := c.receiver.parseRefund(body)
		if err != nil {
			if failure, ok := errors.AsType[*wechatpay.Error](err); !ok || failure.Outcome != wechatpay.Refused {
				t.Fatalf("an error of another kind: %v", err)
			}
			return
		}
		if got.Refund.OutTradeNo == "" || got.Refund.OutRefundNo == "" {
			t.Fatalf("read %+v from %q", got, body)
		}
	})
}

func FuzzRefundInfo(f *testing.F) {
	for _, v := range vectors(f) {
		if v.Kind == "refund-req-info" {
			f.Add(v.RequestInfo)
		}
	}
	key := newSigner(testKey)
	f.Fuzz(func(t *testing.T, requestInfo string) {
		plaintext, err := key.decryptRefundInfo(requestInfo)
		if err != nil {
			return
		}
		if again := oracleEncrypt(plaintext, testKey); again != strings.NewReplacer("\r", "", "\n", "").Replace(requestInfo) {
			t.Fatalf("%q decrypts to %q, which encrypts to %q", requestInfo, plaintext, again)
		}
		_, _ = key.readRefundInfo(requestInfo)
	})
}

func TestRefundInfoIsReadBack(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		plaintext := rapid.SliceOf(rapid.Byte()).Draw(t, "plaintext")
		got, err := newSigner(testKey).decryptRefundInfo(oracleEncrypt(plaintext, testKey))
		if err != nil || string(got) != string(plaintext) {
			t.Fatalf("got %q, %v", got, err)
		}
	})
}

// almostMessages draws messages that mostly look like WeChat Pay's, signed in one of many ways, and
// sometimes damaged.
func almostMessages() *rapid.Generator[[]byte] {
	codes := rapid.SampledFrom([]string{"SUCCESS", "FAIL", "", "ORDERPAID", "ORDERCLOSED", "SYSTEMERROR", "REFUNDNOTEXIST", "PARAM_ERROR"})
	return rapid.Custom(func(t *rapid.T) []byte {
		message := paymentMessage()
		maps.Copy(message, rapid.SampledFrom(slices.Collect(maps.Values(doneFields))).Draw(t, "call"))
		for _, name := range []string{"return_code", "result_code", "err_code", "trade_state", "refund_status_0"} {
			if rapid.Bool().Draw(t, "other "+name) {
				message[name] = codes.Draw(t, name)
			}
		}
		for _, name := range rapid.SliceOfN(rapid.SampledFrom(slices.Sorted(maps.Keys(message))), 0, 2).Draw(t, "missing") {
			delete(message, name)
		}
		algorithm := rapid.SampledFrom([]wechatpay.Scheme{HMACSHA256, HMACSHA256, MD5}).Draw(t, "algorithm")
		key := rapid.SampledFrom([]string{testKey, testKey, testPreviousKey, testOtherKey, ""}).Draw(t, "key")
		message = signed(message, key, algorithm)
		switch rapid.IntRange(0, 9).Draw(t, "damage") {
		case 0:
			delete(message, "sign")
		case 1:
			message["sign"] = strings.ToLower(message["sign"])
		case 2:
			message["total_fee"] = "1"
		}
		body := oracleWrite(messageRoot, message)
		for range rapid.IntRange(0, 1).Draw(t, "wrong bytes") {
			body[rapid.IntRange(0, len(body)-1).Draw(t, "at")] = rapid.Byte().Draw(t, "byte")
		}
		return body
	})
}

// TestOnlyAVerifiedReplyCounts: no reply makes a call Failed or successful unless WeChat Pay signed
// it with our key and our algorithm.
func TestOnlyAVerifiedReplyCounts(t *testing.T) {
	c := rotating(t)
	operations := slices.Sorted(maps.Keys(calls))
	rapid.Check(t, func(t *rapid.T) {
		body := rapid.OneOf(almostMessages(), almostMessages(), rapid.SliceOf(rapid.Byte())).Draw(t, "body")
		status := rapid.SampledFrom([]int{200, 200, 200, 400, 500}).Draw(t, "status")
		operation := rapid.SampledFrom(operations).Draw(t, "operation")
		_, failure := c.judge(call{operation: operation, appID: testAppID}, status, body)
		if failure != nil && failure.Outcome != wechatpay.Failed {
			if failure.Outcome == wechatpay.NotSent {
				t.Fatal("a reply to something that was not sent")
			}
			return
		}
		message, err := oracleRead(body, messageRoot)
		if err != nil || status != 200 || !oracleVerifies(message, testKey, HMACSHA256) {
			t.Fatalf("%d %q counts as %v", status, body, failure)
		}
	})
}

func TestOnlyAVerifiedCallbackCounts(t *testing.T) {
	c := rotating(t)
	rapid.Check(t, func(t *rapid.T) { checkPaymentClaim(t, c, almostMessages().Draw(t, "body")) })
}
