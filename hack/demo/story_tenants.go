package main

import (
	"context"

	"github.com/wechatpay-operator/wechatpay-operator/api/v1alpha1"
	"github.com/wechatpay-operator/wechatpay-operator/internal/wechatpay/simulator"
)

// nextDoor is the namespace of another tenant.
const nextDoor = "next-door"

// showForeignNumber: an Order that the Merchant does not allow takes part in nothing. The shop uses the same number right after it.
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
	return expect("calls of the neighbour's Order", len(ledger.CallsOf(simulator.OperationUnifiedOrder, jsapiOrder)), 0)
}

// showForeignSecret: who points a Merchant at a Secret has to be allowed to read it.
func (d *demo) showForeignSecret(ctx context.Context) error {
	d.console.say("The clerk may write Merchants, but not read the shop's Secrets, so the admission policy refuses:")
	return d.refused(ctx, clerk, []string{"orbidden", "shop-wechatpay"}, "apply", "-f", "hack/demo/lookalike.yaml")
}

// showForeignHost: not even who may read the Secret chooses where it is used.
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
