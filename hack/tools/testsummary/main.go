// Command testsummary runs the tests of one module after the other. It prints go test's own result
// lines as they arrive and the output of failed tests, and ends with a summary whose last line is
// "N passed, N failed".
//
//	testsummary [-summary file] [-also text]... <module directory>... -- <go test flags and packages>
//
// Each -also, such as "NAME=value ./folder", is another run at the end, of packages of the first
// module with environment variables.
package main

import (
	"errors"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"slices"
	"strings"
	"syscall"
	"time"
)

func main() {
	summary := flag.String("summary", "", "also write the last line to this file")
	var also []variant
	flag.Func("also", "run packages of the first module once more with environment variables, such as \"NAME=value ./folder\"", func(text string) error {
		parsed, err := parseVariant(text)
		also = append(also, parsed)
		return err
	})
	flag.Usage = func() {
		fmt.Fprintln(flag.CommandLine.Output(), "usage: testsummary [-summary file] [-also text]... <module directory>... -- <go test flags and packages>")
		flag.PrintDefaults()
	}
	flag.Parse()
	modules, arguments := split(flag.Args())
	if len(modules) == 0 {
		flag.Usage()
		os.Exit(2)
	}
	// An interrupt also reaches go test, which is in the same process group; its remaining output
	// is still read. The signal is caught rather than ignored, because children inherit ignored
	// signals.
	signal.Notify(make(chan os.Signal, 1), os.Interrupt, syscall.SIGTERM)
	if err := run(*summary, modules, also, arguments); err != nil {
		fmt.Fprintln(os.Stderr, "testsummary:", err)
		os.Exit(1)
	}
}

func split(arguments []string) (modules, goTest []string) {
	border := slices.Index(arguments, "--")
	if border < 0 {
		return arguments, []string{"./..."}
	}
	return arguments[:border], arguments[border+1:]
}

// variant is a run of some packages with environment variables.
type variant struct{ environment, packages []string }

func parseVariant(text string) (variant, error) {
	var parsed variant
	for _, field := range strings.Fields(text) {
		if strings.HasPrefix(field, "./") {
			parsed.packages = append(parsed.packages, field)
		} else {
			parsed.environment = append(parsed.environment, field)
		}
	}
	if len(parsed.packages) == 0 {
		return parsed, errors.New("no packages")
	}
	return parsed, nil
}

// of returns the arguments of go test with the variant's packages instead of the usual ones.
func (v variant) of(arguments []string) []string {
	usual := func(argument string) bool { return strings.HasPrefix(argument, "./") }
	return append(slices.DeleteFunc(slices.Clone(arguments), usual), v.packages...)
}

func run(summary string, modules []string, also []variant, arguments []string) error {
	started := time.Now()
	total := newTally(os.Stdout)
	for _, module := range modules {
		fmt.Printf("==> go test in %s\n", module)
		total.begin("")
		if err := test(total, module, nil, arguments); err != nil {
			total.broken(module, err)
		}
	}
	for _, again := range also {
		with := strings.Join(again.environment, " ")
		fmt.Printf("==> go test in %s with %s\n", modules[0], with)
		total.begin(with)
		if err := test(total, modules[0], again.environment, again.of(arguments)); err != nil {
			total.broken(modules[0], err)
		}
	}
	total.report(time.Since(started))
	if summary != "" {
		if err := os.WriteFile(summary, []byte(total.line()+"\n"), 0o600); err != nil {
			return err
		}
	}
	if total.failed > 0 {
		return fmt.Errorf("%d failed", total.failed)
	}
	return nil
}

// test reads go test's events to their end. It returns an error if go test could not run; failed
// tests are counted from its events.
func test(total *tally, module string, environment, arguments []string) error {
	command := exec.Command("go", append([]string{"test", "-json"}, arguments...)...)
	command.Dir = module
	command.Env = append(os.Environ(), environment...)
	command.Stderr = os.Stderr
	events, err := command.StdoutPipe()
	if err != nil {
		return err
	}
	if err := command.Start(); err != nil {
		return err
	}
	failedBefore := total.failed
	if err := total.read(events); err != nil {
		return err
	}
	if err := command.Wait(); err != nil && total.failed == failedBefore {
		return err // it failed without reporting a failed test
	}
	return nil
}
