package webhookserver_test

import (
	"net/http"
	"strings"
	"testing"
	"time"

	testclock "k8s.io/utils/clock/testing"

	"github.com/wechatpay-operator/wechatpay-operator/test/framework"
)

// still is a callback server for which time stands still until the clock is moved.
func (d *fixture) still() (*counter, *testclock.FakePassiveClock) {
	d.T.Helper()
	c, clock := d.counter(), testclock.NewFakePassiveClock(time.Now())
	c.handler.Clock = clock
	c.base = serve(d.Shop, c.handler)
	return c, clock
}

// linesWith are those of a counter that hold a text.
func (c *counter) linesWith(text string) []string {
	var found []string
	for _, line := range c.log.all() {
		if strings.Contains(line, text) {
			found = append(found, line)
		}
	}
	return found
}

// TestForgedCallbacksDoNotFillTheLog: of many lines alike a few are written, and how many were not.
func TestForgedCallbacksDoNotFillTheLog(t *testing.T) {
	t.Parallel()
	const forged, said = 50, 10
	d := openDesk(t)
	c, clock := d.still()
	order := d.prepared("order-0001")
	body, refund := paymentOf(order).body(secondKey, hmacSign), fields{"out_trade_no": "order-0001", "out_refund_no": "refund-0001"}.sealed(secondKey).xml("xml")
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
	// What else there is to say is said.
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

// TestLogLinesAreShort, whatever the length of what is verified.
func TestLogLinesAreShort(t *testing.T) {
	t.Parallel()
	d := openDesk(t)
	c := d.counter()
	order := d.prepared("order-0001")
	refund, _ := d.refunding("order-0002", "refund-0001", "")
	long := strings.Repeat("9", 20<<10)
	for _, number := range []string{long, "订单" + long, long[:65]} {
		expectFail(t, c.pay(paymentOf(order).with("out_trade_no", number, "transaction_id", long).good()), http.StatusNotFound)
		expectFail(t, c.refund(refundOf(refund, order, "SUCCESS").with("out_refund_no", number).sealed(framework.APIKey).xml("xml")), http.StatusNotFound)
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

// TestUnknownNumbersSpareTheAPIServer: a true callback for an Order that was deleted may be repeated by whoever saw it.
func TestUnknownNumbersSpareTheAPIServer(t *testing.T) {
	t.Parallel()
	const looks = 20
	d := openDesk(t)
	c, clock := d.still()
	order := d.prepared("order-0001")
	deleted := paymentOf(order).with("out_trade_no", "order-9999").good()
	for range looks {
		expectFail(t, c.pay(deleted), http.StatusNotFound)
	}
	expectFail(t, c.pay(deleted), http.StatusServiceUnavailable)
	expectFail(t, c.refund(refundOf(d.NewRefund("refund-9999", "order-0001", 50), order, "SUCCESS").sealed(framework.APIKey).xml("xml")), http.StatusServiceUnavailable)
	expectSuccess(t, c.pay(paymentOf(order).good())) // the cache has it
	expectFail(t, c.post(d.secondPath(), paymentOf(order).with("mch_id", secondMchID).body(secondKey, hmacSign)), http.StatusNotFound)
	clock.SetTime(clock.Now().Add(time.Second))
	expectFail(t, c.pay(deleted), http.StatusNotFound)
}
