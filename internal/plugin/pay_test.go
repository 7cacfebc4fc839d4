package plugin_test

import (
	"context"
	"strings"
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/wait"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/wechatpay-operator/wechatpay-operator/api/v1alpha1"
	"github.com/wechatpay-operator/wechatpay-operator/internal/plugin"
	"github.com/wechatpay-operator/wechatpay-operator/test/framework"
)

// payer pays as soon as there is a QR code, like a person who sees it.
func payer(shop *framework.Shop, name string) {
	shop.WaitOrder(name, "Prepared=True/Prepared")
	shop.Pay(name)
}

// TestPay makes a test payment with the operator and a simulated WeChat Pay, requests the refund, and another user
// approves it.
func TestPay(t *testing.T) {
	shop := framework.Open(t, env)
	shop.Create(shop.NewMerchant())
	shop.WaitMerchant(framework.MerchantName, "Ready=True/Ready")
	const name = "test-0001"
	done := make(chan result, 1)
	go func() {
		done <- call{user: "shop", input: "y\ny\n"}.run(t, shop.Namespace, "pay", "shop", "--name", name)
	}()
	payer(shop, name)
	r := <-done
	r.expect(t, plugin.ExitDone, "0.01 yuan for Merchant shop", "█", "Paid: 0.01 yuan at ",
		"Refund test-0001-refund was asked for", "kubectl wechatpay approve -n "+shop.Namespace+" test-0001-refund")
	order := shop.WaitOrder(name, "Paid=True/Paid")
	if order.Spec.Amount.Total != 1 || order.Spec.TradeType != v1alpha1.TradeTypeNative {
		t.Errorf("%+v", order.Spec)
	}
	shop.WaitRefund("test-0001-refund", "Approved=Unknown/AwaitingApproval")

	// The same name again uses the existing payment, and creates nothing twice.
	call{user: "shop"}.run(t, shop.Namespace, "pay", "shop", "--name", name, "--yes").expect(t, plugin.ExitDone,
		"Paid: 0.01 yuan", "It was not paid back")
	call{user: "shop"}.run(t, shop.Namespace, "pay", "shop", "--name", name, "--yes", "--fen", "2").expect(t,
		plugin.ExitUnexpected, "is for something else")

	call{user: "approver"}.run(t, shop.Namespace, "approve", "test-0001-refund", "--yes").expect(t, plugin.ExitDone, "0.01 yuan")
	shop.WaitRefund("test-0001-refund", "Succeeded=True/Succeeded")
	call{user: "approver"}.run(t, shop.Namespace, "describe", name).expect(t, plugin.ExitDone, "Succeeded",
		"was paid back, by WeChat Pay's clock")
}

// TestPayForPrograms: stdout has the paid Order, and stderr the QR code. There are no questions, and no Refund is
// created.
func TestPayForPrograms(t *testing.T) {
	shop := framework.Open(t, env)
	shop.Create(shop.NewMerchant())
	shop.WaitMerchant(framework.MerchantName, "Ready=True/Ready")
	done := make(chan result, 1)
	go func() {
		done <- call{user: "shop"}.run(t, shop.Namespace, "pay", "shop", "--name", "test-0001", "--yes", "-o",
			"jsonpath={.status.conditions[?(@.type==\"Paid\")].reason}")
	}()
	payer(shop, "test-0001")
	if r := <-done; r.code != plugin.ExitDone || r.out != "Paid" || !strings.Contains(r.err, "█") {
		t.Error(r)
	}
	var refunds v1alpha1.RefundList
	shop.Must(shop.Client.List(t.Context(), &refunds, client.InNamespace(shop.Namespace)))
	if len(refunds.Items) > 0 {
		t.Errorf("%d Refunds that nobody asked for", len(refunds.Items))
	}
}

// TestPayLeavesNothingOpen: an Order that is not paid in time is closed, and a Refund that the user does not want is
// not created.
func TestPayLeavesNothingOpen(t *testing.T) {
	ns := namespaceFor(t, "pay-closes")
	call{user: "shop", input: "n\n"}.run(t, ns, "pay", "shop", "--name", "test-0001").expect(t, plugin.ExitDeclined,
		"Nothing was changed")
	var order v1alpha1.Order
	if err := env.Client.Get(t.Context(), client.ObjectKey{Namespace: ns, Name: "test-0001"},
		&order); client.IgnoreNotFound(err) != nil || err == nil {
		t.Errorf("it was created: %v", err)
	}
	call{user: "shop"}.run(t, ns, "pay", "other/shop", "--name", "test-0001", "--yes", "--timeout", "200ms").expect(t,
		plugin.ExitTimeout, "Not paid within 200ms", "closes the Order now")
	must(t, env.Client.Get(t.Context(), client.ObjectKey{Namespace: ns, Name: "test-0001"}, &order))
	if order.Spec.DesiredState != v1alpha1.DesiredStateClosed || order.Spec.MerchantRef.Namespace != "other" {
		t.Errorf("%+v", order.Spec)
	}
	order.Status.Conditions = []metav1.Condition{at("Prepared", "False", "Closed", ""), at("Paid", "False", "Closed",
		"closed at WeChat Pay")}
	must(t, env.Client.Status().Update(t.Context(), &order))
	call{user: "shop"}.run(t, ns, "pay", "other/shop", "--name", "test-0001", "--yes").expect(t, plugin.ExitUnexpected,
		"has ended without a payment: Closed. closed at WeChat Pay")
	call{user: "viewer"}.run(t, ns, "pay", "shop", "--yes").expect(t, plugin.ExitNotPermitted,
		"You lack the right to create orders.wechatpay-operator.io", "wechatpay-operator-shop")
	r := call{user: "viewer", now: time.Date(2026, 11, 21, 8, 0, 1, 0, time.UTC)}.run(t, ns, "pay", "shop")
	r.expect(t, plugin.ExitDeclined, "Order test-20261121-080001-")
}

// TestInterruptedPay says that the Order is still open, and how to close it.
func TestInterruptedPay(t *testing.T) {
	ns := namespaceFor(t, "pay-interrupted")
	ctx, interrupt := context.WithCancel(t.Context())
	done := make(chan result, 1)
	go func() {
		done <- call{user: "shop"}.runUntil(ctx, strings.NewReader(""), ns, "pay", "shop", "--name", "test-0001", "--yes")
	}()
	var order v1alpha1.Order
	must(t, wait.PollUntilContextTimeout(t.Context(), 20*time.Millisecond, framework.Patience, true,
		func(ctx context.Context) (bool, error) {
			err := env.Client.Get(ctx, client.ObjectKey{Namespace: ns, Name: "test-0001"}, &order)
			return err == nil, client.IgnoreNotFound(err)
		}))
	interrupt()
	r := <-done
	r.expect(t, plugin.ExitFailure, "Interrupted.", "kubectl -n pay-interrupted patch wxo test-0001")
}
