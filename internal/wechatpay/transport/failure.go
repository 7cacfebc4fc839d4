package transport

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"slices"
	"syscall"
	"time"

	"github.com/wechatpay-operator/wechatpay-operator/internal/wechatpay"
)

// transportError is a failure to send or receive. Its text appears in conditions, so it contains no
// ports, addresses or times; the cause is for errors.Is.
type transportError struct {
	text  string
	cause error
}

func (e *transportError) Error() string { return e.text }
func (e *transportError) Unwrap() error { return e.cause }

// failure classifies a transport error. Without a connection nothing was sent.
func (a *attempt) failure(cause error) *wechatpay.Error {
	connected := a.connected.Load()
	described := &transportError{a.describe(cause), cause}
	switch refused := a.certified && isCertificateAlert(cause); {
	case refused && connected:
		// TLS 1.3: the server checks the certificate only after our first bytes, and processes none
		// of them.
		return &wechatpay.Error{Operation: a.operation, Outcome: wechatpay.Refused, Meaning: wechatpay.CertificateRejected, Err: described}
	case connected:
		return Unknown(a.operation, wechatpay.Repeat, described)
	case refused:
		return NotSent(a.operation, wechatpay.CertificateRejected, described)
	case isServerNotTrusted(cause):
		return NotSent(a.operation, wechatpay.NeedsAttention, described)
	default:
		return NotSent(a.operation, wechatpay.Repeat, described)
	}
}

// describe returns a text for the error that is the same for each attempt.
func (a *attempt) describe(err error) string {
	switch {
	case errors.Is(a.caller.Err(), context.Canceled):
		return "cancelled"
	case a.own.Err() != nil:
		return a.describeDeadline()
	}
	for _, describe := range []func(error) string{describeLookup, describeTLS, describeConnection} {
		if text := describe(err); text != "" {
			return text
		}
	}
	if timeout := net.Error(nil); errors.As(err, &timeout) && timeout.Timeout() && !a.connected.Load() {
		return "no connection within " + seconds(a.connect)
	}
	return "the connection failed"
}

func (a *attempt) describeDeadline() string {
	missing := "no connection"
	if a.connected.Load() {
		missing = "no answer"
	}
	if a.shortened || a.caller.Err() != nil {
		return missing + " in the time given"
	}
	return missing + " within " + seconds(a.limit)
}

func seconds(d time.Duration) string {
	if d%time.Second == 0 {
		return fmt.Sprintf("%d s", d/time.Second)
	}
	return d.String()
}

func describeLookup(err error) string {
	lookup, found := errors.AsType[*net.DNSError](err)
	switch {
	case !found:
		return ""
	case lookup.IsNotFound:
		return "the host name does not exist"
	default:
		return "the host name could not be looked up"
	}
}

func describeTLS(err error) string {
	if _, found := errors.AsType[x509.UnknownAuthorityError](err); found {
		return "the server's certificate is signed by an unknown authority"
	}
	if _, found := errors.AsType[x509.HostnameError](err); found {
		return "the server's certificate is for another host"
	}
	if invalid, found := errors.AsType[x509.CertificateInvalidError](err); found && invalid.Reason == x509.Expired {
		return "the server's certificate has expired or is not yet valid"
	}
	if isServerNotTrusted(err) {
		return "the server's certificate is not valid"
	}
	if _, found := errors.AsType[tls.RecordHeaderError](err); found || errors.Is(err, http.ErrSchemeMismatch) {
		return "the server does not speak TLS"
	}
	if alert := remoteAlert(err); alert != "" {
		return "the server refused TLS: " + alert
	}
	return ""
}

func describeConnection(err error) string {
	if at, found := errors.AsType[*net.OpError](err); found && at.Op == "proxyconnect" {
		return "the proxy could not be reached"
	}
	for _, known := range []struct {
		cause error
		text  string
	}{
		{syscall.ECONNREFUSED, "connection refused"},
		{syscall.ECONNRESET, "connection reset"},
		{syscall.EPIPE, "connection closed by the server"},
		{syscall.ENETUNREACH, "network unreachable"},
		{syscall.EHOSTUNREACH, "no route to the host"},
		{io.EOF, "connection closed before the answer"},
		{io.ErrUnexpectedEOF, "connection closed in the middle of the answer"},
	} {
		if errors.Is(err, known.cause) {
			return known.text
		}
	}
	return ""
}

// isServerNotTrusted reports whether the server's certificate failed verification, which needs
// attention.
func isServerNotTrusted(err error) bool {
	_, found := errors.AsType[*tls.CertificateVerificationError](err)
	return found
}

// remoteAlert returns the text of the alert with which the remote side ended TLS.
func remoteAlert(err error) string {
	at, found := errors.AsType[*net.OpError](err)
	if !found || at.Op != "remote error" || at.Err == nil {
		return ""
	}
	return at.Err.Error()
}

// isCertificateAlert reports whether the server ended TLS because of our certificate. crypto/tls
// does not export the type of received alerts; their texts are those of tls.AlertError.
func isCertificateAlert(err error) bool {
	alert := remoteAlert(err)
	// bad, unsupported, revoked, expired and unknown certificate, unknown authority, access denied,
	// certificate required
	return slices.ContainsFunc([]tls.AlertError{42, 43, 44, 45, 46, 48, 49, 116}, func(number tls.AlertError) bool { return alert == number.Error() })
}
