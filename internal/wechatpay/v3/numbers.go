package v3

import "time"

// maxAmount limits every amount and count: far above any payment in any currency, and sums of it
// fit in an int64.
const maxAmount = 1_000_000_000_000_000

// beijing is the time zone in which times are sent. China has had no daylight saving time since the
// protocol exists, so no time zone database is needed.
var beijing = time.FixedZone("UTC+8", 8*60*60)

// formatTime writes a time in RFC 3339, to the second; empty if it is zero.
func formatTime(t time.Time) string {
	if t.IsZero() {
		return ""
	}
	return t.In(beijing).Format("2006-01-02T15:04:05-07:00")
}

// timeIfSaid parses RFC 3339, with or without fractions of a second; zero if it is absent or
// invalid: a payment must not be lost because of its time.
func timeIfSaid(text string) time.Time {
	read, err := time.Parse(time.RFC3339, text)
	if err != nil {
		return time.Time{}
	}
	return read
}
