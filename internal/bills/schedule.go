package bills

import "time"

// Policy defines when WeChat may be asked for the bill of a day.
type Policy struct {
	// ReadyHour is the hour of the next day, in Beijing, from which a bill is available.
	ReadyHour int
	// MonthsBack and DaysBack limit for how long the API gives a bill; zero is no limit. The last day is MonthsBack
	// months or DaysBack days after the bill's day, whichever is earlier.
	MonthsBack, DaysBack int
	// Retry is how long to wait after WeChat answered that there is no bill yet.
	Retry time.Duration
	// NoBillAfter is how long after ReadyHour the answer that there is no bill becomes final: before, the bill may not
	// have been made yet.
	NoBillAfter time.Duration
}

// WeChatPolicy is the strictest reading of WeChat Pay's documents, which differ: ready between 08:00 and 10:00, kept
// for three months or for 90 days.
var WeChatPolicy = Policy{ReadyHour: 10, MonthsBack: 3, DaysBack: 89, Retry: 30 * time.Minute, NoBillAfter: 2 * time.Hour}

// Turn says whether WeChat may be asked for a bill now.
type Turn string

// The turns.
const (
	TooEarly Turn = "early"
	MayAsk   Turn = "ask"
	TooLate  Turn = "too-old"
)

// Turn returns whether WeChat may be asked for the bill of a day.
func (p Policy) Turn(day Day, now time.Time) Turn {
	switch {
	case now.Before(p.Ready(day)):
		return TooEarly
	case DayOf(now) > p.lastDay(day):
		return TooLate
	default:
		return MayAsk
	}
}

// Ready returns when the bill of a day is available.
func (p Policy) Ready(day Day) time.Time {
	return day.End().Add(time.Duration(p.ReadyHour) * time.Hour)
}

// Expires returns the instant from which the bill of a day is not available any more.
func (p Policy) Expires(day Day) time.Time { return p.lastDay(day).End() }

// NoBillIsFinal reports whether the answer that there is no bill means that the day had no rows.
func (p Policy) NoBillIsFinal(day Day, now time.Time) bool {
	return !now.Before(p.Ready(day).Add(p.NoBillAfter))
}

// NextAttempt returns when to ask again after an attempt that returned no bill.
func (p Policy) NextAttempt(day Day, tried time.Time) time.Time {
	next := tried.Add(p.Retry)
	if ready := p.Ready(day); next.Before(ready) {
		return ready
	}
	return next
}

// lastDay returns the last day on which the bill of a day is available.
func (p Policy) lastDay(day Day) Day {
	last := Day("9999-12-31")
	if p.MonthsBack > 0 {
		last = min(last, monthsLater(day, p.MonthsBack))
	}
	if p.DaysBack > 0 {
		last = min(last, DayOf(day.Start().AddDate(0, 0, p.DaysBack)))
	}
	return last
}

// monthsLater keeps the day of the month, or uses the last day of a shorter month. AddDate would continue into the next
// month.
func monthsLater(day Day, months int) Day {
	start := day.Start()
	first := time.Date(start.Year(), start.Month()+time.Month(months), 1, 0, 0, 0, 0, beijing)
	lastOfMonth := first.AddDate(0, 1, -1).Day()
	return DayOf(first.AddDate(0, 0, min(start.Day(), lastOfMonth)-1))
}
