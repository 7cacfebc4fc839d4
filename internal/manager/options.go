// Package manager assembles the operator: reconcilers on the leader, the callback server on every
// replica.
package manager

import (
	"errors"
	"flag"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/go-logr/logr"
	"github.com/prometheus/client_golang/prometheus"
	"k8s.io/apimachinery/pkg/api/meta"
	"k8s.io/apimachinery/pkg/util/validation"

	"github.com/wechatpay-operator/wechatpay-operator/controllers"
	"github.com/wechatpay-operator/wechatpay-operator/internal/account"
	"github.com/wechatpay-operator/wechatpay-operator/internal/callbackprobe/sender"
	"github.com/wechatpay-operator/wechatpay-operator/internal/hosts"
	"github.com/wechatpay-operator/wechatpay-operator/internal/ledger"
)

// Options holds the flags, and settings for tests.
type Options struct {
	// Controllers enables the reconcilers. A process without them only receives callbacks, and
	// reads no client certificate.
	Controllers             bool
	LeaderElect             bool
	LeaderElectionNamespace string
	NotifyBindAddress       string
	NotifyBaseURL           string
	MetricsBindAddress      string
	MetricsSecure           bool
	HealthProbeBindAddress  string
	PprofBindAddress        string
	MaxConcurrentReconciles int
	// Namespaces that the operator watches; empty means all.
	Namespaces []string

	// MiniProgramTimeout is how long a call to the server API of mini programs may take; zero is the
	// default.
	MiniProgramTimeout time.Duration
	// EventHosts are the hosts that EventSinks may name. None by default.
	EventHosts hosts.List

	// LedgerDSNFile names the file with the address of the ledger's database. Empty: there is no
	// ledger.
	LedgerDSNFile string

	// CheckCallbacks enables the check behind the Merchants' condition CallbacksReachable.
	CheckCallbacks bool

	// Timing, Ledger, Accounts and CallbackProbe are the production values unless a test changes them.
	Timing   controllers.Timing
	Ledger   ledger.Timing
	Accounts account.Options
	// Election is controller-runtime's default unless a test shortens it.
	Election      Election
	CallbackProbe sender.Options
	// Guard tells whether approvals can be trusted. If nil, the operator checks the policy at the
	// API server; tests without policies set a fake.
	Guard controllers.Guard
	// Log is controller-runtime's logger unless a test sets its own.
	Log logr.Logger
	// Registerer registers the metrics about objects; by default controller-runtime's, unless
	// SeveralInProcess is set.
	Registerer prometheus.Registerer
	// mapper maps the operator's kinds; by default it is discovered when needed.
	mapper meta.RESTMapper
	// SeveralInProcess permits more than one operator in a process, for tests with replicas.
	SeveralInProcess bool
}

// Election holds the timing of the leader election. Zero means controller-runtime's default.
type Election struct {
	// LeaseDuration is how long standby replicas wait for a silent leader (15 s), RenewDeadline how
	// long a leader continues without renewing (10 s), RetryPeriod the pause between attempts (2
	// s).
	LeaseDuration, RenewDeadline, RetryPeriod time.Duration
}

// DefaultOptions returns the defaults of the flags.
func DefaultOptions() Options {
	return Options{
		Controllers:             true,
		NotifyBindAddress:       ":8088",
		MetricsBindAddress:      ":8443",
		MetricsSecure:           true,
		HealthProbeBindAddress:  ":8081",
		PprofBindAddress:        off,
		MaxConcurrentReconciles: 16,
		CheckCallbacks:          true,
		Timing:                  controllers.DefaultTiming(),
		Ledger:                  ledger.DefaultTiming(),
		Accounts:                account.Options{EndpointHosts: hosts.MustParse(hosts.WeChats + "," + hosts.WeChatsMiniPrograms)},
	}
}

// BindFlags adds the flags. controller-runtime adds --kubeconfig itself.
func (o *Options) BindFlags(flags *flag.FlagSet) {
	flags.BoolVar(&o.Controllers, "controllers", o.Controllers,
		"Run the reconcilers. If false, the process only receives callbacks and needs neither access to client certificates nor leader election.")
	flags.BoolVar(&o.LeaderElect, "leader-elect", o.LeaderElect,
		"Elect a leader. Only the leader reconciles; every replica receives callbacks. Required with more than one replica.")
	flags.StringVar(&o.LeaderElectionNamespace, "leader-election-namespace", o.LeaderElectionNamespace,
		"Namespace of the Lease for the election. Default: the namespace that the operator runs in.")
	flags.StringVar(&o.NotifyBindAddress, "notify-bind-address", o.NotifyBindAddress,
		"Address for WeChat Pay's callbacks, over plain HTTP behind an ingress that terminates TLS; 0 disables it, for when another process receives them.")
	flags.StringVar(&o.NotifyBaseURL, "notify-base-url", o.NotifyBaseURL,
		"Public address of the ingress, such as https://pay.example.com, for Merchants without spec.notifyBaseURL. WeChat Pay requires https, a public host and no port.")
	flags.Var(&o.Accounts.EndpointHosts, "endpoint-hosts",
		"Comma-separated hosts that the spec.endpoint of a Merchant or MiniProgram may name: host names, *.example.com for all hosts below a domain, or IP addresses; with a port, only that port. "+
			"Replaces the default, WeChat's own hosts. Anyone who may write a Merchant or MiniProgram can make the operator call these hosts, and no others.")
	flags.Var(&o.EventHosts, "event-hosts",
		"Comma-separated hosts that an EventSink's spec.url may name, in the form of --endpoint-hosts. Default: none, so that no events are sent. "+
			"Anyone who may write an EventSink can make the operator call these hosts, and no others.")
	flags.StringVar(&o.LedgerDSNFile, "ledger-dsn-file", o.LedgerDSNFile,
		"File with the connection string of a PostgreSQL database in which every payment and refund is recorded before its objects may go, such as postgres://operator:password@books.example.com/books?sslmode=verify-full. "+
			"Read anew when it changes. Default: no ledger.")
	flags.StringVar(&o.MetricsBindAddress, "metrics-bind-address", o.MetricsBindAddress,
		"Address of the metrics endpoint; 0 disables it.")
	flags.BoolVar(&o.MetricsSecure, "metrics-secure", o.MetricsSecure,
		"Serve metrics over HTTPS, to clients that the API server authenticates and authorizes to get /metrics.")
	flags.StringVar(&o.HealthProbeBindAddress, "health-probe-bind-address", o.HealthProbeBindAddress,
		"Address of /healthz and /readyz.")
	flags.StringVar(&o.PprofBindAddress, "pprof-bind-address", o.PprofBindAddress,
		"Address of /debug/pprof, for CPU and memory profiles. It has no authentication, so use a loopback address such as 127.0.0.1:6060; 0 disables it.")
	flags.IntVar(&o.MaxConcurrentReconciles, "max-concurrent-reconciles", o.MaxConcurrentReconciles,
		"How many objects of each kind are reconciled concurrently, plus as many again that continue after a response from WeChat Pay. Objects that wait for a response do not count: sixteen times as many may wait.")
	flags.BoolVar(&o.CheckCallbacks, "check-callbacks", o.CheckCallbacks,
		"Post a test callback to each Merchant's public address every few hours, to check that callbacks arrive (condition CallbacksReachable). Only public hosts are called, on port 443.")
	flags.Func("watch-namespaces",
		"Comma-separated namespaces to watch. The operator then needs only Roles in these namespaces, and no ClusterRole. Default: all.",
		func(list string) error {
			o.Namespaces = slices.DeleteFunc(strings.Split(list, ","), func(name string) bool { return name == "" })
			return nil
		})
}

// off is the address that disables a server in controller-runtime.
const off = "0"

func (o *Options) takesCallbacks() bool { return o.NotifyBindAddress != off }

// Validate rejects contradictory options before anything starts.
func (o *Options) Validate() error {
	if !o.Controllers && !o.takesCallbacks() {
		return errors.New("--controllers=false and --notify-bind-address=0 leave nothing to run: set one of them")
	}
	if !o.Controllers && o.LeaderElect {
		return errors.New("--leader-elect elects the replica that reconciles, but --controllers=false disables the reconcilers: remove one of them")
	}
	for _, name := range o.Namespaces {
		if problems := validation.IsDNS1123Label(name); len(problems) > 0 {
			return fmt.Errorf("--watch-namespaces: %q is not a valid namespace name: %s", name, strings.Join(problems, "; "))
		}
	}
	return nil
}
