package sender

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"io"
	"net"
	"syscall"
)

// The texts are constant, so that messages do not change between probes and contain nothing that
// the remote side chose.

func describeLookup(err error) string {
	if failure, ok := errors.AsType[*net.DNSError](err); ok && failure.IsNotFound {
		return "the host is not in DNS. Create its record, or correct the base URL"
	}
	return "DNS did not respond for the host. Check the cluster's DNS and the name servers of the domain"
}

func describeConnect(err error) string {
	what := "connecting to port 443 failed"
	switch {
	case errors.Is(err, syscall.ECONNREFUSED):
		what = "the connection to port 443 was refused"
	case errors.Is(err, syscall.ENETUNREACH), errors.Is(err, syscall.EHOSTUNREACH):
		what = "there is no route to the host"
	case isTimeout(err):
		what = "port 443 did not respond in time"
	}
	return what + ". Compare from outside: if it works there, allow the operator to connect (NetworkPolicy, firewall), unless the load balancer does not serve its own cluster"
}

func describeTLS(err error, host string) string {
	var (
		invalid x509.CertificateInvalidError
		name    x509.HostnameError
		alert   *net.OpError
		record  tls.RecordHeaderError
		unknown x509.UnknownAuthorityError
		verify  *tls.CertificateVerificationError
	)
	switch {
	case errors.As(err, &invalid) && invalid.Reason == x509.Expired:
		return "the certificate has expired, or is not valid yet. Renew it"
	case errors.As(err, &name):
		return "the certificate is not for " + host + ": the ingress serves a default certificate, or does not know the host name (SNI)"
	case errors.As(err, &unknown):
		return "the certificate is self-signed, issued by a private authority, or sent without its intermediate certificates"
	case errors.As(err, &verify), errors.As(err, &invalid):
		return "the certificate can't be verified"
	case errors.As(err, &record):
		return "port 443 does not speak TLS"
	case errors.As(err, &alert) && alert.Op == "remote error": // how crypto/tls marks an alert of the remote side
		return "the host refused the TLS handshake: does the ingress know the host name (SNI), and speak TLS 1.2 or 1.3?"
	case isTimeout(err):
		return "the connection succeeded, but the TLS handshake timed out. Does port 443 speak TLS?"
	default:
		return "the connection was closed during the TLS handshake. Does port 443 speak TLS, and for this host name (SNI)?"
	}
}

func describeSilence(err error) string {
	return silence(err) + ". Check the log of the ingress, or of the proxies in front of it"
}

func silence(err error) string {
	switch {
	case isTimeout(err):
		return "the connection succeeded, but no complete response arrived in time"
	case errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF), errors.Is(err, syscall.ECONNRESET):
		return "the connection succeeded, but was closed before a complete response arrived"
	default:
		return "the connection succeeded, but the response is not HTTP"
	}
}

func isTimeout(err error) bool {
	timeout, ok := errors.AsType[net.Error](err)
	return ok && timeout.Timeout() || errors.Is(err, context.DeadlineExceeded)
}
