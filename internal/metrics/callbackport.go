package metrics

import (
	"github.com/prometheus/client_golang/prometheus"
	"sigs.k8s.io/controller-runtime/pkg/metrics"
)

// Label values of CallbackHealthChecks.
const (
	HealthOK          = "ok"
	HealthUnavailable = "unavailable"
)

// CallbackHealthChecks counts health checks of the callback server by load balancers. Callbacks
// does not include them.
var CallbackHealthChecks = prometheus.NewCounterVec(prometheus.CounterOpts{
	Name: "wechatpay_callback_health_checks_total",
	Help: "Health checks by load balancers (GET / and /healthz on the port of callbacks), by answer: ok, unavailable (the replica is stopping).",
}, []string{"answer"})

func init() {
	metrics.Registry.MustRegister(CallbackHealthChecks)
	for _, answer := range []string{HealthOK, HealthUnavailable} {
		CallbackHealthChecks.WithLabelValues(answer)
	}
}
