package statement

import (
	"testing"
	"time"

	"github.com/wechatpay-operator/wechatpay-operator/internal/bills"
)

func TestWhenARefundWasAccepted(t *testing.T) {
	t.Parallel()
	day := bills.Day("2026-11-27")
	at := func(hours float64) time.Time { return day.Start().Add(time.Duration(hours * float64(time.Hour))) }
	var never time.Time
	for name, c := range map[string]struct {
		decided, learned, succeeded time.Time
		want                        time.Time
		doubtful                    bool
	}{
		"at once":                         {at(12), at(12), never, at(12), false},
		"after a lost answer":             {at(12), at(15), never, at(15), false},
		"succeeded before it was learned": {at(12), at(15), at(13), at(13), false},
		"over midnight":                   {at(23.9), at(24.1), never, at(24.1), true},
		"after days":                      {at(12), at(72), never, never, true},
		"before it was decided":           {at(12), at(12), at(2), never, true},
		"never decided here":              {never, at(12), never, never, true},
		"by a clock that is ahead":        {at(12), at(12), at(12).Add(-time.Minute), at(12).Add(-time.Minute), false},
	} {
		if got, doubtful := acceptance(c.decided, c.learned, c.succeeded); !got.Equal(c.want) || doubtful != c.doubtful {
			t.Errorf("%s: %v %t, want %v %t", name, got, doubtful, c.want, c.doubtful)
		}
	}
}
