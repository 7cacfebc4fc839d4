// Command operator is the operator with a choice that production does not have: --priority-queue. It takes production's flags
// beside it.
package main

import (
	"flag"
	"fmt"
	"os"

	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/log/zap"

	"github.com/wechatpay-operator/wechatpay-operator/internal/manager"
)

func main() {
	options := manager.DefaultOptions()
	options.BindFlags(flag.CommandLine)
	options.PriorityQueue = flag.Bool("priority-queue", false, "Serve what is new before what a start finds.")
	logging := zap.Options{}
	logging.BindFlags(flag.CommandLine)
	flag.Parse()
	ctrl.SetLogger(zap.New(zap.UseFlagOptions(&logging)))

	config, err := ctrl.GetConfig()
	if err == nil {
		err = manager.Run(ctrl.SetupSignalHandler(), config, options)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "operator:", err)
		os.Exit(1)
	}
}
