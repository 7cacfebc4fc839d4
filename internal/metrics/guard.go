package metrics

import (
	"github.com/prometheus/client_golang/prometheus"
	"sigs.k8s.io/controller-runtime/pkg/metrics"
)

// RefundsGuarded is, for each namespace with Merchants or Refunds, whether the approval policy is
// in force.
var RefundsGuarded = prometheus.NewGaugeVec(prometheus.GaugeOpts{
	Name: "wechatpay_refunds_guarded",
	Help: "1 if the policy that keeps approvals of Refunds to those who have the right to approve was seen in force in a namespace with Merchants or Refunds, 0 if not, or if that is not known yet. Refunds that need an approval wait then. Only the leader has it.",
}, []string{"namespace"})

func init() {
	metrics.Registry.MustRegister(RefundsGuarded)
}
