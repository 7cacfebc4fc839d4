package main

import (
	"strings"
	"testing"
)

func TestTally(t *testing.T) {
	for name, test := range map[string]struct {
		events string
		line   string
		shown  []string
		hidden []string
	}{
		"a passing package shows its ok line only": {
			events: `{"Action":"run","Package":"p","Test":"TestA"}
{"Action":"output","Package":"p","Test":"TestA","Output":"chatter\n"}
{"Action":"pass","Package":"p","Test":"TestA"}
{"Action":"output","Package":"p","Output":"ok  \tp\t0.1s\n"}
{"Action":"pass","Package":"p"}`,
			line: "1 passed, 0 failed", shown: []string{"ok  \tp\t0.1s"}, hidden: []string{"chatter"},
		},
		"figures of a test that passes are shown": {
			events: `{"Action":"run","Package":"p","Test":"TestA"}
{"Action":"output","Package":"p","Test":"TestA","Output":"    a_test.go:1: chatter\n"}
{"Action":"output","Package":"p","Test":"TestA","Output":"    a_test.go:2: figures: 600 runs, 0 violations\n"}
{"Action":"pass","Package":"p","Test":"TestA"}
{"Action":"pass","Package":"p"}`,
			line: "1 passed, 0 failed", shown: []string{"600 runs, 0 violations"}, hidden: []string{"chatter", "figures:"},
		},
		"subtests count, their parents do not": {
			events: `{"Action":"run","Package":"p","Test":"TestA"}
{"Action":"run","Package":"p","Test":"TestA/one/1"}
{"Action":"pass","Package":"p","Test":"TestA/one/1"}
{"Action":"run","Package":"p","Test":"TestA/two"}
{"Action":"output","Package":"p","Test":"TestA/two","Output":"wrong\n"}
{"Action":"fail","Package":"p","Test":"TestA/two"}
{"Action":"fail","Package":"p","Test":"TestA"}
{"Action":"output","Package":"p","Output":"FAIL\tp\t0.1s\n"}
{"Action":"fail","Package":"p"}`,
			line: "1 passed, 1 failed", shown: []string{"wrong", "FAILED: p TestA/two", "FAIL\tp"},
		},
		"a parent that fails by itself counts": {
			events: `{"Action":"run","Package":"p","Test":"TestA"}
{"Action":"run","Package":"p","Test":"TestA/one"}
{"Action":"pass","Package":"p","Test":"TestA/one"}
{"Action":"fail","Package":"p","Test":"TestA"}
{"Action":"fail","Package":"p"}`,
			line: "1 passed, 1 failed", shown: []string{"FAILED: p TestA"},
		},
		"a package that does not compile counts": {
			events: `{"Action":"build-output","ImportPath":"p","Output":"undefined: x\n"}
{"Action":"build-fail","ImportPath":"p"}
{"Action":"output","Package":"p","Output":"FAIL\tp [build failed]\n"}
{"Action":"fail","Package":"p","FailedBuild":"p"}`,
			line: "0 passed, 1 failed", shown: []string{"undefined: x", "FAILED: p", "[build failed]"},
		},
		"a skipped test is neither": {
			events: `{"Action":"run","Package":"p","Test":"TestA"}
{"Action":"skip","Package":"p","Test":"TestA"}
{"Action":"pass","Package":"p"}`,
			line: "0 passed, 0 failed", shown: []string{"1 tests skipped"},
		},
	} {
		t.Run(name, func(t *testing.T) {
			var out strings.Builder
			total := newTally(&out)
			if err := total.read(strings.NewReader(test.events)); err != nil {
				t.Fatal(err)
			}
			total.report(0)
			if total.line() != test.line {
				t.Errorf("got %q, want %q", total.line(), test.line)
			}
			if !strings.HasSuffix(out.String(), "\n"+test.line+"\n") {
				t.Errorf("the last line is not the summary:\n%s", out.String())
			}
			for _, text := range test.shown {
				if !strings.Contains(out.String(), text) {
					t.Errorf("%q is not shown:\n%s", text, out.String())
				}
			}
			for _, text := range test.hidden {
				if strings.Contains(out.String(), text) {
					t.Errorf("%q is shown:\n%s", text, out.String())
				}
			}
		})
	}
}

// TestRunsOfThePackagesAgain: a package that failed in an earlier run is judged anew, and the
// summary names the run.
func TestRunsOfThePackagesAgain(t *testing.T) {
	var out strings.Builder
	total := newTally(&out)
	for _, run := range []struct{ with, events string }{
		{"", `{"Action":"run","Package":"p","Test":"TestA"}
{"Action":"fail","Package":"p","Test":"TestA"}
{"Action":"fail","Package":"p"}`},
		{"NAME=value", `{"Action":"run","Package":"p","Test":"TestA"}
{"Action":"pass","Package":"p","Test":"TestA"}
{"Action":"fail","Package":"p"}`},
	} {
		total.begin(run.with)
		if err := total.read(strings.NewReader(run.events)); err != nil {
			t.Fatal(err)
		}
	}
	total.report(0)
	for _, line := range []string{"FAILED: p TestA\n", "FAILED: p (NAME=value)\n", "1 passed, 2 failed\n"} {
		if !strings.Contains(out.String(), line) {
			t.Errorf("no %q in %q", line, out.String())
		}
	}
}

func TestVariants(t *testing.T) {
	again, err := parseVariant("NAME=value ./a ./b/...")
	if err != nil {
		t.Fatal(err)
	}
	if got := strings.Join(again.of([]string{"-race", "-timeout", "30m", "./..."}), " "); got != "-race -timeout 30m ./a ./b/..." {
		t.Error(got)
	}
	if got := strings.Join(again.environment, " "); got != "NAME=value" {
		t.Error(got)
	}
	if _, err := parseVariant("NAME=value"); err == nil {
		t.Error("a run of nothing")
	}
}
