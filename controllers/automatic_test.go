package controllers_test

import (
	"strings"
	"testing"

	"github.com/onsi/gomega"

	"github.com/wechatpay-operator/wechatpay-operator/api/v1alpha1"
	"github.com/wechatpay-operator/wechatpay-operator/internal/wechatpay/simulator"
	"github.com/wechatpay-operator/wechatpay-operator/test/framework"
)

// TestRefundStaysManualWhenTheMerchantTurnsAutomatic: a Refund that was awaiting approval when the
// policy changed still needs one. Later Refunds are automatic, with an event each.
func TestRefundStaysManualWhenTheMerchantTurnsAutomatic(t *testing.T) {
	shop, g := paidShop(t)
	shop.Create(shop.NewRefund("asked-before", "order-0001", 20))
	shop.WaitRefund("asked-before", "Approved=Unknown/AwaitingApproval")
	shop.ChangeMerchant(`{"spec":{"refundApproval":"Automatic"}}`)

	shop.Create(shop.NewRefund("asked-after", "order-0001", 30))
	shop.WaitRefund("asked-after", "Approved=True/Automatic")
	shop.WaitRefund("asked-after", "Succeeded=True/Succeeded")
	shop.WaitRefund("asked-before", "Approved=Unknown/AwaitingApproval")
	g.Expect(shop.WeChat.Ledger().CallsOf(simulator.OperationRefund, "asked-before")).To(gomega.BeEmpty())

	shop.Eventually("an event tells of the automatic one", func() error {
		events := eventsAbout(shop, "asked-after", v1alpha1.ReasonAutomatic)
		if len(events) == 0 {
			return contains("", "an event")
		}
		return contains(events[0].Note, "Refund of 30 (minor units) of Order order-0001 is sent without an approval: Merchant "+shop.Namespace+"/"+framework.MerchantName)
	})
	if events := eventsAbout(shop, "asked-after", v1alpha1.ReasonAutomatic); len(events) != 1 || events[0].Type != "Normal" || strings.Contains(events[0].Note, "%!") {
		t.Errorf("%+v", events)
	}
	shop.Approve("asked-before")
	shop.WaitRefund("asked-before", "Succeeded=True/Succeeded")
	shop.NoViolations()
}
