package account

import "context"

// Workers is a kind of worker that waits for WeChat. Each kind has its own concurrency limit, so
// that none waits for another.
type Workers string

// The kinds of workers.
const (
	OrderWorkers    Workers = "orders"
	RefundWorkers   Workers = "refunds"
	MerchantWorkers Workers = "merchants"
	CallbackWorkers Workers = "callbacks"
)

// Caller identifies for whom a call is made. Concurrency and rate limits are shared fairly between
// namespaces.
type Caller struct {
	// Namespace of the object that the call is for. It can differ from the Merchant's.
	Namespace string
	// Workers is the kind of worker that waits.
	Workers Workers
	// Waiting is called when the caller starts to wait for WeChat; the function it returns is
	// called when the wait ends. It may be nil.
	Waiting func() (over func())
}

type callerKey struct{}

// WithCaller returns a context whose calls are made for the given caller.
func WithCaller(ctx context.Context, caller Caller) context.Context {
	return context.WithValue(ctx, callerKey{}, caller)
}

// callerOf returns for whom a call is made. Reconcilers set it; without it the call is made by a
// callback for the Merchant in its path.
func callerOf(ctx context.Context, merchantNamespace string) Caller {
	if caller, ok := ctx.Value(callerKey{}).(Caller); ok {
		return caller
	}
	return Caller{Namespace: merchantNamespace, Workers: CallbackWorkers}
}

// CallerWaits records that the caller starts to wait for WeChat, and returns a function that ends
// the wait.
func CallerWaits(ctx context.Context) (over func()) {
	caller, _ := ctx.Value(callerKey{}).(Caller)
	if caller.Waiting == nil {
		return func() {}
	}
	return caller.Waiting()
}
