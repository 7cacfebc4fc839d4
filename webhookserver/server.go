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

// The limits keep a slow or hostile client from using up what valid callbacks need. WeChat waits
// five seconds for the answer (chapter 9_7), so a request that takes longer to arrive is useless.
const (
	maxHeaderBytes    = 16 << 10
	maxConnections    = 1024
	readHeaderTimeout = 5 * time.Second
	readTimeout       = 5 * time.Second
	writeTimeout      = 20 * time.Second
	shutdownTimeout   = 15 * time.Second
	// idleTimeout is longer than load balancers keep idle connections: mostly some 60 s, 600 s on
	// Google Cloud, an hour with Envoy. So the load balancer closes them. If the server did, a
	// callback might just be arriving, and WeChat would get a 502. Keeping many costs nothing,
	// since idle connections are evicted first.
	idleTimeout = time.Hour + time.Minute
)

// Server is a Runnable of the manager. It starts after the caches are in sync, and stops before
// them.
type Server struct {
	// BindAddress is the plain HTTP address for callbacks, behind the cluster's ingress.
	BindAddress string
	// Handler handles them.
	Handler http.Handler
	// Log gets the messages of the HTTP server.
	Log logr.Logger

	listening atomic.Pointer[net.TCPAddr]
}

// NeedLeaderElection is false: every replica accepts callbacks.
func (s *Server) NeedLeaderElection() bool { return false }

// Start serves until the context ends, and then finishes the callbacks in progress.
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
	s.listening.Store(nil) // not ready while callbacks in progress are finished
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

// logWriter logs the messages of the HTTP server, such as a handler's panic.
type logWriter struct {
	log     logr.Logger
	sampler *logSampler
}

func (w logWriter) Write(line []byte) (int, error) {
	if allowed, suppressed := w.sampler.allow(tenantKey{}, ""); allowed {
		w.log.Info(strings.TrimSpace(string(line)), "notLogged", suppressed)
	}
	return len(line), nil
}

// Address returns where the server listens, or nil if it does not.
func (s *Server) Address() *net.TCPAddr { return s.listening.Load() }

// Ready is the readiness check. The listener is opened only after the caches are in sync.
func (s *Server) Ready(*http.Request) error {
	if s.Address() == nil {
		return errors.New("the callback server is not listening yet")
	}
	return nil
}
