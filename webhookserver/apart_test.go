package webhookserver_test

import (
	"net/http"
	"strings"
	"testing"

	"k8s.io/client-go/rest"
	"k8s.io/utils/clock"

	"github.com/wechatpay-operator/wechatpay-operator/internal/wechatpay/simulator"
	"github.com/wechatpay-operator/wechatpay-operator/webhookserver"
)

// slowLine holds writes of one object until it is let go, on their way to the API server: whatever the client does about writes
// that are under way, it does about these.
type slowLine struct {
	http.RoundTripper
	object        string
	held, proceed chan struct{}
}

func (l *slowLine) RoundTrip(request *http.Request) (*http.Response, error) {
	if request.Method == http.MethodPut && strings.Contains(request.URL.Path, "/"+l.object+"/") {
		close(l.held)
		<-l.proceed
	}
	return l.RoundTripper.RoundTrip(request)
}

// TestCallbacksDoNotWaitForEachOther: while one is being stored, others are, although the operator's client waits for its own
// writes before it lists.
func TestCallbacksDoNotWaitForEachOther(t *testing.T) {
	t.Parallel()
	d := openDesk(t)
	t.Run("payments", func(t *testing.T) {
		c, line := d.counterOn("order-slow")
		slow, other := d.prepared("order-slow"), d.prepared("order-other")
		answers := make(chan answer, 1)
		go func() { answers <- c.pay(paymentOf(slow).good()) }()
		<-line.held
		expectSuccess(t, c.pay(paymentOf(other).good()))
		close(line.proceed)
		expectSuccess(t, <-answers)
	})
	t.Run("refunds", func(t *testing.T) {
		c, line := d.counterOn("refund-slow")
		slow, _ := d.refunding("order-0001", "refund-slow", "")
		other, _ := d.refunding("order-0002", "refund-other", "")
		d.turn(slow, simulator.RefundSuccess)
		d.turn(other, simulator.RefundSuccess)
		answers := make(chan answer, 1)
		go func() { answers <- c.refund(d.refundBody(slow, "SUCCESS")) }()
		<-line.held
		expectSuccess(t, c.refund(d.refundBody(other, "SUCCESS")))
		close(line.proceed)
		expectSuccess(t, <-answers)
	})
}

// counterOn opens a callback server whose client has a slow line.
func (d *fixture) counterOn(object string) (*counter, *slowLine) {
	d.T.Helper()
	line := &slowLine{object: object, held: make(chan struct{}), proceed: make(chan struct{})}
	config := rest.CopyConfig(environment(d.T).Config)
	config.Wrap(func(through http.RoundTripper) http.RoundTripper {
		line.RoundTripper = through
		return line
	})
	c := &counter{d: d, log: &logbook{}, events: &eventbook{}}
	c.handler = &webhookserver.Handler{
		Client: cachedClient(d.Shop, config, d.informers), APIReader: d.live, Registry: d.registry, Recorder: c.events,
		Clock: clock.RealClock{}, Log: everything.copying(c.log),
	}
	c.base = serve(d.Shop, c.handler)
	return c, line
}
