package controllers_test

import (
	"testing"

	"github.com/onsi/gomega"

	"github.com/wechatpay-operator/wechatpay-operator/api/v1alpha1"
	"github.com/wechatpay-operator/wechatpay-operator/internal/wechatpay/simulator"
	"github.com/wechatpay-operator/wechatpay-operator/test/framework"
)

// attackerKey is the key that the attacker's own host accepts for the shop's merchant number.
const attackerKey = "EvilKeyEvilKeyEvilKeyEvilKey1234"

// withAttackersBackup creates a Merchant with the shop's number in another namespace, and its
// Secret. It names the shop's host with a CA bundle that the host does not satisfy, so that each
// call is repeated at the attacker's backup host, which accepts the attacker's key.
func withAttackersBackup(shop *framework.Shop) *simulator.Simulator {
	shop.T.Helper()
	strangers, err := simulator.New(simulator.Options{Merchants: []simulator.Merchant{framework.NewParty(framework.MchID, framework.AppID, attackerKey)}})
	shop.Must(err)
	shop.T.Cleanup(func() { _ = strangers.Close() })
	shop.CreateCredentialsOf(strangers, shop.Other(0), "strangers", framework.MchID, attackerKey)
	shop.Create(shop.NewMerchant(func(m *v1alpha1.Merchant) {
		m.Namespace, m.Name = shop.Other(0), "strangers"
		framework.UseCredentials(m, "strangers")
		m.Spec.Endpoint = &v1alpha1.Endpoint{URL: shop.WeChat.URL(), BackupURL: strangers.URL(), CABundle: strangers.CAPEM()}
		believe(m, strangers)
	}))
	shop.WaitMerchant(shop.Other(0)+"/strangers", "Ready=True/Ready")
	return strangers
}

// TestBackupDoesNotProveTheFirstHost: a Merchant whose key only its own backup host accepted
// takes no number and no payment of the shop.
func TestBackupDoesNotProveTheFirstHost(t *testing.T) {
	shop, g := openReady(t, framework.WithNamespaces(1))
	strangers := withAttackersBackup(shop)
	byStranger := func(o *v1alpha1.Order) {
		o.Namespace, o.Spec.MerchantRef.Name, o.Spec.Amount.Total = shop.Other(0), "strangers", 1
	}
	shop.Create(shop.NewOrder("order-0001", byStranger), shop.NewOrder("order-0002", byStranger))
	shop.WaitOrder(shop.Other(0)+"/order-0001", "Prepared=True/Prepared")
	shop.WaitOrder(shop.Other(0)+"/order-0002", "Prepared=True/Prepared")
	theirs, err := strangers.Pay(framework.MchID, "order-0002", simulator.PayOptions{})
	shop.Must(err)
	shop.WaitOrder(shop.Other(0)+"/order-0002", "Paid=True/Paid")

	shop.Paid("order-0001")
	shop.Paid("order-0002")
	g.Expect(shop.Order("order-0002").Status.Transaction.ID).NotTo(gomega.Equal(theirs.TransactionID))
	shop.NoViolations()
}

// TestHostSpellings: Merchants with one number at one host are one account, however the host is
// spelled, so one payment makes one Order Paid.
func TestHostSpellings(t *testing.T) {
	shop, _ := openReady(t)
	port := shop.WeChat.URL()[len("https://127.0.0.1:"):]
	for name, url := range map[string]string{"zero": "https://127.0.0.1:0" + port, "mapped": "https://[::ffff:127.0.0.1]:" + port} {
		shop.Create(shop.NewMerchant(func(m *v1alpha1.Merchant) { m.Name, m.Spec.Endpoint.URL = name, url }))
		shop.WaitMerchant(name, "Ready=True/Ready")
	}
	shop.Create(shop.NewOrder("order-0001"))
	shop.WaitOrder("order-0001", "Prepared=True/Prepared")
	for _, name := range []string{"zero", "mapped"} {
		shop.Create(shop.NewOrder(name, numbered("order-0001"), func(o *v1alpha1.Order) { o.Spec.MerchantRef.Name = name }))
		shop.WaitOrder(name, "Paid=False/NumberInUse")
	}
	shop.Pay("order-0001")
	shop.WaitOrder("order-0001", "Paid=True/Paid")
}
