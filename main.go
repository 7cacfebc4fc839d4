// The wechatpay-operator receives WeChat Pay payments on Kubernetes.
package main

import (
	"flag"
	"fmt"
	"os"
	"runtime"

	"go.uber.org/zap/zapcore"
	_ "k8s.io/client-go/plugin/pkg/client/auth" // all kinds of kubeconfigs
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/log/zap"

	"github.com/wechatpay-operator/wechatpay-operator/internal/manager"
	"github.com/wechatpay-operator/wechatpay-operator/internal/metrics"
)

// version is set by the linker.
var version = "dev"

func main() {
	options := manager.DefaultOptions()
	options.BindFlags(flag.CommandLine)
	logging := zap.Options{TimeEncoder: zapcore.RFC3339TimeEncoder}
	logging.BindFlags(flag.CommandLine)
	showVersion := flag.Bool("version", false, "Print the version and stop.")
	flag.Parse()
	if *showVersion {
		fmt.Printf("wechatpay-operator %s (%s, %s/%s)\n", version, runtime.Version(), runtime.GOOS, runtime.GOARCH)
		return
	}
	if logging.Level != nil {
		logging.Level = withoutBodies{logging.Level}
	}
	ctrl.SetLogger(zap.New(zap.UseFlagOptions(&logging)))
	ctrl.Log.Info("Starting wechatpay-operator", "version", version)
	options.Accounts.UserAgent = "wechatpay-operator/" + version
	metrics.SetVersion(version)

	config, err := ctrl.GetConfig()
	if err == nil {
		err = manager.Run(ctrl.SetupSignalHandler(), config, options)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "wechatpay-operator:", err)
		os.Exit(1)
	}
}

// withoutBodies limits verbosity to levels below 8, at which client-go starts to log whole requests
// and responses, including Secrets.
type withoutBodies struct{ zapcore.LevelEnabler }

func (w withoutBodies) Enabled(level zapcore.Level) bool {
	return level > -8 && w.LevelEnabler.Enabled(level)
}
