// Package money writes amounts for people. They are stored in minor units of their currency, as WeChat Pay has them.
package money

import (
	"slices"
	"strconv"

	"github.com/wechatpay-operator/wechatpay-operator/internal/bills"
)

// whole are the currencies without a smaller unit, of those that WeChat Pay takes. The others have two decimals. ISO 4217 has it so,
// and WeChat Pay documents it for JPY and KRW.
var whole = []string{"JPY", "KRW", "ISK"}

// Decimal writes an amount in the currency's main unit: 101 CNY is 1.01, and 500 JPY is 500.
func Decimal(minor int64, currency string) string {
	if slices.Contains(whole, currency) {
		return strconv.FormatInt(minor, 10)
	}
	return bills.FormatFen(minor)
}
