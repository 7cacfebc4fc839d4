// The wechatpay-operator takes WeChat Pay payments on Kubernetes.
package main

import (
	"flag"
	"fmt"
	"os"

	"go.uber.org/zap/zapcore"
	_ "k8s.io/client-go/plugin/pkg/client/auth" // kubeconfigs of every kind
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/log/zap"

	"github.com/wechatpay-operator/wechatpay-operator/internal/manager"
)

func main() {
	options := manager.DefaultOptions()
	options.BindFlags(flag.CommandLine)
	logging := zap.Options{TimeEncoder: zapcore.RFC3339TimeEncoder}
	logging.BindFlags(flag.CommandLine)
	flag.Parse()
	ctrl.SetLogger(zap.New(zap.UseFlagOptions(&logging)))

	config, err := ctrl.GetConfig()
	if err == nil {
		err = manager.Run(ctrl.SetupSignalHandler(), config, options)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "wechatpay-operator:", err)
		os.Exit(1)
	}
}
