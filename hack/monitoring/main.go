// Command monitoring generates other formats from the metrics in the code and the manifests:
//
//	monitoring doc        docs/metrics.md, from the code
//	monitoring rules      the alerts of config/prometheus/rules.yaml in the format of promtool
//	monitoring dashboard  the queries of the dashboard as recording rules, for promtool
package main

import (
	"fmt"
	"os"

	"github.com/wechatpay-operator/wechatpay-operator/test/framework/controlplane"
)

func main() {
	forms := map[string]func(root string) (string, error){"doc": document, "rules": plainRules, "dashboard": dashboardRules}
	if len(os.Args) != 2 || forms[os.Args[1]] == nil {
		fmt.Fprintln(os.Stderr, "usage: monitoring doc|rules|dashboard")
		os.Exit(2)
	}
	text, err := forms[os.Args[1]](controlplane.Root())
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	fmt.Print(text)
}
