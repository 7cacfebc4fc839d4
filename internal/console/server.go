package console

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"log"
	"log/slog"
	"net"
	"net/http"
	"net/http/httputil"
	"net/url"
	"os"
	"strings"
	"sync/atomic"
	"time"
)

// Server is the console.
type Server struct {
	options   Options
	apiServer *url.URL
	transport *http.Transport
	proxy     *httputil.ReverseProxy
	sealer    *sealer
	slots     *slots
	page      map[string]*asset
	origin    *http.CrossOriginProtection
	log       *slog.Logger
	ending    atomic.Bool
}

// New reads the files that the options name.
func New(o Options, logger *slog.Logger) (*Server, error) {
	if err := o.Validate(); err != nil {
		return nil, err
	}
	address, err := url.Parse(o.APIServer)
	if err != nil {
		return nil, err
	}
	transport, err := newTransport(o.APIServerCAFile)
	if err != nil {
		return nil, fmt.Errorf("--api-server-ca-file: %w", err)
	}
	keys, err := newSealer(o.SessionKeyFile)
	if err != nil {
		return nil, fmt.Errorf("--session-key-file: %w", err)
	}
	page, err := readPage()
	if err != nil {
		return nil, err
	}
	s := &Server{
		options: o, apiServer: &url.URL{Scheme: address.Scheme, Host: address.Host}, transport: transport, sealer: keys, slots: newSlots(o.Limits),
		page: page, origin: http.NewCrossOriginProtection(), log: logger,
	}
	s.proxy = s.newProxy()
	return s, nil
}

// newTransport verifies the API server by the given authorities only, and has no client certificate.
func newTransport(authorities string) (*http.Transport, error) {
	content, err := os.ReadFile(authorities)
	if err != nil {
		return nil, err
	}
	roots := x509.NewCertPool()
	if !roots.AppendCertsFromPEM(content) {
		return nil, fmt.Errorf("%s has no certificate in PEM", authorities)
	}
	return &http.Transport{
		TLSClientConfig:     &tls.Config{RootCAs: roots, MinVersion: tls.VersionTLS12},
		DialContext:         (&net.Dialer{Timeout: 10 * time.Second, KeepAlive: 15 * time.Second}).DialContext,
		TLSHandshakeTimeout: 10 * time.Second, IdleConnTimeout: 90 * time.Second, MaxIdleConnsPerHost: 100,
		ForceAttemptHTTP2: true, HTTP2: &http.HTTP2Config{SendPingTimeout: 15 * time.Second, PingTimeout: 10 * time.Second},
		DisableCompression: true, // the browser decompresses
	}, nil
}

// ServeHTTP answers a request.
func (s *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	header := w.Header()
	header.Set("Content-Security-Policy", policy)
	header.Set("Cross-Origin-Opener-Policy", "same-origin")
	header.Set("Cross-Origin-Resource-Policy", "same-origin")
	header.Set("Permissions-Policy", "camera=(), geolocation=(), microphone=(), payment=()")
	header.Set("Referrer-Policy", "no-referrer")
	header.Set("X-Content-Type-Options", "nosniff")
	if refused := s.serve(w, r); refused != nil {
		refused.write(w)
	}
}

// serve answers a request, or returns why it is refused.
func (s *Server) serve(w http.ResponseWriter, r *http.Request) *refusal {
	if err := s.origin.Check(r); err != nil {
		return crossOrigin
	}
	switch path := r.URL.Path; {
	case path == "/healthz":
		fmt.Fprintln(w, "ok")
	case path == "/readyz" && s.ending.Load():
		w.WriteHeader(http.StatusServiceUnavailable)
	case path == "/readyz":
		fmt.Fprintln(w, "ok")
	case path == "/session":
		return s.serveSession(w, r)
	case path == "/config.json":
		return s.serveSettings(w, r)
	case path == "/api", path == "/apis", strings.HasPrefix(path, "/api/"), strings.HasPrefix(path, "/apis/"):
		return s.serveAPI(w, r)
	default:
		return s.servePage(w, r)
	}
	return nil
}

// Run serves until the context ends. It then finishes requests in progress, and ends watches.
func Run(ctx context.Context, o Options, logger *slog.Logger) error {
	s, err := New(o, logger)
	if err != nil {
		return err
	}
	listener, err := net.Listen("tcp", o.BindAddress)
	if err != nil {
		return err
	}
	return s.Serve(ctx, listener)
}

// shutdownTimeout limits how long requests in progress may take at shutdown.
const shutdownTimeout = 10 * time.Second

// Serve is Run on an existing listener.
func (s *Server) Serve(ctx context.Context, listener net.Listener) error {
	// A watch would keep its connection for minutes. The page restarts it at another replica.
	serving, endWatches := context.WithCancel(context.WithoutCancel(ctx))
	defer endWatches()
	server := &http.Server{
		Handler: s, BaseContext: func(net.Listener) context.Context { return serving },
		ReadHeaderTimeout: 5 * time.Second, IdleTimeout: 2 * time.Minute, MaxHeaderBytes: 32 << 10,
		ErrorLog: log.New(io.Discard, "", 0), // invalid requests are not logged
	}
	failed := make(chan error, 1)
	go func() {
		if s.options.TLSCertFile != "" {
			failed <- server.ServeTLS(listener, s.options.TLSCertFile, s.options.TLSKeyFile)
			return
		}
		failed <- server.Serve(listener)
	}()
	s.log.Info("the console is open", "address", listener.Addr().String(), "login", s.options.Login, "version", s.options.Version)
	select {
	case err := <-failed:
		return err
	case <-ctx.Done():
	}
	s.ending.Store(true)
	ending, done := context.WithTimeout(context.WithoutCancel(ctx), shutdownTimeout)
	defer done()
	stop := time.AfterFunc(time.Second, endWatches) // short requests may finish first
	defer stop.Stop()
	err := server.Shutdown(ending)
	s.transport.CloseIdleConnections()
	if errors.Is(err, context.DeadlineExceeded) {
		return server.Close()
	}
	return err
}
