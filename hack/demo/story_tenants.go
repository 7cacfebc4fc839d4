package main

import (
	"context"

	"github.com/wechatpay-operator/wechatpay-operator/api/v1alpha1"
	"github.com/wechatpay-operator/wechatpay-operator/internal/wechatpay/simulator"
)

// nextDoor is the namespace of another tenant.
const nextDoor = "next-door"

// showForeignNumber shows that an Order that the Merchant does not permit has no effect. The shop
// uses the same number right after it.
func (d *demo) showForeignNumber(ctx context.Context) error {
	if err := d.kubectl(ctx, neighbour, "apply", "-f", "hack/demo/strangers.yaml"); err != nil {
		return err
	}
	refused := `jsonpath={.status.conditions[?(@.type=="Prepared")].reason}=` + v1alpha1.ReasonNotPermitted
	if err := d.waitFor(ctx, neighbour, refused, "wxo/"+jsapiOrder, "--namespace", nextDoor); err != nil {
		return err
	}
	if err := d.kubectl(ctx, neighbour, "--namespace", nextDoor, "get", "wxo", jsapiOrder, "-o", `jsonpath={.status.conditions[?(@.type=="Prepared")].message}`); err != nil {
		return err
	}
	ledger, err := d.wechat.Ledger(ctx)
	if err != nil {
		return err
	}
	return expect("calls of the other tenant's Order", len(ledger.CallsOf(simulator.OperationUnifiedOrder, jsapiOrder)), 0)
}

// showForeignSecret shows that only a user who may read a Secret can reference it in a Merchant.
func (d *demo) showForeignSecret(ctx context.Context) error {
	d.console.say("The clerk may write Merchants, but not read the shop's Secrets, so the admission policy rejects the Merchant:")
	return d.refused(ctx, clerk, []string{"orbidden", "shop-wechatpay"}, "apply", "-f", "hack/demo/lookalike.yaml")
}

// showForeignHost shows that even a user who may read the Secret can't choose the host that it is
// used for.
func (d *demo) showForeignHost(ctx context.Context) error {
	if err := d.kubectl(ctx, admin, "apply", "-f", "hack/demo/lookalike.yaml"); err != nil {
		return err
	}
	refused := `jsonpath={.status.conditions[?(@.type=="Ready")].reason}=` + v1alpha1.ReasonEndpointNotAllowed
	if err := d.waitFor(ctx, admin, refused, "wxm/lookalike"); err != nil {
		return err
	}
	if err := d.kubectl(ctx, admin, "get", "wxm", "lookalike", "-o", `jsonpath={.status.conditions[?(@.type=="Ready")].message}`); err != nil {
		return err
	}
	return d.kubectl(ctx, admin, "delete", "wxm", "lookalike")
}

// unguardedRefund is the Refund in hack/demo/refund-unguarded.yaml.
const unguardedRefund = "refund-20261121-0003"

// showMissingPolicy shows that without the policy anyone who may write a Refund could approve it,
// and that such an approval is not sent.
func (d *demo) showMissingPolicy(ctx context.Context) error {
	const policy = "wechatpay-operator-refund-approval"
	if err := d.applyRefund(ctx, "hack/demo/refund-unguarded.yaml", unguardedRefund); err != nil {
		return err
	}
	if err := d.kubectl(ctx, admin, "delete", "validatingadmissionpolicybinding", policy); err != nil {
		return err
	}
	d.console.say("The editor lacks the verb approve, but once the API server has observed the removal, the approval is accepted:")
	if err := await(ctx, "the editor can approve", func(ctx context.Context) (bool, string, error) {
		output, err := d.quietKubectl(ctx, append([]string{"--context", editor}, approve(unguardedRefund)...)...)
		return err == nil, output, ctx.Err()
	}); err != nil {
		return err
	}
	unguarded := `jsonpath={.status.conditions[?(@.type=="Approved")].reason}=` + v1alpha1.ReasonApprovedUnguarded
	if err := d.waitFor(ctx, admin, unguarded, "wxr/"+unguardedRefund); err != nil {
		return err
	}
	if err := d.expectNoRefund(ctx, unguardedRefund); err != nil {
		return err
	}
	if err := d.waitFor(ctx, admin, "condition=RefundsGuarded=False", "wxm/shop"); err != nil {
		return err
	}
	if err := d.kubectl(ctx, admin, "get", "wxm", "shop", "-o", `jsonpath={.status.conditions[?(@.type=="RefundsGuarded")].message}`); err != nil {
		return err
	}
	d.console.say("The policy is in force again. The Refund approved meanwhile is not sent; a new Refund replaces it:")
	if err := d.kubectl(ctx, admin, "apply", "--server-side", "-k", "config/policy"); err != nil {
		return err
	}
	if err := d.waitFor(ctx, admin, "condition=RefundsGuarded", "wxm/shop"); err != nil {
		return err
	}
	return d.kubectl(ctx, editor, "delete", "wxr", unguardedRefund)
}
