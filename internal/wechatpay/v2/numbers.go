package v2

import (
	"errors"
	"strconv"
	"time"
)

// maxAmount limits every amount and count: far above any payment in any currency, and sums of it
// fit in an int64.
const maxAmount = 1_000_000_000_000_000

var errNotAnAmount = errors.New("not a whole number of minor units")

// parseAmount parses minor units: digits only, no sign, no decimal point, no leading zero.
func parseAmount(text string) (int64, error) {
	amount, err := strconv.ParseUint(text, 10, 63)
	if err != nil || amount > maxAmount || (text[0] == '0' && len(text) > 1) {
		return 0, errNotAnAmount
	}
	return int64(amount), nil
}

// amountIfSaid parses an informational amount. WeChat Pay may omit such fields, and a payment must
// not be lost because one is invalid.
func amountIfSaid(text string) *int64 {
	amount, err := parseAmount(text)
	if err != nil {
		return nil
	}
	return &amount
}

func formatAmount(amount int64) string { return strconv.FormatInt(amount, 10) }

// beijing is the time zone of every time in the protocol. China has had no daylight saving time
// since the protocol exists, so no time zone database is needed.
var beijing = time.FixedZone("UTC+8", 8*60*60)

// The protocol's two time formats.
const (
	compactTime = "20060102150405"      // time_expire, time_end
	spacedTime  = "2006-01-02 15:04:05" // refund_success_time
)

// timeIfSaid parses a time; zero if it is absent or invalid.
func timeIfSaid(layout, text string) time.Time {
	read, err := time.ParseInLocation(layout, text, beijing)
	if err != nil {
		return time.Time{}
	}
	return read
}

func formatTime(t time.Time) string {
	if t.IsZero() {
		return ""
	}
	return t.In(beijing).Format(compactTime)
}
