package controllers_test

import (
	"fmt"
	"maps"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"k8s.io/client-go/rest"

	"github.com/wechatpay-operator/wechatpay-operator/api/v1alpha1"
	"github.com/wechatpay-operator/wechatpay-operator/controllers"
	"github.com/wechatpay-operator/wechatpay-operator/internal/wechatpay/simulator"
	"github.com/wechatpay-operator/wechatpay-operator/test/framework"
)

// writesByKind counts the successful writes of an operator, by verb and the URL's part after the
// kind.
type writesByKind struct {
	mutex  sync.Mutex
	counts map[string]int
}

// of returns a configuration whose writes are counted.
func (w *writesByKind) of(config *rest.Config) *rest.Config {
	counted := rest.CopyConfig(config)
	counted.Wrap(func(next http.RoundTripper) http.RoundTripper {
		return roundTripper(func(request *http.Request) (*http.Response, error) {
			response, err := next.RoundTrip(request)
			if err == nil && request.Method != http.MethodGet && response.StatusCode < 300 {
				w.count(request)
			}
			return response, err
		})
	})
	return counted
}

func (w *writesByKind) count(request *http.Request) {
	w.mutex.Lock()
	defer w.mutex.Unlock()
	_, path, _ := strings.Cut(request.URL.Path, "/namespaces/")
	parts := strings.Split(path, "/") // namespace, kind, name, subresource
	if len(parts) < 2 || parts[1] == "merchants" {
		return // written periodically, independent of Orders
	}
	resource := parts[1]
	if len(parts) > 3 {
		resource += "/" + parts[3]
	}
	w.counts[request.Method+" "+resource]++
}

func (w *writesByKind) all() map[string]int {
	w.mutex.Lock()
	defer w.mutex.Unlock()
	return maps.Clone(w.counts)
}

type roundTripper func(*http.Request) (*http.Response, error)

// RoundTrip calls the function.
func (f roundTripper) RoundTrip(request *http.Request) (*http.Response, error) { return f(request) }

// TestNumberOfWrites: the API server is the bottleneck, so each additional write reduces the
// capacity.
func TestNumberOfWrites(t *testing.T) {
	t.Parallel()
	counted := &writesByKind{counts: map[string]int{}}
	// A new leader keeps the distance to what its predecessor may have sent.
	noDistance := framework.WithTiming(func(timing *controllers.Timing) { timing.RefundSpacing = time.Millisecond })
	shop := framework.Open(t, env, framework.WithoutOperator(), noDistance, framework.WithWeChat(func(o *simulator.Options) {
		o.Rules.RefundDelay = time.Second // so that it is recorded as accepted first
	}))
	shop.StartOperatorAs(counted.of(shop.OperatorConfig()))
	shop.Create(shop.NewMerchant(automatic))
	shop.WaitMerchant(framework.MerchantName, "Ready=True/Ready")

	// A write is stored a moment before it is counted. An excess write shows in the next sum at the
	// latest.
	expect := func(what string, want map[string]int) {
		t.Helper()
		shop.Eventually(what, func() error {
			if diff := cmp.Diff(want, counted.all()); diff != "" {
				return fmt.Errorf("the operator wrote (-want +got):\n%s", diff)
			}
			return nil
		})
	}
	shop.Paid("order-0001", func(o *v1alpha1.Order) { o.Finalizers = []string{v1alpha1.Finalizer} })
	expect("a paid Order that came with the finalizer", map[string]int{"PUT orders/status": 2})
	shop.Paid("order-0002")
	expect("another that did not", map[string]int{"PATCH orders": 1, "PUT orders/status": 4})
	for _, number := range []string{"order-0001", "order-0002"} {
		ledger := shop.WeChat.Ledger()
		if made, asked := len(ledger.CallsOf(simulator.OperationUnifiedOrder, number)), len(ledger.CallsOf(simulator.OperationOrderQuery, number)); made != 1 || asked != 0 {
			t.Errorf("%s cost %d unifiedorder and %d orderquery", number, made, asked)
		}
	}

	// A Refund of the Order that was paid first: the cache has that by now, so the Refund need not
	// show that it waits.
	shop.Create(shop.NewRefund("refund-0001", "order-0001", 101))
	shop.WaitRefund("refund-0001", "Succeeded=True/Succeeded")
	// The event says that no approval was needed.
	expect("a Refund of one", map[string]int{"PATCH orders": 1, "PUT orders/status": 5, "PATCH refunds": 1, "PUT refunds/status": 2, "POST events": 1})
}
