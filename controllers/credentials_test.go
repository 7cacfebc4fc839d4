package controllers_test

import (
	"testing"
	"time"

	"github.com/onsi/gomega"

	"github.com/wechatpay-operator/wechatpay-operator/api/v1alpha1"
	"github.com/wechatpay-operator/wechatpay-operator/controllers"
	"github.com/wechatpay-operator/wechatpay-operator/internal/wechatpay/simulator"
	"github.com/wechatpay-operator/wechatpay-operator/test/framework"
)

const (
	probeNumber = "WECHATPAY-OPERATOR-PROBE"
	secondKey   = "bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb"
)

// TestCorrectedKeyEndsPauses: what failed with the old key is retried at once with the new one.
func TestCorrectedKeyEndsPauses(t *testing.T) {
	shop, _ := openReady(t, framework.WithTiming(func(timing *controllers.Timing) { timing.RetrySlowly = time.Hour }))
	rejectCredentials(shop)
	shop.Create(shop.NewOrder("order-0001"))
	shop.WaitOrder("order-0001", "Prepared=Unknown/Refused", "Prepared=False/MerchantNotReady")
	shop.WaitMerchant(framework.MerchantName, "Ready=False/CredentialsRejected")
	renewCredentials(shop)
	shop.WaitOrder("order-0001", "Prepared=True/Prepared")
}

// TestUnreachableWeChatSaysNothingAboutCredentials: Ready is unchanged until WeChat answers.
func TestUnreachableWeChatSaysNothingAboutCredentials(t *testing.T) {
	shop, _ := openReady(t)
	asked := len(shop.WeChat.Ledger().CallsOf(simulator.OperationOrderQuery, probeNumber))
	shop.Fault(simulator.Fault{Operation: simulator.OperationOrderQuery, Kind: simulator.FaultHTML})
	setSecret(shop, "wechatpay", map[string][]byte{shop.KeyEntry() + ".previous": []byte(secondKey)})
	shop.Eventually("it is tried, more than once", func() error {
		return atLeast(shop, simulator.OperationOrderQuery, probeNumber, asked+5)
	})
	shop.WaitMerchant(framework.MerchantName, "Ready=True/Ready")
}

// TestRejectedKeyIsRarelyProbed: while the key is rejected, only a change of the credentials
// causes a probe at once.
func TestRejectedKeyIsRarelyProbed(t *testing.T) {
	shop, g := openReady(t, framework.WithTiming(func(timing *controllers.Timing) {
		timing.SecretsCheck, timing.ProbeRejected = 20*time.Millisecond, time.Hour
	}))
	setWrongCredentials(shop)
	shop.WaitMerchant(framework.MerchantName, "Ready=False/CredentialsRejected")
	certificates := shop.WeChat
	if shop.Protocol == v1alpha1.ProtocolV3 {
		certificates = elsewhere(shop, secondKey) // they are rejected too
	}
	probes := func() int { return len(shop.WeChat.Ledger().CallsOf(simulator.OperationOrderQuery, probeNumber)) }
	before := probes()
	const changes = 3
	for range changes {
		serial := shop.WaitMerchant(framework.MerchantName, "Ready=False/CredentialsRejected").Status.Certificate.SerialNumber
		setCertificate(shop, certificates)
		shop.Eventually("the other certificate is shown", func() error {
			return differs(shop.WaitMerchant(framework.MerchantName, "Ready=False/CredentialsRejected").Status.Certificate.SerialNumber, serial)
		})
	}
	g.Expect(probes() - before).To(gomega.BeNumerically("<=", changes+1)) // both entries of the Secret change at once
}

func TestKnownBadKeyThatComesBackIsNotUsed(t *testing.T) {
	const bad = "dddddddddddddddddddddddddddddddd"
	shop, g := openReady(t, framework.Speaking(v1alpha1.ProtocolV2), framework.WithTiming(func(timing *controllers.Timing) { timing.ProbeRejected = time.Hour }))
	for _, step := range []struct{ key, state string }{
		{bad, "Ready=False/CredentialsRejected"}, {"too short", "Ready=False/InvalidAPIKey"}, {bad, "Ready=False/CredentialsRejected"},
	} {
		setSecret(shop, "wechatpay", map[string][]byte{"apiKey": []byte(step.key)})
		shop.WaitMerchant(framework.MerchantName, step.state)
	}
	shop.Create(shop.NewOrder("order-0001"))
	shop.WaitOrder("order-0001", "Prepared=False/MerchantNotReady")
	g.Expect(shop.WeChat.Ledger().CallsOf(simulator.OperationUnifiedOrder, "")).To(gomega.BeEmpty())
}

// TestWrongKeyStopsOneMerchantOnly: the other Merchant continues, and nothing is sent for this one.
func TestWrongKeyStopsOneMerchantOnly(t *testing.T) {
	shop, g := openReady(t, withSecondMerchant())
	createSecondMerchant(shop)
	setWrongCredentials(shop)
	shop.WaitMerchant(framework.MerchantName, "Ready=False/CredentialsRejected")
	shop.Create(shop.NewOrder("order-0001"))
	shop.WaitOrder("order-0001", "Prepared=False/MerchantNotReady")
	shop.Create(shop.NewOrder("order-0002", func(o *v1alpha1.Order) { o.Spec.MerchantRef.Name = secondMerchant }))
	shop.WaitOrder("order-0002", "Prepared=True/Prepared")
	shop.WaitMerchant(secondMerchant, "Ready=True/Ready")
	g.Expect(shop.WeChat.Ledger().CallsOf(simulator.OperationUnifiedOrder, "order-0001")).To(gomega.BeEmpty())
	setGoodCredentials(shop)
	shop.WaitOrder("order-0001", "Prepared=True/Prepared")
}
