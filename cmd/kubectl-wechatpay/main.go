// Command kubectl-wechatpay is a kubectl plugin: if it is in a folder of PATH, kubectl wechatpay runs it.
// docs/kubectl-plugin.md describes it.
package main

import (
	"context"
	"os"
	"os/signal"
	"syscall"

	"k8s.io/cli-runtime/pkg/genericiooptions"
	_ "k8s.io/client-go/plugin/pkg/client/auth" // for kubeconfigs of cloud providers

	"github.com/wechatpay-operator/wechatpay-operator/internal/plugin"
)

// version is set by the linker.
var version = "dev"

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	code := plugin.Run(ctx, os.Args[1:], plugin.Env{
		Streams: genericiooptions.IOStreams{In: os.Stdin, Out: os.Stdout, ErrOut: os.Stderr},
		Version: version,
	})
	stop()
	os.Exit(code)
}
