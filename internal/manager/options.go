// Package manager puts the operator together: reconcilers on the leader, the callback server on every replica.
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
)

// Options are what the flags say, and what tests set beside them.
type Options struct {
	// Controllers is whether the reconcilers run. A process without them takes callbacks, and reads no client certificate.
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
	// Namespaces that the operator looks at; empty means all.
	Namespaces []string

	// CheckCallbacks turns the check on by which Merchants get the condition CallbacksReachable.
	CheckCallbacks bool

	// Timing, Accounts and CallbackProbe are production's unless a test changes them.
	Timing   controllers.Timing
	Accounts account.Options
	// Election is controller-runtime's unless a test shortens it.
	Election      Election
	CallbackProbe sender.Options
	// Guard tells whether approvals can be believed. Nil asks the API server; tests without policies have another.
	Guard controllers.Guard
	// Log is controller-runtime's unless a test listens.
	Log logr.Logger
	// Registerer takes the metrics about objects; by default controller-runtime's, unless SeveralInProcess.
	Registerer prometheus.Registerer
	// mapper is how the operator's kinds are served; by default that is asked for when it is needed.
	mapper meta.RESTMapper
	// SeveralInProcess allows more than one operator in a process, as tests of replicas have.
	SeveralInProcess bool
}

// Election is the pace of the leader election. Zero means controller-runtime's default.
type Election struct {
	// LeaseDuration is how long the others wait for a leader that is not heard of (15 s), RenewDeadline how long a leader goes
	// on that can't renew (10 s), RetryPeriod the pause between attempts (2 s).
	LeaseDuration, RenewDeadline, RetryPeriod time.Duration
}

// DefaultOptions are the flags' defaults.
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
		Accounts:                account.Options{EndpointHosts: hosts.MustParse(hosts.WeChats)},
	}
}

// BindFlags adds the flags. --kubeconfig is controller-runtime's own.
func (o *Options) BindFlags(flags *flag.FlagSet) {
	flags.BoolVar(&o.Controllers, "controllers", o.Controllers,
		"Run the reconcilers. With false the process takes callbacks only: it then needs no right to client certificates, and no leader election.")
	flags.BoolVar(&o.LeaderElect, "leader-elect", o.LeaderElect,
		"Elect a leader, which alone reconciles; every replica takes callbacks. Set it whenever more than one replica runs.")
	flags.StringVar(&o.LeaderElectionNamespace, "leader-election-namespace", o.LeaderElectionNamespace,
		"Namespace of the Lease for the election. Default: the namespace that the operator runs in.")
	flags.StringVar(&o.NotifyBindAddress, "notify-bind-address", o.NotifyBindAddress,
		"Address that WeChat's callbacks come in at, over plain HTTP behind an ingress that ends TLS; 0 takes none, for when another process does.")
	flags.StringVar(&o.NotifyBaseURL, "notify-base-url", o.NotifyBaseURL,
		"Public address of the ingress, such as https://pay.example.com, for Merchants without spec.notifyBaseURL. WeChat wants https, no port, a public host.")
	flags.Var(&o.Accounts.EndpointHosts, "endpoint-hosts",
		"Hosts that a Merchant's spec.endpoint may name, separated by commas: names, *.example.com for all below a domain, IP addresses; with a port only that one. "+
			"What is set replaces the default, WeChat's own hosts. Whoever may write a Merchant can have the operator call these hosts, and no others.")
	flags.StringVar(&o.MetricsBindAddress, "metrics-bind-address", o.MetricsBindAddress,
		"Address that metrics are served at; 0 turns them off.")
	flags.BoolVar(&o.MetricsSecure, "metrics-secure", o.MetricsSecure,
		"Serve metrics over HTTPS, to callers that the API server authenticates and allows to get /metrics.")
	flags.StringVar(&o.HealthProbeBindAddress, "health-probe-bind-address", o.HealthProbeBindAddress,
		"Address of /healthz and /readyz.")
	flags.StringVar(&o.PprofBindAddress, "pprof-bind-address", o.PprofBindAddress,
		"Address of /debug/pprof, for profiles of what CPU and memory go into. Whoever reaches it may take them, so keep it on loopback, such as 127.0.0.1:6060; 0 turns it off.")
	flags.IntVar(&o.MaxConcurrentReconciles, "max-concurrent-reconciles", o.MaxConcurrentReconciles,
		"How many objects of each kind are worked on at a time, and as many again that WeChat Pay has just answered for. Those that wait for its answer do not count: sixteen times as many may.")
	flags.BoolVar(&o.CheckCallbacks, "check-callbacks", o.CheckCallbacks,
		"Post a test callback to each Merchant's public address every few hours, to tell whether callbacks arrive (condition CallbacksReachable). Only public hosts are called, on port 443.")
	flags.Func("watch-namespaces",
		"Namespaces to look at, separated by commas. Their Roles are then enough, and no ClusterRole is needed. Default: all.",
		func(list string) error {
			o.Namespaces = slices.DeleteFunc(strings.Split(list, ","), func(name string) bool { return name == "" })
			return nil
		})
}

// off is the address that turns a server off, as controller-runtime has it.
const off = "0"

func (o *Options) takesCallbacks() bool { return o.NotifyBindAddress != off }

// Validate refuses options that contradict each other, before anything starts.
func (o *Options) Validate() error {
	if !o.Controllers && !o.takesCallbacks() {
		return errors.New("--controllers=false and --notify-bind-address=0 leave nothing to run: set one of them")
	}
	if !o.Controllers && o.LeaderElect {
		return errors.New("--leader-elect chooses who reconciles, and with --controllers=false nobody does: leave one of them out")
	}
	for _, name := range o.Namespaces {
		if problems := validation.IsDNS1123Label(name); len(problems) > 0 {
			return fmt.Errorf("--watch-namespaces: %q is no name of a namespace: %s", name, strings.Join(problems, "; "))
		}
	}
	return nil
}
