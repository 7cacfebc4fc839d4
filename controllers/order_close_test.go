package controllers_test

import (
	"testing"
	"time"

	"github.com/onsi/gomega"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/wechatpay-operator/wechatpay-operator/api/v1alpha1"
	"github.com/wechatpay-operator/wechatpay-operator/internal/wechatpay/simulator"
	"github.com/wechatpay-operator/wechatpay-operator/test/framework"
)

const wishClosed = `{"spec":{"desiredState":"Closed"}}`

// expiresIn makes an Order that expires soon. Only an absolute time can be that short.
func expiresIn(d time.Duration) func(*v1alpha1.Order) {
	return func(o *v1alpha1.Order) {
		o.Spec.ExpireTime = &metav1.Time{Time: time.Now().Add(d)}
	}
}

func TestOrderIsClosedByRequest(t *testing.T) {
	shop, g := openReady(t)
	order := shop.NewOrder("order-0001")
	shop.Create(order)
	shop.WaitOrder("order-0001", "Prepared=True/Prepared")
	shop.Patch(order, wishClosed)
	shop.WaitOrder("order-0001", "Prepared=False/Closed")
	shop.WaitOrder("order-0001", "Paid=False/Closed")
	ledger := shop.WeChat.Ledger()
	g.Expect(ledger.Order(framework.MchID, "order-0001").State).To(gomega.Equal(simulator.StateClosed))
	g.Expect(callsOf(ledger, "order-0001")).To(gomega.Equal([]simulator.Operation{
		simulator.OperationUnifiedOrder, simulator.OperationOrderQuery, simulator.OperationCloseOrder, simulator.OperationOrderQuery,
	}), "the race with the payer is settled by query, close, query")
}

func callsOf(ledger simulator.Ledger, number string) []simulator.Operation {
	var operations []simulator.Operation
	for _, call := range ledger.Calls {
		if call.Number == number {
			operations = append(operations, call.Operation)
		}
	}
	return operations
}

func TestOrderClosedBeforeItWasEverSent(t *testing.T) {
	shop, g := openReady(t)
	shop.Create(shop.NewOrder("order-0001", func(o *v1alpha1.Order) { o.Spec.DesiredState = v1alpha1.DesiredStateClosed }))
	shop.WaitOrder("order-0001", "Paid=False/Closed")
	g.Expect(shop.WeChat.Ledger().Orders).To(gomega.BeEmpty())
}

func TestPaymentDuringTheClose(t *testing.T) {
	shop, g := openReady(t)
	order := shop.NewOrder("order-0001")
	shop.Create(order)
	shop.WaitOrder("order-0001", "Prepared=True/Prepared")
	// The close call is delayed after the query returned NOTPAY; meanwhile the payer pays.
	shop.Fault(simulator.Fault{Operation: simulator.OperationCloseOrder, Kind: simulator.FaultDelay, DelayMillis: 1000, Count: 1})
	shop.Patch(order, wishClosed)
	shop.Eventually("the first query was made", func() error { return atLeast(shop, simulator.OperationOrderQuery, "order-0001", 1) })
	shop.Pay("order-0001", simulator.PayOptions{NoCallback: true})
	shop.WaitOrder("order-0001", "Paid=True/Paid")
	g.Expect(shop.WeChat.Ledger().Order(framework.MchID, "order-0001").State).To(gomega.Equal(simulator.StateSuccess))
}

func TestRefusedEarlyCloseIsRetried(t *testing.T) {
	shop, g := openReady(t, framework.WithWeChat(func(o *simulator.Options) {
		o.Rules.RefuseEarlyClose, o.Rules.EarlyCloseWindow = true, 3*time.Second
	}))
	order := shop.NewOrder("order-0001")
	shop.Create(order)
	shop.WaitOrder("order-0001", "Prepared=True/Prepared")
	shop.Patch(order, wishClosed)
	closing := shop.WaitOrder("order-0001", "Paid=Unknown/Closing")
	g.Expect(closing.Status.Conditions).To(gomega.ContainElement(gomega.HaveField("Message", gomega.ContainSubstring("tries again"))))
	shop.WaitOrder("order-0001", "Paid=False/Closed")
}

func TestOrderExpires(t *testing.T) {
	shop, g := openReady(t)
	shop.Create(shop.NewOrder("order-0001", expiresIn(5*time.Second)))
	shop.WaitOrder("order-0001", "Prepared=True/Prepared")
	shop.WaitOrder("order-0001", "Paid=False/Expired")
	shop.WaitOrder("order-0001", "Prepared=False/Expired")
	g.Expect(shop.WeChat.Ledger().Order(framework.MchID, "order-0001").State).To(gomega.Equal(simulator.StateClosed))
}

func TestExpiryIsRetriedWhileWeChatFails(t *testing.T) {
	shop, g := openReady(t)
	shop.Fault(simulator.Fault{Operation: simulator.OperationCloseOrder, Kind: simulator.FaultSystemError, Count: 4})
	shop.Fault(simulator.Fault{Operation: simulator.OperationOrderQuery, Number: "order-0001", Kind: simulator.FaultHTML, Count: 4})
	shop.Create(shop.NewOrder("order-0001", expiresIn(4*time.Second)))
	shop.WaitOrder("order-0001", "Paid=Unknown/Closing")
	shop.WaitOrder("order-0001", "Paid=False/Expired")
	g.Expect(shop.WeChat.Ledger().Order(framework.MchID, "order-0001").State).To(gomega.Equal(simulator.StateClosed))
}

func TestOrderThatComesTooLateIsNeverMade(t *testing.T) {
	shop, g := openReady(t)
	shop.Create(shop.NewOrder("order-0001", expiresIn(time.Second)))
	shop.WaitOrder("order-0001", "Paid=False/Expired")
	ledger := shop.WeChat.Ledger()
	g.Expect(ledger.CallsOf(simulator.OperationUnifiedOrder, "order-0001")).To(gomega.BeEmpty())
	g.Expect(ledger.CallsOf(simulator.OperationOrderQuery, "order-0001")).NotTo(gomega.BeEmpty(), "it is asked for first: it may be paid already")
}

func TestOnlyAnAbsoluteTimeIsSentToWeChat(t *testing.T) {
	shop, g := openReady(t)
	shop.Create(shop.NewOrder("order-0001"), shop.NewOrder("order-0002", expiresIn(time.Hour)))
	shop.WaitOrder("order-0001", "Prepared=True/Prepared")
	shop.WaitOrder("order-0002", "Prepared=True/Prepared")
	ledger := shop.WeChat.Ledger()
	g.Expect(ledger.Order(framework.MchID, "order-0001").Params).NotTo(gomega.HaveKey("time_expire"), "no clock in a money call")
	format := "20060102150405"
	if shop.Protocol == v1alpha1.ProtocolV3 {
		format = time.RFC3339
	}
	want := shop.Order("order-0002").Spec.ExpireTime.In(time.FixedZone("", 8*3600)).Format(format)
	g.Expect(ledger.Order(framework.MchID, "order-0002").Params).To(gomega.HaveKeyWithValue("time_expire", want))
}

func TestOrderThatWeChatClosedByItself(t *testing.T) {
	shop, _ := openReady(t, framework.WithTiming(pollOften), framework.WithWeChat(func(o *simulator.Options) { o.Rules.OrderLife = 2 * time.Second }))
	shop.Create(shop.NewOrder("order-0001"))
	shop.WaitOrder("order-0001", "Paid=False/Closed")
}
