// Command soak runs the operator as separate processes, as in production, kills them, and judges
// the result by WeChat Pay's ledger.
//
// It starts etcd, kube-apiserver, a simulated WeChat Pay and two replicas of the operator. Hundreds
// of Orders are created, paid, closed, deleted and refunded, while the soak kills, stops and
// restarts every one of these processes at random moments and WeChat Pay fails at random. Then the
// faults stop. The objects must converge to the ledger without intervention, and nothing may have
// happened twice.
//
//	go run ./test/soak --seed 7 --orders 300 --duration 6m
//
// The same seed makes the same requests and strikes, as far as real processes permit.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"syscall"
	"time"

	"github.com/go-logr/logr"
	ctrl "sigs.k8s.io/controller-runtime"
)

// Exit codes. Interrupted is what shells use for SIGINT.
const (
	exitFailed      = 1
	exitInterrupted = 130
)

// options are the flags.
type options struct {
	seed     uint64
	orders   int
	duration time.Duration
	converge time.Duration
	operator string
	results  string
	keep     bool
}

func main() {
	var o options
	flag.Uint64Var(&o.seed, "seed", uint64(time.Now().UnixNano()%1_000_000), "seed of the requests and the strikes; random by default")
	flag.IntVar(&o.orders, "orders", 300, "how many Orders to create")
	flag.DurationVar(&o.duration, "duration", 6*time.Minute, "how long the strikes last")
	flag.DurationVar(&o.converge, "converge", 4*time.Minute, "how long everything may take to converge after the last strike")
	flag.StringVar(&o.operator, "operator", "./test/soak/operator", "package of the operator, or a binary")
	flag.StringVar(&o.results, "results", "bin/results/soak.json", "file for the figures, as JSON; empty for none")
	flag.BoolVar(&o.keep, "keep", false, "keep logs and data even if everything holds")
	flag.Parse()
	ctrl.SetLogger(logr.Discard()) // of the clients here; each process has a log of its own
	os.Exit(run(o))
}

func run(o options) int {
	// Writing to a process that was just killed must not end the soak; neither must `soak | head`,
	// which would leave processes.
	signal.Ignore(syscall.SIGPIPE)
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM, syscall.SIGHUP)
	defer stop()
	s := &soak{options: o, began: time.Now(), memory: newMemory()}
	report, err := s.play(ctx)
	leftovers := s.close()
	if report != nil {
		report.print(os.Stdout)
		if o.results != "" {
			leftovers = errors.Join(leftovers, report.write(o.results))
		}
	}
	holds := err == nil && leftovers == nil && report != nil && report.Holds
	if s.folder != "" && holds && !o.keep {
		leftovers = errors.Join(leftovers, os.RemoveAll(s.folder))
	} else if s.folder != "" {
		fmt.Printf("Logs, WeChat's ledger and etcd's data are in %s\n", s.folder)
	}
	for _, problem := range []error{err, leftovers} {
		if problem != nil && ctx.Err() == nil {
			fmt.Fprintln(os.Stderr, "soak:", problem)
		}
	}
	switch {
	case ctx.Err() != nil:
		fmt.Fprintln(os.Stderr, "interrupted")
		return exitInterrupted
	case !holds:
		return exitFailed
	default:
		return 0
	}
}
