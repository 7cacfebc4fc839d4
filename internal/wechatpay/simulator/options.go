package simulator

import (
	"crypto/rsa"
	"crypto/tls"
	"log/slog"
	"net/http"
	"time"
)

// Options configure a simulator. The zero value is usable: it listens on free loopback ports, uses
// WeChat Pay's real intervals and has no merchants.
type Options struct {
	// ListenAddress, BackupListenAddress and AdminListenAddress default to 127.0.0.1:0. The first
	// two are HTTPS and share one store, as api.mch and api2.mch do; the third is the admin API
	// over plain HTTP.
	ListenAddress       string
	BackupListenAddress string
	AdminListenAddress  string
	// ServerNames are additional host names and addresses in the server certificate, besides
	// 127.0.0.1 and localhost.
	ServerNames []string

	Merchants []Merchant

	// CashierLinks makes mweb_url lead to the cashier on the admin listener, in place of wx.tenpay.com, which
	// knows none of the simulator's orders.
	CashierLinks bool

	// TimeScale divides every interval of WeChat Pay: 1 (the default) is real time, with 60 a
	// minute lasts a second.
	TimeScale float64
	// Rules overrides single intervals and switches.
	Rules Rules

	// PayAfter pays every order this long after its first prepay_id was issued. Zero: orders are
	// paid only by Pay.
	PayAfter time.Duration

	// CallbackTimeout is how long the shop may take to answer a callback: 5 s by default, not
	// scaled.
	CallbackTimeout time.Duration
	// CallbackTLSConfig is used for https notify URLs. CallbackClient replaces the whole client.
	// Redirects are never followed.
	CallbackTLSConfig *tls.Config
	CallbackClient    *http.Client
	// CallbackWorkers limits the concurrent callbacks: 16 by default.
	CallbackWorkers int

	// CertificateDir stores the CA (ca.pem, ca-key.pem), so that clients still trust a restarted
	// simulator.
	CertificateDir string
	// NewRSAKey makes the keys of merchants and of the platform: new ones by default. Tests that
	// open many simulators share keys between them, because making one takes some 50 ms.
	NewRSAKey func() *rsa.PrivateKey
	// StateFile stores the ledger: every change is on disk before it is answered, so that a killed
	// and restarted simulator still has its orders, refunds and undelivered callbacks.
	StateFile string
	// MaxCalls limits Ledger.Calls: 100000 by default. CallCounts counts all calls.
	MaxCalls int
	// ClockSkew shifts WeChat Pay's clock against the simulator's: the Date header, the timestamps
	// of API v3 and what the timestamps of requests are compared with.
	ClockSkew time.Duration
	// FaultSeed seeds the choice of faults that have a Probability and no Seed of their own.
	FaultSeed uint64

	Logger *slog.Logger
	Now    func() time.Time
}

// Rules override WeChat Pay's rules. For each duration: zero is WeChat Pay's own value divided by
// TimeScale, a positive value is used unscaled, and a negative one disables the rule.
type Rules struct {
	// MinRefundInterval is the minimum time between two refund calls for one order: a minute.
	MinRefundInterval time.Duration
	// AllowRefundRepeats exempts a repeated out_refund_no from MinRefundInterval. By default every
	// call counts.
	AllowRefundRepeats bool
	// RefundDelay is the time from acceptance of a refund to its success: a minute. Negative: at
	// once.
	RefundDelay time.Duration
	// InvalidRefundWindow is the window in which InvalidRefundLimit (6) invalid refund calls block
	// a merchant: a second. It is a rate, so TimeScale does not apply.
	InvalidRefundWindow time.Duration
	InvalidRefundLimit  int
	// BlockDuration is how long a merchant is blocked: a minute.
	BlockDuration time.Duration
	// RefuseEarlyClose makes closeorder fail within EarlyCloseWindow (5 minutes) of the order's
	// creation. WeChat Pay asks merchants not to close earlier, but does not document the reply to
	// an early call; hence off by default.
	RefuseEarlyClose bool
	EarlyCloseWindow time.Duration
	// MinTimeExpire is the minimum time until time_expire: 5 minutes. API v3 has a minute instead,
	// and at most 15 days, and moves the deadline there.
	MinTimeExpire time.Duration
	// PrepayLife is the lifetime of a prepay_id and a code_url (2 hours), MwebLife that of an
	// mweb_url (5 minutes).
	PrepayLife time.Duration
	MwebLife   time.Duration
	// OrderLife is the age at which an unpaid order without time_expire is closed automatically: 7
	// days.
	OrderLife time.Duration
	// RefundPeriod is how long after payment an order can be refunded: a year.
	RefundPeriod time.Duration
	// BillDelay is the time from the end of a day, at midnight in Beijing, until its bill is there:
	// 10 hours. Negative: at once.
	BillDelay time.Duration
	// BillsOfToday also gives the bill of the day that is not over, cut at the moment, for runs that
	// are shorter than a day.
	BillsOfToday bool
	// CallbackSchedule are the pauses between the attempts to deliver a callback. nil: WeChat Pay's
	// 15 pauses over 24 h 4 min, divided by TimeScale. Otherwise unscaled; empty but not nil: one
	// attempt only.
	CallbackSchedule []time.Duration
	// StrictNotifyURL also rejects notify URLs with http, a port or a private host, as WeChat Pay
	// does. A shop on loopback needs them.
	StrictNotifyURL bool
	// UnsignedErrors leaves the signature out of API v3 answers with a status of 400 or more.
	// WeChat Pay documents that every answer is signed; clients are known to check only successes.
	UnsignedErrors bool
	// CloseUnknownOrders makes API v3 answer 204 when an order that does not exist is closed, as
	// WeChat Pay is reported to do. Otherwise it is 404.
	CloseUnknownOrders bool
}

// Merchant is a merchant number with its key.
type Merchant struct {
	MchID  string   `json:"mch_id"`
	AppIDs []string `json:"appids"`
	// APIKey is the key of API v2, APIV3Key that of API v3: 32 letters and digits each. A merchant
	// without one of them can't use that protocol.
	APIKey   string `json:"api_key,omitempty"`
	APIV3Key string `json:"api_v3_key,omitempty"`
	// Certificates are API certificates of the merchant in PEM, whose keys may sign API v3 requests.
	// Those that IssueClientCertificate issues need not be listed.
	Certificates []string `json:"certificates,omitempty"`
	// Verification is how API v3 answers and callbacks can be verified, VerifyByCertificate by
	// default.
	Verification Verification `json:"verification,omitempty"`
	// PublicKeyShare is the share of callbacks, from 0 to 1, that are signed with the public key's
	// pair during VerifyMigrating.
	PublicKeyShare float64 `json:"public_key_share,omitempty"`
	// SubMerchants make the merchant a service provider, which orders for them alone.
	SubMerchants []SubMerchant `json:"sub_merchants,omitempty"`
	// Balance is what refunds draw on, in minor units; nil is unlimited. Payments do not add to it
	// (they settle later); a closed refund returns its amount.
	Balance *int64 `json:"balance,omitempty"`
	// Currencies the merchant may order in, CNY by default.
	Currencies []string `json:"currencies,omitempty"`
	// RefundNotifyURL is the URL set in the merchant platform, for refunds that carry no
	// notify_url.
	RefundNotifyURL string `json:"refund_notify_url,omitempty"`
}
