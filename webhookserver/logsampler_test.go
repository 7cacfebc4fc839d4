package webhookserver_test

import (
	"net/http"
	"strings"
	"testing"
	"time"

	testclock "k8s.io/utils/clock/testing"
)

// callbackServerWithClock starts a callback server with a fake clock.
func (d *fixture) callbackServerWithClock() (*callbackServer, *testclock.FakePassiveClock) {
	d.T.Helper()
	c, clock := d.callbackServer(), testclock.NewFakePassiveClock(time.Now())
	c.handler.Clock = clock
	c.base = serve(d.Shop, c.handler)
	return c, clock
}

// linesWith returns the log lines that contain a text.
func (c *callbackServer) linesWith(text string) []string {
	var found []string
	for _, line := range c.log.all() {
		if strings.Contains(line, text) {
			found = append(found, line)
		}
	}
	return found
}

// TestForgedCallbacksDoNotFillTheLog: a few equal lines are written, with the number of suppressed
// ones.
func TestForgedCallbacksDoNotFillTheLog(t *testing.T) {
	t.Parallel()
	const forged, said = 50, 10
	d := openFixture(t)
	c, clock := d.callbackServerWithClock()
	order := d.prepared("order-0001")
	body, refund := paymentOf(order).forged(), refundOf(d.NewRefund("refund-0001", "order-0001", 50), order, "SUCCESS").refundForged()
	for range forged {
		expectFail(t, c.pay(body), http.StatusForbidden)
		expectFail(t, c.refund(refund), http.StatusForbidden)
		expectFail(t, c.post(strings.Replace(d.paymentPath(), "/shop/", "/nobody/", 1), body), http.StatusNotFound)
	}
	if lines := c.linesWith("Refused a callback"); len(lines) != 2*said {
		t.Errorf("%d lines", len(lines))
	}
	if lines := c.linesWith("nobody"); len(lines) > 0 {
		t.Errorf("a Merchant that is not there: %q", lines)
	}
	// Other messages are still logged.
	expectFail(t, c.pay(paymentOf(order).with("out_trade_no", "order-9999").good()), http.StatusNotFound)
	if lines := c.linesWith("order-9999"); len(lines) != 1 {
		t.Errorf("%q", lines)
	}
	clock.SetTime(clock.Now().Add(time.Second))
	expectFail(t, c.pay(body), http.StatusForbidden)
	if lines := c.linesWith(`"notLogged":40`); len(lines) != 1 {
		t.Errorf("%q", c.linesWith("Refused"))
	}
}

// TestLogValuesAreShortened: long values of verified callbacks are shortened.
func TestLogValuesAreShortened(t *testing.T) {
	t.Parallel()
	d := openFixture(t)
	c := d.callbackServer()
	order := d.prepared("order-0001")
	refund, _ := d.refunding("order-0002", "refund-0001", "")
	long := strings.Repeat("9", 20<<10)
	for _, number := range []string{long, "订单" + long, long[:65]} {
		expectFail(t, c.pay(paymentOf(order).with("out_trade_no", number, "transaction_id", long).good()), http.StatusNotFound)
		expectFail(t, c.refund(refundOf(refund, order, "SUCCESS").with("out_refund_no", number).refunded()), http.StatusNotFound)
	}
	if len(c.linesWith("999")) != 6 {
		t.Errorf("%q", c.log.all())
	}
	for _, line := range c.log.all() {
		if len(line) > 1<<10 {
			t.Errorf("a line of %d bytes: %s", len(line), line)
		}
	}
}

// TestUnknownNumbersSpareTheAPIServer: anyone who has seen a genuine callback for a deleted Order
// may repeat it.
func TestUnknownNumbersSpareTheAPIServer(t *testing.T) {
	t.Parallel()
	const looks = 20
	d := openFixture(t)
	c, clock := d.callbackServerWithClock()
	order := d.prepared("order-0001")
	deleted := paymentOf(order).with("out_trade_no", "order-9999").good()
	for range looks {
		expectFail(t, c.pay(deleted), http.StatusNotFound)
	}
	expectFail(t, c.pay(deleted), http.StatusServiceUnavailable)
	expectFail(t, c.refund(refundOf(d.NewRefund("refund-9999", "order-0001", 50), order, "SUCCESS").refunded()), http.StatusServiceUnavailable)
	expectSuccess(t, c.pay(paymentOf(order).good())) // the cache has it
	expectFail(t, c.post(d.secondPath(), paymentOf(order).with("mch_id", secondMchID).by(secondKey)), http.StatusNotFound)
	clock.SetTime(clock.Now().Add(time.Second))
	expectFail(t, c.pay(deleted), http.StatusNotFound)
}
