package webhookserver_test

import (
	"net/http"
	"slices"
	"strings"
	"testing"
)

// TestUnknownNumbersAreLogged: the log has the number, so that a person can find a payment without
// an object.
func TestUnknownNumbersAreLogged(t *testing.T) {
	t.Parallel()
	d := openFixture(t)
	order := d.prepared("order-0001")
	for name, c := range map[string]struct {
		post   func(*callbackServer) answer
		number string
	}{
		"payment": {func(c *callbackServer) answer {
			return c.pay(paymentOf(order).with("out_trade_no", "order-9999").good())
		}, "order-9999"},
		"refund": {func(c *callbackServer) answer {
			return c.refund(d.refundBody(d.NewRefund("refund-9999", "order-0001", 50), "SUCCESS"))
		}, "refund-9999"},
	} {
		t.Run(name, func(t *testing.T) {
			counter := d.callbackServer()
			expectFail(t, c.post(counter), http.StatusNotFound)
			told := slices.ContainsFunc(counter.log.all(), func(line string) bool {
				return strings.Contains(line, c.number) && strings.Contains(line, "will repeat it")
			})
			if !told {
				t.Errorf("logged: %q", counter.log.all())
			}
		})
	}
}
