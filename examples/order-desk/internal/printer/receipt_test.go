package printer_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/wechatpay-operator/wechatpay-operator/examples/order-desk/internal/fixture"
	"github.com/wechatpay-operator/wechatpay-operator/examples/order-desk/internal/printer"
	"github.com/wechatpay-operator/wechatpay-operator/examples/order-desk/internal/receiptprinter"
	"github.com/wechatpay-operator/wechatpay-operator/examples/order-desk/internal/ticket"
)

// options are for printers that answer at once: whatever waits, waits for a fault.
func options() printer.Options {
	return printer.Options{Columns: 32, Zone: time.UTC, Patience: 200 * time.Millisecond}
}

func newPrinter(t testing.TB, address string, o printer.Options) printer.Printer {
	t.Helper()
	p, err := printer.New(address, o)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// attempt prints a ticket and reports whether printing had begun, and what was waited for.
func attempt(t testing.TB, p printer.Printer) (begun bool, waited []string, err error) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), fixture.Patience)
	defer cancel()
	err = p.Print(ctx, ticket.Ticket{Number: "order-0001", Total: 101, Currency: "CNY", Description: "肥皂 x1"}, printer.Job{
		Begin: func() error { begun = true; return nil },
		Waits: func(why string) { waited = append(waited, why) },
	})
	return begun, waited, err
}

func TestReceiptIsPrinted(t *testing.T) {
	device := receiptprinter.Start(t)
	begun, _, err := attempt(t, newPrinter(t, "tcp://"+device.Address(), options()))
	if err != nil || !begun {
		t.Fatal(begun, err)
	}
	if got := device.Tickets(); len(got) != 1 || !strings.Contains(got[0], "order-0001") || !strings.Contains(got[0], "肥皂 x1") || !strings.Contains(got[0], "1.01元") {
		t.Errorf("%q", got)
	}
}

// TestWhatGoesWrongBeforeATicketPrintsNothing: nobody will find a second ticket, so it is no copy.
func TestWhatGoesWrongBeforeATicketPrintsNothing(t *testing.T) {
	device := receiptprinter.Start(t)
	p := newPrinter(t, "tcp://"+device.Address(), options())
	expect := func(what string) {
		t.Helper()
		if begun, _, err := attempt(t, p); err == nil || begun || !strings.Contains(err.Error(), what) {
			t.Errorf("not %s: begun %t, %v", what, begun, err)
		}
	}
	device.RunOut()
	expect("out of paper")
	device.Refill()
	device.Hang(true)
	expect("does not answer a status request")
	device.Hang(false)
	device.SwitchOff()
	expect("can't be reached")
	device.SwitchOn()
	failing := printer.Job{Begin: func() error { return errors.New("no room") }}
	if err := p.Print(t.Context(), ticket.Ticket{Number: "order-0001"}, failing); err == nil {
		t.Error("printed what was not recorded")
	}
	if got := device.Tickets(); len(got) != 0 {
		t.Errorf("%q", got)
	}
}

func TestWhatGoesWrongDuringATicketIsAFailure(t *testing.T) {
	device := receiptprinter.Start(t)
	p := newPrinter(t, "tcp://"+device.Address(), options())
	device.BreakAfter(60)
	if begun, _, err := attempt(t, p); err == nil || !begun {
		t.Errorf("broken off: begun %t, %v", begun, err)
	}
	device.BreakAfter(0)
	device.Withhold(true)
	if begun, _, err := attempt(t, p); err == nil || !begun || !strings.Contains(err.Error(), "may have lost the ticket") {
		t.Errorf("not confirmed: begun %t, %v", begun, err)
	}
	device.Withhold(false)
	if _, _, err := attempt(t, p); err != nil {
		t.Error(err)
	}
	tickets := device.Tickets()
	if last := tickets[len(tickets)-1]; strings.Count(last, "order-0001") != 1 {
		t.Errorf("%q", last)
	}
}

// TestPaperThatEndsInATicketIsWaitedFor: the printer keeps what it has, so a second ticket would be
// one too many.
func TestPaperThatEndsInATicketIsWaitedFor(t *testing.T) {
	device := receiptprinter.Start(t)
	p := newPrinter(t, "tcp://"+device.Address(), options())
	result := make(chan error, 1)
	waits := make(chan string, 100)
	go func() {
		result <- p.Print(t.Context(), ticket.Ticket{Number: "order-0001"}, printer.Job{
			Begin: func() error { device.RunOut(); return nil },
			Waits: func(why string) { waits <- why },
		})
	}()
	if why := <-waits; why != "the printer is out of paper" {
		t.Error(why)
	}
	device.Refill()
	if err := <-result; err != nil {
		t.Error(err)
	}
	if got := device.Tickets(); len(got) != 1 {
		t.Errorf("%q", got)
	}
}

func TestSilentPrinter(t *testing.T) {
	device := receiptprinter.Start(t)
	if _, _, err := attempt(t, newPrinter(t, "tcp://"+device.Address()+"?status=none", options())); err != nil {
		t.Error(err)
	}
	fixture.Eventually(t, "it is printed", func() error {
		if got := device.Tickets(); len(got) != 1 {
			return fmt.Errorf("%q", got)
		}
		return nil
	})
}

func TestAddressesOfPrinters(t *testing.T) {
	for address, want := range map[string]string{
		"192.0.2.1:9100":             "first path segment",
		"http://192.0.2.1/":          "is no address of a printer",
		"tcp://":                     "needs a host",
		"tcp://192.0.2.1?status=off": "status=none",
		"ipp://192.0.2.1/ipp/print":  "needs --font",
	} {
		if _, err := printer.New(address, options()); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v", address, err)
		}
	}
	narrow := options()
	narrow.Columns = 8
	if _, err := printer.New("tcp://192.0.2.1", narrow); err == nil {
		t.Error("8 columns")
	}
}
