package transport

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"syscall"
	"testing"
	"time"

	"github.com/wechatpay-operator/wechatpay-operator/internal/wechatpay"
)

// TestIdleConnectionsAreClosedByUs: a request in flight while the server closes its connection has
// an unknown outcome, and a refund stays unknown for a minute.
func TestIdleConnectionsAreClosedByUs(t *testing.T) {
	const keptByWeChat = 8 * time.Second
	if kept := NewHTTPClient(time.Second, nil, nil).Transport.(*http.Transport).IdleConnTimeout; kept == 0 || kept >= keptByWeChat {
		t.Errorf("kept for %s, by WeChat for %s", kept, keptByWeChat)
	}
}

func TestShareOfTheFirstAttempt(t *testing.T) {
	soon, cancel := context.WithTimeout(t.Context(), time.Hour)
	defer cancel()
	for _, c := range []struct {
		name      string
		ctx       context.Context
		operation wechatpay.Operation
		limit     time.Duration
		halved    bool
	}{
		{"no deadline", t.Context(), wechatpay.OperationQueryOrder, time.Second, false},
		{"deadline far away", soon, wechatpay.OperationQueryOrder, time.Second, false},
		{"deadline near", soon, wechatpay.OperationQueryOrder, time.Hour, true},
		{"deadline near, refund", soon, wechatpay.OperationCreateRefund, time.Hour, false},
	} {
		if got := firstLimit(c.ctx, c.operation, c.limit); (got <= c.limit/2) != c.halved {
			t.Errorf("%s: %v of %v", c.name, got, c.limit)
		}
	}
}

// TestWordsForTrouble: errors that a test can't provoke on every machine.
func TestWordsForTrouble(t *testing.T) {
	port := &net.TCPAddr{IP: net.IPv4(203, 0, 113, 7), Port: 54321}
	dial := func(err error) error {
		return &url.Error{Op: "Post", URL: "https://host/", Err: &net.OpError{Op: "dial", Net: "tcp", Addr: port, Err: err}}
	}
	expired := &tls.CertificateVerificationError{Err: x509.CertificateInvalidError{Reason: x509.Expired, Detail: "current time 2026-01-01T12:00:00Z is after ..."}}
	for _, c := range []struct {
		err       error
		connected bool
		want      string
	}{
		{dial(&net.DNSError{Name: "host", Server: "10.0.0.10:53", IsNotFound: true}), false, "the host name does not exist"},
		{dial(&net.DNSError{Name: "host", Server: "10.0.0.10:53", IsTimeout: true}), false, "the host name could not be looked up"},
		{dial(syscall.ENETUNREACH), false, "network unreachable"},
		{dial(syscall.EHOSTUNREACH), false, "no route to the host"},
		{dial(syscall.ETIMEDOUT), false, "no connection within 5 s"},
		{&net.OpError{Op: "proxyconnect", Net: "tcp", Addr: port, Err: syscall.ECONNREFUSED}, false, "the proxy could not be reached"},
		{fmt.Errorf("read: %w", syscall.ECONNRESET), true, "connection reset"},
		{fmt.Errorf("write: %w", syscall.EPIPE), true, "connection closed by the server"},
		{expired, false, "the server's certificate has expired or is not yet valid"},
		{&tls.CertificateVerificationError{Err: x509.CertificateInvalidError{Reason: x509.NotAuthorizedToSign}}, false, "the server's certificate is not valid"},
		{&net.OpError{Op: "remote error", Err: tls.AlertError(116)}, true, "the server refused TLS: tls: certificate required"},
		{errors.New("port 54321 at 12:00:01 said <secret>"), true, "the connection failed"},
	} {
		a := &attempt{operation: wechatpay.OperationCreateRefund, certified: true, caller: t.Context(), own: t.Context(), connect: 5 * time.Second, limit: 20 * time.Second}
		a.connected.Store(c.connected)
		failure := a.failure(c.err)
		if got := failure.Error(); got != "CreateRefund: "+c.want {
			t.Errorf("%v is %q, not %q", c.err, got, c.want)
		}
		if !errors.Is(failure, c.err) {
			t.Errorf("%v is not to be found in its error", c.err)
		}
		if c.connected == (failure.Outcome == wechatpay.NotSent) {
			t.Errorf("%v is %s", c.err, failure.Outcome)
		}
	}
}

func TestACertificateAlertAfterTheHandshakeIsARefusal(t *testing.T) {
	alert := &net.OpError{Op: "remote error", Err: tls.AlertError(116)}
	for certified, want := range map[bool]wechatpay.Outcome{true: wechatpay.Refused, false: wechatpay.Unknown} {
		a := &attempt{certified: certified, caller: t.Context(), own: t.Context()}
		a.connected.Store(true)
		if got := a.failure(alert).Outcome; got != want {
			t.Errorf("%v: %s, not %s", certified, got, want)
		}
	}
	other := &net.OpError{Op: "remote error", Err: tls.AlertError(80)}
	if isCertificateAlert(other) {
		t.Error("an internal error is not about the certificate")
	}
}

func TestSecondsInWords(t *testing.T) {
	for d, want := range map[time.Duration]string{20 * time.Second: "20 s", 50 * time.Millisecond: "50ms"} {
		if got := seconds(d); got != want {
			t.Errorf("%v is %q, not %q", d, got, want)
		}
	}
}
