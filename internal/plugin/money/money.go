// Package money writes amounts for people. They are stored in minor units of their currency, as WeChat Pay has them.
package money

import (
	"strconv"
	"strings"
)

// fractions are the currencies that do not have two decimals, of those that WeChat Pay takes. ISO 4217 has it so, and WeChat Pay
// documents it for JPY and KRW.
var fractions = map[string]int{"JPY": 0, "KRW": 0, "ISK": 0}

// Decimal writes an amount in the currency's main unit: 101 CNY is 1.01, and 500 JPY is 500.
func Decimal(minor int64, currency string) string {
	places, known := fractions[currency]
	if !known {
		places = 2
	}
	if places == 0 {
		return strconv.FormatInt(minor, 10)
	}
	sign, digits := "", strconv.FormatInt(minor, 10)
	if minor < 0 {
		sign, digits = "-", digits[1:]
	}
	if missing := places + 1 - len(digits); missing > 0 {
		digits = strings.Repeat("0", missing) + digits
	}
	return sign + digits[:len(digits)-places] + "." + digits[len(digits)-places:]
}
