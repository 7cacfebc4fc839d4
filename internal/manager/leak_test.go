package manager_test

import (
	"testing"

	"go.uber.org/goleak"

	"github.com/wechatpay-operator/wechatpay-operator/test/framework"
	"github.com/wechatpay-operator/wechatpay-operator/test/framework/controlplane"
)

// env is the control plane shared by all tests of this package.
var env *controlplane.Environment

func TestMain(m *testing.M) { controlplane.Main(m, &env, nil) }

// TestOperatorLeavesNothingBehind starts a whole operator, lets it work, stops it as SIGTERM does,
// and looks for leaked goroutines. It ignores client-go's connections to the API server, which live
// as long as the process.
func TestOperatorLeavesNothingBehind(t *testing.T) {
	work := func(t *testing.T) {
		shop := framework.Open(t, env)
		shop.Create(shop.NewMerchant(), shop.NewSigningKey(shop.Namespace, framework.SigningKey))
		hanging := framework.NewReceiver(t)
		hanging.AnswerWith(framework.Hang)
		shop.Create(shop.NewEventSink("hanging", hanging), shop.NewEventSink("orders", framework.NewReceiver(t)))
		shop.Paid("order-0001")
		shop.Create(shop.NewRefund("refund-0001", "order-0001", 50))
		shop.Approve("refund-0001")
		shop.WaitRefund("refund-0001", "Succeeded=True/Succeeded")
		shop.WaitEventSink("orders", "Delivering=True/Delivering")
		shop.NoViolations()
	}
	t.Run("what every process keeps", work)
	before := goleak.IgnoreCurrent()
	t.Run("operator", work)
	goleak.VerifyNone(t, before,
		goleak.IgnoreAnyFunction("net/http.(*http2clientConnReadLoop).run"),
		goleak.IgnoreAnyFunction("golang.org/x/net/http2.(*clientConnReadLoop).run"),
	)
}
