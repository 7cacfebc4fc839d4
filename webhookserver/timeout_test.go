package webhookserver_test

import (
	"context"
	"net/http"
	"testing"
	"time"

	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/client/interceptor"

	"github.com/wechatpay-operator/wechatpay-operator/api/v1alpha1"
	"github.com/wechatpay-operator/wechatpay-operator/internal/account"
	"github.com/wechatpay-operator/wechatpay-operator/internal/hosts"
	"github.com/wechatpay-operator/wechatpay-operator/internal/wechatpay/simulator"
	"github.com/wechatpay-operator/wechatpay-operator/test/framework"
)

// hangingReader blocks until its context ends.
type hangingReader struct{ client.Reader }

func (hangingReader) List(ctx context.Context, _ client.ObjectList, _ ...client.ListOption) error {
	<-ctx.Done()
	return ctx.Err()
}

func (hangingReader) Get(ctx context.Context, _ client.ObjectKey, _ client.Object, _ ...client.GetOption) error {
	<-ctx.Done()
	return ctx.Err()
}

// TestAnswersInTimeDuringOutages: WeChat waits five seconds (chapter 9_7), even if the API
// server or the refund query of WeChat does not answer.
func TestAnswersInTimeDuringOutages(t *testing.T) {
	t.Parallel()
	d := openFixture(t)
	order := d.prepared("order-0001")
	refund, _ := d.refunding("order-0002", "refund-0002", "")
	d.Fault(simulator.Fault{Operation: simulator.OperationRefundQuery, Kind: simulator.FaultHang})
	hang := func(ctx context.Context) error {
		<-ctx.Done()
		return ctx.Err()
	}
	writes := d.callbackServer(interceptor.Funcs{SubResourceUpdate: func(ctx context.Context, _ client.Client, _ string, _ client.Object, _ ...client.SubResourceUpdateOption) error {
		return hang(ctx)
	}})
	lists := d.callbackServer(emptyCache)
	lists.handler.APIReader = hangingReader{}
	conflicts := d.callbackServer(failingWrites(func() (error, bool) { return conflict(), false }))
	conflicts.handler.APIReader = hangingReader{}
	secrets := d.callbackServer()
	secrets.handler.Registry = account.NewRegistry(hangingReader{}, account.Options{NotifyBaseURL: "https://pay.example.com", EndpointHosts: hosts.MustParse(framework.WeChatHost)})

	payment := paymentOf(order).good()
	type outcome struct {
		name string
		took time.Duration
		got  answer
	}
	outcomes := make(chan outcome)
	calls := map[string]func() answer{
		"write":            func() answer { return writes.pay(payment) },
		"list":             func() answer { return lists.pay(payment) },
		"read after":       func() answer { return conflicts.pay(payment) },
		"Secrets":          func() answer { return secrets.pay(payment) },
		"Secrets, refunds": func() answer { return secrets.refund(refundOf(refund, order, "SUCCESS").refunded()) },
		"refundquery": func() answer {
			return d.callbackServer().refund(d.refundBody(refund, "CHANGE"))
		},
	}
	for name, call := range calls {
		go func() {
			started := time.Now()
			got := call()
			outcomes <- outcome{name, time.Since(started), got}
		}()
	}
	for range calls {
		o := <-outcomes
		if o.took >= 5*time.Second {
			t.Errorf("%s: answered after %s", o.name, o.took)
		}
		expectFail(t, o.got, http.StatusServiceUnavailable)
	}
	d.expectPaid(order, "Unknown/AwaitingPayment")
	if now := d.Refund(refund.Name); stateOf(now.Status.Conditions, v1alpha1.ConditionSucceeded) == "True/Succeeded" {
		t.Error("the refund is believed")
	}
}
