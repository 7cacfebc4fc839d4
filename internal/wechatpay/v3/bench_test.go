package v3

import (
	"context"
	"testing"

	"github.com/wechatpay-operator/wechatpay-operator/internal/wechatpay"
	"github.com/wechatpay-operator/wechatpay-operator/internal/wechatpay/transport"
)

func benchClient(b *testing.B) *Client {
	b.Helper()
	return newTestClient(b, testOptions())
}

// BenchmarkPaymentCallback verifies, decrypts and reads a callback.
func BenchmarkPaymentCallback(b *testing.B) {
	c := benchClient(b)
	d := delivery(c, "wechatpay_pub", paymentEvent(tradeBody("SUCCESS", nil)))
	b.ReportAllocs()
	for b.Loop() {
		if _, err := c.Parse(d); err != nil {
			b.Fatal(err)
		}
	}
}

// BenchmarkPrepayRequest checks, writes and signs an order.
func BenchmarkPrepayRequest(b *testing.B) {
	c, order := benchClient(b), fullOrder()
	b.ReportAllocs()
	for b.Loop() {
		call, err := c.prepayCall(order)
		if err != nil {
			b.Fatal(err)
		}
		if _, err := c.signer.authorization(call.method, call.target, call.body, testNow, newNonce()); err != nil {
			b.Fatal(err)
		}
	}
}

// BenchmarkReply verifies and reads the answer to a query.
func BenchmarkReply(b *testing.B) {
	c, body := benchClient(b), tradeBody("SUCCESS", nil)
	answer := transport.Answer{Status: 200, Header: oracleHeaders(testKeys()["wechatpay_pub"], testNow, body), Body: []byte(body)}
	query := call{operation: wechatpay.OperationQueryOrder}
	b.ReportAllocs()
	for b.Loop() {
		c.answers = wechatpay.NewTakenAnswers()
		if failure, _ := c.judge(context.Background(), query, answer); failure != nil {
			b.Fatal(failure)
		}
		if _, err := c.readTrade(answer.Body, testNumber); err != nil {
			b.Fatal(err)
		}
	}
}
