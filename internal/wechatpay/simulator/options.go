package simulator

import (
	"crypto/tls"
	"log/slog"
	"net/http"
	"time"
)

// Options says how a simulator is to behave. The zero value is usable: it listens on free loopback ports, keeps
// WeChat's real intervals and knows no merchant yet.
type Options struct {
	// ListenAddress, BackupListenAddress and AdminListenAddress default to 127.0.0.1:0. The first two are HTTPS
	// and share one store, as api.mch and api2.mch do; the third is the admin API over plain HTTP.
	ListenAddress       string
	BackupListenAddress string
	AdminListenAddress  string
	// ServerNames are further host names and addresses in the server certificate, beside 127.0.0.1 and localhost.
	ServerNames []string

	Merchants []Merchant

	// TimeScale divides every interval WeChat prescribes: 1 (the default) is real, 60 makes a minute last a second.
	TimeScale float64
	// Rules overrides single intervals and switches.
	Rules Rules

	// PayAfter has every order paid this long after its first prepay_id was handed out, as by a payer. Zero: nobody pays by himself.
	PayAfter time.Duration

	// CallbackTimeout is how long the shop may take to answer a callback: 5 s by default, not scaled.
	CallbackTimeout time.Duration
	// CallbackTLSConfig is used for https notify URLs. CallbackClient replaces the whole client; redirects are not
	// followed in either case.
	CallbackTLSConfig *tls.Config
	CallbackClient    *http.Client
	// CallbackWorkers bounds the callbacks under way at one time: 16 by default.
	CallbackWorkers int

	// CertificateDir keeps the CA (ca.pem, ca-key.pem), so that clients go on trusting a restarted simulator.
	CertificateDir string
	// StateFile keeps the ledger: every change is on file before it is answered, so that a killed and restarted
	// simulator knows its orders, refunds and the callbacks it still owes.
	StateFile string
	// MaxCalls bounds Ledger.Calls: 100000 by default. CallCounts counts them all.
	MaxCalls int
	// FaultSeed seeds the choice of faults that have a Probability and no Seed of their own.
	FaultSeed uint64

	Logger *slog.Logger
	Now    func() time.Time
}

// Rules overrides what WeChat prescribes. For each duration: zero is WeChat's own value divided by TimeScale, a
// positive value is taken as it is, and a negative one switches the rule off.
type Rules struct {
	// MinRefundInterval is the least time between two refund calls for one order: a minute.
	MinRefundInterval time.Duration
	// AllowRefundRepeats lets a repeated out_refund_no pass MinRefundInterval. By default every call counts.
	AllowRefundRepeats bool
	// RefundDelay is the time from acceptance of a refund to its success: a minute. Negative: at once.
	RefundDelay time.Duration
	// InvalidRefundWindow is the window in which InvalidRefundLimit (6) invalid refund calls block a merchant: a
	// second. It is a rate, so TimeScale does not touch it.
	InvalidRefundWindow time.Duration
	InvalidRefundLimit  int
	// BlockDuration is how long a blocked merchant stays so: a minute.
	BlockDuration time.Duration
	// RefuseEarlyClose makes closeorder fail within EarlyCloseWindow (5 minutes) of the order's creation. WeChat
	// asks merchants not to close earlier, but what an early call gets is not documented; hence off by default.
	RefuseEarlyClose bool
	EarlyCloseWindow time.Duration
	// MinTimeExpire is how far ahead time_expire has to be: 5 minutes.
	MinTimeExpire time.Duration
	// PrepayLife is the life of a prepay_id and a code_url (2 hours), MwebLife that of an mweb_url (5 minutes).
	PrepayLife time.Duration
	MwebLife   time.Duration
	// OrderLife is the age at which an unpaid order without time_expire closes by itself: 7 days.
	OrderLife time.Duration
	// RefundPeriod is how long after payment an order can be refunded: a year.
	RefundPeriod time.Duration
	// CallbackSchedule are the pauses between the attempts to deliver a callback. nil: WeChat's 15 pauses over 24 h
	// 4 min, divided by TimeScale. Otherwise taken as it is; empty but not nil: one attempt only.
	CallbackSchedule []time.Duration
	// StrictNotifyURL also refuses notify URLs with http, a port or a private host, which WeChat does and a shop on
	// loopback cannot do without.
	StrictNotifyURL bool
}

// Merchant is a merchant number with its key.
type Merchant struct {
	MchID  string   `json:"mch_id"`
	AppIDs []string `json:"appids"`
	// APIKey is the APIv2 key: 32 letters and digits.
	APIKey string `json:"api_key"`
	// Balance is what refunds draw on, in minor units; nil is unlimited. Payments do not add to it (they settle
	// later), a closed refund gives its amount back.
	Balance *int64 `json:"balance,omitempty"`
	// Currencies the merchant may order in, CNY by default.
	Currencies []string `json:"currencies,omitempty"`
	// RefundNotifyURL is the URL set in the merchant platform, for refunds that carry no notify_url.
	RefundNotifyURL string `json:"refund_notify_url,omitempty"`
}
