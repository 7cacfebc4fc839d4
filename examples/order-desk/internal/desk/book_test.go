package desk_test

import (
	"encoding/json"
	"fmt"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/wechatpay-operator/wechatpay-operator/examples/order-desk/internal/desk"
	"github.com/wechatpay-operator/wechatpay-operator/examples/order-desk/internal/event"
	"github.com/wechatpay-operator/wechatpay-operator/examples/order-desk/internal/fixture"
)

var start = time.Date(2026, 11, 29, 8, 0, 0, 0, time.UTC)

const month = 30 * 24 * time.Hour

// store is a Book that can be closed and opened again.
type store struct {
	*desk.Book
	t    testing.TB
	path string
	now  time.Time
}

func newStore(t testing.TB, folder string) *store {
	s := &store{t: t, path: filepath.Join(folder, "journal"), now: start}
	s.open()
	return s
}

func (s *store) open() {
	book, _, err := desk.Open(s.path, month, func() time.Time { return s.now })
	if err != nil {
		s.t.Fatal(err)
	}
	s.Book = book
}

func (s *store) reopen() {
	s.must(s.Close())
	s.open()
}

func (s *store) must(err error) {
	s.t.Helper()
	if err != nil {
		s.t.Fatal(err)
	}
}

// all returns everything that the Book knows, as text.
func (s *store) all() string {
	entries, _ := s.Select(func(*desk.Entry) bool { return true })
	text, err := json.Marshal(entries)
	s.must(err)
	return string(text) + fmt.Sprint(s.Waiting())
}

func TestAnEventIsTakenOnce(t *testing.T) {
	s := newStore(t, t.TempDir())
	for range 3 {
		s.must(s.Receive(fixture.Paid(t, "order-0001")))
		s.reopen()
	}
	s.must(s.Printed("uid-order-0001/OrderPaid"))
	s.must(s.Receive(fixture.Paid(t, "order-0001")))
	if next, _ := s.NextToPrint(); next != nil {
		t.Error("it is printed a second time")
	}
}

func TestPrintAgainWaitsOnce(t *testing.T) {
	s := newStore(t, t.TempDir())
	id := fixture.Paid(t, "order-0001").ID
	s.must(s.Receive(fixture.Paid(t, "order-0001")))
	s.must(s.Receive(fixture.Refund(t, event.RefundRequested, "refund-0001", "order-0001", 50)))
	s.must(s.Printed(id))
	for range 3 {
		if found, err := s.PrintAgain(id); !found || err != nil {
			t.Error(found, err)
		}
	}
	if got := s.Waiting(); len(got) != 1 {
		t.Errorf("%q", got)
	}
	for _, id := range []string{"none", "uid-refund-0001/RefundRequested"} {
		if found, _ := s.PrintAgain(id); found {
			t.Errorf("%s can be printed", id)
		}
	}
}

func TestRefundsInAnyOrder(t *testing.T) {
	requested := fixture.Refund(t, event.RefundRequested, "refund-0001", "order-0001", 50)
	succeeded := fixture.Refund(t, event.RefundSucceeded, "refund-0001", "order-0001", 50)
	for _, order := range [][]event.Event{{requested, succeeded}, {succeeded, requested}} {
		s := newStore(t, t.TempDir())
		for _, e := range order {
			s.must(s.Receive(e))
		}
		if got := s.RefundsOf("shop", "order-0001"); len(got) != 1 || got[0].Event.Type != event.RefundSucceeded {
			t.Errorf("%+v", got)
		}
	}
}

func TestOldEntriesAreForgottenAndTheFileStaysSmall(t *testing.T) {
	s := newStore(t, quickFolder(t))
	waiting := fixture.Paid(t, "order-waiting")
	s.must(s.Receive(waiting))
	for i := range 120 {
		e := fixture.Paid(t, fmt.Sprintf("order-%04d", i))
		s.must(s.Receive(e))
		s.must(s.Begin(e.ID))
		s.must(s.Printed(e.ID))
		s.now = s.now.Add(24 * time.Hour)
	}
	s.must(s.Printed("uid-order-0000/OrderPaid")) // of what was forgotten
	s.must(s.Receive(waiting))                    // it waits, so that it is known after a year
	before := s.all()
	if count := strings.Count(before, `"outTradeNo"`); count < 30 || count > 33 {
		t.Errorf("%d entries", count)
	}
	if got := s.Waiting(); !slices.Equal(got, []string{waiting.ID}) {
		t.Errorf("%q", got)
	}
	s.reopen()
	s.must(s.Receive(fixture.Refund(t, event.RefundRequested, "refund-0001", "order-0001", 50)))
	if after := s.all(); !strings.HasPrefix(after, strings.Split(before, `]["uid`)[0][:200]) {
		t.Errorf("%s", after)
	}
}

// TestTheBookIsTheSameAfterARestart: whatever happens in whatever order, with a restart at any moment,
// the Book knows the same afterwards, and prints first what came first.
func TestTheBookIsTheSameAfterARestart(t *testing.T) {
	folder := quickFolder(t)
	run := 0
	rapid.Check(t, func(rt *rapid.T) {
		run++
		s := newStore(t, mkdir(t, folder, run))
		defer func() { s.must(s.Close()) }()
		var expected []string
		copies := map[string]int{}
		for range rapid.IntRange(1, 25).Draw(rt, "steps") {
			e := fixture.Paid(t, rapid.SampledFrom([]string{"order-a", "order-b", "order-c"}).Draw(rt, "order"))
			switch rapid.SampledFrom([]string{"receive", "begin", "print", "again", "remind", "restart", "time"}).Draw(rt, "step") {
			case "receive":
				if entries, _ := s.Select(func(other *desk.Entry) bool { return other.Event.ID == e.ID }); len(entries) == 0 {
					expected = append(expected, e.ID)
				}
				s.must(s.Receive(e))
			case "begin":
				if next, _ := s.NextToPrint(); next != nil {
					s.must(s.Begin(next.Event.ID))
				}
			case "print":
				if next, _ := s.NextToPrint(); next != nil {
					if next.Event.ID != expected[0] {
						rt.Fatalf("%s before %s", next.Event.ID, expected[0])
					}
					s.must(s.Printed(next.Event.ID))
					copies[next.Event.ID]++
					expected = expected[1:]
				}
			case "again":
				if found, err := s.PrintAgain(e.ID); err == nil && found && !slices.Contains(expected, e.ID) {
					expected = append(expected, e.ID)
				}
			case "remind":
				s.must(s.Reminded([]string{e.ID}))
			case "time":
				s.now = s.now.Add(time.Hour)
			case "restart":
				before := s.all()
				s.reopen()
				if after := s.all(); after != before {
					rt.Fatalf("%s\nbecame\n%s", before, after)
				}
			}
		}
		if got := s.Waiting(); !slices.Equal(got, expected) {
			rt.Fatalf("%q waits, not %q", got, expected)
		}
	})
}
