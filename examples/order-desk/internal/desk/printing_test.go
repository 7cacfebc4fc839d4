package desk_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"path/filepath"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/wechatpay-operator/wechatpay-operator/examples/order-desk/internal/desk"
	"github.com/wechatpay-operator/wechatpay-operator/examples/order-desk/internal/fixture"
	"github.com/wechatpay-operator/wechatpay-operator/examples/order-desk/internal/printer"
	"github.com/wechatpay-operator/wechatpay-operator/examples/order-desk/internal/ticket"
)

// paper is a printer that keeps what it prints, and fails a number of times first.
type paper struct {
	mutex   sync.Mutex
	fails   int
	tickets []ticket.Ticket
}

func (p *paper) Print(_ context.Context, t ticket.Ticket, job printer.Job) error {
	p.mutex.Lock()
	defer p.mutex.Unlock()
	if p.fails > 0 {
		p.fails--
		return errors.New("no paper")
	}
	if err := job.Begin(); err != nil {
		return err
	}
	p.tickets = append(p.tickets, t)
	return nil
}

func (p *paper) printed() (descriptions []string) {
	p.mutex.Lock()
	defer p.mutex.Unlock()
	for _, t := range p.tickets {
		descriptions = append(descriptions, t.Number+" "+t.Description)
	}
	return descriptions
}

// TestWhatMayBeShippedIsNotPrintedAsNew: a restored Order is another object, and may be told as paid anew.
func TestWhatMayBeShippedIsNotPrintedAsNew(t *testing.T) {
	path := filepath.Join(t.TempDir(), "journal")
	synctest.Test(t, func(t *testing.T) {
		open := func() *desk.Book {
			book, _, err := desk.Open(path, month, time.Now)
			if err != nil {
				t.Fatal(err)
			}
			return book
		}
		book := open()
		for _, c := range []struct {
			uid, number, state, transaction string
			check                           bool
			copy                            ticket.Copy
		}{
			{"a", "order-1", "Paid", "42001", false, ticket.First},
			{"b", "order-1", "Paid", "42001", true, ticket.OfEarlierEvent},
			{"c", "order-1", "PaidEarlier", "42001", true, ticket.OfEarlierEvent},
			{"d", "order-1", "Paid", "42002", false, ticket.First},
			{"e", "order-2", "Paid", "42001", false, ticket.First},
			{"f", "order-3", "PaidEarlier", "42003", true, ticket.First},
			{"g", "order-4", "PaidUnderOtherParameters", "42004", true, ticket.First},
			{"h", "order-5", "Paid", "", false, ticket.First},
			{"i", "order-5", "Paid", "", false, ticket.First},
		} {
			device := &paper{}
			printing := desk.Printing{Book: book, Printer: device, Notices: &desk.Notices{}, Log: slog.New(slog.DiscardHandler), Pace: desk.Pace{First: time.Second, Most: time.Second}}
			ctx, stop := context.WithCancel(t.Context())
			go printing.Run(ctx)
			if err := book.Receive(fixture.PaidBy(t, c.uid, c.number, c.state, c.transaction)); err != nil {
				t.Fatal(err)
			}
			synctest.Wait()
			stop()
			synctest.Wait()
			if len(device.tickets) != 1 || device.tickets[0].CheckFirst != c.check || device.tickets[0].Copy != c.copy {
				t.Errorf("%+v: printed %+v", c, device.tickets)
			}
			if err := book.Close(); err != nil { // what was printed is known after a restart
				t.Fatal(err)
			}
			book = open()
		}
		if book.CheckFirst(fixture.PaidBy(t, "a", "order-1", "Paid", "42001")) {
			t.Error("the first is to be checked because the second was printed")
		}
		if err := book.Close(); err != nil {
			t.Fatal(err)
		}
	})
}

// TestGoodsAreWaitedForAndNotForEver: a ticket without goods is of little use, and none is worse.
func TestGoodsAreWaitedForAndNotForEver(t *testing.T) {
	path := filepath.Join(t.TempDir(), "journal")
	synctest.Test(t, func(t *testing.T) {
		book, _, err := desk.Open(path, month, time.Now)
		if err != nil {
			t.Fatal(err)
		}
		device, notices := &paper{fails: 3}, &desk.Notices{}
		printing := desk.Printing{
			Book: book, Printer: device, Notices: notices, Log: slog.New(slog.DiscardHandler),
			Pace: desk.Pace{First: time.Second, Most: 4 * time.Second}, GoodsWithin: time.Minute,
		}
		go printing.Run(t.Context())
		receive := func(name string) {
			if err := book.Receive(fixture.Paid(t, name)); err != nil {
				t.Fatal(err)
			}
		}
		expect := func(after time.Duration, want string) {
			t.Helper()
			time.Sleep(after)
			synctest.Wait()
			if got := fmt.Sprint(device.printed()); got != want {
				t.Fatalf("printed: %s, not %s", got, want)
			}
		}
		receive("order-0001")
		receive("order-0002")
		expect(59*time.Second, "[]")
		if err := book.Describe("uid-order-0002/OrderPaid", desk.Goods{Description: "肥皂 x1"}); err != nil {
			t.Fatal(err)
		}
		expect(500*time.Millisecond, "[]") // the second does not overtake the first
		expect(30*time.Second, "[order-0001  order-0002 肥皂 x1]")
		receive("order-0003")
		if err := book.Describe("uid-order-0003/OrderPaid", desk.Goods{Description: "毛巾 x1"}); err != nil {
			t.Fatal(err)
		}
		expect(time.Second, "[order-0001  order-0002 肥皂 x1 order-0003 毛巾 x1]")
		if notice, wrong := notices.Of(desk.Printer); wrong {
			t.Errorf("%+v", notice)
		}
	})
}
