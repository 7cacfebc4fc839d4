package merchant

import (
	"sync"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/sony/gobreaker/v2"
	"k8s.io/apimachinery/pkg/types"

	"github.com/wechatpay-operator/wechatpay-operator/internal/metrics"
)

// watch shows what the breakers of a Handle do, as metrics, and tells of what is new, as long as the Handle is in use.
type watch struct {
	merchant types.NamespacedName
	tell     func(types.NamespacedName)

	mutex   sync.Mutex
	stopped bool
}

func (w *watch) start() {
	w.show(OrderCalls, gobreaker.StateClosed)
	w.show(RefundCalls, gobreaker.StateClosed)
}

func (w *watch) show(calls Calls, state gobreaker.State) {
	w.mutex.Lock()
	defer w.mutex.Unlock()
	if !w.stopped {
		metrics.BreakerState.WithLabelValues(w.merchant.Namespace, w.merchant.Name, string(calls)).Set(float64(state))
	}
}

// turned is told of each change of a breaker. That one call is let through to try is no news: what comes of it is.
func (w *watch) turned(calls Calls, to gobreaker.State) {
	w.show(calls, to)
	if to != gobreaker.StateHalfOpen {
		w.tell(w.merchant)
	}
}

// learned is told when a call taught something of the credentials.
func (w *watch) learned() { w.tell(w.merchant) }

func (w *watch) stop() {
	w.mutex.Lock()
	defer w.mutex.Unlock()
	w.stopped = true
	metrics.BreakerState.DeletePartialMatch(prometheus.Labels{"namespace": w.merchant.Namespace, "merchant": w.merchant.Name})
}
