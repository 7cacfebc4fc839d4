package controllers_test

import (
	"errors"
	"slices"
	"testing"

	"github.com/onsi/gomega"
	eventsv1 "k8s.io/api/events/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/wechatpay-operator/wechatpay-operator/api/v1alpha1"
	"github.com/wechatpay-operator/wechatpay-operator/internal/wechatpay/simulator"
	"github.com/wechatpay-operator/wechatpay-operator/test/framework"
)

// closedOrder opens a Shop with a late-payment policy and a closed Order.
func closedOrder(t *testing.T, policy v1alpha1.LatePayment, options ...framework.Option) (*framework.Shop, *gomega.WithT) {
	t.Helper()
	t.Parallel()
	shop := framework.Open(t, env, options...)
	shop.Create(shop.NewMerchant(func(m *v1alpha1.Merchant) { m.Spec.LatePayment = policy }))
	order := shop.NewOrder("order-0001")
	shop.Create(order)
	shop.WaitOrder("order-0001", "Prepared=True/Prepared")
	shop.Patch(order, wishClosed)
	shop.WaitOrder("order-0001", "Paid=False/Closed")
	return shop, gomega.NewWithT(t)
}

func payLate(shop *framework.Shop, how simulator.PayOptions) {
	shop.T.Helper()
	_, err := shop.WeChat.PayAfterClose(framework.MchID, "order-0001", how)
	shop.Must(err)
}

func TestLatePaymentIsHeldForAPerson(t *testing.T) {
	shop, g := closedOrder(t, v1alpha1.LatePaymentHold)
	payLate(shop, simulator.PayOptions{})
	order := shop.WaitOrder("order-0001", "Paid=True/PaidLate")
	g.Expect(order.Status.Transaction.Total).To(gomega.Equal(int64(101)))
	waitEvent(shop, "order-0001", "PaidLate")
	noRefund(shop, g)
}

func TestLatePaymentIsAccepted(t *testing.T) {
	shop, g := closedOrder(t, v1alpha1.LatePaymentAccept)
	payLate(shop, simulator.PayOptions{})
	shop.WaitOrder("order-0001", "Paid=True/PaidLate")
	// Another Order is paid, so any further step would have run.
	shop.Paid("order-0002")
	noRefund(shop, g)
}

func TestLatePaymentIsRefunded(t *testing.T) {
	shop, g := closedOrder(t, v1alpha1.LatePaymentRefund)
	payLate(shop, simulator.PayOptions{})
	shop.WaitOrder("order-0001", "Paid=True/PaidLate")
	refund := shop.WaitRefund("order-0001-late", "Approved=Unknown/AwaitingApproval")
	g.Expect(refund.Spec.Amount).To(gomega.Equal(int64(101)))
	g.Expect(refund.Spec.Approval).To(gomega.BeEmpty(), "under the Merchant's refundApproval")
	shop.Approve("order-0001-late")
	shop.WaitRefund("order-0001-late", "Succeeded=True/Succeeded")
	shop.Eventually("the Order shows what was refunded", func() error {
		if refunded := shop.Order("order-0001").Status.Refunded; refunded == nil || refunded.Total != 101 {
			return errors.New("not yet")
		}
		return nil
	})
	shop.NoViolations()
}

func TestLatePaymentIsFoundWithoutACallback(t *testing.T) {
	shop, _ := closedOrder(t, v1alpha1.LatePaymentHold, framework.WithTiming(pollOften))
	payLate(shop, simulator.PayOptions{NoCallback: true})
	shop.WaitOrder("order-0001", "Paid=True/PaidLate")
}

func noRefund(shop *framework.Shop, g *gomega.WithT) {
	shop.T.Helper()
	var refunds v1alpha1.RefundList
	shop.Must(shop.Client.List(shop.Context(), &refunds, client.InNamespace(shop.Namespace)))
	g.Expect(refunds.Items).To(gomega.BeEmpty())
}

// waitEvent waits for an event about an object.
func waitEvent(shop *framework.Shop, name, reason string) {
	shop.T.Helper()
	shop.Eventually("an event "+reason+" about "+name, func() error {
		if len(eventsAbout(shop, name, reason)) == 0 {
			return errors.New("there is none")
		}
		return nil
	})
}

// eventsAbout returns the events about an object with one reason.
func eventsAbout(shop *framework.Shop, name, reason string) []eventsv1.Event {
	shop.T.Helper()
	var events eventsv1.EventList
	shop.Must(shop.Client.List(shop.Context(), &events, client.InNamespace(shop.Namespace)))
	return slices.DeleteFunc(events.Items, func(event eventsv1.Event) bool {
		return event.Reason != reason || event.Regarding.Name != name
	})
}
