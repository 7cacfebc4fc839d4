// Package metrics defines the operator's metrics, in addition to those of controller-runtime. No
// label contains the name of an Order or a Refund, because there are too many of them. `make
// metricsdoc` generates docs/metrics.md from this code.
package metrics

import (
	"github.com/prometheus/client_golang/prometheus"
	"sigs.k8s.io/controller-runtime/pkg/metrics"

	"github.com/wechatpay-operator/wechatpay-operator/internal/wechatpay"
)

var (
	// Requests counts calls to WeChat Pay by operation and outcome (Succeeded, NotSent, Failed,
	// Refused, Unknown).
	Requests = prometheus.NewCounterVec(prometheus.CounterOpts{
		Name: "wechatpay_requests_total",
		Help: "Calls to WeChat Pay by operation and outcome: Succeeded, NotSent, Failed (a signed no), Refused (an unsigned no), Unknown (the answer was lost).",
	}, []string{"operation", "outcome"})

	// RequestDuration measures calls to WeChat Pay.
	RequestDuration = prometheus.NewHistogramVec(prometheus.HistogramOpts{
		Name:    "wechatpay_request_duration_seconds",
		Help:    "Duration of calls to WeChat Pay by operation, repeats on the backup host included.",
		Buckets: []float64{.01, .025, .05, .1, .25, .5, 1, 2.5, 5, 10, 20},
	}, []string{"operation"})

	// Callbacks counts requests to the callback server, from WeChat Pay or anyone else.
	Callbacks = prometheus.NewCounterVec(prometheus.CounterOpts{
		Name: "wechatpay_callbacks_total",
		Help: "Callbacks by kind (payment, refund) and result: recorded, repeated, unmatched, mismatch, conflict, refused, unproven (the key is not proven yet), failed.",
	}, []string{"kind", "result"})

	// CallbackConnectionsEvicted counts connections that the callback server closed to accept newer
	// ones.
	CallbackConnectionsEvicted = prometheus.NewCounter(prometheus.CounterOpts{
		Name: "wechatpay_callback_connections_evicted_total",
		Help: "Connections to the callback server that were closed for newer ones: kept for later and idle for longest, or else waiting longest without bringing a whole request.",
	})

	// CallbackDuration measures callbacks from arrival to response. A callback answered as recorded
	// is stored by then.
	CallbackDuration = prometheus.NewHistogramVec(prometheus.HistogramOpts{
		Name:    "wechatpay_callback_duration_seconds",
		Help:    "Time from the arrival of a callback to its answer, by kind and result; for payment and recorded: until Paid is durable. WeChat Pay waits five seconds.",
		Buckets: []float64{.005, .01, .025, .05, .1, .25, .5, 1, 2, 3, 4, 5},
	}, []string{"kind", "result"})

	// OrdersPaid counts Orders that became paid, by how that became known (ByCallback, ByQuery).
	OrdersPaid = prometheus.NewCounterVec(prometheus.CounterOpts{
		Name: "wechatpay_orders_paid_total",
		Help: "Orders that became paid, by what made it known first: callback, or query (a poll of ours). Payments older than their object (PaidEarlier) are not counted.",
	}, []string{"by"})

	// AmountMismatches counts verified payments that differ from their Order.
	AmountMismatches = prometheus.NewCounter(prometheus.CounterOpts{
		Name: "wechatpay_amount_mismatches_total",
		Help: "Verified payments that differ from their Order in appid, merchant number, amount or currency, and were not taken as paid.",
	})

	// SecondPayments counts verified payments of Orders that another transaction already paid.
	SecondPayments = prometheus.NewCounter(prometheus.CounterOpts{
		Name: "wechatpay_second_payments_total",
		Help: "Verified payments stated for an Order that is paid by another transaction already, each time they are stated.",
	})

	// PaidLate counts payments that arrived after their Order was closed.
	PaidLate = prometheus.NewCounter(prometheus.CounterOpts{
		Name: "wechatpay_paid_late_total",
		Help: "Payments that arrived after their Order was closed or expired.",
	})

	// FinalizersReleased counts objects whose finalizer was removed although they could not be
	// settled.
	FinalizersReleased = prometheus.NewCounterVec(prometheus.CounterOpts{
		Name: "wechatpay_finalizers_released_unsettled_total",
		Help: "Objects let go at deletion without settling them at WeChat Pay, because the credentials were gone or it did not answer, by kind.",
	}, []string{"kind"})

	// GoneDuringCalls counts objects that were deleted during a call to WeChat Pay on their behalf.
	GoneDuringCalls = prometheus.NewCounterVec(prometheus.CounterOpts{
		Name: "wechatpay_gone_during_calls_total",
		Help: "Orders and Refunds that were gone, by a deletion that began before they were held, after WeChat Pay was asked to make or to pay them back, by kind. Such an Order is closed at WeChat Pay; of a Refund the money may go back.",
	}, []string{"kind"})

	// WritesRefused counts writes that the API server rejected.
	WritesRefused = prometheus.NewCounterVec(prometheus.CounterOpts{
		Name: "wechatpay_writes_refused_total",
		Help: "Writes that the cluster refused the operator (a policy, a quota, a webhook that can't be called), by the kind they are about and write: hold (the finalizer), release, status, create (the Refund of a late payment), delete (after ttlSecondsAfterFinished).",
	}, []string{"kind", "write"})
)

// Label values of WritesRefused.
const (
	WriteHold    = "hold"
	WriteRelease = "release"
	WriteStatus  = "status"
	WriteCreate  = "create"
	WriteDelete  = "delete"
)

// Label values of OrdersPaid.
const (
	ByCallback = "callback"
	ByQuery    = "query"
)

func init() {
	metrics.Registry.MustRegister(Requests, RequestDuration, Callbacks, CallbackDuration, CallbackConnectionsEvicted, OrdersPaid,
		AmountMismatches, SecondPayments, PaidLate, FinalizersReleased, GoneDuringCalls, WritesRefused)
	startAtZero()
}

// startAtZero creates all series at startup: Prometheus does not count an increase to 1 of a series
// that did not exist before.
func startAtZero() {
	for _, operation := range []wechatpay.Operation{
		wechatpay.OperationCreateOrder, wechatpay.OperationQueryOrder, wechatpay.OperationCloseOrder,
		wechatpay.OperationCreateRefund, wechatpay.OperationQueryRefund,
	} {
		for _, outcome := range []string{
			"Succeeded", string(wechatpay.NotSent), string(wechatpay.Failed), string(wechatpay.Refused), string(wechatpay.Unknown),
		} {
			Requests.WithLabelValues(string(operation), outcome)
		}
	}
	for _, kind := range []string{"payment", "refund"} {
		for _, result := range []string{"recorded", "repeated", "unmatched", "mismatch", "conflict", "refused", "unproven", "failed"} {
			Callbacks.WithLabelValues(kind, result)
		}
	}
	for _, kind := range []string{"Order", "Refund"} {
		GoneDuringCalls.WithLabelValues(kind)
	}
	for _, write := range []string{WriteCreate, WriteDelete} {
		WritesRefused.WithLabelValues("Order", write)
	}
	for _, by := range []string{ByCallback, ByQuery} {
		OrdersPaid.WithLabelValues(by)
	}
	for _, kind := range []string{"Merchant", "Order", "Refund"} {
		FinalizersReleased.WithLabelValues(kind)
		for _, write := range []string{WriteHold, WriteRelease, WriteStatus} {
			WritesRefused.WithLabelValues(kind, write)
		}
	}
}
