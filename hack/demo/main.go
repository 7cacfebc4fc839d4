// Command demo shows the operator step by step with kubectl: on a real kube-apiserver and etcd,
// with a simulated WeChat Pay and two replicas of the operator as separate processes with their own
// permissions. Every step is checked; the exit status says whether all of them succeeded.
//
//	go run ./hack/demo          show everything, clean up, exit
//	go run ./hack/demo --keep   show everything, then keep running until Ctrl-C
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

// Exit codes. Interrupted is the code that shells use for SIGINT.
const (
	exitFailed      = 1
	exitInterrupted = 130
)

// reader is the output. If its reader closes it, as in `demo
// head`, the demo ends without leaving processes behind.
type reader struct {
	io.Writer
	left context.CancelCauseFunc
}

func (r reader) Write(text []byte) (int, error) {
	written, err := r.Writer.Write(text)
	if err != nil {
		r.left(fmt.Errorf("the output was closed: %w", err))
	}
	return written, err
}

func main() {
	keep := flag.Bool("keep", false, "keep running after the last step, until Ctrl-C")
	flag.Parse()
	os.Exit(run(*keep))
}

func run(keep bool) int {
	// SIGPIPE is also raised by connections, some of which lead to processes that are ended on
	// purpose.
	signal.Ignore(syscall.SIGPIPE)
	interrupted, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM, syscall.SIGHUP)
	defer stop()
	ctx, cancel := context.WithCancelCause(interrupted)
	defer cancel(nil)

	d := &demo{console: newConsole(reader{os.Stdout, cancel}), died: cancel}
	err := d.play(ctx)
	if err == nil && keep {
		d.stayUp(ctx)
		if !isOver(interrupted) { // a process ended unexpectedly
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

// isOver reports whether an interrupt was received.
func isOver(interrupted context.Context) bool { return interrupted.Err() != nil }
