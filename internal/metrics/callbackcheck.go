package metrics

import (
	"github.com/prometheus/client_golang/prometheus"
	"sigs.k8s.io/controller-runtime/pkg/metrics"
)

var (
	// CallbacksReachable is the condition CallbacksReachable of each Merchant for which it is True
	// or False.
	CallbacksReachable = prometheus.NewGaugeVec(prometheus.GaugeOpts{
		Name: "wechatpay_callbacks_reachable",
		Help: "1 if test callbacks to a Merchant's public address come in, 0 if not, as the condition CallbacksReachable says; nothing if that is not checked. Only the leader has it.",
	}, []string{"namespace", "merchant"})

	// CallbackChecks counts the operator's own test callbacks that arrived. Callbacks does not
	// include them.
	CallbackChecks = prometheus.NewCounterVec(prometheus.CounterOpts{
		Name: "wechatpay_callback_checks_total",
		Help: "Test callbacks of the operator's own that came in, by result: answered, refused (of another operator, forged, or too old).",
	}, []string{"result"})
)

func init() {
	metrics.Registry.MustRegister(CallbacksReachable, CallbackChecks)
}
