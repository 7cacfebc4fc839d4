package v3

import (
	"crypto"
	"crypto/rsa"
	"crypto/sha256"
	"io"
	"syscall"
	"testing"
	"time"

	"github.com/wechatpay-operator/wechatpay-operator/internal/wechatpay"
)

// test/interop measures the same steps with other clients, under the same names and with the same
// bytes and keys: those of ../testdata. Messages are signed when the benchmark starts, because the
// other clients compare their time with the clock.

// measure runs a step, and reports its CPU time too: unlike the time on the clock it does not
// depend on what else the machine does.
func measure(b *testing.B, once func() error) {
	b.Helper()
	b.ReportAllocs()
	before := cpuTime(b)
	for b.Loop() {
		if err := once(); err != nil {
			b.Fatal(err)
		}
	}
	b.ReportMetric(float64(cpuTime(b)-before)/float64(b.N), "cpu-ns/op")
}

func cpuTime(b *testing.B) time.Duration {
	b.Helper()
	var used syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &used); err != nil {
		b.Fatal(err)
	}
	return time.Duration(used.Utime.Nano() + used.Stime.Nano())
}

// BenchmarkPaymentCallback reads, verifies, decrypts and parses a callback into a payment.
func BenchmarkPaymentCallback(b *testing.B) {
	b.Run("ours", func(b *testing.B) {
		c, m := comparisonClient(b), comparisonMessage(b, "payment-v3.json")
		measure(b, func() error { _, err := takePayment(c, m); return err })
	})
}

// BenchmarkPrepayRequest checks, writes and signs an order.
func BenchmarkPrepayRequest(b *testing.B) {
	b.Run("ours", func(b *testing.B) {
		c, order := comparisonClient(b), comparisonOrder(b)
		measure(b, func() error { _, _, err := makeOrder(c, order); return err })
	})
}

// BenchmarkPrepayWithoutRSA does the same, but for the signature itself, in which the rest is lost.
func BenchmarkPrepayWithoutRSA(b *testing.B) {
	b.Run("ours", func(b *testing.B) {
		c, order := comparisonClient(b), comparisonOrder(b)
		c.signer.key = signedBefore{c.signer.key, make([]byte, 256)}
		measure(b, func() error { _, _, err := makeOrder(c, order); return err })
	})
}

// signedBefore is a key with a signature that is made already.
type signedBefore struct {
	crypto.Signer
	signature []byte
}

func (s signedBefore) Sign(io.Reader, []byte, crypto.SignerOpts) ([]byte, error) {
	return s.signature, nil
}

// BenchmarkReply reads, verifies and parses the answer to a query.
func BenchmarkReply(b *testing.B) {
	b.Run("ours", func(b *testing.B) {
		c, m := comparisonClient(b), comparisonMessage(b, "trade-v3.json")
		measure(b, func() error {
			c.settings.Answers = wechatpay.NewTakenAnswers() // or it would be the same answer again
			_, err := takeReply(c, m)
			return err
		})
	})
}

// BenchmarkRSA measures the two operations with a key alone: no client can do with less.
func BenchmarkRSA(b *testing.B) {
	digest := sha256.Sum256([]byte("a message"))
	key := testKeys()["wechatpay_pub"].private
	b.Run("verify", func(b *testing.B) {
		signature, err := key.Sign(nil, digest[:], crypto.SHA256)
		if err != nil {
			b.Fatal(err)
		}
		measure(b, func() error { return rsa.VerifyPKCS1v15(&key.PublicKey, crypto.SHA256, digest[:], signature) })
	})
	b.Run("sign", func(b *testing.B) {
		merchant := testKeys()["merchant"].private
		measure(b, func() error { _, err := merchant.Sign(nil, digest[:], crypto.SHA256); return err })
	})
}
