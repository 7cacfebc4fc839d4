package webhookserver_test

import (
	"bufio"
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"strings"
	"syscall"
	"testing"

	"go.uber.org/goleak"

	"github.com/wechatpay-operator/wechatpay-operator/test/framework"
	"github.com/wechatpay-operator/wechatpay-operator/webhookserver"
)

// stoppableServer is a server with a handler of the test, and a way to stop it.
type stoppableServer struct {
	*webhookserver.Server
	stop    context.CancelFunc
	stopped chan error
	log     *logbook
}

func startServer(t *testing.T, handler http.Handler) *stoppableServer {
	t.Helper()
	s := &stoppableServer{stopped: make(chan error, 1), log: &logbook{}}
	s.Server = &webhookserver.Server{BindAddress: "127.0.0.1:0", Handler: handler, Log: allLogs.copying(s.log)}
	if s.NeedLeaderElection() {
		t.Error("it waits for the election")
	}
	if s.Ready(nil) == nil || s.Address() != nil {
		t.Error("ready before it was started")
	}
	ctx, stop := context.WithCancel(context.Background())
	s.stop = stop
	t.Cleanup(stop)
	go func() { s.stopped <- s.Start(ctx) }()
	(&framework.Shop{T: t}).Eventually("the server listens", func() error { return s.Ready(nil) })
	return s
}

func (s *stoppableServer) url() string { return "http://" + s.Address().String() }

// TestServerFinishesRequestsInProgress: not parallel: it checks for goroutines that remain.
func TestServerFinishesRequestsInProgress(t *testing.T) {
	leaks := goleak.IgnoreCurrent()
	entered, proceed := make(chan struct{}), make(chan struct{})
	s := startServer(t, http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		close(entered)
		<-proceed
		_, _ = w.Write([]byte("finished"))
	}))
	url := s.url()
	transport := &http.Transport{}
	client := &http.Client{Transport: transport, Timeout: framework.Patience}
	d := &fixture{http: client}
	answers := make(chan answer, 1)
	go func() { answers <- d.send(http.MethodPost, url, strings.NewReader("x")) }()
	<-entered
	s.stop()
	// New connections are refused, and the request in progress is not cut off.
	(&framework.Shop{T: t}).Eventually("nothing more is let in", func() error {
		connection, err := net.Dial("tcp", strings.TrimPrefix(url, "http://"))
		if err == nil {
			return errors.Join(errNotYet, connection.Close())
		}
		return nil
	})
	if s.Ready(nil) == nil || s.Address() != nil {
		t.Error("ready while it stops")
	}
	select {
	case err := <-s.stopped:
		t.Fatal("it did not wait for the callback under way:", err)
	default:
	}
	close(proceed)
	if got := <-answers; got.err != nil || got.body != "finished" {
		t.Errorf("%+v", got)
	}
	if err := <-s.stopped; err != nil {
		t.Error(err)
	}
	if s.Ready(nil) == nil {
		t.Error("ready after it stopped")
	}
	transport.CloseIdleConnections()
	goleak.VerifyNone(t, leaks)
}

// TestServerAlone: it starts and stops without any request.
func TestServerAlone(t *testing.T) {
	leaks := goleak.IgnoreCurrent()
	s := startServer(t, http.NotFoundHandler())
	s.stop()
	if err := <-s.stopped; err != nil {
		t.Error(err)
	}
	goleak.VerifyNone(t, leaks)
}

// TestHealthForLoadBalancers: they request /healthz on the callback port, or the root by default,
// and expect 200. All other paths are callbacks.
func TestHealthForLoadBalancers(t *testing.T) {
	t.Parallel()
	s := startServer(t, http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusTeapot) }))
	d := &fixture{http: newHTTPClient(t)}
	for _, test := range []struct {
		method, path string
		status       int
		body         string
	}{
		{http.MethodGet, "/healthz", 200, "ok\n"},
		{http.MethodHead, "/healthz", 200, ""},
		{http.MethodGet, "/", 200, "ok\n"},
		{http.MethodGet, "", 200, "ok\n"},
		{http.MethodHead, "/", 200, ""},
		{http.MethodGet, "/healthz?verbose", 200, "ok\n"},
		{http.MethodPost, "/healthz", 418, ""},
		{http.MethodPost, "/", 418, ""},
		{http.MethodDelete, "/", 418, ""},
		{http.MethodGet, "/healthz/etcd", 418, ""},
		{http.MethodGet, "/readyz", 418, ""},
		{http.MethodGet, "/notify/v2/shop/shop/payment", 418, ""},
	} {
		if got := d.send(test.method, s.url()+test.path, nil); got.status != test.status || got.body != test.body {
			t.Errorf("%s %s: %+v", test.method, test.path, got)
		}
	}
}

// TestIdleConnectionsDoNotDelayTheStop: connections that load balancers keep open are closed at
// once.
func TestIdleConnectionsDoNotDelayTheStop(t *testing.T) {
	t.Parallel()
	s := startServer(t, http.NotFoundHandler())
	var kept []*bufio.Reader
	for range 20 {
		connection, err := net.Dial("tcp", s.Address().String())
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = connection.Close() })
		reader := bufio.NewReader(connection)
		for range 3 { // HTTP/1.1 keeps the connection by default
			if _, err := io.WriteString(connection, "GET /healthz HTTP/1.1\r\nHost: pay.example.com\r\n\r\n"); err != nil {
				t.Fatal(err)
			}
			response, err := http.ReadResponse(reader, nil)
			if err != nil {
				t.Fatal(err)
			}
			_, _ = io.Copy(io.Discard, response.Body)
			if response.Close || response.StatusCode != http.StatusOK {
				t.Fatalf("%+v", response)
			}
		}
		kept = append(kept, reader)
	}
	s.stop()
	for _, reader := range kept {
		if _, err := reader.ReadByte(); !errors.Is(err, io.EOF) {
			t.Errorf("not closed: %v", err)
		}
	}
	if err := <-s.stopped; err != nil {
		t.Error(err)
	}
}

func TestPortInUse(t *testing.T) {
	t.Parallel()
	taken, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = taken.Close() }()
	s := &webhookserver.Server{BindAddress: taken.Addr().String(), Handler: http.NotFoundHandler(), Log: allLogs.logger()}
	err = s.Start(context.Background())
	if !errors.Is(err, syscall.EADDRINUSE) || !strings.Contains(err.Error(), "--notify-bind-address") {
		t.Errorf("%v", err)
	}
	if s.Ready(nil) == nil {
		t.Error("ready without a port")
	}
}

func TestPanicStopsOneCallbackOnly(t *testing.T) {
	t.Parallel()
	s := startServer(t, http.HandlerFunc(func(w http.ResponseWriter, request *http.Request) {
		if request.URL.Path == "/panic" {
			panic("a mistake of ours")
		}
		_, _ = w.Write([]byte("fine"))
	}))
	d := &fixture{http: newHTTPClient(t)}
	if got := d.send(http.MethodPost, s.url()+"/panic", strings.NewReader("x")); got.err == nil {
		t.Errorf("%+v", got)
	}
	if got := d.send(http.MethodPost, s.url(), strings.NewReader("x")); got.body != "fine" {
		t.Errorf("%+v", got)
	}
	if lines := s.log.all(); !strings.Contains(strings.Join(lines, "\n"), "a mistake of ours") {
		t.Errorf("the log does not say so: %q", lines)
	}
}

func TestManyConnectionsAtOnce(t *testing.T) {
	t.Parallel()
	d := openFixture(t)
	c := d.callbackServer()
	for range 200 {
		c.dial() // send nothing
	}
	order := d.prepared("order-0001")
	expectSuccess(t, c.pay(paymentOf(order).good()))
}
