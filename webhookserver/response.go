package webhookserver

import (
	"net/http"

	"github.com/wechatpay-operator/wechatpay-operator/internal/wechatpay"
)

// result is what became of a callback.
type result struct {
	// label is the metric's.
	label string
	// stored says that the fact is durable, the one thing that SUCCESS is answered for.
	stored bool
	status int
	// reason is told to the caller. It is a constant, never anything of the callback or of an error.
	reason string
	// probe says that it was one of the operator's own, and answer what it is answered.
	probe  bool
	answer []byte
}

// recorded: the fact was stored by this callback.
func recorded() result { return result{label: "recorded", stored: true, status: http.StatusOK} }

// repeated: the same fact was stored before.
func repeated() result { return result{label: "repeated", stored: true, status: http.StatusOK} }

// refused: the callback is not one that can be believed. Nothing changed.
func refused(status int, reason string) result {
	return result{label: "refused", status: status, reason: reason}
}

// unmatched: a verified callback for a number that nobody has. WeChat goes on asking, while somebody looks.
func unmatched() result {
	return result{label: "unmatched", status: http.StatusNotFound, reason: "no such number"}
}

// disputed: a true callback that contradicts its Order or Refund.
func disputed(label string) result {
	return result{label: label, status: http.StatusConflict, reason: "differs from what is stored"}
}

// failed: the callback may be good, but could not be settled now. WeChat repeats it.
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
	protocol.Reply(w, wechatpay.Reply{Stored: r.stored, Status: r.status, Reason: r.reason})
}
