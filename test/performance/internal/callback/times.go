package callback

import "time"

// Percentile of sorted durations; 0 when there are none.
func Percentile(sorted []time.Duration, percent int) time.Duration {
	if len(sorted) == 0 {
		return 0
	}
	return sorted[min(len(sorted)*percent/100, len(sorted)-1)]
}

// Milliseconds are what tables show of a duration.
func Milliseconds(d time.Duration) float64 { return float64(d.Microseconds()) / 1000 }
