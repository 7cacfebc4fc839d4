package account

import (
	"testing"
	"time"

	"golang.org/x/time/rate"
)

// TestDefaultLimitsStayBelowWeChats: other tests set limits of their own, so only this one notices
// a change of the defaults.
func TestDefaultLimitsStayBelowWeChats(t *testing.T) {
	t.Parallel()
	limits := Limits{}.orDefaults()
	for operation, c := range map[string]struct{ got, allowed rate.Limit }{
		"CreateOrder": {limits.CreateOrder, 600},
		"refund":      {limits.CreateRefund, 150},
		"QueryRefund": {limits.QueryRefund, 300},
		// No figure is published for these two.
		"QueryOrder": {limits.QueryOrder, 600},
		"CloseOrder": {limits.CloseOrder, 600},
		// WeChat counts a query for an unknown refund as an invalid request, in addition to failing
		// refunds.
		"looks": {limits.Lookups, 2.5},
	} {
		if c.got <= 0 || c.got >= c.allowed {
			t.Errorf("%s: %.0f calls a second, of less than %.0f", operation, float64(c.got), float64(c.allowed))
		}
	}
	if limits.FailingRefunds < 1 || limits.FailingRefunds > 5 {
		t.Errorf("%d refunds may fail in a second; WeChat blocks the merchant at 6", limits.FailingRefunds)
	}
	if limits.BreakAfter < 1 || limits.BreakAfter > 10 || limits.BreakFor < 10*time.Second {
		t.Errorf("calls pause for %s after %d failures", limits.BreakFor, limits.BreakAfter)
	}
	if fresh := NewRegistry(nil, Options{}).options.RefreshAfter; fresh <= 0 || fresh > 30*time.Second {
		t.Errorf("credentials are kept for %s; a changed Secret takes effect within a minute", fresh)
	}
}
