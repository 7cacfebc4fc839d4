package main

import (
	"context"
	"crypto/rand"
	"encoding/json"

	"github.com/wechatpay-operator/wechatpay-operator/api/v1alpha1"
	"github.com/wechatpay-operator/wechatpay-operator/internal/wechatpay/simulator"
)

// The objects of hack/demo/shop-v3.yaml, order-v3.yaml and refund-v3.yaml.
const (
	v3Merchant = "shop-v3"
	v3MchID    = "1900000110"
	v3AppID    = "wxd678efh567hg6788"
	v3Order    = "order-20261121-0101"
	v3Refund   = "refund-20261121-0101"
)

// mchIDOf returns the merchant number of an Order.
func mchIDOf(order *v1alpha1.Order) string {
	if order.Spec.MerchantRef.Name == v3Merchant {
		return v3MchID
	}
	return mchID
}

// showV3Merchant shows a second merchant number, which speaks API v3.
func (d *demo) showV3Merchant(ctx context.Context) error {
	key := (rand.Text() + rand.Text())[:32]
	account := simulator.Merchant{MchID: v3MchID, AppIDs: []string{v3AppID}, APIV3Key: key, Verification: simulator.VerifyByPublicKey}
	if err := d.createSecrets(ctx, account, v3Merchant+"-wechatpay", "apiV3Key", key); err != nil {
		return err
	}
	platform, err := d.wechat.Platform(ctx)
	if err != nil {
		return err
	}
	d.console.say("hack/demo/shop-v3.yaml, with WeChat Pay's public key in spec.publicKeys, and spec.endpoint pointing to the simulator:")
	publicKeys := []map[string]string{{"id": platform.PublicKeyID, "pem": platform.PublicKeyPEM}}
	if err := d.applyMerchant(ctx, "hack/demo/shop-v3.yaml", map[string]any{"publicKeys": publicKeys}); err != nil {
		return err
	}
	if err := d.waitFor(ctx, admin, "condition=Ready", "wxm/"+v3Merchant); err != nil {
		return err
	}
	d.console.say("What WeChat Pay's answers and callbacks are verified with:")
	return d.kubectl(ctx, admin, "get", "wxm", v3Merchant, "-o", "jsonpath={.status.verifiers}")
}

// showV3Order shows an Order and a Refund at that Merchant: the same YAML, commands and states.
func (d *demo) showV3Order(ctx context.Context) error {
	if err := d.applyOrder(ctx, "hack/demo/order-v3.yaml", v3Order); err != nil {
		return err
	}
	d.console.say("What the shop's mini program passes to wx.requestPayment, signed with the merchant's certificate:")
	if err := d.kubectl(ctx, shop, "get", "wxo", v3Order, "-o", "jsonpath={.status.prepay.jsapi}"); err != nil {
		return err
	}
	order, err := d.order(ctx, v3Order)
	if err != nil {
		return err
	}
	if order.Status.Prepay == nil || order.Status.Prepay.JSAPI == nil {
		return &mismatch{what: "status.prepay.jsapi", expected: "set", got: "absent"}
	}
	if err := expect("status.prepay.protocol", order.Status.Prepay.Protocol, v1alpha1.ProtocolV3); err != nil {
		return err
	}
	payment, err := d.requestPayment(ctx, order.Status.Prepay.JSAPI)
	if err != nil {
		return err
	}
	if err := d.confirmPaid(ctx, order, payment); err != nil {
		return err
	}
	if err := d.applyRefund(ctx, "hack/demo/refund-v3.yaml", v3Refund); err != nil {
		return err
	}
	return d.approveAndWait(ctx, v3Refund, v3Order, "WeChat Pay accepted the refund. Its callback, which it signs, says when it succeeded:", v1alpha1.Refunded{Total: 50, Count: 1})
}

// requestPayment pays as the payer's WeChat does: it gets what the page hands over, and verifies its
// signature.
func (d *demo) requestPayment(ctx context.Context, jsapi *v1alpha1.JSAPIParameters) (simulator.Payment, error) {
	content, err := json.Marshal(jsapi)
	if err != nil {
		return simulator.Payment{}, err
	}
	var request simulator.ClientPayment
	if err := json.Unmarshal(content, &request); err != nil {
		return simulator.Payment{}, err
	}
	return d.wechat.RequestPayment(ctx, request, simulator.PayOptions{})
}
