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

// Simulator is a running WeChat Pay simulator.
type Simulator struct {
	rules  rules
	logger *slog.Logger
	now    func() time.Time
	ca     *authority

	mu      sync.Mutex
	store   *store
	faults  []*activeFault
	faultNo int
	chance  *rand.Rand

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
	servers      []*http.Server
	context      context.Context
	cancel       context.CancelFunc
	running      sync.WaitGroup
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
		chance:     rand.New(rand.NewPCG(options.FaultSeed, 0)),
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
	if err := openJournal(options.StateFile, s.store); err != nil {
		return nil, fmt.Errorf("simulator: %w", err)
	}
	s.context, s.cancel = context.WithCancel(context.Background())
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
	s.settlements.start(s.context, &s.running, 1)
	s.payers.start(s.context, &s.running, 1)
	s.deliveries.start(s.context, &s.running, options.CallbackWorkers)

	certificate, err := s.ca.issueServer(options.ServerNames)
	if err != nil {
		return err
	}
	config := &tls.Config{
		MinVersion:   tls.VersionTLS12,
		Certificates: []tls.Certificate{certificate},
		// Any certificate is accepted here and checked per API, as WeChat Pay does: only some
		// require one.
		ClientAuth: tls.RequestClientCert,
		// HTTP/1.1 only, because a fault may have to break the connection of a single reply.
		NextProtos: []string{"http/1.1"},
	}
	for host, address := range map[Host]string{HostPrimary: options.ListenAddress, HostBackup: options.BackupListenAddress} {
		listener, err := net.Listen("tcp", address)
		if err != nil {
			return err
		}
		s.urls[host] = "https://" + reachable(listener.Addr())
		s.serve(tls.NewListener(listener, config), s.gateway(host))
	}
	listener, err := net.Listen("tcp", options.AdminListenAddress)
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

// Close stops listening and sending callbacks, waits for calls in progress, and closes the state
// file.
func (s *Simulator) Close() error {
	s.closing.Do(func() {
		s.cancel()
		for _, server := range s.servers {
			// The context has ended every wait, so calls in progress finish at once.
			ending, done := context.WithTimeout(context.Background(), 2*time.Second)
			if server.Shutdown(ending) != nil {
				_ = server.Close() // the remaining connections had two seconds
			}
			done()
		}
		s.running.Wait()
		s.shop.CloseIdleConnections()
		s.mu.Lock()
		defer s.mu.Unlock()
		s.closed = s.store.journal.close()
	})
	return s.closed
}

// URL returns the primary host's URL, like https://127.0.0.1:1234.
func (s *Simulator) URL() string { return s.urls[HostPrimary] }

// BackupURL returns the backup host's URL. Both hosts share the same orders.
func (s *Simulator) BackupURL() string { return s.urls[HostBackup] }

// AdminURL returns the URL of the admin API.
func (s *Simulator) AdminURL() string { return s.admin }

// change applies a change to the store and writes it to the state file.
func (s *Simulator) change(what func() error) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	err := what()
	if failure := s.store.journal.flush(); failure != nil {
		s.logger.Error("state file can't be written", "error", failure)
		return errors.Join(err, failure)
	}
	return err
}
