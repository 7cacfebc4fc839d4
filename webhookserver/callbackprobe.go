package webhookserver

import (
	"net/http"
	"time"

	"github.com/wechatpay-operator/wechatpay-operator/internal/callbackprobe"
	"github.com/wechatpay-operator/wechatpay-operator/internal/metrics"
)

// answerProbe answers a probe of the operator's own, by which it checks that callbacks arrive. It reads and writes nothing, and a
// probe never gets any further, whatever it says.
func (c *callback) answerProbe(now time.Time) result {
	target := callbackprobe.Target{Namespace: c.merchant.Namespace, Name: c.merchant.Name, UID: string(c.merchant.UID), Kind: c.kind}
	answer, err := c.account.CallbackCheck.Answer(target, c.body, now)
	if err != nil {
		c.log.Info("Refused a test callback", "problem", err.Error())
		return result{label: "refused", probe: true, status: http.StatusForbidden, reason: "not verified"}
	}
	return result{label: "answered", probe: true, status: http.StatusOK, answer: answer}
}

// count counts what became of a callback. Probes are counted apart, so that they do not look like WeChat calling.
func (r result) count(kind string, took time.Duration) {
	if r.probe {
		metrics.CallbackChecks.WithLabelValues(r.label).Inc()
		return
	}
	metrics.Callbacks.WithLabelValues(kind, r.label).Inc()
	metrics.CallbackDuration.WithLabelValues(kind, r.label).Observe(took.Seconds())
}
