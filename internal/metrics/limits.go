package metrics

import (
	"github.com/prometheus/client_golang/prometheus"
	"sigs.k8s.io/controller-runtime/pkg/metrics"
)

var (
	// BreakerState is the state of a Merchant's circuit breakers in this process. The values are
	// those of gobreaker.State.
	BreakerState = prometheus.NewGaugeVec(prometheus.GaugeOpts{
		Name: "wechatpay_breaker_state",
		Help: "Whether this process makes the calls of a Merchant (calls: orders, refunds): 0 it does, 1 one call tries whether WeChat Pay answers again, 2 they are paused.",
	}, []string{"namespace", "merchant", "calls"})

	// CallsDenied counts the calls that the operator's own limits rejected unsent.
	CallsDenied = prometheus.NewCounterVec(prometheus.CounterOpts{
		Name: "wechatpay_calls_denied_total",
		Help: "Calls that were not sent, by operation and limit: Paused (after failures), RateLimit (calls a second), Concurrency (calls under way: of the account, the host, the namespace, or of all Merchants without a proven key), FailingRefunds (WeChat Pay blocks who fails more), Looks (questions whether a refund exists), Unproven (refund requests and looks of a Merchant whose key WeChat Pay has not taken yet).",
	}, []string{"operation", "limit"})
)

func init() {
	metrics.Registry.MustRegister(BreakerState, CallsDenied)
}
