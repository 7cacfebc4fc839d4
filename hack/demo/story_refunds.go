package main

import (
	"context"
	"fmt"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/wechatpay-operator/wechatpay-operator/api/v1alpha1"
	"github.com/wechatpay-operator/wechatpay-operator/internal/wechatpay/simulator"
)

// The Refunds of config/samples.
const (
	wholeRefund   = "refund-20261121-0001" // all 101 fen of the JSAPI order
	partialRefund = "refund-20261121-0002" // 30 of the 101 fen of the NATIVE order
)

// approval is the patch that approves a Refund.
const approval = `{"spec":{"approval":"Approved"}}`

// showApproval shows that requesting and approving a refund are separate permissions.
func (d *demo) showApproval(ctx context.Context) error {
	if err := d.applyRefund(ctx, "config/samples/refund.yaml", wholeRefund); err != nil {
		return err
	}
	d.console.say("The shop may create Refunds, but not update them:")
	if err := d.refused(ctx, shop, []string{"Forbidden"}, approve(wholeRefund)...); err != nil {
		return err
	}
	d.console.say("The editor may update Refunds, but lacks the verb approve, so the admission policy rejects the approval:")
	if err := d.refused(ctx, editor, []string{"Forbidden", "approve"}, approve(wholeRefund)...); err != nil {
		return err
	}
	return d.expectNoRefund(ctx, wholeRefund)
}

// showRefund shows a refund that an approver approves, until it succeeds.
func (d *demo) showRefund(ctx context.Context) error {
	return d.approveAndWait(ctx, wholeRefund, jsapiOrder, confirmedByQuery, v1alpha1.Refunded{Total: 101, Count: 1})
}

// showPartialRefund refunds 30 of 101 fen.
func (d *demo) showPartialRefund(ctx context.Context) error {
	if err := d.applyRefund(ctx, "config/samples/refund-partial.yaml", partialRefund); err != nil {
		return err
	}
	if err := d.expectNoRefund(ctx, partialRefund); err != nil {
		return err
	}
	return d.approveAndWait(ctx, partialRefund, nativeOrder, confirmedByQuery, v1alpha1.Refunded{Total: 30, Count: 1})
}

func (d *demo) applyRefund(ctx context.Context, file, name string) error {
	if err := d.kubectl(ctx, shop, "apply", "-f", file); err != nil {
		return err
	}
	condition := `jsonpath={.status.conditions[?(@.type=="Approved")].reason}=` + v1alpha1.ReasonAwaitingApproval
	if err := d.waitFor(ctx, shop, condition, "wxr/"+name); err != nil {
		return err
	}
	return d.kubectl(ctx, shop, "get", "wxr", name)
}

func approve(name string) []string {
	return []string{"patch", "wxr", name, "--type=merge", "-p", approval}
}

// expectNoRefund checks that no refund was requested or paid.
func (d *demo) expectNoRefund(ctx context.Context, number string) error {
	ledger, err := d.wechat.Ledger(ctx)
	if err != nil {
		return err
	}
	return expect("refund calls for "+number+" before the approval", len(ledger.CallsOf(simulator.OperationRefund, number)), 0)
}

// confirmedByQuery says how the operator learns in API v2 that a refund succeeded.
const confirmedByQuery = "WeChat Pay accepted the refund. Only refundquery, which the refund callback triggers, confirms that it succeeded:"

// approveAndWait approves as the approver, and waits until the refund has succeeded.
func (d *demo) approveAndWait(ctx context.Context, name, orderName, confirmed string, refunded v1alpha1.Refunded) error {
	if err := d.kubectl(ctx, approver, approve(name)...); err != nil {
		return err
	}
	if err := d.waitFor(ctx, shop, "condition=Accepted", "wxr/"+name); err != nil {
		return err
	}
	d.console.say("%s", confirmed)
	if err := d.waitFor(ctx, shop, "condition=Succeeded", "wxr/"+name); err != nil {
		return err
	}
	if err := d.kubectl(ctx, shop, "get", "wxr", name, "-o", "wide"); err != nil {
		return err
	}
	refund := &v1alpha1.Refund{}
	if err := d.cluster.Client.Get(ctx, client.ObjectKey{Namespace: namespace, Name: name}, refund); err != nil {
		return err
	}
	if err := expectReason(name, refund.Status.Conditions, v1alpha1.ConditionSucceeded, metav1.ConditionTrue, v1alpha1.ReasonSucceeded); err != nil {
		return err
	}
	order, err := d.order(ctx, orderName)
	if err != nil {
		return err
	}
	if err := d.delivered(ctx, simulator.OperationRefundCallback, mchIDOf(order), refund.Number()); err != nil {
		return err
	}
	if err := d.awaitRefunded(ctx, orderName, refunded); err != nil {
		return err
	}
	return d.kubectl(ctx, shop, "get", "wxo", orderName, "-o", "jsonpath={.status.refunded}")
}

// awaitRefunded waits until the Order shows the sum of its refunds, which follows the Refunds'
// status.
func (d *demo) awaitRefunded(ctx context.Context, name string, refunded v1alpha1.Refunded) error {
	return await(ctx, fmt.Sprintf("%s: status.refunded = %+v", name, refunded), func(ctx context.Context) (bool, string, error) {
		order, err := d.order(ctx, name)
		if err != nil || order.Status.Refunded == nil {
			return false, "absent", err
		}
		return order.Status.Refunded.Total == refunded.Total && order.Status.Refunded.Count == refunded.Count, fmt.Sprintf("%+v", *order.Status.Refunded), nil
	})
}
