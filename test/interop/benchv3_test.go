package interop

import (
	"syscall"
	"testing"
	"time"
)

// What is measured here with gopay and WeChat Pay's own SDK is measured with our client of API v3 in
// internal/wechatpay/v3, with the same bytes and keys, and the same names but for V3. Each is used
// as its documentation says; where there is a choice, it has the cheaper one.

// clientV3 does the three steps with one of them. What it returns is what the step finds.
type clientV3 struct {
	name    string
	payment func(messageV3) (paymentV3, error)
	order   func() (sentV3, error)
	// unsigned is order with a signature that is made already.
	unsigned func() (sentV3, error)
	reply    func(messageV3) (paymentV3, error)
}

// BenchmarkV3PaymentCallback reads, verifies, decrypts and parses a callback into a payment.
func BenchmarkV3PaymentCallback(b *testing.B) {
	compareV3(b, func(c clientV3) func() error {
		m := comparisonMessage(b, "payment-v3.json")
		return func() error { _, err := c.payment(m); return err }
	})
}

// BenchmarkV3PrepayRequest writes and signs an order.
func BenchmarkV3PrepayRequest(b *testing.B) {
	compareV3(b, func(c clientV3) func() error {
		return func() error { _, err := c.order(); return err }
	})
}

// BenchmarkV3PrepayWithoutRSA does the same, but for the signature itself, in which the rest is lost.
func BenchmarkV3PrepayWithoutRSA(b *testing.B) {
	compareV3(b, func(c clientV3) func() error {
		return func() error { _, err := c.unsigned(); return err }
	})
}

// BenchmarkV3Reply reads, verifies and parses the answer to a query.
func BenchmarkV3Reply(b *testing.B) {
	compareV3(b, func(c clientV3) func() error {
		m := comparisonMessage(b, "trade-v3.json")
		return func() error { _, err := c.reply(m); return err }
	})
}

// compareV3 runs a step with each client, and reports its CPU time too: unlike the time on the
// clock it does not depend on what else the machine does.
func compareV3(b *testing.B, step func(clientV3) func() error) {
	for _, c := range []clientV3{gopayComparison(b), vendorComparison(b)} {
		b.Run(c.name, func(b *testing.B) {
			once := step(c)
			b.ReportAllocs()
			before := cpuTime(b)
			for b.Loop() {
				if err := once(); err != nil {
					b.Fatal(err)
				}
			}
			b.ReportMetric(float64(cpuTime(b)-before)/float64(b.N), "cpu-ns/op")
		})
	}
}

func cpuTime(b *testing.B) time.Duration {
	b.Helper()
	var used syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &used); err != nil {
		b.Fatal(err)
	}
	return time.Duration(used.Utime.Nano() + used.Stime.Nano())
}
