package bills_test

import (
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/wechatpay-operator/wechatpay-operator/internal/bills"
)

// TestWhenWeChatIsAsked: from 10:00 in Beijing on the next day, for 89 days.
func TestWhenWeChatIsAsked(t *testing.T) {
	policy := bills.WeChatPolicy
	for _, c := range []struct {
		now  string
		want bills.Turn
	}{
		{"2026-11-27T16:00:00Z", bills.TooEarly},
		{"2026-11-28T01:59:59Z", bills.TooEarly},
		{"2026-11-28T02:00:00Z", bills.MayAsk},
		{"2027-02-24T15:59:59Z", bills.MayAsk}, // the 89th day
		{"2027-02-24T16:00:00Z", bills.TooLate},
	} {
		if got := policy.Turn("2026-11-27", instant(t, c.now)); got != c.want {
			t.Errorf("%s: %s, not %s", c.now, got, c.want)
		}
	}
	if got := policy.Expires("2026-11-27"); !got.Equal(instant(t, "2027-02-24T16:00:00Z")) {
		t.Errorf("it expires at %s", got)
	}
	// Near the end of a shorter month three months come first.
	if got := (bills.Policy{MonthsBack: 3, DaysBack: 200}).Expires("2026-11-30"); !got.Equal(instant(t, "2027-02-28T16:00:00Z")) {
		t.Errorf("it expires at %s", got)
	}
}

func TestAttemptsAndNoBill(t *testing.T) {
	policy := bills.WeChatPolicy
	ready := instant(t, "2026-11-28T02:00:00Z")
	if got := policy.NextAttempt("2026-11-27", ready.Add(-5*time.Hour)); !got.Equal(ready) {
		t.Errorf("after an early attempt it is asked at %s", got)
	}
	if got := policy.NextAttempt("2026-11-27", ready.Add(time.Minute)); !got.Equal(ready.Add(31 * time.Minute)) {
		t.Errorf("after an attempt it is asked at %s", got)
	}
	// "No bill" may come before the bill is made.
	if policy.NoBillIsFinal("2026-11-27", ready.Add(policy.NoBillAfter-time.Second)) || !policy.NoBillIsFinal("2026-11-27", ready.Add(policy.NoBillAfter)) {
		t.Error("no bill is final at another time")
	}
}

func TestDays(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		at := time.Unix(rapid.Int64Range(0, 4_000_000_000).Draw(t, "at"), 0)
		day := bills.DayOf(at)
		if at.Before(day.Start()) || !at.Before(day.End()) || day.Next().Previous() != day || day.Next() <= day {
			t.Fatalf("%s is not in %s", at, day)
		}
	})
	for _, text := range []string{"", "2026-02-30", "20261127", "2026-11-27 ", "２０２６-11-27"} {
		if _, err := bills.ParseDay(text); err == nil {
			t.Errorf("%q is a day", text)
		}
	}
}

func TestAmountsAreWrittenAsTheyAreRead(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		fen := rapid.Int64().Filter(func(n int64) bool { return n > -1<<63 }).Draw(t, "fen")
		if got, ok := bills.ParseFen(bills.FormatFen(fen)); !ok || got != fen {
			t.Fatalf("%d is written as %s", fen, bills.FormatFen(fen))
		}
	})
}
