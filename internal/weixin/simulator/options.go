package simulator

import (
	"crypto/tls"
	"fmt"
	"log/slog"
	"regexp"
	"time"
)

// Options configure a simulator. Certificate and Payments are required.
type Options struct {
	// ListenAddress (HTTPS) and AdminListenAddress (plain HTTP) default to 127.0.0.1:0.
	ListenAddress      string
	AdminListenAddress string
	// Certificate is what the host presents.
	Certificate tls.Certificate

	MiniPrograms []MiniProgram
	// StateFile keeps uploads, shipping information and violations over restarts; empty keeps them in
	// memory. Access tokens, codes, settings and faults are forgotten by every restart.
	StateFile string
	// FaultSeed makes faults with a probability repeatable.
	FaultSeed uint64
	// Payments are what the order shipping system knows of WeChat Pay.
	Payments Payments

	// TimeScale divides every interval of WeChat's: 1 (the default) is real time, with 60 a minute
	// lasts a second.
	TimeScale float64
	// Rules overrides single values.
	Rules Rules

	Logger *slog.Logger
	Now    func() time.Time
}

// Rules override WeChat's rules. Zero is WeChat's own value, divided by TimeScale where it is a
// duration; a positive value is used unscaled; a negative duration disables the rule.
type Rules struct {
	// CodeLife is how long a code of wx.login is valid: five minutes.
	CodeLife time.Duration
	// TokenLife is how long an access token is valid: two hours. A new one is issued during its last
	// five minutes (TokenOverlap), and both are valid then.
	TokenLife    time.Duration
	TokenOverlap time.Duration
	// ForcedInterval is the minimum time between two calls with force_refresh: 30 s.
	ForcedInterval time.Duration
	// OrderDelay is the time from a payment to the moment when the order shipping system knows it. By
	// default up to a minute, differing from order to order.
	OrderDelay time.Duration
	// LoginsPerMinute and user is 100, TokensPerMinute 10000, TokensPerDay 500000, ForcedPerDay 20.
	LoginsPerMinute int
	TokensPerMinute int
	TokensPerDay    int
	ForcedPerDay    int
}

// MiniProgram is an appid with its AppSecret.
type MiniProgram struct {
	AppID     string `json:"appid"`
	AppSecret string `json:"app_secret"`
	// OfficialAccount makes it an official account, which logs in by OAuth2.
	OfficialAccount bool `json:"official_account,omitempty"`
	// Unmanaged says that the order shipping system does not manage its trade: is_trade_managed is
	// false, and orders need no shipping information.
	Unmanaged bool `json:"unmanaged,omitempty"`
	// AllowedAddresses are the IP addresses that may fetch access tokens. nil allows all.
	AllowedAddresses []string `json:"allowed_addresses,omitempty"`
	// Templates are the subscribe messages that it may send.
	Templates []Template `json:"templates,omitempty"`
}

// Template is a subscribe message with the names of its arguments, such as thing1 and amount2.
type Template struct {
	ID   string   `json:"id"`
	Keys []string `json:"keys"`
}

var (
	appIDFormat  = regexp.MustCompile(`^wx[0-9a-z]{1,30}$`)
	openIDFormat = regexp.MustCompile(`^[0-9A-Za-z_-]{6,128}$`)
)

func (m MiniProgram) check() error {
	switch {
	case !appIDFormat.MatchString(m.AppID):
		return fmt.Errorf("%w: appid %q", ErrInvalid, m.AppID)
	case m.AppSecret == "":
		return fmt.Errorf("%w: %s has no AppSecret", ErrInvalid, m.AppID)
	}
	return nil
}

func withDefaults(o Options) Options {
	for _, address := range []*string{&o.ListenAddress, &o.AdminListenAddress} {
		if *address == "" {
			*address = "127.0.0.1:0"
		}
	}
	if o.TimeScale == 0 {
		o.TimeScale = 1
	}
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	return o
}

// rules are the effective values: WeChat's own, scaled, with the overrides applied.
type rules struct {
	Rules
	minute, day time.Duration
	// longestDelay bounds the delay of an order that Rules.OrderDelay does not set.
	longestDelay time.Duration
}

func (o Options) rules() rules {
	scaled := func(d time.Duration) time.Duration { return time.Duration(float64(d) / o.TimeScale) }
	r := rules{Rules: o.Rules, minute: scaled(time.Minute), day: scaled(24 * time.Hour), longestDelay: scaled(time.Minute)}
	for value, own := range map[*time.Duration]time.Duration{
		&r.CodeLife: 5 * time.Minute, &r.TokenLife: 2 * time.Hour, &r.TokenOverlap: 5 * time.Minute, &r.ForcedInterval: 30 * time.Second,
	} {
		if *value == 0 {
			*value = scaled(own)
		}
	}
	for value, own := range map[*int]int{
		&r.LoginsPerMinute: 100, &r.TokensPerMinute: 10_000, &r.TokensPerDay: 500_000, &r.ForcedPerDay: 20,
	} {
		if *value == 0 {
			*value = own
		}
	}
	return r
}
