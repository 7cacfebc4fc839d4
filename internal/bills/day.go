package bills

import (
	"fmt"
	"time"
)

// beijing has had no summer time since 1991, so the operator's image needs no time zone database.
var beijing = time.FixedZone("Beijing", 8*60*60)

const (
	dayLayout    = "2006-01-02"
	secondLayout = "2006-01-02 15:04:05"
)

// Day is a day in Beijing, from 00:00:00 to 23:59:59, written 2006-01-02. Days sort as strings.
type Day string

// DayOf returns the day of an instant.
func DayOf(instant time.Time) Day { return Day(instant.In(beijing).Format(dayLayout)) }

// ParseDay reads a day.
func ParseDay(text string) (Day, error) {
	if _, err := time.ParseInLocation(dayLayout, text, beijing); err != nil {
		return "", fmt.Errorf("%q is not a day like 2026-11-27", text)
	}
	return Day(text), nil
}

// Start returns the first instant of the day; the zero time if the text is not a day.
func (d Day) Start() time.Time {
	start, err := time.ParseInLocation(dayLayout, string(d), beijing)
	if err != nil {
		return time.Time{}
	}
	return start
}

// End returns the first instant of the next day.
func (d Day) End() time.Time { return d.Start().AddDate(0, 0, 1) }

// Next returns the next day.
func (d Day) Next() Day { return DayOf(d.End()) }

// Previous returns the day before.
func (d Day) Previous() Day { return DayOf(d.Start().AddDate(0, 0, -1)) }

// parseSecond reads a time of a bill.
func parseSecond(text string) (time.Time, bool) {
	at, err := time.ParseInLocation(secondLayout, text, beijing)
	return at, err == nil && len(text) == len(secondLayout)
}
