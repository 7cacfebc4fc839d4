package performance

import (
	"context"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/go-logr/logr"
	ctrl "sigs.k8s.io/controller-runtime"

	"github.com/wechatpay-operator/wechatpay-operator/test/framework/controlplane"
)

var flags struct {
	only, scales, results string
	orders, rounds        int
	checkouts             int
	check                 bool
}

var sections = []struct {
	name, title string
	measure     func(*bench)
}{
	{"throughput", "Orders created at once, prepared and paid by callback, beside a bare client", measureThroughput},
	{"protocols", "Orders created at once, prepared and paid by callback: by API v3 beside API v2", measureProtocols},
	{"writes", "Writes to the API server and calls to WeChat Pay for one Order and one Refund", measureWrites},
	{"callbacks", "Callbacks, from the request to the answer that says that Paid is stored", measureCallbacks},
	{"beside", "Callbacks beside large bodies, for the same Merchant and for a stranger's", measureBeside},
	{"protocol", "Messages of API v3, beside gopay and WeChat Pay's own SDK", measureProtocol},
	{"scale", "Memory, start and rest with many Orders", measureScale},
	{"fairness", "A good Order beside others that hang, or are refused", measureFairness},
	{"checkout", "Checkouts at once in examples/storefront, beside bare clients", measureCheckout},
	{"hostile", "Callbacks while others attack the server", measureHostile},
}

func TestMain(m *testing.M) {
	flag.StringVar(&flags.only, "only", "", "sections to measure, separated by commas; all if empty")
	flag.StringVar(&flags.results, "results", inRepository("bin/results/bench.json"), "file for the figures; sections that were not measured keep theirs")
	flag.IntVar(&flags.orders, "orders", 3000, "Orders of a round of throughput")
	flag.IntVar(&flags.rounds, "rounds", 2, "rounds of throughput, each with the bare client and with the operator")
	flag.IntVar(&flags.checkouts, "checkouts", 500, "people who check out at once")
	flag.StringVar(&flags.scales, "scales", "10000,50000,100000", "numbers of Orders for scale; CPU at rest is measured with the middle one")
	flag.BoolVar(&flags.check, "check", false, "hold the figures against ranges.yaml")
	ctrl.SetLogger(logr.Discard()) // of the clients here; each process has a log of its own
	flag.Parse()
	if flags.check {
		if err := checkMeasured(); err != nil {
			fmt.Fprintf(os.Stderr, "outside:\n%v\n", err)
			os.Exit(1)
		}
		return
	}
	os.Exit(m.Run())
}

func inRepository(file string) string { return filepath.Join(controlplane.Root(), file) }

// BenchmarkOperator measures the wanted sections once (-benchtime=1x). A section that fails does not stop the others.
func BenchmarkOperator(b *testing.B) {
	ctx, stop := signal.NotifyContext(b.Context(), os.Interrupt, syscall.SIGTERM, syscall.SIGHUP)
	defer stop()
	all, err := loadResults(flags.results)
	if err != nil {
		b.Fatal(err)
	}
	wanted := strings.FieldsFunc(flags.only, func(r rune) bool { return r == ',' })
	for _, s := range sections {
		if i := slices.Index(wanted, s.name); i >= 0 {
			wanted = slices.Delete(wanted, i, i+1)
		} else if flags.only != "" {
			continue
		}
		fmt.Printf("==> %s\n", s.title)
		all.begin(s.name)
		b.Run(s.name, func(b *testing.B) { s.measure(&bench{b, ctx, all, s.name + "/"}) })
		all.print(s.name)
		if err := all.write(flags.results); err != nil {
			b.Fatal(err)
		}
		if ctx.Err() != nil {
			b.Fatal(ctx.Err())
		}
	}
	if len(wanted) > 0 {
		b.Fatalf("--only: there is no section %q", wanted)
	}
}

// bench measures a section or a part of one. It ends at the first failure.
type bench struct {
	*testing.B
	// ctx ends when the run is interrupted.
	ctx     context.Context
	results *results
	prefix  string
}

// part measures a part of a section. If it fails, the other parts go on.
func (b *bench) part(name string, measure func(*bench)) {
	b.Run(name, func(t *testing.B) { measure(&bench{t, b.ctx, b.results, b.prefix + name + "/"}) })
}

// inBoth measures an installation with the component that adds the finalizer at creation, and one without.
func (b *bench) inBoth(measure func(b *bench, finalizerAtCreation bool)) {
	b.part("component", func(b *bench) { measure(b, true) })
	b.part("default", func(b *bench) { measure(b, false) })
}

// add takes a figure.
func (b *bench) add(name string, value float64, unit, what string, args ...any) {
	b.results.Figures = append(b.results.Figures, figure{b.prefix + name, value, unit, fmt.Sprintf(what, args...)})
}

// say prints progress.
func (b *bench) say(format string, args ...any) {
	fmt.Printf("    %s %s\n", b.prefix, fmt.Sprintf(format, args...))
}

func (b *bench) must(err error) {
	b.Helper()
	if err != nil {
		b.Fatal(err)
	}
}

// pause waits, unless the run is interrupted.
func (b *bench) pause(length time.Duration) {
	b.Helper()
	linger(b.ctx, length)
	b.must(b.ctx.Err())
}

// patience is how long the answer to a question of await may stay the same.
const patience = 2 * time.Minute

// await asks again and again, until there is no error.
func (b *bench) await(what string, every time.Duration, ask func() error) {
	b.Helper()
	moved, before := time.Now(), ""
	for err := ask(); err != nil; err = ask() {
		if err.Error() != before {
			moved, before = time.Now(), err.Error()
		}
		if time.Since(moved) > patience {
			b.Fatalf("waiting for %s: %v", what, err)
		}
		b.pause(every)
	}
}

// soon is how often await asks if the question costs little.
const soon = 20 * time.Millisecond
