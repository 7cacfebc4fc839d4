package v3

import (
	"crypto/rsa"
	"testing"

	"github.com/wechatpay-operator/wechatpay-operator/internal/text"
	"github.com/wechatpay-operator/wechatpay-operator/internal/wechatpay"
	"github.com/wechatpay-operator/wechatpay-operator/internal/wechatpay/transport"
)

// checkPayment is what every payment that is taken has.
func checkPayment(t *testing.T, p wechatpay.Payment) {
	t.Helper()
	if p.MchID != testMchID || p.AppID == "" || p.OutTradeNo == "" || p.TransactionID == "" || p.Total <= 0 || p.Total > maxAmount || p.Currency == "" {
		t.Errorf("%+v", p)
	}
	if p.CashTotal != nil && (*p.CashTotal < 0 || *p.CashTotal > p.Total) || p.CouponTotal != nil && *p.CashTotal+*p.CouponTotal != p.Total {
		t.Errorf("%+v", p)
	}
}

func checkError(t *testing.T, err error) {
	t.Helper()
	if err != nil && (!text.IsClean(err.Error()) || len(err.Error()) > 1000) {
		t.Errorf("%q", err)
	}
}

// FuzzCallback takes any content that WeChat could have signed and encrypted, and any body that it
// could have signed.
func FuzzCallback(f *testing.F) {
	for _, content := range []string{tradeBody("SUCCESS", nil), partnerBody("SUCCESS", nil), `{"order_id":"1","receiver":{}}`, refundBody("SUCCESS")} {
		f.Add("TRANSACTION.SUCCESS", "transaction", "transaction", []byte(content), true)
		f.Add("REFUND.SUCCESS", "refund", "", []byte(content), true)
	}
	f.Add("", "", "", []byte(paymentEvent(tradeBody("SUCCESS", nil))), false)
	c, err := New(testOptions())
	if err != nil {
		f.Fatal(err)
	}
	f.Fuzz(func(t *testing.T, eventType, originalType, associated string, content []byte, sealed bool) {
		body := string(content)
		if sealed {
			body = eventBody(eventType, oracleSeal(testKey, body, associated, originalType))
		}
		got, err := c.Parse(delivery(c, "wechatpay_pub", body))
		checkError(t, err)
		switch {
		case err != nil:
			if got != (wechatpay.Notification{}) || wechatpay.OutcomeOf(err) != wechatpay.Refused {
				t.Errorf("%+v with %v", got, err)
			}
		case got.Payment != nil:
			checkPayment(t, *got.Payment)
		case got.Refund != nil:
			if r := got.Refund; r.Amount <= 0 || r.OutRefundNo == "" || r.OutTradeNo == "" || r.RefundID == "" || r.Status == "" {
				t.Errorf("%+v", r)
			}
		}
	})
}

// FuzzReply takes any signed answer to each of the calls, with any status.
func FuzzReply(f *testing.F) {
	for operation := range calls {
		status, body := bodyOf(operation)
		f.Add(status, []byte(body), true)
		f.Add(400, []byte(errorBody("PARAM_ERROR", "x")), false)
		f.Add(500, []byte(errorBody("SYSTEM_ERROR", "x")), true)
	}
	f.Add(200, []byte(tradeBody("SUCCESS", nil)), true)
	c, err := New(testOptions())
	if err != nil {
		f.Fatal(err)
	}
	c.signer = nil // downloads nothing
	f.Fuzz(func(t *testing.T, status int, body []byte, signed bool) {
		answer := transport.Answer{Status: status, Body: body}
		if signed {
			answer.Header = oracleHeaders(testKeys()["wechatpay_pub"], testNow, string(body))
		}
		for operation := range calls {
			c.settings.Answers = wechatpay.NewTakenAnswers()
			failure, _ := c.judge(t.Context(), call{operation: operation, bodiless: operation == wechatpay.OperationCloseOrder}, answer)
			if failure != nil {
				checkError(t, failure)
			}
			if !signed && (failure == nil || failure.Outcome == wechatpay.Failed) {
				t.Errorf("%s: unsigned, and %v", operation, failure)
			}
			if failure == nil && !isSuccess(status) {
				t.Errorf("%s: %d is a success", operation, status)
			}
		}
		_, err := readPrepay(body, wechatpay.TradeTypeJSAPI)
		checkError(t, err)
		trade, err := c.readTrade(body, testNumber)
		checkError(t, err)
		if err == nil && trade.State.Paid() {
			checkPayment(t, trade.Payment)
		}
		refund, err := c.readRefund(body)
		checkError(t, err)
		_, err = refund.fact()
		checkError(t, err)
	})
}

// FuzzCertificateList takes any list, and any content of an encrypted certificate.
func FuzzCertificateList(f *testing.F) {
	f.Add([]byte(listOf(testKey, "platform_a", "platform_b")), false)
	f.Add(testKeys()["platform_a"].pem, true)
	f.Add([]byte("-----BEGIN CERTIFICATE-----\nAA==\n-----END CERTIFICATE-----"), true)
	c, err := New(testOptions())
	if err != nil {
		f.Fatal(err)
	}
	f.Fuzz(func(t *testing.T, content []byte, sealed bool) {
		if sealed {
			inner := oracleSeal(testKey, string(content), "certificate", "")
			content = []byte(jsonOf(list2(certificateList{Data: []listedCertificate{{testKeys()["platform_a"].serial, inner}}})))
		}
		certificates, err := c.readCertificates(content)
		checkError(t, err)
		if err != nil && certificates != nil {
			t.Errorf("%d certificates with %v", len(certificates), err)
		}
		for _, certificate := range certificates {
			if _, isRSA := certificate.PublicKey.(*rsa.PublicKey); !isRSA || serialOf(certificate) == "" {
				t.Error("a certificate that verifies nothing")
			}
		}
	})
}
