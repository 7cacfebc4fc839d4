package webhookserver

import (
	"net/http"
	"time"

	"github.com/wechatpay-operator/wechatpay-operator/internal/metrics"
	"github.com/wechatpay-operator/wechatpay-operator/internal/wechatpay"
)

// result is the result of handling a callback.
type result struct {
	// label is the metric's label value.
	label string
	// confirm reports that WeChat need not repeat the callback: its fact is stored, or there is
	// nothing to store. Only then is the callback confirmed.
	confirm bool
	status  int
	// reason is sent to the caller. It is a constant, never part of the callback or of an error.
	reason string
	// probe reports that it was a probe of the operator, and answer is the answer to it.
	probe  bool
	answer []byte
}

// recorded: this callback stored the fact.
func recorded() result { return result{label: "recorded", confirm: true, status: http.StatusOK} }

// repeated: the same fact was stored before.
func repeated() result { return result{label: "repeated", confirm: true, status: http.StatusOK} }

// ignored: a genuine callback about something that is not this operator's. WeChat need not repeat
// it.
func ignored() result { return result{label: "ignored", confirm: true, status: http.StatusOK} }

// refused: the callback can't be trusted. Nothing changed.
func refused(status int, reason string) result {
	return result{label: "refused", status: status, reason: reason}
}

// unmatched: a verified callback for an unknown number. WeChat repeats it while a person
// investigates.
func unmatched() result {
	return result{label: "unmatched", status: http.StatusNotFound, reason: "no such number"}
}

// disputed: a genuine callback that contradicts its Order or Refund.
func disputed(label string) result {
	return result{label: label, status: http.StatusConflict, reason: "differs from what is stored"}
}

// failed: the callback may be valid, but could not be handled now. WeChat repeats it.
func failed(reason string) result {
	return result{label: "failed", status: http.StatusServiceUnavailable, reason: reason}
}

func (r result) write(w http.ResponseWriter, protocol wechatpay.Protocol) {
	if r.answer != nil {
		w.Header().Set("Content-Type", "text/xml; charset=utf-8")
		w.WriteHeader(r.status)
		_, _ = w.Write(r.answer)
		return
	}
	protocol.Reply(w, wechatpay.Reply{Confirm: r.confirm, Status: r.status, Reason: r.reason})
}

// count updates the metrics. Probes have their own, so that they are not counted as callbacks of
// WeChat.
func (r result) count(kind string, took time.Duration) {
	if r.probe {
		metrics.CallbackChecks.WithLabelValues(r.label).Inc()
		return
	}
	metrics.Callbacks.WithLabelValues(kind, r.label).Inc()
	metrics.CallbackDuration.WithLabelValues(kind, r.label).Observe(took.Seconds())
}
