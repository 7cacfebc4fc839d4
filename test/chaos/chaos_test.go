package chaos_test

import (
	"fmt"
	"math"
	"os"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/wechatpay-operator/wechatpay-operator/api/v1alpha1"
)

// Environment variables that configure the test.
const (
	// seedVariable selects the sample of the runs, and how long nothing runs after a crash.
	seedVariable = "EXPLORE_SEED"
	// runsVariable is how many of the runs with one cut to make, and pairsVariable how many of the
	// runs that add a second cut to each of them; "all" makes every one.
	runsVariable  = "EXPLORE_RUNS"
	pairsVariable = "EXPLORE_PAIRS"
	// protocolVariable is V2 or V3 for flows of that protocol, or all for every flow in both. By
	// default the seed chooses a protocol for each flow.
	protocolVariable = "EXPLORE_PROTOCOL"
	// onlyVariable repeats one run and prints its trace: flow/step/fault, as in a violation's
	// report, and for two cuts flow/step/fault + step/fault. The name of a flow alone makes the
	// runs of that flow and of those whose names continue after a comma: "tenants" selects all with
	// tenants.
	onlyVariable = "EXPLORE_ONLY"

	defaultRuns  = 300
	defaultPairs = 1
	workers      = 4 // a run mostly waits for the API server
)

// exploration is the state of the test.
type exploration struct {
	t     *testing.T
	suite *suite
	seed  uint64
	// flow and only select one flow and one run of it; empty selects all.
	flow, only string
	// protocol is protocolVariable.
	protocol string
	began    time.Time

	flows, points    int
	speaking         map[v1alpha1.Protocol]int
	singles, pairs   tried
	violations, made int
	broken, checked  map[invariant]int
}

// tried is how many runs of a kind were made, and how many exist.
type tried struct{ made, of int }

func (t tried) String() string { return fmt.Sprintf("%d of %d", t.made, t.of) }

func TestExplore(t *testing.T) {
	e := &exploration{t: t, seed: uint64(numberOf(t, seedVariable, 1)), only: os.Getenv(onlyVariable), speaking: map[v1alpha1.Protocol]int{}, broken: map[invariant]int{}, checked: map[invariant]int{}}
	flow, _, single := strings.Cut(e.only, "/")
	if e.protocol = os.Getenv(protocolVariable); e.protocol == "" && e.only != "" {
		e.protocol = everyProtocol // the name says which
	}
	if e.flow = flow; !single {
		e.only = ""
	}
	e.suite = openSuite(t, e.seed)
	e.began = time.Now()

	singles := e.uncut()
	e.singles.of = len(singles)
	if e.only == "" {
		singles = draw(singles, numberOf(t, runsVariable, defaultRuns), e.seed)
	} else {
		singles = slices.DeleteFunc(singles, func(r run) bool { return e.only != r.String() && !strings.HasPrefix(e.only, r.String()+then) })
	}
	e.singles.made = len(singles)
	pairs := e.cutOnce(singles, numberOf(t, pairsVariable, defaultPairs))
	e.pairs.made = len(pairs)
	e.cutTwice(pairs)

	t.Logf("figures: explored %d flows (%d of V2, %d of V3), %d points, %d faults: %s runs with one cut, %s with a second cut after those: %d violations (seed %d, %s)",
		e.flows, e.speaking[v1alpha1.ProtocolV2], e.speaking[v1alpha1.ProtocolV3], e.points, len(faults), e.singles, e.pairs, e.violations, e.seed, e.elapsed())
	for _, i := range invariants {
		t.Logf("figures: %4d violations, looked at %6d times: %s", e.broken[i], e.checked[i], i)
	}
}

// uncut runs each flow without a cut, and lists every run with one cut.
func (e *exploration) uncut() []run {
	var uncut, singles []run
	for _, f := range flows(e.seed, e.protocol, e.suite.databases != nil) {
		if e.flow == "" || e.flow == f.name || e.only == "" && strings.HasPrefix(f.name, e.flow+", ") {
			uncut = append(uncut, run{flow: f})
		}
	}
	e.flows = len(uncut)
	e.suite.makeAll(uncut, func(r result) {
		e.judge(r)
		e.speaking[r.run.flow.protocol]++
		e.points += len(r.steps)
		singles = append(singles, r.cutOnceMore()...)
		if testing.Verbose() {
			e.t.Logf("%-48s %2d steps: %v", r.run.flow.name, len(r.steps), r.steps)
		}
	})
	return singles
}

// cutOnce makes runs with one cut, and draws some of those that add a second cut to each.
func (e *exploration) cutOnce(singles []run, each int) []run {
	var pairs []run
	e.suite.makeAll(singles, func(r result) {
		e.judge(r)
		e.progress(r, "one cut")
		more := r.cutOnceMore()
		e.pairs.of += len(more)
		if e.only != "" {
			more = slices.DeleteFunc(more, func(r run) bool { return r.String() != e.only })
		}
		pairs = append(pairs, draw(more, each, e.seed)...)
	})
	return pairs
}

func (e *exploration) cutTwice(pairs []run) {
	e.suite.makeAll(pairs, func(r result) {
		e.judge(r)
		e.progress(r, "two cuts")
	})
}

func (e *exploration) judge(r result) {
	for i, count := range r.checked {
		e.checked[i] += count
	}
	var said []string
	for _, found := range r.violations {
		e.broken[found.of]++
		said = append(said, found.String())
	}
	switch {
	case len(r.violations) > 0:
		e.violations++
		e.t.Errorf("violation in %q (seed %d; again: %s=%d %s=%q):\n  %s\ntrace:\n%s", r.run, e.seed, seedVariable, e.seed, onlyVariable, r.run.String(),
			strings.Join(said, "\n  "), strings.Join(r.trace, "\n"))
	case e.only == r.run.String():
		e.t.Logf("trace of %s:\n%s\nend:\n%s", r.run, strings.Join(r.trace, "\n"), r.end)
	}
}

// progress logs the progress now and then; use go test -v for a long test.
func (e *exploration) progress(r result, kind string) {
	e.made++
	if e.made%200 == 0 && testing.Verbose() {
		e.t.Logf("%5d runs made in %s; now %s, %s", e.made, e.elapsed(), kind, r.run.flow.name)
	}
}

func (e *exploration) elapsed() time.Duration { return time.Since(e.began).Round(time.Second) }

// numberOf returns the number in an environment variable; "all" returns a number larger than the
// total.
func numberOf(t *testing.T, variable string, otherwise int) int {
	switch given := os.Getenv(variable); given {
	case "":
		return otherwise
	case "all":
		return math.MaxInt
	default:
		parsed, err := strconv.Atoi(given)
		if err != nil || parsed < 0 {
			t.Fatalf("%s is %q: give a whole number or all", variable, given)
		}
		return parsed
	}
}
