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

// blockedWrites blocks the writes of one object on their way to the API server until it is
// released. The client treats them as writes in progress.
type blockedWrites struct {
	http.RoundTripper
	object        string
	held, proceed chan struct{}
}

func (l *blockedWrites) RoundTrip(request *http.Request) (*http.Response, error) {
	if request.Method == http.MethodPut && strings.Contains(request.URL.Path, "/"+l.object+"/") {
		close(l.held)
		<-l.proceed
	}
	return l.RoundTripper.RoundTrip(request)
}

// TestCallbacksDoNotWaitForEachOther: while the write of one callback is blocked, others are
// stored, although the operator's client waits for its own writes before it lists.
func TestCallbacksDoNotWaitForEachOther(t *testing.T) {
	t.Parallel()
	d := openFixture(t)
	t.Run("payments", func(t *testing.T) {
		c, line := d.callbackServerBlocking("order-slow")
		slow, other := d.prepared("order-slow"), d.prepared("order-other")
		answers := make(chan answer, 1)
		go func() { answers <- c.pay(paymentOf(slow).good()) }()
		<-line.held
		expectSuccess(t, c.pay(paymentOf(other).good()))
		close(line.proceed)
		expectSuccess(t, <-answers)
	})
	t.Run("refunds", func(t *testing.T) {
		c, line := d.callbackServerBlocking("refund-slow")
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

// callbackServerBlocking starts a callback server that blocks the writes of an object.
func (d *fixture) callbackServerBlocking(object string) (*callbackServer, *blockedWrites) {
	d.T.Helper()
	line := &blockedWrites{object: object, held: make(chan struct{}), proceed: make(chan struct{})}
	config := rest.CopyConfig(environment(d.T).Config)
	config.Wrap(func(through http.RoundTripper) http.RoundTripper {
		line.RoundTripper = through
		return line
	})
	c := &callbackServer{d: d, log: &logbook{}, events: &eventbook{}}
	c.handler = &webhookserver.Handler{
		Client: cachedClient(d.Shop, config, d.informers), APIReader: d.live, Registry: d.registry, Recorder: c.events,
		Clock: clock.RealClock{}, Log: allLogs.copying(c.log),
	}
	c.base = serve(d.Shop, c.handler)
	return c, line
}
