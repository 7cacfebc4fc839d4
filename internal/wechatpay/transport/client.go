package transport

import (
	"crypto/tls"
	"crypto/x509"
	"net"
	"net/http"
	"time"
)

// connectionsPerHost exceeds the concurrent calls of a Merchant. As many idle connections are kept,
// because closing one after its call costs the next call a handshake.
const connectionsPerHost = 64

// keptIdle is less than the 8 s after which WeChat Pay closes an idle connection (its own Java SDK
// uses 7 s as well). If a request and the close coincide, it is unknown whether the request
// arrived.
const keptIdle = 7 * time.Second

// NewHTTPClient returns an HTTP client that follows no redirects, verifies the server with TLS 1.2
// or later, and speaks only HTTP/1.1, so that a connection carries one request at a time. WeChat
// Pay rotates its certificates, so none is pinned. A nil certificate presents none.
func NewHTTPClient(connect time.Duration, roots *x509.CertPool, certificate *tls.Certificate) *http.Client {
	configuration := &tls.Config{MinVersion: tls.VersionTLS12, RootCAs: roots}
	if certificate != nil {
		// Presented whatever authorities the server lists, so that WeChat Pay itself refuses a
		// wrong one.
		configuration.GetClientCertificate = func(*tls.CertificateRequestInfo) (*tls.Certificate, error) {
			return certificate, nil
		}
	}
	http1 := new(http.Protocols)
	http1.SetHTTP1(true)
	return &http.Client{
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
		Transport: &http.Transport{
			Proxy:                  http.ProxyFromEnvironment,
			DialContext:            (&net.Dialer{Timeout: connect, KeepAlive: 30 * time.Second}).DialContext,
			TLSHandshakeTimeout:    connect,
			TLSClientConfig:        configuration,
			Protocols:              http1,
			MaxIdleConnsPerHost:    connectionsPerHost,
			MaxConnsPerHost:        connectionsPerHost,
			IdleConnTimeout:        keptIdle,
			DisableCompression:     true,
			MaxResponseHeaderBytes: 64 << 10,
		},
	}
}
