package manager

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"sync/atomic"
	"time"
)

// probes answers the kubelet during the whole life of the process: alive at once, even while it
// waits for the API server, and ready once the operator receives callbacks. The manager's own
// probes would start later, and their port would be closed until then.
type probes struct {
	server *http.Server
	ready  atomic.Pointer[check]
}

// check says why the process is not ready.
type check func(*http.Request) error

// serveProbes starts the probe server; the address "0" disables it.
func serveProbes(address string) (*probes, error) {
	p := &probes{}
	p.become(func(*http.Request) error { return errors.New("the operator is waiting for the API server") })
	if address == off {
		return p, nil
	}
	listener, err := net.Listen("tcp", address)
	if err != nil {
		return nil, fmt.Errorf("listening for probes (--health-probe-bind-address): %w", err)
	}
	mux := http.NewServeMux()
	mux.HandleFunc("GET /healthz", func(w http.ResponseWriter, _ *http.Request) { answerProbe(w, nil) })
	mux.HandleFunc("GET /readyz", func(w http.ResponseWriter, request *http.Request) { answerProbe(w, (*p.ready.Load())(request)) })
	p.server = &http.Server{Handler: mux, ReadHeaderTimeout: 5 * time.Second, IdleTimeout: 90 * time.Second, MaxHeaderBytes: 16 << 10}
	go func() { _ = p.server.Serve(listener) }() // until it is closed
	return p, nil
}

func answerProbe(w http.ResponseWriter, problem error) {
	w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	if problem != nil {
		w.WriteHeader(http.StatusServiceUnavailable)
		_, _ = io.WriteString(w, problem.Error()+"\n")
		return
	}
	_, _ = io.WriteString(w, "ok\n")
}

// become replaces the readiness check.
func (p *probes) become(ready check) { p.ready.Store(&ready) }

func (p *probes) close() {
	if p.server != nil {
		_ = p.server.Close()
	}
}

// readiness returns the operator's check: its caches are synced, which the callback server requires
// as well.
func (o *Operator) readiness() check {
	if o.Callbacks != nil {
		return o.Callbacks.Ready
	}
	return o.caches.ready
}

// syncedCaches is a Runnable that the manager starts after the caches, on leaders and standby
// replicas.
type syncedCaches struct{ atomic.Bool }

// NeedLeaderElection returns false: a standby replica is ready too.
func (s *syncedCaches) NeedLeaderElection() bool { return false }

// Start records that the caches are synced.
func (s *syncedCaches) Start(ctx context.Context) error {
	s.Store(true)
	<-ctx.Done()
	return nil
}

func (s *syncedCaches) ready(*http.Request) error {
	if !s.Load() {
		return errors.New("the caches are not synced yet")
	}
	return nil
}
