package bills

import (
	"fmt"
	"strconv"
	"strings"
)

// Fee is an amount in hundred-thousandths of a yuan: fees have five decimals. It is negative where
// WeChat gives a fee back.
type Fee int64

// String writes a fee in yuan, as a bill does.
func (f Fee) String() string { return decimal(int64(f), 5) }

// FormatFen writes an amount as WeChat does: yuan with two decimals.
func FormatFen(fen int64) string { return decimal(fen, 2) }

// decimal writes a whole number of a decimal place.
func decimal(value int64, places int) string {
	sign, magnitude := "", uint64(value)
	if value < 0 {
		sign, magnitude = "-", -magnitude
	}
	digits := fmt.Sprintf("%0*d", places+1, magnitude)
	return sign + digits[:len(digits)-places] + "." + digits[len(digits)-places:]
}

// ParseFen reads an amount in yuan as a whole number of fen. It may be negative; where that makes
// no sense the caller refuses it.
func ParseFen(text string) (fen int64, ok bool) { return scaled(text, 2) }

// ParseFee reads a fee in yuan.
func ParseFee(text string) (Fee, bool) {
	fee, ok := scaled(text, 5)
	return Fee(fee), ok
}

// scaled reads a decimal number as a whole number of its given decimal place. Digits beyond that
// place must be zeros. There are no signs but the minus, no exponents and no separators, and both
// sides of a point have a digit.
func scaled(text string, places int) (int64, bool) {
	digits, negative := strings.CutPrefix(text, "-")
	whole, fraction, hasPoint := strings.Cut(digits, ".")
	if !isDigits(whole) || hasPoint && !isDigits(fraction) {
		return 0, false
	}
	kept := fraction[:min(places, len(fraction))]
	if strings.Trim(fraction[len(kept):], "0") != "" {
		return 0, false
	}
	value, err := strconv.ParseInt(whole+kept+strings.Repeat("0", places-len(kept)), 10, 64)
	if negative {
		value = -value
	}
	return value, err == nil
}

func isDigits(text string) bool {
	for i := range len(text) {
		if text[i] < '0' || text[i] > '9' {
			return false
		}
	}
	return text != ""
}

// addAmounts adds without overflow.
func addAmounts[Number ~int64](a, b Number) (Number, bool) {
	sum := a + b
	return sum, (sum > a) == (b > 0)
}
