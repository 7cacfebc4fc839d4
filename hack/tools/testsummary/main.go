// Command testsummary runs the tests of one module after the other. It prints go test's own result
// lines as they arrive and the output of failed tests, and ends with a summary whose last line is
// "N passed, N failed".
//
//	testsummary [-summary file] <module directory>... -- <go test flags and packages>
package main

import (
	"flag"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"slices"
	"syscall"
	"time"
)

func main() {
	summary := flag.String("summary", "", "also write the last line to this file")
	flag.Usage = func() {
		fmt.Fprintln(flag.CommandLine.Output(), "usage: testsummary [-summary file] <module directory>... -- <go test flags and packages>")
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
	if err := run(*summary, modules, arguments); err != nil {
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

func run(summary string, modules, arguments []string) error {
	started := time.Now()
	total := newTally(os.Stdout)
	for _, module := range modules {
		fmt.Printf("==> go test in %s\n", module)
		if err := test(total, module, arguments); err != nil {
			total.broken(module, err)
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
func test(total *tally, module string, arguments []string) error {
	command := exec.Command("go", append([]string{"test", "-json"}, arguments...)...)
	command.Dir = module
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
