// Package metrics holds what the operator counts of its own, beside what controller-runtime counts. No label ever names an
// Order or a Refund: there are too many of them.
package metrics

import (
	"github.com/prometheus/client_golang/prometheus"
	"sigs.k8s.io/controller-runtime/pkg/metrics"
)

var (
	// Requests counts calls to WeChat by operation and outcome (Succeeded, NotSent, Failed, Refused, Unknown).
	Requests = prometheus.NewCounterVec(prometheus.CounterOpts{
		Name: "wechatpay_requests_total",
		Help: "Calls to WeChat Pay by operation and outcome: Succeeded, NotSent, Failed (a signed no), Refused (an unsigned no), Unknown (the answer was lost).",
	}, []string{"operation", "outcome"})

	// RequestDuration measures calls to WeChat.
	RequestDuration = prometheus.NewHistogramVec(prometheus.HistogramOpts{
		Name:    "wechatpay_request_duration_seconds",
		Help:    "Duration of calls to WeChat Pay by operation, repeats on the backup host included.",
		Buckets: []float64{.01, .025, .05, .1, .25, .5, 1, 2.5, 5, 10, 20},
	}, []string{"operation"})

	// Callbacks counts what WeChat (or somebody else) sent to the callback server.
	Callbacks = prometheus.NewCounterVec(prometheus.CounterOpts{
		Name: "wechatpay_callbacks_total",
		Help: "Callbacks by kind (payment, refund) and result: recorded, repeated, unmatched, mismatch, conflict, refused, failed.",
	}, []string{"kind", "result"})

	// CallbackConnectionsEvicted counts connections to the callback server that had to make room for others.
	CallbackConnectionsEvicted = prometheus.NewCounter(prometheus.CounterOpts{
		Name: "wechatpay_callback_connections_evicted_total",
		Help: "Connections to the callback server that were closed for newer ones, because they had waited longest without bringing a whole request.",
	})

	// AmountMismatches counts verified payments that differ from their Order.
	AmountMismatches = prometheus.NewCounter(prometheus.CounterOpts{
		Name: "wechatpay_amount_mismatches_total",
		Help: "Verified payments that differ from their Order in appid, mch_id, amount or currency, and were not taken as paid.",
	})

	// PaidLate counts payments that arrived after their Order was closed.
	PaidLate = prometheus.NewCounter(prometheus.CounterOpts{
		Name: "wechatpay_paid_late_total",
		Help: "Payments that arrived after their Order was closed or expired.",
	})

	// FinalizersReleased counts objects that were let go although what they started could not be settled.
	FinalizersReleased = prometheus.NewCounterVec(prometheus.CounterOpts{
		Name: "wechatpay_finalizers_released_unsettled_total",
		Help: "Objects let go at deletion without settling them at WeChat Pay, because the credentials were gone, by kind.",
	}, []string{"kind"})
)

func init() {
	metrics.Registry.MustRegister(Requests, RequestDuration, Callbacks, CallbackConnectionsEvicted, AmountMismatches, PaidLate, FinalizersReleased)
}
