// Command bench measures what the operator costs, against the limit that the API server sets: all of it on one machine in one run,
// so that a ratio of two figures means something anywhere. docs/performance.md explains each figure.
//
//	make bench                              # everything
//	make bench BENCHFLAGS="--only=writes"   # one section
//	make bench-check                        # hold the last run against test/performance/ranges.yaml
//
// Everything is real but WeChat: kube-apiserver, etcd and the operator's own binary, each a process of its own, under the rights
// that an installation gives. They share the machine's cores with the simulated WeChat Pay and with the load.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"slices"
	"strings"
	"syscall"

	"github.com/go-logr/logr"
	ctrl "sigs.k8s.io/controller-runtime"
)

// settings are what the flags say.
type settings struct {
	only     string
	results  string
	orders   int
	rounds   int
	scales   string
	manager  string
	wechat   string
	profiles string
}

// section measures one subject.
type section struct {
	name, title string
	measure     func(context.Context, settings, *results) error
}

var sections = []section{
	{"throughput", "Orders created at once, prepared and paid by callback, beside a bare client", measureThroughput},
	{"writes", "Writes to the API server and calls to WeChat Pay for one Order and one Refund", measureWrites},
	{"callbacks", "Callbacks, from the request to the answer that says that Paid is stored", measureCallbacks},
	{"beside", "Callbacks beside large bodies, for the same Merchant and for a stranger's", measureBeside},
	{"scale", "Memory, start and rest with many Orders", measureScale},
	{"fairness", "A good Order beside others that hang, or are refused", measureFairness},
}

func main() {
	ctrl.SetLogger(logr.Discard()) // of the clients here; each process has a log of its own
	var o settings
	check := flag.String("check", "", "measure nothing, and hold the results against the ranges in a file")
	flag.StringVar(&o.only, "only", "", "sections to measure, separated by commas: "+names())
	flag.StringVar(&o.results, "results", "bin/results/bench.json", "file for the figures; sections that were not measured keep theirs")
	flag.IntVar(&o.orders, "orders", 3000, "Orders of a round of throughput")
	flag.IntVar(&o.rounds, "rounds", 2, "rounds of throughput, each with the bare client and with the operator")
	flag.StringVar(&o.scales, "scales", "10000,50000,100000", "numbers of Orders for scale; CPU at rest is measured with the middle one")
	flag.StringVar(&o.manager, "manager", "bin/manager", "the operator")
	flag.StringVar(&o.wechat, "simulator", "bin/simulator", "the simulated WeChat Pay")
	flag.StringVar(&o.profiles, "profiles", "", "folder for CPU profiles of the operator under load; empty for none")
	flag.Parse()
	if *check != "" {
		os.Exit(report(holdAgainst(*check, o.results)))
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM, syscall.SIGHUP)
	err := run(ctx, o)
	stop()
	os.Exit(report(err))
}

func names() string {
	var all []string
	for _, s := range sections {
		all = append(all, s.name)
	}
	return strings.Join(all, ", ")
}

func report(err error) int {
	if err != nil {
		fmt.Fprintln(os.Stderr, "bench:", err)
		return 1
	}
	return 0
}

// run measures the sections that were asked for. One that fails does not keep the others from being measured.
func run(ctx context.Context, o settings) error {
	wanted := strings.FieldsFunc(o.only, func(r rune) bool { return r == ',' })
	for _, name := range wanted {
		if !slices.ContainsFunc(sections, func(s section) bool { return s.name == name }) {
			return fmt.Errorf("--only: there is no section %q; there are %s", name, names())
		}
	}
	all, err := loadResults(o.results)
	if err != nil {
		return err
	}
	var failures []error
	for _, s := range sections {
		if len(wanted) > 0 && !slices.Contains(wanted, s.name) {
			continue
		}
		fmt.Printf("==> %s\n", s.title)
		all.begin(s.name)
		if err := s.measure(ctx, o, all); err != nil {
			failures = append(failures, fmt.Errorf("%s: %w", s.name, err))
			fmt.Println("   ", err)
			if ctx.Err() != nil {
				break
			}
			continue
		}
		all.print(os.Stdout, s.name)
	}
	return errors.Join(append(failures, all.write(o.results))...)
}
