package v2

import (
	"crypto/tls"
	"io"
	"net"
	"net/url"
	"testing"
	"time"

	"github.com/wechatpay-operator/wechatpay-operator/internal/wechatpay"
)

// TestNotSent: failures before the request could be sent.
func TestNotSent(t *testing.T) {
	closed := func(t *testing.T) Options {
		listener, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		_ = listener.Close()
		return endpointOptions("https://" + listener.Addr().String())
	}
	for _, c := range []struct {
		name    string
		options func(*testing.T) Options
		meaning wechatpay.Meaning
		text    string
	}{
		{"nobody listens", closed, wechatpay.Repeat, "connection refused"},
		{"certificate by an unknown authority", func(t *testing.T) Options {
			s := newServer(t, done(nil))
			options := s.options(t)
			options.RootCAs = nil
			return options
		}, wechatpay.NeedsAttention, "the server's certificate is signed by an unknown authority"},
		{"certificate of another host", func(t *testing.T) Options {
			options := newServer(t, done(nil)).options(t)
			options.Endpoint.Host = "localhost:" + options.Endpoint.Port()
			return options
		}, wechatpay.NeedsAttention, "the server's certificate is for another host"},
		{"old TLS", func(t *testing.T) Options {
			return startServer(t, done(nil), &tls.Config{MinVersion: tls.VersionTLS10, MaxVersion: tls.VersionTLS11}).options(t)
		}, wechatpay.Repeat, "the server refused TLS: tls: protocol version not supported"},
		{"no TLS", func(t *testing.T) Options { return endpointOptions(listen(t, "HTTP/1.1 400 Bad Request\r\n\r\n")) },
			wechatpay.Repeat, "the server does not speak TLS"},
		{"silent in the handshake", func(t *testing.T) Options {
			options := endpointOptions(listen(t, ""))
			options.Timeouts.Connect = 20 * time.Millisecond
			return options
		}, wechatpay.Repeat, "no connection within 20ms"},
		{"silent in the handshake for the whole attempt", func(t *testing.T) Options {
			options := endpointOptions(listen(t, ""))
			options.Timeouts = wechatpay.Timeouts{Query: 20 * time.Millisecond, Pay: 20 * time.Millisecond}
			return options
		}, wechatpay.Repeat, "no connection within 20ms"},
	} {
		t.Run(c.name, func(t *testing.T) {
			client := newTestClient(t, c.options(t))
			for operation, call := range calls {
				expect(t, call(t.Context(), client), wechatpay.NotSent, c.meaning, string(operation)+": "+c.text)
			}
		})
	}
}

func endpointOptions(endpoint string) Options {
	options := testOptions()
	options.Endpoint, _ = url.Parse(endpoint)
	options.Certificate = testCertificate
	return options
}

// listen accepts connections, writes a greeting on each, and then nothing.
func listen(t *testing.T, greeting string) (endpoint string) {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	finished := make(chan struct{})
	go func() {
		defer close(finished)
		var open []net.Conn
		for {
			connection, err := listener.Accept()
			if err != nil {
				break
			}
			_, _ = io.WriteString(connection, greeting)
			open = append(open, connection)
		}
		for _, connection := range open {
			_ = connection.Close()
		}
	}()
	t.Cleanup(func() { _ = listener.Close(); <-finished })
	return "https://" + listener.Addr().String()
}

func TestRefusedCertificateInTheHandshake(t *testing.T) {
	s := startServer(t, done(nil), &tls.Config{ClientAuth: tls.RequireAndVerifyClientCert, MinVersion: tls.VersionTLS12, MaxVersion: tls.VersionTLS12})
	_, err := s.client(t).CreateRefund(t.Context(), testRefund())
	expect(t, err, wechatpay.NotSent, wechatpay.CertificateRejected, "")
}

// TestRefusedCertificateAfterTheHandshake: in TLS 1.3 the alert follows the request; whether it is
// read or the connection breaks first depends on timing.
func TestRefusedCertificateAfterTheHandshake(t *testing.T) {
	s := startServer(t, done(nil), &tls.Config{ClientAuth: tls.RequireAndVerifyClientCert, MinVersion: tls.VersionTLS13})
	_, err := s.client(t).CreateRefund(t.Context(), testRefund())
	if outcome := wechatpay.OutcomeOf(err); outcome != wechatpay.Refused && outcome != wechatpay.Unknown {
		t.Fatalf("got %s: %v", outcome, err)
	}
	if len(s.seen()) != 0 {
		t.Error("the request was taken")
	}
}

// The connection is made beforehand, so that the timeout applies only to the reply.
func TestNoAnswer(t *testing.T) {
	for operation, call := range calls {
		t.Run(string(operation), func(t *testing.T) {
			s := newServer(t, inTurn(done(doneFields[operation]), staysSilent))
			client := s.client(t)
			if err := call(t.Context(), client); err != nil {
				t.Fatal(err)
			}
			client.settings.Timeouts.Query, client.settings.Timeouts.Pay = 50*time.Millisecond, 60*time.Millisecond
			limit := "50ms"
			if operation == wechatpay.OperationCreateOrder || operation == wechatpay.OperationCreateRefund {
				limit = "60ms"
			}
			expect(t, call(t.Context(), client), wechatpay.Unknown, wechatpay.Repeat, string(operation)+": no answer within "+limit)
		})
	}
}

// TestNothingIsSentTwiceOnAKeptConnection: net/http may use another connection if a kept one turns
// out to be closed. It must never do so once the request was sent.
func TestNothingIsSentTwiceOnAKeptConnection(t *testing.T) {
	s := newServer(t, inTurn(done(doneFields[wechatpay.OperationCreateRefund]), hangsUp))
	client := s.client(t)
	if _, err := client.CreateRefund(t.Context(), testRefund()); err != nil {
		t.Fatal(err)
	}
	_, err := client.CreateRefund(t.Context(), testRefund())
	expect(t, err, wechatpay.Unknown, wechatpay.Repeat, "")
	if got := len(s.seen()); got != 2 {
		t.Errorf("two calls became %d requests", got)
	}
}

func TestAConnectionThatWasClosedMeanwhile(t *testing.T) {
	s := newServer(t, done(doneFields[wechatpay.OperationCreateRefund]))
	client := s.client(t)
	for range 10 {
		before := len(s.seen())
		_, err := client.CreateRefund(t.Context(), testRefund())
		if err != nil && wechatpay.OutcomeOf(err) != wechatpay.Unknown {
			t.Fatal(err)
		}
		if got := len(s.seen()) - before; got > 1 {
			t.Fatalf("one call became %d requests", got)
		}
		s.CloseClientConnections()
	}
}

func TestRefundsNeedACertificateThatIsValid(t *testing.T) {
	hour := time.Hour
	for name, c := range map[string]struct {
		certificate *tls.Certificate
		text        string
	}{
		"none":    {nil, "CreateRefund: there is no client certificate"},
		"expired": {newCertificate(time.Now().Add(-2*hour), time.Now().Add(-hour)), "CreateRefund: the client certificate has expired"},
		"early":   {newCertificate(time.Now().Add(hour), time.Now().Add(2*hour)), "CreateRefund: the client certificate is not valid yet"},
	} {
		t.Run(name, func(t *testing.T) {
			s := newServer(t, done(doneFields[wechatpay.OperationQueryOrder]))
			options := s.options(t)
			options.Certificate = c.certificate
			client := newTestClient(t, options)
			_, err := client.CreateRefund(t.Context(), testRefund())
			expect(t, err, wechatpay.NotSent, wechatpay.CertificateMissing, c.text)
			if len(s.seen()) != 0 {
				t.Error("something was sent")
			}
			if _, err := client.QueryOrder(t.Context(), wechatpay.OrderRef{OutTradeNo: testNumber, AppID: testAppID}); err != nil {
				t.Errorf("a query needs no certificate: %v", err)
			}
		})
	}
}
