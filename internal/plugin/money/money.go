// Package money writes amounts for people. Objects and WeChat Pay have amounts in minor units of the currency.
package money

import (
	"slices"
	"strconv"

	"github.com/wechatpay-operator/wechatpay-operator/internal/bills"
)

// whole are the currencies without a minor unit, among those that WeChat Pay supports. The others have two decimals.
// This follows ISO 4217; WeChat Pay documents it for JPY and KRW.
var whole = []string{"JPY", "KRW", "ISK"}

// Decimal writes an amount in the currency's main unit: 101 CNY is 1.01, and 500 JPY is 500.
func Decimal(minor int64, currency string) string {
	if slices.Contains(whole, currency) {
		return strconv.FormatInt(minor, 10)
	}
	return bills.FormatFen(minor)
}
