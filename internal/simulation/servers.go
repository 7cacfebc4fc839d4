package simulation

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"log"
	"log/slog"
	"net"
	"net/http"
	"sync"
	"time"
)

// Servers are the HTTP servers of a simulator, and its other goroutines.
type Servers struct {
	// Context ends when Close begins, and so do all waits in calls.
	Context context.Context
	// Running has the goroutines that Close waits for.
	Running sync.WaitGroup

	end     context.CancelFunc
	logger  *slog.Logger
	servers []*http.Server
}

// NewServers returns a set without servers. Serve adds them.
func NewServers(logger *slog.Logger) *Servers {
	ctx, end := context.WithCancel(context.Background())
	return &Servers{Context: ctx, end: end, logger: logger}
}

// Listen opens a listener, and returns it with the address for clients: they can't connect to a wildcard address.
func Listen(address string) (listener net.Listener, at string, err error) {
	listener, err = net.Listen("tcp", address)
	if err != nil {
		return nil, "", err
	}
	if tcp, isTCP := listener.Addr().(*net.TCPAddr); isTCP && tcp.IP.IsUnspecified() {
		return listener, fmt.Sprintf("127.0.0.1:%d", tcp.Port), nil
	}
	return listener, listener.Addr().String(), nil
}

// TLSConfig is the TLS configuration of a host. It speaks HTTP/1.1 only, because a fault may have to break the
// connection of a single response.
func TLSConfig(certificate tls.Certificate) *tls.Config {
	return &tls.Config{MinVersion: tls.VersionTLS12, Certificates: []tls.Certificate{certificate}, NextProtos: []string{"http/1.1"}}
}

// Serve serves a listener until Close.
func (s *Servers) Serve(listener net.Listener, handler http.Handler) {
	server := &http.Server{
		Handler:           handler,
		ReadHeaderTimeout: 10 * time.Second,
		ReadTimeout:       30 * time.Second,
		IdleTimeout:       2 * time.Minute,
		BaseContext:       func(net.Listener) context.Context { return s.Context },
		ErrorLog:          log.New(io.Discard, "", 0), // some tests provoke failed handshakes
	}
	s.servers = append(s.servers, server)
	s.Running.Go(func() {
		if err := server.Serve(listener); !errors.Is(err, http.ErrServerClosed) {
			s.logger.Error("stopped listening", "address", listener.Addr().String(), "error", err)
		}
	})
}

// Close ends every wait, stops listening, and returns when all goroutines have ended.
func (s *Servers) Close() {
	s.end()
	for _, server := range s.servers {
		// The context has ended every wait, so calls in progress finish at once.
		ending, done := context.WithTimeout(context.Background(), 2*time.Second)
		if server.Shutdown(ending) != nil {
			_ = server.Close() // the remaining connections had two seconds
		}
		done()
	}
	s.Running.Wait()
}
