package main

import (
	"bufio"
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"strings"
	"time"
)

// event is a line of go test -json; go doc test2json describes it.
type event struct {
	Action     string
	Package    string
	ImportPath string
	Test       string
	Output     string
}

type testKey struct{ pkg, name string }

// tally counts the tests without subtests, and keeps the output of each until it is known to be
// needed.
type tally struct {
	out                     io.Writer
	passed, failed, skipped int
	packages                int
	failures                []string
	// with names what is special about the run, in its failures.
	with string

	output map[testKey][]string
	// parents are tests that had subtests, with the number of those that failed.
	parents map[testKey]int
	// failedIn counts the failures in a package, so that a package that fails outside of its tests
	// is counted too.
	failedIn map[string]int
}

func newTally(out io.Writer) *tally {
	return &tally{out: out, output: map[testKey][]string{}, parents: map[testKey]int{}, failedIn: map[string]int{}}
}

// begin starts another run, which may test the same packages again.
func (t *tally) begin(with string) {
	t.with = with
	clear(t.output)
	clear(t.parents)
	clear(t.failedIn)
}

func (t *tally) read(events io.Reader) error {
	lines := bufio.NewReader(events)
	for {
		line, err := lines.ReadBytes('\n')
		if len(bytes.TrimSpace(line)) > 0 {
			var e event
			if json.Unmarshal(line, &e) == nil {
				t.take(e)
			} else {
				_, _ = t.out.Write(line) // not an event: print it unchanged
			}
		}
		if err == io.EOF {
			return nil
		}
		if err != nil {
			return err
		}
	}
}

func (t *tally) take(e event) {
	key := testKey{e.Package, e.Test}
	switch e.Action {
	case "run":
		for _, parent := range parentsOf(e.Test) {
			t.parents[testKey{e.Package, parent}] += 0
		}
	case "output":
		t.output[key] = append(t.output[key], e.Output)
	case "build-output":
		fmt.Fprint(t.out, e.Output)
	case "pass", "fail", "skip":
		if e.Test == "" {
			t.endPackage(e)
		} else {
			t.endTest(e, key)
		}
		delete(t.output, key)
	}
}

func (t *tally) endTest(e event, key testKey) {
	failedSubtests, isParent := t.parents[key]
	delete(t.parents, key)
	switch {
	case e.Action == "fail":
		t.failedIn[e.Package]++
		for _, parent := range parentsOf(e.Test) {
			t.parents[testKey{e.Package, parent}]++
		}
		fmt.Fprint(t.out, strings.Join(t.output[key], ""))
		if failedSubtests == 0 {
			t.fail(e.Package + " " + e.Test)
		}
	case isParent:
	case e.Action == "skip":
		t.skipped++
	default:
		t.passed++
		t.showFigures(t.output[key])
	}
}

// figuresMark starts a line that is printed even if the test passes: the figures that it measured.
const figuresMark = "figures: "

func (t *tally) showFigures(output []string) {
	for _, line := range output {
		if _, figures, found := strings.Cut(line, figuresMark); found {
			fmt.Fprint(t.out, figures)
		}
	}
}

// endPackage prints go test's result line, such as "ok    example.com/package     1.2s"; if a
// package failed outside of its tests, in TestMain or at compilation, it prints everything.
func (t *tally) endPackage(e event) {
	output := t.output[testKey{e.Package, ""}]
	if e.Action == "skip" { // no test files
		return
	}
	t.packages++
	if e.Action == "fail" && t.failedIn[e.Package] == 0 {
		// The output of a test that was running when its process ended belongs to that test.
		for key, lines := range t.output {
			if key.pkg == e.Package && key.name != "" {
				fmt.Fprint(t.out, strings.Join(lines, ""))
			}
		}
		fmt.Fprint(t.out, strings.Join(output, ""))
		t.fail(e.Package)
		return
	}
	for _, line := range output {
		if strings.HasPrefix(line, "ok ") || strings.HasPrefix(line, "FAIL\t") || strings.HasPrefix(line, "---") {
			fmt.Fprint(t.out, line)
		}
	}
}

func (t *tally) broken(module string, err error) {
	t.fail(fmt.Sprintf("go test in %s: %v", module, err))
}

func (t *tally) fail(what string) {
	if t.with != "" {
		what += " (" + t.with + ")"
	}
	t.failed++
	t.failures = append(t.failures, what)
}

func (t *tally) report(took time.Duration) {
	fmt.Fprintln(t.out)
	for _, failure := range t.failures {
		fmt.Fprintln(t.out, "FAILED:", failure)
	}
	fmt.Fprintf(t.out, "%d packages tested in %s, %d tests skipped\n", t.packages, took.Round(time.Second), t.skipped)
	fmt.Fprintln(t.out, t.line())
}

func (t *tally) line() string { return fmt.Sprintf("%d passed, %d failed", t.passed, t.failed) }

// parentsOf splits a subtest's name at each slash. Some of the results may not be tests, because a
// name can contain a slash itself.
func parentsOf(name string) []string {
	var parents []string
	for at, char := range name {
		if char == '/' {
			parents = append(parents, name[:at])
		}
	}
	return parents
}
