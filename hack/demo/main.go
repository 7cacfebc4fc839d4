// Command demo shows the operator at work, step by step and by kubectl: on a real kube-apiserver and etcd, against a
// simulated WeChat Pay, with two replicas of the operator as processes of their own and under their own rights. Every step
// is checked; the exit status says whether everything came true.
//
//	go run ./hack/demo          show everything, clean up, exit
//	go run ./hack/demo --keep   show everything, then stay up until Ctrl-C
package main

import (
	"context"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"syscall"
)

// Exit codes. Interrupted is what shells use for SIGINT.
const (
	exitFailed      = 1
	exitInterrupted = 130
)

// reader is whoever reads what is printed. When they leave, as of `demo | head`, the demo ends, and no processes stay behind.
type reader struct {
	io.Writer
	left context.CancelCauseFunc
}

func (r reader) Write(text []byte) (int, error) {
	written, err := r.Writer.Write(text)
	if err != nil {
		r.left(fmt.Errorf("nobody reads any more: %w", err))
	}
	return written, err
}

func main() {
	keep := flag.Bool("keep", false, "stay up after the last step, until Ctrl-C")
	flag.Parse()
	os.Exit(run(*keep))
}

func run(keep bool) int {
	// It comes for connections as well, of which some are to processes that are ended on purpose.
	signal.Ignore(syscall.SIGPIPE)
	interrupted, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM, syscall.SIGHUP)
	defer stop()
	ctx, cancel := context.WithCancelCause(interrupted)
	defer cancel(nil)

	d := &demo{console: newConsole(reader{os.Stdout, cancel}), died: cancel}
	err := d.play(ctx)
	if err == nil && keep {
		d.stayUp(ctx)
		if !isOver(interrupted) { // so a process ended that should have stayed up
			err = context.Cause(ctx)
		}
	}
	if err != nil && !isOver(interrupted) {
		d.explain(ctx, err)
	}
	leftovers := d.close()
	if leftovers != nil {
		fmt.Fprintln(os.Stderr, "cleaning up:", leftovers)
	}
	switch {
	case err == nil && leftovers == nil:
		return 0
	case err != nil && isOver(interrupted):
		fmt.Fprintln(os.Stderr, "interrupted")
		return exitInterrupted
	default:
		return exitFailed
	}
}

// isOver says whether Ctrl-C or its like was received.
func isOver(interrupted context.Context) bool { return interrupted.Err() != nil }
