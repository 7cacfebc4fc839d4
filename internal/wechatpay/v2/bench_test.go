package v2

import (
	"testing"

	"github.com/wechatpay-operator/wechatpay-operator/internal/wechatpay"
)

// A callback as WeChat sends it, verified and read.
func BenchmarkParsePaymentNotification(b *testing.B) {
	c := rotating(b)
	for _, algorithm := range []wechatpay.SignType{wechatpay.SignTypeMD5, wechatpay.SignTypeHMACSHA256} {
		b.Run(string(algorithm), func(b *testing.B) {
			body := paymentBody(paymentMessage(), testKey, algorithm)
			b.ReportAllocs()
			for b.Loop() {
				if _, err := c.ParsePaymentNotification(body); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

// A unifiedorder, signed and written.
func BenchmarkEncodeOrder(b *testing.B) {
	for _, algorithm := range []wechatpay.SignType{wechatpay.SignTypeMD5, wechatpay.SignTypeHMACSHA256} {
		b.Run(string(algorithm), func(b *testing.B) {
			options := testOptions()
			options.SignType = algorithm
			c := newTestClient(b, options)
			order := fullOrder()
			b.ReportAllocs()
			for b.Loop() {
				if len(c.encode(orderCall(order))) == 0 {
					b.Fatal("nothing was written")
				}
			}
		})
	}
}
