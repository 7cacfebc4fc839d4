package metrics

import (
	"runtime"

	"github.com/prometheus/client_golang/prometheus"
	"sigs.k8s.io/controller-runtime/pkg/metrics"
)

// buildInfo is 1 for the running version.
var buildInfo = prometheus.NewGaugeVec(prometheus.GaugeOpts{
	Name: "wechatpay_build_info",
	Help: "1, with the operator's version and the version of Go that built it.",
}, []string{"version", "go_version"})

func init() { metrics.Registry.MustRegister(buildInfo) }

// SetVersion sets the running version.
func SetVersion(version string) { buildInfo.WithLabelValues(version, runtime.Version()).Set(1) }
