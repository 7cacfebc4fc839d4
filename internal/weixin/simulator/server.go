package simulator

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"log"
	"log/slog"
	"math/rand/v2"
	"net"
	"net/http"
	"sync"
	"time"
)

// Simulator is a running simulator of api.weixin.qq.com.
type Simulator struct {
	rules    rules
	logger   *slog.Logger
	now      func() time.Time
	payments Payments

	mu       sync.Mutex
	apps     map[string]*app
	codes    map[string]*loginCode
	tokens   map[string]*accessToken
	shipped  map[string]*Shipping // by transaction
	order    []*Shipping
	consents map[consent]int
	journal  Journal
	faults   []*Fault
	faultNo  int
	chance   *rand.Rand
	state    *state

	url, admin string
	servers    []*http.Server
	context    context.Context
	cancel     context.CancelFunc
	running    sync.WaitGroup
	closing    sync.Once
}

// New starts a simulator. Close stops it.
func New(options Options) (*Simulator, error) {
	options = withDefaults(options)
	if len(options.Certificate.Certificate) == 0 || options.Payments == nil {
		return nil, errors.New("weixin simulator: it needs a certificate and payments")
	}
	s := &Simulator{
		rules: options.rules(), logger: options.Logger, payments: options.Payments,
		now:  func() time.Time { return options.Now().Round(0) },
		apps: map[string]*app{}, codes: map[string]*loginCode{}, tokens: map[string]*accessToken{},
		shipped: map[string]*Shipping{}, consents: map[consent]int{}, chance: rand.New(rand.NewPCG(options.FaultSeed, 0)),
		journal: Journal{CallCounts: map[Operation]map[string]int{}},
	}
	for _, m := range options.MiniPrograms {
		if err := s.AddMiniProgram(m); err != nil {
			return nil, fmt.Errorf("weixin simulator: %w", err)
		}
	}
	if err := s.openState(options.StateFile); err != nil {
		return nil, fmt.Errorf("weixin simulator: %w", err)
	}
	s.context, s.cancel = context.WithCancel(context.Background())
	if err := s.listen(options); err != nil {
		s.Close()
		return nil, fmt.Errorf("weixin simulator: %w", err)
	}
	return s, nil
}

func (s *Simulator) listen(options Options) error {
	listener, err := net.Listen("tcp", options.ListenAddress)
	if err != nil {
		return err
	}
	s.url = "https://" + reachable(listener.Addr())
	s.serve(tls.NewListener(listener, &tls.Config{
		MinVersion: tls.VersionTLS12, Certificates: []tls.Certificate{options.Certificate},
		// HTTP/1.1 only, because a fault may have to break the connection of a single reply.
		NextProtos: []string{"http/1.1"},
	}), s.apiHandler())
	listener, err = net.Listen("tcp", options.AdminListenAddress)
	if err != nil {
		return err
	}
	s.admin = "http://" + reachable(listener.Addr())
	s.serve(listener, s.adminHandler())
	return nil
}

// reachable replaces the wildcard address, to which clients can't connect.
func reachable(address net.Addr) string {
	tcp, isTCP := address.(*net.TCPAddr)
	if !isTCP || !tcp.IP.IsUnspecified() {
		return address.String()
	}
	return fmt.Sprintf("127.0.0.1:%d", tcp.Port)
}

func (s *Simulator) serve(listener net.Listener, handler http.Handler) {
	server := &http.Server{
		Handler:           handler,
		ReadHeaderTimeout: 10 * time.Second,
		ReadTimeout:       30 * time.Second,
		IdleTimeout:       2 * time.Minute,
		BaseContext:       func(net.Listener) context.Context { return s.context },
		ErrorLog:          log.New(io.Discard, "", 0), // some tests provoke failed handshakes
	}
	s.servers = append(s.servers, server)
	s.running.Go(func() {
		if err := server.Serve(listener); !errors.Is(err, http.ErrServerClosed) {
			s.logger.Error("stopped listening", "address", listener.Addr().String(), "error", err)
		}
	})
}

// Close stops listening and ends calls in progress.
func (s *Simulator) Close() {
	s.closing.Do(func() {
		s.cancel()
		for _, server := range s.servers {
			_ = server.Close()
		}
		s.running.Wait()
		s.state.close()
	})
}

// URL returns the host's URL, like https://127.0.0.1:1234.
func (s *Simulator) URL() string { return s.url }

// AdminURL returns the URL of the admin API.
func (s *Simulator) AdminURL() string { return s.admin }
