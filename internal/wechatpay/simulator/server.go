package simulator

import (
	"crypto/tls"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"sync"
	"time"

	"github.com/wechatpay-operator/wechatpay-operator/internal/simulation"
)

// Simulator is a running WeChat Pay simulator.
type Simulator struct {
	rules  rules
	logger *slog.Logger
	now    func() time.Time
	ca     *authority

	faults *simulation.Faults[Fault]
	mu     sync.Mutex
	store  *store
	// delayed holds the callbacks that a fault has delayed, which no fault strikes again.
	delayed map[string]bool
	// billAddresses are the bills that wait to be fetched by API v3, by token.
	billAddresses map[string]billAddress
	// movedByHand is true if a test sets the clock.
	movedByHand bool

	// settlements turns refunds to their outcome, payers makes the automatic payments, deliveries
	// sends the callbacks.
	settlements *scheduler
	payers      *scheduler
	deliveries  *scheduler
	payAfter    time.Duration
	shop        *http.Client
	answerTime  time.Duration

	certificateDir string
	// skew is how far WeChat Pay's clock is ahead of the simulator's. mu guards it.
	skew time.Duration

	urls  map[Host]string
	admin string
	// cashierLinks is Options.CashierLinks.
	cashierLinks bool
	servers      *simulation.Servers
	closing      sync.Once
	closed       error
}

// New starts a simulator. Close stops it.
func New(options Options) (*Simulator, error) {
	options = withDefaults(options)
	if options.TimeScale < 0 {
		return nil, errors.New("simulator: TimeScale is negative")
	}
	ca, err := openAuthority(options.CertificateDir)
	if err != nil {
		return nil, fmt.Errorf("simulator: %w", err)
	}
	if options.NewRSAKey != nil {
		ca.newRSAKey = options.NewRSAKey
	}
	s := &Simulator{
		rules:      options.rules(),
		logger:     options.Logger,
		now:        clock(options.Now),
		ca:         ca,
		store:      newStore(options.MaxCalls),
		faults:     simulation.NewFaults(options.FaultSeed, (*Fault).terms),
		shop:       shopClient(options),
		answerTime: options.CallbackTimeout,
		payAfter:   options.PayAfter,
		urls:       map[Host]string{},
		delayed:    map[string]bool{},

		billAddresses: map[string]billAddress{},
		skew:          options.ClockSkew,

		certificateDir: options.CertificateDir,
		cashierLinks:   options.CashierLinks,
	}
	s.movedByHand = options.Now != nil
	if s.store.journal, err = simulation.OpenStateFile(options.StateFile, s.store.apply, s.store.entries); err != nil {
		return nil, fmt.Errorf("simulator: %w", err)
	}
	s.servers = simulation.NewServers(s.logger)
	if err := s.begin(options); err != nil {
		return nil, errors.Join(fmt.Errorf("simulator: %w", err), s.Close())
	}
	return s, nil
}

func withDefaults(o Options) Options {
	for _, address := range []*string{&o.ListenAddress, &o.BackupListenAddress, &o.AdminListenAddress} {
		if *address == "" {
			*address = "127.0.0.1:0"
		}
	}
	if o.TimeScale == 0 {
		o.TimeScale = 1
	}
	if o.CallbackTimeout <= 0 {
		o.CallbackTimeout = 5 * time.Second
	}
	if o.CallbackWorkers <= 0 {
		o.CallbackWorkers = 16
	}
	if o.MaxCalls <= 0 {
		o.MaxCalls = 100_000
	}
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	return o
}

// clock strips the monotonic reading, so that times compare equal before and after a restart.
func clock(now func() time.Time) func() time.Time {
	if now == nil {
		now = time.Now
	}
	return func() time.Time { return now().Round(0) }
}

// begin adds the merchants, resumes the work of an earlier process, and starts to listen.
func (s *Simulator) begin(options Options) error {
	for _, m := range options.Merchants {
		if err := s.meetMerchant(m); err != nil {
			return err
		}
	}
	poll := time.Duration(0)
	if s.movedByHand {
		poll = 2 * time.Millisecond
	}
	s.settlements = newScheduler(s.now, poll)
	s.payers = newScheduler(s.now, poll)
	s.deliveries = newScheduler(s.now, poll)
	s.resume()
	s.settlements.start(s.servers.Context, &s.servers.Running, 1)
	s.payers.start(s.servers.Context, &s.servers.Running, 1)
	s.deliveries.start(s.servers.Context, &s.servers.Running, options.CallbackWorkers)

	certificate, err := s.ca.issueServer(options.ServerNames)
	if err != nil {
		return err
	}
	config := simulation.TLSConfig(certificate)
	// Any certificate is accepted here and checked per API, as WeChat Pay does: only some require one.
	config.ClientAuth = tls.RequestClientCert
	for host, address := range map[Host]string{HostPrimary: options.ListenAddress, HostBackup: options.BackupListenAddress} {
		listener, at, err := simulation.Listen(address)
		if err != nil {
			return err
		}
		s.urls[host] = "https://" + at
		s.servers.Serve(tls.NewListener(listener, config), s.gateway(host))
	}
	listener, at, err := simulation.Listen(options.AdminListenAddress)
	if err != nil {
		return err
	}
	s.admin = "http://" + at
	s.servers.Serve(listener, s.adminHandler())
	return nil
}

// Close stops listening and sending callbacks, waits for calls in progress, and closes the state
// file.
func (s *Simulator) Close() error {
	s.closing.Do(func() {
		s.servers.Close()
		s.shop.CloseIdleConnections()
		s.mu.Lock()
		defer s.mu.Unlock()
		s.closed = s.store.journal.Close()
	})
	return s.closed
}

// URL returns the primary host's URL, like https://127.0.0.1:1234.
func (s *Simulator) URL() string { return s.urls[HostPrimary] }

// BackupURL returns the backup host's URL. Both hosts share the same orders.
func (s *Simulator) BackupURL() string { return s.urls[HostBackup] }

// AdminURL returns the URL of the admin API.
func (s *Simulator) AdminURL() string { return s.admin }

// changed is change for what has a result.
func changed[T any](s *Simulator, what func() (T, error)) (result T, err error) {
	err = s.change(func() (failed error) {
		result, failed = what()
		return failed
	})
	return result, err
}

// change applies a change to the store and writes it to the state file.
func (s *Simulator) change(what func() error) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	err := what()
	if failure := s.store.journal.Flush(); failure != nil {
		s.logger.Error("state file can't be written", "error", failure)
		return errors.Join(err, failure)
	}
	return err
}
