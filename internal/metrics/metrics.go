// Package metrics defines the operator's metrics, in addition to those of controller-runtime. No
// label contains the name of an Order or a Refund, because there are too many of them. `make
// metricsdoc` generates docs/metrics.md from this code.
package metrics

import (
	"runtime"

	"github.com/prometheus/client_golang/prometheus"
	"sigs.k8s.io/controller-runtime/pkg/metrics"

	"github.com/wechatpay-operator/wechatpay-operator/internal/wechatpay"
)

var (
	// Requests counts calls to WeChat Pay by operation and outcome (Succeeded, NotSent, Failed,
	// Refused, Unknown).
	Requests = counterVec("wechatpay_requests_total", []string{"operation", "outcome"},
		"Calls to WeChat Pay by operation and outcome: Succeeded, NotSent, Failed (a signed no), Refused (an unsigned no), Unknown (the answer was lost).")

	// RequestDuration measures calls to WeChat Pay.
	RequestDuration = histogramVec("wechatpay_request_duration_seconds", []string{"operation"},
		"Duration of calls to WeChat Pay by operation, repeats on the backup host included.",
		.01, .025, .05, .1, .25, .5, 1, 2.5, 5, 10, 20)

	// Callbacks counts requests to the callback server, from WeChat Pay or anyone else.
	Callbacks = counterVec("wechatpay_callbacks_total", []string{"kind", "result"},
		"Callbacks by kind (payment, refund) and result: recorded, repeated, unmatched, mismatch, conflict, refused, unproven (the key is not proven yet), failed.")

	// CallbackConnectionsEvicted counts connections that the callback server closed to accept newer
	// ones.
	CallbackConnectionsEvicted = counter("wechatpay_callback_connections_evicted_total",
		"Connections to the callback server that were closed for newer ones: kept for later and idle for longest, or else waiting longest without bringing a whole request.")

	// CallbackDuration measures callbacks from arrival to response. A callback answered as recorded
	// is stored by then.
	CallbackDuration = histogramVec("wechatpay_callback_duration_seconds", []string{"kind", "result"},
		"Time from the arrival of a callback to its answer, by kind and result; for payment and recorded: until Paid is durable. WeChat Pay waits five seconds.",
		.005, .01, .025, .05, .1, .25, .5, 1, 2, 3, 4, 5)

	// OrdersPaid counts Orders that became paid, by how that became known (ByCallback, ByQuery).
	OrdersPaid = counterVec("wechatpay_orders_paid_total", []string{"by"},
		"Orders that became paid, by what made it known first: callback, or query (a poll of ours). Payments older than their object (PaidEarlier) are not counted.")

	// AmountMismatches counts verified payments that differ from their Order.
	AmountMismatches = counter("wechatpay_amount_mismatches_total",
		"Verified payments that differ from their Order in appid, merchant number, amount or currency, and were not taken as paid.")

	// SecondPayments counts verified payments of Orders that another transaction already paid.
	SecondPayments = counter("wechatpay_second_payments_total",
		"Verified payments stated for an Order that is paid by another transaction already, each time they are stated.")

	// PaidLate counts payments that arrived after their Order was closed.
	PaidLate = counter("wechatpay_paid_late_total",
		"Payments that arrived after their Order was closed or expired.")

	// FinalizersReleased counts objects whose finalizer was removed although they could not be
	// settled.
	FinalizersReleased = counterVec("wechatpay_finalizers_released_unsettled_total", []string{"kind"},
		"Objects let go at deletion without settling them at WeChat Pay, because the credentials were gone or it did not answer, by kind.")

	// GoneDuringCalls counts objects that were deleted during a call to WeChat Pay on their behalf.
	GoneDuringCalls = counterVec("wechatpay_gone_during_calls_total", []string{"kind"},
		"Orders and Refunds that were gone, by a deletion that began before they were held, after WeChat Pay was asked to make or to pay them back, by kind. Such an Order is closed at WeChat Pay; of a Refund the money may go back.")

	// WritesRefused counts writes that the API server rejected.
	WritesRefused = counterVec("wechatpay_writes_refused_total", []string{"kind", "write"},
		"Writes that the cluster refused the operator (a policy, a quota, a webhook that can't be called), by the kind they are about and write: hold (the finalizer), release, status, create (the Refund of a late payment), delete (after ttlSecondsAfterFinished).")

	// BreakerState is the state of a Merchant's circuit breakers in this process. The values are
	// those of gobreaker.State.
	BreakerState = gaugeVec("wechatpay_breaker_state", []string{"namespace", "merchant", "calls"},
		"Whether this process makes the calls of a Merchant (calls: orders, refunds): 0 it does, 1 one call tries whether WeChat Pay answers again, 2 they are paused.")

	// CallsDenied counts the calls that the operator's own limits rejected unsent.
	CallsDenied = counterVec("wechatpay_calls_denied_total", []string{"operation", "limit"},
		"Calls that were not sent, by operation and limit: Paused (after failures), RateLimit (calls a second), Concurrency (calls under way: of the account, the host, the namespace, or of all Merchants without a proven key), FailingRefunds (WeChat Pay blocks who fails more), Looks (questions whether a refund exists), Bills (another one is being downloaded), Unproven (refund requests, looks and bills of a Merchant whose key WeChat Pay has not taken yet).")

	// CallbacksReachable is the condition CallbacksReachable of each Merchant for which it is True
	// or False.
	CallbacksReachable = gaugeVec("wechatpay_callbacks_reachable", []string{"namespace", "merchant"},
		"1 if test callbacks to a Merchant's public address come in, 0 if not, as the condition CallbacksReachable says; nothing if that is not checked. Only the leader has it.")

	// CallbackChecks counts the operator's own test callbacks that arrived. Callbacks does not
	// include them.
	CallbackChecks = counterVec("wechatpay_callback_checks_total", []string{"result"},
		"Test callbacks of the operator's own that came in, by result: answered, refused (of another operator, forged, or too old).")

	// CallbackHealthChecks counts health checks of the callback server by load balancers. Callbacks
	// does not include them.
	CallbackHealthChecks = counterVec("wechatpay_callback_health_checks_total", []string{"answer"},
		"Health checks by load balancers (GET / and /healthz on the port of callbacks), by answer: ok, unavailable (the replica is stopping).")

	// RefundsGuarded is, for each namespace with Merchants or Refunds, whether the approval policy is
	// in force.
	RefundsGuarded = gaugeVec("wechatpay_refunds_guarded", []string{"namespace"},
		"1 if the policy that keeps approvals of Refunds to those who have the right to approve was seen in force in a namespace with Merchants or Refunds, 0 if not, or if that is not known yet. Refunds that need an approval wait then. Only the leader has it.")

	// EventDeliveries counts the attempts to deliver events to EventSinks.
	EventDeliveries = counterVec("wechatpay_event_deliveries_total", []string{"namespace", "result"},
		"Events sent to the EventSinks of a namespace, each attempt counted, by result: delivered, failed. Only the leader sends.")

	// EventsGivenUp counts the events that the operator gave up.
	EventsGivenUp = counterVec("wechatpay_events_given_up_total", []string{"namespace", "reason"},
		"Events that an EventSink of a namespace never took, by reason: time (24 hours are over), deleted (the object was deleted and did not wait any longer).")

	// EventsPending is how many events an EventSink has not accepted yet.
	EventsPending = gaugeVec("wechatpay_events_pending", []string{"namespace", "sink"},
		"Events that an EventSink has not taken yet. Only the leader has it.")

	// OldestEventAge is how long the oldest pending event of an EventSink has been waiting.
	OldestEventAge = gaugeVec("wechatpay_oldest_pending_event_age_seconds", []string{"namespace", "sink"},
		"How long ago the fact was recorded of the oldest event that an EventSink has not taken yet; 0 if there is none. Updated twice a minute. Only the leader has it.")

	// LedgerPending is how many objects have a current state that is not in the ledger.
	LedgerPending = gauge("wechatpay_ledger_pending",
		"Orders, Refunds and Shipments whose state is not recorded in the ledger's database yet. Only the leader has it.")

	// LedgerLag is how long the oldest of these objects has waited.
	LedgerLag = gauge("wechatpay_ledger_lag_seconds",
		"How long the oldest of wechatpay_ledger_pending has waited to be recorded; 0 if nothing waits. Only the leader has it.")

	// LedgerRefused is how many objects can't be recorded because of their content.
	LedgerRefused = gauge("wechatpay_ledger_refused",
		"Orders, Refunds and Shipments that can't be recorded in the ledger for a reason of their own. Orders stay beyond their ttlSecondsAfterFinished. Only the leader has it.")

	// LedgerUnavailable is 1 while the ledger's database accepts no rows.
	LedgerUnavailable = gauge("wechatpay_ledger_unavailable",
		"1 while the ledger's database takes no rows, 0 otherwise. Payments do not wait for it, ttlSecondsAfterFinished does. Only the leader has it.")

	// buildInfo is 1 for the running version.
	buildInfo = gaugeVec("wechatpay_build_info", []string{"version", "go_version"},
		"1, with the operator's version and the version of Go that built it.")
)

// Label values of WritesRefused.
const (
	WriteHold    = "hold"
	WriteRelease = "release"
	WriteStatus  = "status"
	WriteCreate  = "create"
	WriteDelete  = "delete"
)

// Label values of EventDeliveries and EventsGivenUp.
const (
	EventDelivered    = "delivered"
	EventFailed       = "failed"
	EventLostToTime   = "time"
	EventLostDeletion = "deleted"
)

// StartEvents creates the series of a namespace with EventSinks, so that the first increase counts.
func StartEvents(namespace string) {
	for _, result := range []string{EventDelivered, EventFailed} {
		EventDeliveries.WithLabelValues(namespace, result)
	}
	for _, reason := range []string{EventLostToTime, EventLostDeletion} {
		EventsGivenUp.WithLabelValues(namespace, reason)
	}
}

// ForgetEvents removes the series of a namespace that has no EventSinks any more.
func ForgetEvents(namespace string) {
	EventDeliveries.DeletePartialMatch(prometheus.Labels{"namespace": namespace})
	EventsGivenUp.DeletePartialMatch(prometheus.Labels{"namespace": namespace})
}

// ForgetEventSink removes the series of an EventSink.
func ForgetEventSink(namespace, sink string) {
	EventsPending.DeleteLabelValues(namespace, sink)
	OldestEventAge.DeleteLabelValues(namespace, sink)
}

// Label values of OrdersPaid.
const (
	ByCallback = "callback"
	ByQuery    = "query"
)

// Label values of CallbackHealthChecks.
const (
	HealthOK          = "ok"
	HealthUnavailable = "unavailable"
)

func init() {
	metrics.Registry.MustRegister(Requests, RequestDuration, Callbacks, CallbackDuration, CallbackConnectionsEvicted, OrdersPaid,
		AmountMismatches, SecondPayments, PaidLate, FinalizersReleased, GoneDuringCalls, WritesRefused,
		BreakerState, CallsDenied, CallbacksReachable, CallbackChecks, CallbackHealthChecks, RefundsGuarded,
		EventDeliveries, EventsGivenUp, EventsPending, LedgerLag, LedgerPending, LedgerRefused, LedgerUnavailable, OldestEventAge, buildInfo)
	startAtZero()
}

// startAtZero creates all series at startup: Prometheus does not count an increase to 1 of a series
// that did not exist before.
func startAtZero() {
	for _, operation := range []wechatpay.Operation{
		wechatpay.OperationCreateOrder, wechatpay.OperationQueryOrder, wechatpay.OperationCloseOrder,
		wechatpay.OperationCreateRefund, wechatpay.OperationQueryRefund, wechatpay.OperationResolveAbnormalRefund,
		wechatpay.OperationDownloadBill,
	} {
		for _, outcome := range []string{
			"Succeeded", string(wechatpay.NotSent), string(wechatpay.Failed), string(wechatpay.Refused), string(wechatpay.Unknown),
		} {
			Requests.WithLabelValues(string(operation), outcome)
		}
	}
	for _, kind := range []string{"payment", "refund"} {
		for _, result := range []string{"recorded", "repeated", "unmatched", "mismatch", "conflict", "refused", "unproven", "ignored", "failed"} {
			Callbacks.WithLabelValues(kind, result)
		}
	}
	for _, kind := range []string{"Order", "Refund"} {
		GoneDuringCalls.WithLabelValues(kind)
	}
	for _, write := range []string{WriteCreate, WriteDelete} {
		WritesRefused.WithLabelValues("Order", write)
	}
	for _, answer := range []string{HealthOK, HealthUnavailable} {
		CallbackHealthChecks.WithLabelValues(answer)
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

// SetVersion sets the running version.
func SetVersion(version string) { buildInfo.WithLabelValues(version, runtime.Version()).Set(1) }
