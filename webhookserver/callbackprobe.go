package webhookserver

import (
	"net/http"
	"time"

	"github.com/wechatpay-operator/wechatpay-operator/internal/callbackprobe"
)

// answerProbe answers a probe that the operator sent to check whether callbacks arrive. A probe
// never reads or writes any object.
func (c *callback) answerProbe(now time.Time) result {
	target := callbackprobe.Target{Namespace: c.merchant.Namespace, Name: c.merchant.Name, UID: string(c.merchant.UID), Kind: c.kind}
	answer, err := c.connection.ProbeKeys.Answer(target, c.body, now)
	if err != nil {
		c.log.Info("Refused a test callback", "problem", err.Error())
		return result{label: "refused", probe: true, status: http.StatusForbidden, reason: "not verified"}
	}
	return result{label: "answered", probe: true, status: http.StatusOK, answer: answer}
}
