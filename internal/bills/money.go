package bills

import (
	"fmt"
	"math"
	"math/bits"
	"strconv"
	"strings"
)

// Fee is an amount in hundred-thousandths of a yuan: fees have five decimals. It is negative if WeChat returns a fee.
type Fee int64

// String writes a fee in yuan, as a bill does.
func (f Fee) String() string {
	sign, digits := "", uint64(f)
	if f < 0 {
		sign, digits = "-", -digits
	}
	return fmt.Sprintf("%s%d.%05d", sign, digits/100_000, digits%100_000)
}

// feesPerFen is one fen as a Fee.
const feesPerFen = 1000

// ParseFen reads an amount in yuan as a whole number of fen. It may be negative; the caller has to refuse that where it
// makes no sense.
func ParseFen(text string) (fen int64, ok bool) { return scaled(text, 2) }

// ParseFee reads a fee in yuan.
func ParseFee(text string) (Fee, bool) {
	fee, ok := scaled(text, 5)
	return Fee(fee), ok
}

// ParseRate reads a rate like "0.60%" in millionths.
func ParseRate(text string) (ppm int64, ok bool) {
	percent, found := strings.CutSuffix(text, "%")
	if !found {
		return 0, false
	}
	return scaled(percent, 4)
}

// scaled reads a decimal number as a whole number of its given decimal place. Digits beyond that place must be zeros.
// The only sign is the minus; exponents and separators are refused, and both sides of a point need a digit.
func scaled(text string, places int) (int64, bool) {
	digits, negative := strings.CutPrefix(text, "-")
	whole, fraction, hasPoint := strings.Cut(digits, ".")
	if !isDigits(whole) || hasPoint && !isDigits(fraction) {
		return 0, false
	}
	value, ok := appendDigits(0, whole)
	for place := 0; place < places && ok; place++ {
		next := "0"
		if place < len(fraction) {
			next = fraction[place : place+1]
		}
		value, ok = appendDigits(value, next)
	}
	if !ok || len(fraction) > places && strings.Trim(fraction[places:], "0") != "" {
		return 0, false
	}
	if negative {
		return -value, true
	}
	return value, true
}

func isDigits(text string) bool {
	for i := range len(text) {
		if text[i] < '0' || text[i] > '9' {
			return false
		}
	}
	return text != ""
}

// appendDigits appends the digits of a number that is not negative.
func appendDigits(value int64, digits string) (int64, bool) {
	for i := range len(digits) {
		digit := int64(digits[i] - '0')
		if value > (math.MaxInt64-digit)/10 {
			return 0, false
		}
		value = value*10 + digit
	}
	return value, true
}

// FormatFen writes an amount as WeChat does: yuan with two decimals.
func FormatFen(fen int64) string {
	sign, magnitude := "", uint64(fen)
	if fen < 0 {
		sign, magnitude = "-", -magnitude
	}
	cents := strconv.FormatUint(magnitude%100, 10)
	if len(cents) < 2 {
		cents = "0" + cents
	}
	return sign + strconv.FormatUint(magnitude/100, 10) + "." + cents
}

// UsualFee is the fee of a contract without caps and promotions: the settled amount times the rate, rounded half up to
// a whole fen. Another fee is not an error; it is only counted.
func UsualFee(settledFen, ratePPM int64) (fee Fee, ok bool) {
	if settledFen < 0 || ratePPM < 0 {
		return 0, false
	}
	const million = 1_000_000
	high, low := bits.Mul64(uint64(settledFen), uint64(ratePPM))
	low, carry := bits.Add64(low, million/2, 0)
	high += carry
	if high >= million {
		return 0, false
	}
	fen, _ := bits.Div64(high, low, million)
	if fen > math.MaxInt64/feesPerFen {
		return 0, false
	}
	return Fee(fen) * feesPerFen, true
}

// addAmounts adds without overflow.
func addAmounts[Number ~int64](a, b Number) (Number, bool) {
	sum := a + b
	return sum, (sum > a) == (b > 0)
}
