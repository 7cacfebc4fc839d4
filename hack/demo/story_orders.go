package main

import (
	"context"
	"fmt"
	"strings"

	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/wechatpay-operator/wechatpay-operator/api/v1alpha1"
	"github.com/wechatpay-operator/wechatpay-operator/internal/plugin/qrcode"
	"github.com/wechatpay-operator/wechatpay-operator/internal/wechatpay/simulator"
)

// The Orders of config/samples.
const (
	jsapiOrder  = "order-20261121-0001"
	nativeOrder = "order-20261121-0002"
	appOrder    = "order-20261121-0003"
	mwebOrder   = "order-20261121-0004"
)

// showJSAPIOrder shows the usual path: applied, prepared, paid.
func (d *demo) showJSAPIOrder(ctx context.Context) error {
	if err := d.applyOrder(ctx, "config/samples/order-jsapi.yaml", jsapiOrder); err != nil {
		return err
	}
	d.console.say("What the shop's mini program passes to wx.requestPayment:")
	if err := d.kubectl(ctx, shop, "get", "wxo", jsapiOrder, "-o", "jsonpath={.status.prepay.jsapi}"); err != nil {
		return err
	}
	order, err := d.order(ctx, jsapiOrder)
	if err != nil {
		return err
	}
	if order.Status.Prepay == nil || order.Status.Prepay.JSAPI == nil {
		return &mismatch{what: "status.prepay.jsapi", expected: "set", got: "absent"}
	}
	if err := expect("status.prepay.jsapi.package", order.Status.Prepay.JSAPI.Package, "prepay_id="+order.Status.Prepay.ID); err != nil {
		return err
	}
	return d.pay(ctx, order)
}

// showNativeOrder is paid by scanning a code.
func (d *demo) showNativeOrder(ctx context.Context) error {
	if err := d.applyOrder(ctx, "config/samples/order-native.yaml", nativeOrder); err != nil {
		return err
	}
	if err := d.kubectl(ctx, shop, "get", "wxo", nativeOrder, "-o", "jsonpath={.status.prepay.codeURL}"); err != nil {
		return err
	}
	order, err := d.order(ctx, nativeOrder)
	if err != nil {
		return err
	}
	if order.Status.Prepay == nil || !strings.HasPrefix(order.Status.Prepay.CodeURL, "weixin://") {
		return &mismatch{what: "status.prepay.codeURL", expected: "weixin://...", got: fmt.Sprintf("%+v", order.Status.Prepay)}
	}
	picture, err := qrcode.Terminal(order.Status.Prepay.CodeURL)
	if err != nil {
		return err
	}
	d.console.output("\n" + picture)
	return d.pay(ctx, order)
}

// showOtherOrders shows the two other trade types; one is cancelled, the other stays open.
func (d *demo) showOtherOrders(ctx context.Context) error {
	if err := d.applyOrder(ctx, "config/samples/order-app.yaml", appOrder); err != nil {
		return err
	}
	if err := d.applyOrder(ctx, "config/samples/order-mweb.yaml", mwebOrder); err != nil {
		return err
	}
	if err := d.kubectl(ctx, shop, "get", "wxo", mwebOrder, "-o", "jsonpath={.status.prepay.mwebURL}"); err != nil {
		return err
	}
	d.console.say("The buyer of %s cancels: the order is closed at WeChat Pay and can't be paid any more.", appOrder)
	if err := d.kubectl(ctx, shop, "patch", "wxo", appOrder, "--type=merge", "-p", `{"spec":{"desiredState":"Closed"}}`); err != nil {
		return err
	}
	if err := d.waitFor(ctx, shop, "condition=Paid=False", "wxo/"+appOrder); err != nil {
		return err
	}
	order, err := d.order(ctx, appOrder)
	if err != nil {
		return err
	}
	if err := expectReason(appOrder, order.Status.Conditions, v1alpha1.ConditionPaid, metav1.ConditionFalse, v1alpha1.ReasonClosed); err != nil {
		return err
	}
	return d.kubectl(ctx, shop, "get", "wxo")
}

// showInvalidOrder shows an Order that the API server refuses, so that it never reaches WeChat Pay.
func (d *demo) showInvalidOrder(ctx context.Context) error {
	d.console.say("The API server rejects an amount of 0 and names the field:")
	return d.refused(ctx, shop, []string{"spec.amount.total", "greater than or equal to 1"}, "apply", "-f", "hack/demo/order-zero.yaml")
}

// applyOrder applies a file as the shop, and waits until the payer can pay.
func (d *demo) applyOrder(ctx context.Context, file, name string) error {
	if err := d.kubectl(ctx, shop, "apply", "-f", file); err != nil {
		return err
	}
	return d.waitFor(ctx, shop, "condition=Prepared", "wxo/"+name)
}

// pay pays as the payer, and waits until the callback is recorded.
func (d *demo) pay(ctx context.Context, order *v1alpha1.Order) error {
	payment, err := d.wechat.Pay(ctx, mchIDOf(order), order.Number(), simulator.PayOptions{})
	if err != nil {
		return err
	}
	return d.confirmPaid(ctx, order, payment)
}

// confirmPaid waits until the callback of a payment is recorded.
func (d *demo) confirmPaid(ctx context.Context, order *v1alpha1.Order, payment simulator.Payment) error {
	d.console.say("The payer pays %d fen, and WeChat Pay sends the callback.", payment.TotalFee)
	if err := d.waitFor(ctx, shop, "condition=Paid", "wxo/"+order.Name); err != nil {
		return err
	}
	if err := d.kubectl(ctx, shop, "get", "wxo", order.Name, "-o", "wide"); err != nil {
		return err
	}
	paid, err := d.order(ctx, order.Name)
	if err != nil {
		return err
	}
	if paid.Status.Transaction == nil {
		return &mismatch{what: order.Name + ": status.transaction", expected: payment.TransactionID, got: "absent"}
	}
	if err := expect(order.Name+": status.transaction.id", paid.Status.Transaction.ID, payment.TransactionID); err != nil {
		return err
	}
	if err := expect(order.Name+": status.transaction.total", paid.Status.Transaction.Total, order.Spec.Amount.Total); err != nil {
		return err
	}
	if err := expectReason(order.Name, paid.Status.Conditions, v1alpha1.ConditionPaid, metav1.ConditionTrue, v1alpha1.ReasonPaid); err != nil {
		return err
	}
	return d.delivered(ctx, simulator.OperationPaymentCallback, mchIDOf(order), order.Number())
}

// delivered checks that the callback caused the change: the operator answered it with SUCCESS.
func (d *demo) delivered(ctx context.Context, operation simulator.Operation, mchID, number string) error {
	return await(ctx, string(operation)+" for "+number, func(ctx context.Context) (bool, string, error) {
		ledger, err := d.wechat.LedgerOf(ctx, mchID, number)
		if err != nil {
			return false, "", err
		}
		callbacks := ledger.CallbacksOf(operation, number)
		if len(callbacks) == 0 {
			return false, "no callback", nil
		}
		return callbacks[0].State == simulator.CallbackDelivered, string(callbacks[0].State), nil
	})
}

// waitFor waits with kubectl, as a shop's script would.
func (d *demo) waitFor(ctx context.Context, user, condition, object string, more ...string) error {
	return d.kubectl(ctx, user, append([]string{"wait", "--for=" + condition, object, "--timeout=" + patience.String()}, more...)...)
}

func (d *demo) order(ctx context.Context, name string) (*v1alpha1.Order, error) {
	order := &v1alpha1.Order{}
	return order, d.cluster.Client.Get(ctx, client.ObjectKey{Namespace: namespace, Name: name}, order)
}

func expectReason(name string, conditions []metav1.Condition, condition string, status metav1.ConditionStatus, reason string) error {
	got := "absent"
	if c := meta.FindStatusCondition(conditions, condition); c != nil {
		got = fmt.Sprintf("%s/%s", c.Status, c.Reason)
	}
	return expect(name+": "+condition, got, fmt.Sprintf("%s/%s", status, reason))
}
