package simulator

import (
	"crypto/tls"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"github.com/wechatpay-operator/wechatpay-operator/internal/simulation"
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
	calls    *simulation.Calls[Operation, Call]
	state    *simulation.StateFile[entry]

	faults     *simulation.Faults[Fault]
	url, admin string
	servers    *simulation.Servers
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
		shipped: map[string]*Shipping{}, consents: map[consent]int{}, faults: simulation.NewFaults(options.FaultSeed, (*Fault).terms),
		calls: simulation.NewCalls[Operation, Call](maxCalls),
	}
	for _, m := range options.MiniPrograms {
		if err := s.AddMiniProgram(m); err != nil {
			return nil, fmt.Errorf("weixin simulator: %w", err)
		}
	}
	var err error
	if s.state, err = simulation.OpenStateFile(options.StateFile, s.restore, s.entries); err != nil {
		return nil, fmt.Errorf("weixin simulator: %w", err)
	}
	s.servers = simulation.NewServers(s.logger)
	if err := s.listen(options); err != nil {
		s.Close()
		return nil, fmt.Errorf("weixin simulator: %w", err)
	}
	return s, nil
}

func (s *Simulator) listen(options Options) error {
	listener, at, err := simulation.Listen(options.ListenAddress)
	if err != nil {
		return err
	}
	s.url = "https://" + at
	s.servers.Serve(tls.NewListener(listener, simulation.TLSConfig(options.Certificate)), s.apiHandler())
	if listener, at, err = simulation.Listen(options.AdminListenAddress); err != nil {
		return err
	}
	s.admin = "http://" + at
	s.servers.Serve(listener, s.adminHandler())
	return nil
}

// Close stops listening and ends calls in progress.
func (s *Simulator) Close() {
	s.closing.Do(func() {
		s.servers.Close()
		s.mu.Lock()
		defer s.mu.Unlock()
		_ = s.state.Close() // everything is flushed before its answer
	})
}

// URL returns the host's URL, like https://127.0.0.1:1234.
func (s *Simulator) URL() string { return s.url }

// AdminURL returns the URL of the admin API.
func (s *Simulator) AdminURL() string { return s.admin }
