package v2

import (
	"io"
	"log"
	"net"
	"net/http"
	"net/http/httptest"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/wechatpay-operator/wechatpay-operator/internal/wechatpay"
)

// burst is the number of concurrent calls of one Merchant's Orders and Refunds.
const burst = 24

func TestABurstKeepsItsConnections(t *testing.T) {
	c, connections := busy(t, burst)
	for range 3 {
		if err := callAtOnce(t, c, comparisonOrder(t), burst); err != nil {
			t.Fatal(err)
		}
	}
	if opened := connections.Load(); opened != burst {
		t.Errorf("%d connections for bursts of %d calls", opened, burst)
	}
}

// TestSpeaksHTTP1ToServersThatOfferMore: over HTTP/2 requests share a connection, so having a
// connection would not show what was sent.
func TestSpeaksHTTP1ToServersThatOfferMore(t *testing.T) {
	protocols := make(chan string, 1)
	s := &server{Server: httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		protocols <- r.Proto
		_, _ = w.Write(comparisonFile(t, "reply-HMAC-SHA256.xml"))
	}))}
	s.EnableHTTP2 = true
	s.StartTLS()
	t.Cleanup(s.Close)
	if _, err := s.client(t).CreateOrder(t.Context(), comparisonOrder(t)); err != nil {
		t.Fatal(err)
	}
	if spoken := <-protocols; spoken != "HTTP/1.1" {
		t.Errorf("spoke %s", spoken)
	}
}

// BenchmarkUnifiedOrderCall measures a whole unifiedorder over an open TLS connection. Memory
// includes both ends.
func BenchmarkUnifiedOrderCall(b *testing.B) {
	c, connections := busy(b, 1)
	order := comparisonOrder(b)
	b.ReportAllocs()
	for b.Loop() {
		if _, err := c.CreateOrder(b.Context(), order); err != nil {
			b.Fatal(err)
		}
	}
	b.ReportMetric(float64(connections.Load())/float64(b.N), "handshakes/op")
}

// BenchmarkUnifiedOrderBurst measures concurrent calls: one operation is a whole burst.
func BenchmarkUnifiedOrderBurst(b *testing.B) {
	c, connections := busy(b, burst)
	order := comparisonOrder(b)
	b.ReportAllocs()
	for b.Loop() {
		if err := callAtOnce(b, c, order, burst); err != nil {
			b.Fatal(err)
		}
	}
	b.ReportMetric(float64(connections.Load())/float64(b.N), "handshakes/op")
}

// busy returns a client of a server that answers once the given number of calls are in progress,
// and the number of connections to it.
func busy(t testing.TB, atOnce int) (*Client, *atomic.Int64) {
	t.Helper()
	message, err := oracleRead(comparisonFile(t, "reply-HMAC-SHA256.xml"), messageRoot)
	if err != nil {
		t.Fatal(err)
	}
	reply, meet := says(without(message, signField)), meeting(atOnce)
	s := &server{Server: httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body)
		meet()
		reply(w, r, map[string]string{"sign_type": string(HMACSHA256)})
	}))}
	connections := &atomic.Int64{}
	s.Config.ConnState = func(_ net.Conn, state http.ConnState) {
		if state == http.StateNew {
			connections.Add(1)
		}
	}
	s.Config.ErrorLog = log.New(io.Discard, "", 0)
	s.StartTLS()
	t.Cleanup(s.Close)
	return s.client(t), connections
}

// meeting returns a function that blocks until it was called the given number of times.
func meeting(size int) func() {
	var mu sync.Mutex
	here, all := 0, make(chan struct{})
	return func() {
		mu.Lock()
		mine := all
		if here++; here == size {
			close(all)
			here, all = 0, make(chan struct{})
		}
		mu.Unlock()
		<-mine
	}
}

func callAtOnce(t testing.TB, c *Client, order wechatpay.OrderRequest, calls int) error {
	outcomes := make(chan error, calls)
	for range calls {
		go func() {
			_, err := c.CreateOrder(t.Context(), order)
			outcomes <- err
		}()
	}
	var failure error
	for range calls {
		if err := <-outcomes; err != nil {
			failure = err
		}
	}
	return failure
}
