package test

import (
	"fmt"
	"math/rand/v2"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/wechatpay-operator/wechatpay-operator/examples/order-desk/internal/event"
	"github.com/wechatpay-operator/wechatpay-operator/examples/order-desk/internal/fixture"
	"github.com/wechatpay-operator/wechatpay-operator/examples/order-desk/internal/ippprinter"
	"github.com/wechatpay-operator/wechatpay-operator/examples/order-desk/internal/receiptprinter"
)

// copyMark stands on a ticket of which there may be another.
const copyMark = "可能已有一张"

// waitTickets waits until a printer has cut off a number of tickets.
func waitTickets(t testing.TB, printer *receiptprinter.Printer, count int) []string {
	t.Helper()
	var tickets []string
	fixture.Eventually(t, fmt.Sprintf("%d tickets", count), func() error {
		if tickets = printer.Tickets(); len(tickets) < count {
			return fmt.Errorf("%q", tickets)
		}
		return nil
	})
	return tickets
}

func TestKilledAfterTheAnswer(t *testing.T) {
	printer := receiptprinter.Start(t)
	printer.SwitchOff()
	d := newDesk(t, "--printer=tcp://"+printer.Address())
	d.start()
	for _, name := range []string{"order-0001", "order-0002", "order-0003"} {
		d.mustTake(fixture.Paid(t, name))
	}
	d.kill()
	d.start()
	d.mustTake(fixture.Paid(t, "order-0002")) // repeated
	d.shows("can&#39;t be reached")
	printer.SwitchOn()
	for i, ticket := range waitTickets(t, printer, 3) {
		if !strings.Contains(ticket, fmt.Sprintf("order-%04d", i+1)) || strings.Contains(ticket, copyMark) {
			t.Errorf("ticket %d: %s", i, ticket)
		}
	}
	d.shows("To be printed: <strong>0</strong>")
	if got := printer.Tickets(); len(got) != 3 {
		t.Errorf("%q", got)
	}
}

// TestKilledBetweenPrintAndRecord: nobody can tell whether the ticket was printed, so it is printed
// again and says so.
func TestKilledBetweenPrintAndRecord(t *testing.T) {
	printer := receiptprinter.Start(t)
	d := newDesk(t, "--printer=tcp://"+printer.Address())
	d.start()
	printer.Withhold(true)
	d.mustTake(fixture.Paid(t, "order-0001"))
	waitTickets(t, printer, 1)
	d.kill()
	printer.Withhold(false)
	d.start()
	tickets := waitTickets(t, printer, 2)
	if strings.Contains(tickets[0], copyMark) || !strings.Contains(tickets[1], copyMark) {
		t.Errorf("%q", tickets)
	}
	d.shows("Printed")
}

// TestTerminatedDeskFinishesItsTicket: a Pod that is moved prints nothing twice.
func TestTerminatedDeskFinishesItsTicket(t *testing.T) {
	printer := receiptprinter.Start(t)
	d := newDesk(t, "--printer=tcp://"+printer.Address(), "--printer-patience=10s")
	d.start()
	printer.Withhold(true)
	d.mustTake(fixture.Paid(t, "order-0001"))
	waitTickets(t, printer, 1)
	must(t, d.process.Process.Signal(syscall.SIGTERM))
	fixture.Eventually(t, "the desk takes nothing more", func() error {
		if status := d.send(fixture.Paid(t, "order-0001")); status != 0 {
			return fmt.Errorf("HTTP %d", status)
		}
		return nil
	})
	printer.Withhold(false)
	if err := d.process.Wait(); err != nil {
		t.Error(err)
	}
	d.process = nil
	d.start()
	d.shows("To be printed: <strong>0</strong>")
	if got := printer.Tickets(); len(got) != 1 {
		t.Errorf("%q", got)
	}
}

// TestKilledAtAnyTime: a sender that repeats what was not taken, a printer that comes and goes, and a
// desk that is killed again and again. Every order is printed, the first tickets in the order of the
// payments, and a second one never without a word.
func TestKilledAtAnyTime(t *testing.T) {
	printer := receiptprinter.Start(t)
	d := newDesk(t, "--printer=tcp://"+printer.Address())
	d.start()
	const count = 30
	sent := make(chan struct{})
	go func() {
		defer close(sent)
		for i := range count {
			for d.send(fixture.Paid(t, fmt.Sprintf("order-%04d", i))) != http.StatusNoContent {
				<-time.After(5 * time.Millisecond)
			}
		}
	}()
	for strike := range 8 {
		<-time.After(rand.N(150 * time.Millisecond))
		d.kill()
		switch strike % 4 {
		case 0:
			printer.BreakAfter(20 + rand.IntN(200))
		case 1:
			printer.BreakAfter(0)
			printer.SwitchOff()
		case 2:
			printer.SwitchOn()
			printer.RunOut()
		case 3:
			printer.Refill()
		}
		d.start()
	}
	<-sent
	d.shows("To be printed: <strong>0</strong>")
	var first []string
	unmarked := map[string]int{}
	for _, ticket := range printer.Tickets() {
		for i := range count {
			name := fmt.Sprintf("order-%04d", i)
			if !strings.Contains(ticket, name) {
				continue
			}
			if !slices.Contains(first, name) {
				first = append(first, name)
			}
			if !strings.Contains(ticket, copyMark) {
				unmarked[name]++
			}
		}
	}
	if len(first) != count || !slices.IsSorted(first) {
		t.Errorf("%d orders are printed: %q", len(first), first)
	}
	for name, tickets := range unmarked {
		if tickets > 1 {
			t.Errorf("%s has %d tickets that do not tell of each other", name, tickets)
		}
	}
}

func TestPageShowsAndPrintsAgain(t *testing.T) {
	printer := receiptprinter.Start(t)
	d := newDesk(t, "--printer=tcp://"+printer.Address())
	d.start()
	d.mustTake(fixture.Refund(t, event.RefundRequested, "refund-0001", "order-0001", 50)) // before its order
	d.mustTake(fixture.Paid(t, "order-0001"))
	ticket := waitTickets(t, printer, 1)[0]
	if !strings.Contains(ticket, "申请退款") || !strings.Contains(ticket, "0.50元") {
		t.Errorf("%s", ticket)
	}
	d.shows("Refund asked for refund-0001")
	d.shows("To be printed: <strong>0</strong>")
	again := func(site string) int {
		form := strings.NewReader(url.Values{"id": {"uid-order-0001/OrderPaid"}, "lang": {"zh"}}.Encode())
		request, err := http.NewRequest(http.MethodPost, "http://"+d.page+"/print", form)
		must(t, err)
		request.Header.Set("Content-Type", "application/x-www-form-urlencoded")
		request.Header.Set("Sec-Fetch-Site", site)
		answer, err := http.DefaultTransport.RoundTrip(request)
		must(t, err)
		_ = answer.Body.Close()
		return answer.StatusCode
	}
	if got := again("cross-site"); got != http.StatusForbidden {
		t.Errorf("another site prints: HTTP %d", got)
	}
	if got := again("same-origin"); got != http.StatusSeeOther {
		t.Errorf("HTTP %d", got)
	}
	if got := waitTickets(t, printer, 2)[1]; !strings.Contains(got, "补打 COPY") {
		t.Errorf("%s", got)
	}
	d.shows("×2")
	if page := d.get("/?lang=zh"); !strings.Contains(page, "已打印") || !strings.Contains(page, `lang="zh-CN"`) {
		t.Errorf("%s", page)
	}
}

// TestASecondDeskDoesNotStart: two that print from one journal would print twice.
func TestASecondDeskDoesNotStart(t *testing.T) {
	d := newDesk(t)
	d.start()
	second := newDesk(t)
	second.arguments = append(second.arguments, "--data="+d.folder)
	if output, err := second.command().CombinedOutput(); err == nil || !strings.Contains(string(output), "another process has the journal open") {
		t.Errorf("%v: %s", err, output)
	}
}

func TestForgedEventsAreNotTaken(t *testing.T) {
	d := newDesk(t)
	d.start()
	genuine := fixture.Paid(t, "order-0001")
	changed := genuine
	changed.Data = []byte(strings.Replace(string(genuine.Data), "101", "999", 1))
	forged := fixture.Request(t, "http://"+d.events+"/wechatpay", changed)
	forged.Header = fixture.Request(t, "http://"+d.events+"/wechatpay", genuine).Header
	answer, err := http.DefaultClient.Do(forged)
	must(t, err)
	_ = answer.Body.Close()
	if answer.StatusCode != http.StatusUnauthorized {
		t.Errorf("HTTP %d", answer.StatusCode)
	}
	d.shows("No paid orders yet")
}

func TestIPPPrinterThatComesLater(t *testing.T) {
	printer := ippprinter.Start(t)
	printer.SwitchOff()
	d := newDesk(t, "--printer="+printer.URL(), "--font="+ippprinter.Font, "--printer-patience=10s")
	d.start()
	d.mustTake(fixture.Paid(t, "order-0001"))
	d.mustTake(fixture.Paid(t, "order-0002"))
	d.shows("can&#39;t be reached")
	printer.SwitchOn()
	d.shows("To be printed: <strong>0</strong>")
	if got := printer.Documents(); len(got) != 2 {
		t.Errorf("%q", got)
	}
}
