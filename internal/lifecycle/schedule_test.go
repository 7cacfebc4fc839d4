package lifecycle_test

import (
	"math"
	"slices"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/wechatpay-operator/wechatpay-operator/internal/lifecycle"
)

// drawSchedule draws ages whose gaps differ by less than a factor of ten, as in real schedules: if
// a gap is smaller than the jitter of the previous one, an age is skipped.
var drawSchedule = rapid.Custom(func(t *rapid.T) lifecycle.Schedule {
	var ages []time.Duration
	age := time.Duration(0)
	unit := rapid.Int64Range(int64(time.Millisecond), int64(8*time.Hour)).Draw(t, "unit")
	for range rapid.IntRange(1, 12).Draw(t, "ages") {
		age += time.Duration(rapid.Int64Range(unit, 10*unit).Draw(t, "gap"))
		ages = append(ages, age)
	}
	return lifecycle.Schedule{Ages: ages, Repeat: rapid.Bool().Draw(t, "repeat")}
})

func TestSchedule(t *testing.T) {
	t.Parallel()
	const centuries = 290 * 365 * 24 * time.Hour
	rapid.Check(t, func(t *rapid.T) {
		schedule, seed := drawSchedule.Draw(t, "schedule"), rapid.String().Draw(t, "seed")
		last := schedule.Ages[len(schedule.Ages)-1]
		lastGap := last
		if n := len(schedule.Ages); n > 1 {
			lastGap -= schedule.Ages[n-2]
		}
		elapsed := time.Duration(rapid.OneOf(
			rapid.Int64Range(0, int64(2*last)), rapid.Int64Range(0, int64(centuries)), rapid.Int64Range(-int64(centuries), 0),
		).Draw(t, "elapsed"))
		due, more := schedule.Next(elapsed, seed)
		again, _ := schedule.Next(elapsed, seed)
		switch {
		case due != again:
			t.Fatal("the jitter is not constant for a seed")
		case !more && (schedule.Repeat || elapsed < last):
			t.Fatalf("nothing is due after %s", elapsed)
		case !more:
			return
		case due <= elapsed:
			t.Fatalf("%s is due at %s", elapsed, due)
		case elapsed > last+lastGap && due-elapsed > lastGap:
			t.Fatalf("%s to wait where the gap is %s", due-elapsed, lastGap)
		case elapsed < 0 && due > schedule.Ages[0]+schedule.Ages[0]/10:
			t.Fatalf("a clock that is behind waits until %s", due)
		}
		if later, stillMore := schedule.Next(elapsed+1, seed); stillMore && later < due {
			t.Fatalf("a moment later %s is due, before %s", later, due)
		}
	})
}

// TestScheduleVisitsEveryAge goes from one due time to the next: each age is due once, at most a
// tenth of its gap late.
func TestScheduleVisitsEveryAge(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		schedule, seed := drawSchedule.Draw(t, "schedule"), rapid.String().Draw(t, "seed")
		elapsed, previous := time.Duration(0), time.Duration(0)
		for i, age := range schedule.Ages {
			due, more := schedule.Next(elapsed, seed)
			if !more || due < age || due > age+(age-previous)/10 {
				t.Fatalf("age %d (%s): %s, %t", i, age, due, more)
			}
			elapsed, previous = due, age
		}
		if _, more := schedule.Next(elapsed, seed); more != schedule.Repeat {
			t.Fatalf("after the last age: %t", more)
		}
	})
}

func TestScheduleRepeatsItsLastGap(t *testing.T) {
	t.Parallel()
	schedule := lifecycle.Schedule{Ages: []time.Duration{time.Minute, 3 * time.Minute}, Repeat: true}
	start, _ := schedule.Next(0, "seed")
	second, _ := schedule.Next(start, "seed")
	elapsed := second
	for i := range 100 {
		due, more := schedule.Next(elapsed, "seed")
		if !more || due-elapsed != 2*time.Minute {
			t.Fatalf("repetition %d: %s after %s", i, due-elapsed, elapsed)
		}
		elapsed = due
	}
}

func TestScheduleAtTheEdges(t *testing.T) {
	t.Parallel()
	hourly := lifecycle.Schedule{Ages: []time.Duration{time.Hour}, Repeat: true}
	for _, elapsed := range []time.Duration{math.MaxInt64, math.MaxInt64 - 1, math.MaxInt64 - time.Hour, math.MaxInt64 - 3*time.Hour} {
		if due, more := hourly.Next(elapsed, "seed"); !more || due < elapsed {
			t.Errorf("%s: %s, %t", elapsed, due, more)
		}
	}
	if due, more := hourly.Next(math.MinInt64, "seed"); !more || due < time.Hour {
		t.Errorf("the earliest: %s, %t", due, more)
	}
	for _, schedule := range []lifecycle.Schedule{
		{}, {Repeat: true}, {Ages: []time.Duration{0}, Repeat: true}, {Ages: []time.Duration{time.Hour, time.Hour}, Repeat: true},
	} {
		if _, more := schedule.Next(2*time.Hour, "seed"); more {
			t.Errorf("%+v has something due", schedule)
		}
	}
}

func TestJitterSpreads(t *testing.T) {
	t.Parallel()
	var seen []time.Duration
	for i := range 100 {
		due, _ := lifecycle.Schedule{Ages: []time.Duration{time.Hour}}.Next(0, string(rune('a'+i)))
		seen = append(seen, due)
	}
	slices.Sort(seen)
	if different := len(slices.Compact(seen)); different < 80 {
		t.Errorf("100 objects are asked for at %d moments", different)
	}
}
