package webhookserver

import (
	"context"
	"errors"
	"fmt"
	stdlog "log"
	"net"
	"net/http"
	"strings"
	"sync/atomic"
	"time"

	"github.com/go-logr/logr"
	"k8s.io/utils/clock"
)

// The limits keep a slow or hostile client from holding what good callbacks need. WeChat waits five seconds for its answer
// (chapter 9_7), so that a request which takes longer to arrive is nobody's that could still use one.
const (
	maxHeaderBytes    = 16 << 10
	maxConnections    = 1024
	readHeaderTimeout = 5 * time.Second
	readTimeout       = 5 * time.Second
	writeTimeout      = 20 * time.Second
	shutdownTimeout   = 15 * time.Second
	// idleTimeout is longer than any load balancer keeps a connection for later: some 60 s mostly, 600 s on Google Cloud, an hour
	// with Envoy. So it is the load balancer that ends one. If the server did, a callback might be on its way already, and
	// WeChat would be answered 502. That many are kept costs nothing: the idle ones make room for others.
	idleTimeout = time.Hour + time.Minute
)

// Server is a Runnable of the manager. It starts after the caches are in sync, and is stopped before them.
type Server struct {
	// BindAddress is where callbacks come in over plain HTTP, behind the cluster's ingress.
	BindAddress string
	// Handler serves them.
	Handler http.Handler
	// Log gets what the HTTP server itself has to say.
	Log logr.Logger

	listening atomic.Pointer[net.TCPAddr]
}

// NeedLeaderElection is false: every replica takes callbacks.
func (s *Server) NeedLeaderElection() bool { return false }

// Start serves until the context ends, and then finishes the callbacks that are under way.
func (s *Server) Start(ctx context.Context) error {
	listener, err := (&net.ListenConfig{}).Listen(ctx, "tcp", s.BindAddress)
	if err != nil {
		return fmt.Errorf("listening for callbacks (--notify-bind-address): %w", err)
	}
	s.listening.Store(listener.Addr().(*net.TCPAddr))
	defer s.listening.Store(nil)

	server := s.httpServer()
	stopped := make(chan error, 1)
	go func() { stopped <- server.Serve(listener) }()
	s.Log.Info("Serving callbacks", "address", listener.Addr().String())

	select {
	case err := <-stopped:
		return fmt.Errorf("serving callbacks: %w", err)
	case <-ctx.Done():
	}
	s.listening.Store(nil) // not ready any more, while callbacks under way are finished
	deadline, cancel := context.WithTimeout(context.WithoutCancel(ctx), shutdownTimeout)
	defer cancel()
	if err := server.Shutdown(deadline); err != nil {
		_ = server.Close() // leave no connection behind
		return fmt.Errorf("finishing callbacks under way: %w", err)
	}
	return nil
}

func (s *Server) httpServer() *http.Server {
	connections := newConnectionLimiter(maxConnections)
	return &http.Server{
		Handler:           s.withHealth(s.Handler),
		MaxHeaderBytes:    maxHeaderBytes,
		ReadHeaderTimeout: readHeaderTimeout,
		ReadTimeout:       readTimeout,
		WriteTimeout:      writeTimeout,
		IdleTimeout:       idleTimeout,
		ErrorLog:          stdlog.New(logWriter{s.Log, newLogSampler(clock.RealClock{})}, "", 0),
		ConnState:         connections.ConnState,
		ConnContext:       connections.ConnContext,
	}
}

// logWriter is where the HTTP server's own words go, such as that a handler panicked.
type logWriter struct {
	log     logr.Logger
	sampler *logSampler
}

func (w logWriter) Write(line []byte) (int, error) {
	if say, unsaid := w.sampler.may(tenantKey{}, ""); say {
		w.log.Info(strings.TrimSpace(string(line)), "notLogged", unsaid)
	}
	return len(line), nil
}

// Address is where the server listens; nil when it does not.
func (s *Server) Address() *net.TCPAddr { return s.listening.Load() }

// Ready is the readiness check: the listener is up, which it is only after the caches are in sync.
func (s *Server) Ready(*http.Request) error {
	if s.Address() == nil {
		return errors.New("the callback server does not listen yet")
	}
	return nil
}
