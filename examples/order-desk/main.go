// Command order-desk takes the events of an EventSink and works them off: it prints each paid order,
// reminds the staff by a WeCom robot, tells the payer by a subscribe message, forwards events to
// K_SINK, and shows on a page what it has printed. README.md says how to set it up.
package main

import (
	"context"
	"flag"
	"fmt"
	"log/slog"
	"os"
	"os/signal"
	"syscall"
)

func main() {
	options := bind(flag.CommandLine)
	flag.Parse()
	log := slog.New(slog.NewTextHandler(os.Stderr, nil))
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if err := run(ctx, options, os.Getenv, log); err != nil {
		fmt.Fprintln(os.Stderr, "order-desk:", err)
		os.Exit(1) //nolint:gocritic // nothing is left to be done
	}
}
