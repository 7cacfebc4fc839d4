package v2

import (
	"bytes"
	"encoding/json"
	"io"
	"net/http"
	"os"
	"strconv"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/wechatpay-operator/wechatpay-operator/internal/wechatpay"
)

// test/interop measures the same steps with another client, under the same names and with the same
// bytes: those of ../testdata/comparison. Each side does the whole step and verifies the signature.

var signTypes = []wechatpay.Scheme{MD5, HMACSHA256}

// compare runs a step with each algorithm.
func compare(b *testing.B, step func(testing.TB, wechatpay.Scheme) func() error) {
	for _, algorithm := range signTypes {
		b.Run(string(algorithm)+"/ours", func(b *testing.B) {
			once := step(b, algorithm)
			b.ReportAllocs()
			for b.Loop() {
				if err := once(); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

// BenchmarkPaymentCallback parses and verifies a callback and converts it to a payment.
func BenchmarkPaymentCallback(b *testing.B) {
	compare(b, func(t testing.TB, algorithm wechatpay.Scheme) func() error {
		c, body := comparisonClient(t, algorithm), comparisonFile(t, "payment-"+string(algorithm)+".xml")
		sent := bytes.NewReader(nil)
		return func() error {
			sent.Reset(body)
			_, err := takePayment(c, sent)
			return err
		}
	})
}

// BenchmarkUnifiedOrder validates, signs and encodes an order.
func BenchmarkUnifiedOrder(b *testing.B) {
	compare(b, func(t testing.TB, algorithm wechatpay.Scheme) func() error {
		c, order := comparisonClient(t, algorithm), comparisonOrder(t)
		return func() error {
			_, err := makeOrder(c, order)
			return err
		}
	})
}

// BenchmarkReply parses and verifies the reply and builds the payer's parameters.
func BenchmarkReply(b *testing.B) {
	compare(b, func(t testing.TB, algorithm wechatpay.Scheme) func() error {
		c, body := comparisonClient(t, algorithm), comparisonFile(t, "reply-"+string(algorithm)+".xml")
		return func() error {
			c.settings.Answers = wechatpay.NewTakenAnswers() // or it would be the same reply again
			_, err := takeReply(c, body)
			return err
		}
	})
}

func takePayment(c *Client, sent io.Reader) (wechatpay.Notification, error) {
	body, err := io.ReadAll(io.LimitReader(sent, maxDocument+1))
	if err != nil {
		return wechatpay.Notification{}, err
	}
	return c.receiver.parsePayment(body)
}

func makeOrder(c *Client, order wechatpay.OrderRequest) ([]byte, error) {
	call, err := orderCall(order)
	if err != nil {
		return nil, err
	}
	if err := call.check(); err != nil {
		return nil, err
	}
	return c.encode(call), nil
}

func takeReply(c *Client, body []byte) (wechatpay.Prepay, error) {
	reply, failure := c.judge(call{operation: wechatpay.OperationCreateOrder, appID: testAppID}, http.StatusOK, body)
	if failure != nil {
		return wechatpay.Prepay{}, failure
	}
	return readPrepay(reply, wechatpay.TradeTypeJSAPI)
}

// TestComparison checks what is compared: both clients read the same facts and send the same
// parameters.
func TestComparison(t *testing.T) {
	for _, algorithm := range signTypes {
		c := comparisonClient(t, algorithm)
		payment, err := takePayment(c, bytes.NewReader(comparisonFile(t, "payment-"+string(algorithm)+".xml")))
		if err != nil || payment.Payment.OutTradeNo != "order-20260101-0001" || payment.Payment.Total != 101 || payment.Scheme != algorithm {
			t.Errorf("a payment by %s: %+v, %v", algorithm, payment, err)
		}
		prepay, err := takeReply(c, comparisonFile(t, "reply-"+string(algorithm)+".xml"))
		if err != nil || prepay.ID != "wx01120412345678901234567890abcd0000" {
			t.Errorf("a reply by %s: %+v, %v", algorithm, prepay, err)
		}
		request, err := makeOrder(c, comparisonOrder(t))
		if err != nil {
			t.Fatal(err)
		}
		sent, err := oracleRead(request, messageRoot)
		if err != nil || !oracleVerifies(sent, testKey, algorithm) {
			t.Errorf("an order by %s is not signed right: %v, %v", algorithm, sent, err)
		}
		if diff := cmp.Diff(comparisonParameters(t), without(sent, "appid", "mch_id", "nonce_str", "sign_type", "sign")); diff != "" {
			t.Errorf("(-want +got):\n%s", diff)
		}
	}
}

func comparisonClient(t testing.TB, algorithm wechatpay.Scheme) *Client {
	options := testOptions()
	options.Scheme = algorithm
	return newTestClient(t, options)
}

func comparisonFile(t testing.TB, name string) []byte {
	t.Helper()
	content, err := os.ReadFile("../testdata/comparison/" + name)
	if err != nil {
		t.Fatal(err)
	}
	return content
}

// comparisonParameters are the parameters of the order that both sides send.
func comparisonParameters(t testing.TB) (parameters map[string]string) {
	t.Helper()
	if err := json.Unmarshal(comparisonFile(t, "order.json"), &parameters); err != nil {
		t.Fatal(err)
	}
	return parameters
}

func comparisonOrder(t testing.TB) wechatpay.OrderRequest {
	t.Helper()
	p := comparisonParameters(t)
	total, err := strconv.ParseInt(p["total_fee"], 10, 64)
	if err != nil {
		t.Fatal(err)
	}
	return wechatpay.OrderRequest{
		OutTradeNo: p["out_trade_no"], AppID: testAppID, TradeType: wechatpay.TradeType(p["trade_type"]), Description: p["body"],
		Total: total, Currency: p["fee_type"], ClientIP: p["spbill_create_ip"], OpenID: p["openid"], NotifyURL: p["notify_url"],
		Attach: p["attach"],
	}
}
