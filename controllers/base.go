package controllers

import (
	"github.com/go-logr/logr"
	"k8s.io/apimachinery/pkg/runtime"
	kubeevents "k8s.io/client-go/tools/events"
	"k8s.io/utils/clock"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/wechatpay-operator/wechatpay-operator/internal/account"
	"github.com/wechatpay-operator/wechatpay-operator/internal/claims"
	"github.com/wechatpay-operator/wechatpay-operator/internal/events"
)

// Base is shared by the reconcilers; not all of them need each field.
type Base struct {
	// Client reads from the cache and writes to the API server.
	Client client.Client
	// APIReader reads from the API server.
	APIReader client.Reader
	// Registry returns the Accounts.
	Registry *account.Registry
	// Claims decides which object owns a number at WeChat.
	Claims *claims.Claims
	// Callbacks are the results of test callbacks.
	Callbacks *CallbackFindings
	// Guard reports whether approvals can be trusted.
	Guard Guard
	// Events delivers to EventSinks; nil in tests that do not need it.
	Events *events.Dispatcher
	// Ledger records what happened; nil if there is none.
	Ledger Ledger
	// Missed starts queries for objects that a bill lists as paid or accepted, and their status
	// does not.
	Missed *MissedObjects
	// Recorder writes events for decisions and for what needs a person's attention.
	Recorder kubeevents.EventRecorder
	// Log gets one line for each change of state.
	Log logr.Logger
	// Timing holds the intervals.
	Timing Timing
	// Clock is replaced only in tests.
	Clock clock.PassiveClock
	// MaxConcurrentReconciles of each kind, not counting those that wait for WeChat.
	MaxConcurrentReconciles int

	// refusals are the writes that the cluster refuses, and written the recent successful ones.
	refusals *refusals
	written  *ownWrites
}

// warn writes a Warning event. It is not retried: the status holds the same fact.
func (b *Base) warn(regarding runtime.Object, reason, action, format string, args ...any) {
	b.Recorder.Eventf(regarding, nil, "Warning", reason, action, format, args...)
}

func (b *Base) note(regarding runtime.Object, reason, action, format string, args ...any) {
	b.Recorder.Eventf(regarding, nil, "Normal", reason, action, format, args...)
}
