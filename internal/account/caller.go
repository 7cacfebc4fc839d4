package account

import "context"

// Workers are those that wait for an answer of WeChat's. Each kind has places of its own, so that none waits for another.
type Workers string

// The kinds of workers.
const (
	OrderWorkers    Workers = "orders"
	RefundWorkers   Workers = "refunds"
	MerchantWorkers Workers = "merchants"
	CallbackWorkers Workers = "callbacks"
)

// Caller says for whom a call is made: places, and turns at a limit, are shared by namespace.
type Caller struct {
	// Namespace of the object that the call is for. It need not be its Merchant's.
	Namespace string
	// Workers is the kind of worker that waits.
	Workers Workers
	// Waiting is called when the waiting for WeChat begins, and what it returns when that is over; nil when nobody wants to know.
	Waiting func() (over func())
}

type callerKey struct{}

// WithCaller has the calls under a context made for somebody.
func WithCaller(ctx context.Context, caller Caller) context.Context {
	return context.WithValue(ctx, callerKey{}, caller)
}

// callerOf is who makes a call. What no reconciler makes comes of a callback, which is for the Merchant in its path.
func callerOf(ctx context.Context, merchantNamespace string) Caller {
	if caller, ok := ctx.Value(callerKey{}).(Caller); ok {
		return caller
	}
	return Caller{Namespace: merchantNamespace, Workers: CallbackWorkers}
}

// CallerWaits notes that the caller begins to wait for WeChat, and returns what ends that.
func CallerWaits(ctx context.Context) (over func()) {
	caller, _ := ctx.Value(callerKey{}).(Caller)
	if caller.Waiting == nil {
		return func() {}
	}
	return caller.Waiting()
}
