package controllers_test

import (
	"testing"
	"time"

	"github.com/wechatpay-operator/wechatpay-operator/api/v1alpha1"
	"github.com/wechatpay-operator/wechatpay-operator/controllers"
	"github.com/wechatpay-operator/wechatpay-operator/test/framework"
)

// withoutPeriodicChecks leaves only events to start a reconcile.
func withoutPeriodicChecks() framework.Option {
	return framework.WithTiming(func(timing *controllers.Timing) { timing.SecretsCheck, timing.RetrySlowly = time.Hour, time.Hour })
}

func TestOrderGoesOnWhenItsMerchantComes(t *testing.T) {
	shop, _ := openReady(t, withoutPeriodicChecks())
	shop.Create(shop.NewOrder("order-0001", func(o *v1alpha1.Order) { o.Spec.MerchantRef.Name = "later" }))
	shop.WaitOrder("order-0001", "Prepared=False/MerchantNotReady")
	shop.Create(shop.NewMerchant(func(m *v1alpha1.Merchant) { m.Name = "later" }))
	shop.WaitOrder("order-0001", "Prepared=True/Prepared")
}

func TestRefundGoesOnWhenItsMerchantGetsACertificate(t *testing.T) {
	shop := framework.Open(t, env, framework.Speaking(v1alpha1.ProtocolV2), withoutPeriodicChecks())
	shop.Create(shop.NewMerchant(func(m *v1alpha1.Merchant) { m.Spec.CertificateSecretRef = nil }))
	shop.WaitMerchant(framework.MerchantName, "Ready=True/Ready")
	shop.Paid("order-0001")
	shop.Create(shop.NewRefund("refund-0001", "order-0001", 50, approved))
	shop.WaitRefund("refund-0001", "Accepted=False/CertificateMissing")
	shop.Patch(shop.NewMerchant(), `{"spec":{"certificateSecretRef":{"name":"wechatpay-cert"}}}`)
	shop.WaitRefund("refund-0001", "Succeeded=True/Succeeded")
}
