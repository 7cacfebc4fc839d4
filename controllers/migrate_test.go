package controllers_test

import (
	"testing"
	"time"

	"github.com/onsi/gomega"

	"github.com/wechatpay-operator/wechatpay-operator/api/v1alpha1"
	"github.com/wechatpay-operator/wechatpay-operator/controllers"
	"github.com/wechatpay-operator/wechatpay-operator/internal/wechatpay/simulator"
	"github.com/wechatpay-operator/wechatpay-operator/test/framework"
)

// openBoth opens a Shop whose Merchant has the credentials of both protocols and speaks one of them.
func openBoth(t *testing.T, protocol v1alpha1.Protocol, options ...framework.Option) (*framework.Shop, *gomega.WithT) {
	t.Helper()
	t.Parallel()
	shop := framework.Open(t, env, append(options, framework.Speaking(v1alpha1.ProtocolV2))...)
	merchant := shop.NewMerchant()
	shop.Speak(merchant, v1alpha1.ProtocolV3)
	merchant.Spec.Protocol = protocol
	shop.Create(merchant)
	shop.WaitMerchant(framework.MerchantName, "Ready=True/Ready")
	return shop, gomega.NewWithT(t)
}

// changeProtocol changes the Merchant and waits until WeChat has accepted the other credentials.
func changeProtocol(shop *framework.Shop, protocol v1alpha1.Protocol) {
	shop.T.Helper()
	shop.ChangeMerchant(`{"spec":{"protocol":"` + string(protocol) + `"}}`)
	shop.Eventually("WeChat accepts the credentials of "+string(protocol), func() error {
		merchant := shop.WaitMerchant(framework.MerchantName, "Ready=True/Ready")
		ready := merchant.Status.Conditions[0]
		if ready.ObservedGeneration != merchant.Generation {
			return errNotYet
		}
		return nil
	})
}

// TestMerchantChangesItsProtocol walks docs/migrate-to-v3.md, and back: open Orders can be paid,
// paid ones stay so, and refunds go out in the protocol of the day. Nothing is paid or refunded
// twice.
func TestMerchantChangesItsProtocol(t *testing.T) {
	for _, direction := range []struct{ from, to v1alpha1.Protocol }{
		{v1alpha1.ProtocolV2, v1alpha1.ProtocolV3},
		{v1alpha1.ProtocolV3, v1alpha1.ProtocolV2},
	} {
		t.Run(string(direction.from)+" to "+string(direction.to), func(t *testing.T) {
			shop, g := openBoth(t, direction.from, framework.WithTiming(pollOften))
			g.Expect(shop.Paid("paid-0001").Status.Prepay.Protocol).To(gomega.Equal(direction.from))
			shop.Create(shop.NewOrder("open-0001"), shop.NewOrder("unseen-0001"), shop.NewOrder("closed-0001"))
			shop.Create(shop.NewRefund("under-way-0001", "paid-0001", 1))
			for _, name := range []string{"open-0001", "unseen-0001", "closed-0001"} {
				shop.WaitOrder(name, "Prepared=True/Prepared")
			}
			shop.WaitRefund("under-way-0001", "Approved=Unknown/AwaitingApproval")

			changeProtocol(shop, direction.to)

			// An open Order keeps what its payer was given, and is paid by the callback of its own
			// protocol.
			shop.Pay("open-0001")
			shop.WaitOrder("open-0001", "Paid=True/Paid")
			// A payment whose callback is lost is found by the protocol of the day.
			shop.Fault(simulator.Fault{Operation: simulator.OperationPaymentCallback, Kind: simulator.FaultLose})
			shop.Pay("unseen-0001")
			shop.WaitOrder("unseen-0001", "Paid=True/Paid")
			shop.WeChat.ClearFaults()
			// The payer gets a new prepay in the protocol in which the order was made.
			shop.Patch(shop.Order("closed-0001"), `{"metadata":{"annotations":{"`+v1alpha1.AnnotationRefreshPrepay+`":"again"}}}`)
			shop.Eventually("the prepay is fresh", func() error {
				prepay := shop.Order("closed-0001").Status.Prepay
				if prepay.RefreshRequest != "again" {
					return errNotYet
				}
				g.Expect(prepay.Protocol).To(gomega.Equal(direction.from))
				return nil
			})
			shop.Patch(shop.Order("closed-0001"), `{"spec":{"desiredState":"Closed"}}`)
			shop.WaitOrder("closed-0001", "Paid=False/Closed")

			shop.Approve("under-way-0001")
			shop.WaitRefund("under-way-0001", "Succeeded=True/Succeeded")
			shop.Create(shop.NewRefund("late-0001", "open-0001", 101))
			shop.Approve("late-0001")
			shop.WaitRefund("late-0001", "Succeeded=True/Succeeded")
			g.Expect(shop.Paid("new-0001").Status.Prepay.Protocol).To(gomega.Equal(direction.to))

			for _, refund := range shop.WeChat.Ledger().Refunds {
				g.Expect(refund.Payouts).To(gomega.Equal(1), refund.OutRefundNo)
			}
			shop.NoViolations()
		})
	}
}

// TestLostFirstCallIsFinishedInItsProtocol: the answer to the first call is lost, and the Merchant's
// protocol changed before the repetition. WeChat has the order with the parameters of the other one.
func TestLostFirstCallIsFinishedInItsProtocol(t *testing.T) {
	shop, g := openBoth(t, v1alpha1.ProtocolV2)
	shop.Fault(simulator.Fault{Operation: simulator.OperationUnifiedOrder, Kind: simulator.FaultDrop, AfterEffect: true})
	shop.Create(shop.NewOrder("order-0001"))
	shop.WaitOrder("order-0001", "Prepared=Unknown/OutcomeUnknown")
	shop.ChangeMerchant(`{"spec":{"protocol":"V3"}}`)
	shop.WeChat.ClearFaults()
	order := shop.WaitOrder("order-0001", "Prepared=True/Prepared")
	g.Expect(order.Status.Prepay.Protocol).To(gomega.Equal(v1alpha1.ProtocolV2))
	shop.Pay("order-0001")
	shop.WaitOrder("order-0001", "Paid=True/Paid")
}

// TestOrderSaysWhatItsProtocolLacks: the credentials of the protocol in which an order was made are
// gone, and its payer needs a new prepay.
func TestOrderSaysWhatItsProtocolLacks(t *testing.T) {
	shop, g := openBoth(t, v1alpha1.ProtocolV2, framework.WithTiming(func(timing *controllers.Timing) {
		pollOften(timing)
		timing.PrepayLifetime = time.Second
	}))
	shop.Create(shop.NewOrder("order-0001"))
	shop.WaitOrder("order-0001", "Prepared=True/Prepared")
	shop.ChangeMerchant(`{"spec":{"protocol":"V3","apiKeySecretRef":null}}`)
	shop.Eventually("the Order says what is missing", func() error {
		return contains(shop.Order("order-0001").Status.Conditions[0].Message, "no credentials for protocol V2")
	})
	// It is still queried, and paid by the protocol of the day.
	shop.Pay("order-0001")
	g.Expect(shop.Order("order-0001").Status.Prepay.Protocol).To(gomega.Equal(v1alpha1.ProtocolV2))
	shop.ChangeMerchant(`{"spec":{"apiKeySecretRef":{"name":"wechatpay"}}}`)
	shop.WaitOrder("order-0001", "Paid=True/Paid")
}
