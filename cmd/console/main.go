// Command console serves the page for the shop's staff: Orders, Refunds that await a decision, Merchants and
// Statements. docs/console.md describes it. It has no rights of its own: it uses those of each user.
package main

import (
	"context"
	"flag"
	"fmt"
	"log/slog"
	"os"
	"os/signal"
	"runtime"
	"syscall"

	"github.com/wechatpay-operator/wechatpay-operator/internal/console"
)

// version is set by the linker.
var version = "dev"

func main() {
	options := console.DefaultOptions()
	options.Version = version
	options.BindFlags(flag.CommandLine)
	showVersion := flag.Bool("version", false, "Print the version and stop.")
	flag.Parse()
	if *showVersion {
		fmt.Printf("wechatpay-console %s (%s, %s/%s)\n", version, runtime.Version(), runtime.GOOS, runtime.GOARCH)
		return
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	err := console.Run(ctx, options, slog.New(slog.NewJSONHandler(os.Stderr, nil)))
	stop()
	if err != nil {
		fmt.Fprintln(os.Stderr, "console:", err)
		os.Exit(1)
	}
}
