package money_test

import (
	"math"
	"strconv"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"github.com/wechatpay-operator/wechatpay-operator/internal/plugin/money"
)

func TestDecimal(t *testing.T) {
	for _, c := range []struct {
		minor    int64
		currency string
		want     string
	}{
		{1, "CNY", "0.01"}, {10, "CNY", "0.10"}, {101, "CNY", "1.01"}, {0, "CNY", "0.00"}, {math.MaxInt32, "CNY", "21474836.47"},
		{-5, "CNY", "-0.05"}, {-12345, "HKD", "-123.45"}, {math.MinInt64, "CNY", "-92233720368547758.08"},
		{500, "JPY", "500"}, {1, "KRW", "1"}, {-3, "JPY", "-3"}, {7, "ISK", "7"}, {99, "XTS", "0.99"},
	} {
		if got := money.Decimal(c.minor, c.currency); got != c.want {
			t.Errorf("%d %s is written %q, want %q", c.minor, c.currency, got, c.want)
		}
	}
}

// TestNothingIsLost: without its point, what is written is the amount.
func TestNothingIsLost(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		minor := rapid.Int64().Draw(t, "minor")
		written := money.Decimal(minor, rapid.SampledFrom([]string{"CNY", "USD", "JPY"}).Draw(t, "currency"))
		if back, err := strconv.ParseInt(strings.Replace(written, ".", "", 1), 10, 64); err != nil || back != minor {
			t.Fatalf("%d is written %q", minor, written)
		}
	})
}
