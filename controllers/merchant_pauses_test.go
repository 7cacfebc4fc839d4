package controllers_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/onsi/gomega"
	"k8s.io/apimachinery/pkg/api/meta"
	crmetrics "sigs.k8s.io/controller-runtime/pkg/metrics"

	"github.com/wechatpay-operator/wechatpay-operator/api/v1alpha1"
	"github.com/wechatpay-operator/wechatpay-operator/controllers"
	"github.com/wechatpay-operator/wechatpay-operator/internal/manager"
	"github.com/wechatpay-operator/wechatpay-operator/internal/wechatpay/simulator"
	"github.com/wechatpay-operator/wechatpay-operator/test/framework"
)

// breaksAfter pauses calls after a number of failures, for a third of a second.
func breaksAfter(failures uint32) framework.Option {
	return framework.WithOptions(func(o *manager.Options) { o.Accounts.Limits.BreakAfter = failures })
}

// noSecretsCheck disables the periodic check, so that only notifications update the Merchant's
// status.
var noSecretsCheck = framework.WithTiming(func(timing *controllers.Timing) { timing.SecretsCheck = time.Hour })

func condition(merchant *v1alpha1.Merchant, kind string) string {
	if found := meta.FindStatusCondition(merchant.Status.Conditions, kind); found != nil {
		return found.Message
	}
	return ""
}

// breakers returns the values of the metric for the Merchants of a namespace, by group of calls.
func breakers(shop *framework.Shop) map[string]float64 {
	shop.T.Helper()
	families, err := crmetrics.Registry.Gather()
	shop.Must(err)
	found := map[string]float64{}
	for _, family := range families {
		if family.GetName() != "wechatpay_breaker_state" {
			continue
		}
		for _, series := range family.GetMetric() {
			labels := map[string]string{}
			for _, label := range series.GetLabel() {
				labels[label.GetName()] = label.GetValue()
			}
			if labels["namespace"] == shop.Namespace {
				found[labels["merchant"]+" "+labels["calls"]] = series.GetGauge().GetValue()
			}
		}
	}
	return found
}

func TestPauseOfCallsIsShownAtOnceAndOnce(t *testing.T) {
	// The Merchant's own query would end the pause, since no fault applies to it: it must come
	// while no trial is allowed.
	longPause := framework.WithOptions(func(o *manager.Options) { o.Accounts.Limits.BreakFor = 3 * time.Second })
	shop, g := openReady(t, breaksAfter(3), longPause, noSecretsCheck)
	shop.WaitMerchant(framework.MerchantName, "CallsAllowed=True/Allowed")
	g.Expect(breakers(shop)).To(gomega.Equal(map[string]float64{"shop orders": 0, "shop refunds": 0}))

	shop.Fault(simulator.Fault{Operation: simulator.OperationUnifiedOrder, Kind: simulator.FaultHTML})
	shop.Create(shop.NewOrder("order-0001"))
	paused := shop.WaitMerchant(framework.MerchantName, "CallsAllowed=False/OrdersPaused")
	g.Expect(condition(paused, "CallsAllowed")).To(gomega.MatchRegexp(
		`^All calls but refund requests are paused since 20\S+Z, as the last ones failed: CreateOrder: answered with HTTP 502\. One is tried every 3s, and all go on when WeChat Pay answers it$`))
	g.Expect(breakers(shop)["shop orders"]).NotTo(gomega.BeZero())
	shop.WaitMerchant(framework.MerchantName, "Ready=True/Ready")

	// Failed trials write nothing.
	tried := len(shop.WeChat.Ledger().CallsOf(simulator.OperationUnifiedOrder, ""))
	shop.Eventually("calls are tried", func() error { return atLeast(shop, simulator.OperationUnifiedOrder, "", tried+2) })
	g.Expect(shop.WaitMerchant(framework.MerchantName, "CallsAllowed=False/OrdersPaused").ResourceVersion).To(gomega.Equal(paused.ResourceVersion))

	shop.WeChat.ClearFaults()
	shop.WaitMerchant(framework.MerchantName, "CallsAllowed=True/Allowed")
	shop.WaitOrder("order-0001", "Prepared=True/Prepared")
	g.Expect(breakers(shop)["shop orders"]).To(gomega.BeZero())
}

// TestPauseEndsWithoutOrderCalls: the Merchant's own query ends it.
func TestPauseEndsWithoutOrderCalls(t *testing.T) {
	shop, _ := openReady(t, breaksAfter(1), framework.WithTiming(func(timing *controllers.Timing) {
		timing.RetryFirst, timing.RetryMost, timing.RetrySlowly = time.Hour, time.Hour, time.Hour
	}))
	for _, operation := range []simulator.Operation{simulator.OperationUnifiedOrder, simulator.OperationOrderQuery} {
		shop.Fault(simulator.Fault{Operation: operation, Kind: simulator.FaultHTML})
	}
	shop.Create(shop.NewOrder("order-0001")) // waits for an hour after its call
	shop.WaitMerchant(framework.MerchantName, "CallsAllowed=False/OrdersPaused")
	shop.WeChat.ClearFaults()
	shop.WaitMerchant(framework.MerchantName, "CallsAllowed=True/Allowed")
}

func TestPausesOfOrdersAndRefundsAreShownApart(t *testing.T) {
	shop, g := paidShop(t, breaksAfter(2), noSecretsCheck)
	shop.Fault(simulator.Fault{Operation: simulator.OperationRefund, Kind: simulator.FaultSystemError})
	shop.Create(shop.NewRefund("refund-0001", "order-0001", 101, approved))
	paused := shop.WaitMerchant(framework.MerchantName, "CallsAllowed=False/RefundsPaused")
	g.Expect(condition(paused, "CallsAllowed")).To(gomega.ContainSubstring("Refund requests are paused since"))
	g.Expect(condition(paused, "CallsAllowed")).To(gomega.ContainSubstring(shop.Code("SYSTEMERROR")), "in WeChat's words")
	shop.Paid("order-0002") // Orders are not affected

	shop.Fault(simulator.Fault{Operation: simulator.OperationUnifiedOrder, Kind: simulator.FaultHTML})
	shop.Create(shop.NewOrder("order-0003"))
	paused = shop.WaitMerchant(framework.MerchantName, "CallsAllowed=False/AllPaused")
	g.Expect(condition(paused, "CallsAllowed")).To(gomega.And(gomega.ContainSubstring(shop.Code("SYSTEMERROR")), gomega.ContainSubstring("HTTP 502")))
	shop.WeChat.ClearFaults()
	shop.WaitMerchant(framework.MerchantName, "CallsAllowed=True/Allowed")
	shop.WaitRefund("refund-0001", "Succeeded=True/Succeeded")
	shop.WaitOrder("order-0003", "Prepared=True/Prepared")
}

func TestPausesOfAMerchantGoWithIt(t *testing.T) {
	shop, _ := openReady(t)
	shop.Eventually("its breakers are counted", func() error {
		if found := breakers(shop); len(found) != 2 {
			return fmt.Errorf("%v", found)
		}
		return nil
	})
	merchant := shop.NewMerchant()
	shop.Must(shop.Client.Delete(shop.Context(), merchant))
	shop.WaitGone(merchant)
	shop.Eventually("they are not", func() error {
		if found := breakers(shop); len(found) != 0 {
			return fmt.Errorf("%v", found)
		}
		return nil
	})
}

func TestWithoutAKeyNothingIsAllowed(t *testing.T) {
	shop, _ := openReady(t)
	setSecret(shop, "wechatpay", map[string][]byte{shop.KeyEntry(): []byte("too short")})
	shop.WaitMerchant(framework.MerchantName, "CallsAllowed=False/MerchantNotReady")
	setSecret(shop, "wechatpay", map[string][]byte{shop.KeyEntry(): []byte(shop.Key())})
	shop.WaitMerchant(framework.MerchantName, "CallsAllowed=True/Allowed")
}

// TestCertificateThatWeChatRefuses: Refunds stop, Orders do not, and the status shows it until
// WeChat accepts a certificate.
func TestCertificateThatWeChatRefuses(t *testing.T) {
	shop, g := paidShop(t, framework.Speaking(v1alpha1.ProtocolV2))
	before := shop.WaitMerchant(framework.MerchantName, "Ready=True/Ready").Status.Certificate.SerialNumber
	elsewhere, err := simulator.New(simulator.Options{Merchants: []simulator.Merchant{{MchID: framework.MchID, AppIDs: []string{framework.AppID}, APIKey: framework.APIKey}}})
	shop.Must(err)
	t.Cleanup(func() { _ = elsewhere.Close() })
	foreign, err := elsewhere.IssueClientCertificate(framework.MchID) // with the merchant number, but issued by another WeChat
	shop.Must(err)
	setSecret(shop, "wechatpay-cert", map[string][]byte{"tls.crt": foreign.CertPEM, "tls.key": foreign.KeyPEM})
	shop.Eventually("it is in use", func() error {
		return differs(shop.WaitMerchant(framework.MerchantName, "Ready=True/Ready").Status.Certificate.SerialNumber, before)
	})
	shop.Create(shop.NewRefund("refund-0001", "order-0001", 101, approved))
	refused := shop.WaitMerchant(framework.MerchantName, "Ready=False/CertificateRejected")
	g.Expect(ready(refused)).To(gomega.And(gomega.ContainSubstring("证书验证失败"), gomega.ContainSubstring("Secret "+shop.Namespace+"/wechatpay-cert"), gomega.ContainSubstring("Orders do not")))
	shop.WaitMerchant(framework.MerchantName, "CallsAllowed=False/RefundsPaused")
	waitEvent(shop, framework.MerchantName, "CertificateRejected")
	shop.WaitRefund("refund-0001", "Accepted=Unknown/Refused")
	shop.Paid("order-0002")

	// A new leader knows only the status, and does not change it.
	since := meta.FindStatusCondition(refused.Status.Conditions, "Ready").LastTransitionTime
	shop.StopOperators()
	afterThisSecond(shop)
	shop.StartOperator()
	shop.Paid("order-0003")
	refused = shop.WaitMerchant(framework.MerchantName, "Ready=False/CertificateRejected")
	g.Expect(meta.FindStatusCondition(refused.Status.Conditions, "Ready").LastTransitionTime).To(gomega.Equal(since))

	good, err := shop.WeChat.IssueClientCertificate(framework.MchID)
	shop.Must(err)
	setSecret(shop, "wechatpay-cert", map[string][]byte{"tls.crt": good.CertPEM, "tls.key": good.KeyPEM})
	shop.WaitMerchant(framework.MerchantName, "Ready=True/Ready")
	shop.WaitRefund("refund-0001", "Succeeded=True/Succeeded")
	shop.WaitMerchant(framework.MerchantName, "CallsAllowed=True/Allowed")
	onePayout(shop, g)
}

// TestCertificateThatWeChatTakesAgain: it can be corrected at WeChat without a change of the
// Secret. One refund at a time is tried.
func TestCertificateThatWeChatTakesAgain(t *testing.T) {
	for name, fault := range map[string]simulator.Fault{
		"without a signature": {Kind: simulator.FaultFail, ReturnMsg: "证书验证失败"},
		"signed":              {Kind: simulator.FaultError, ErrCode: "CERT_ERROR", ErrCodeDes: "证书校验错误"},
	} {
		t.Run(name, func(t *testing.T) {
			shop, g := paidShop(t, framework.Speaking(v1alpha1.ProtocolV2), noSecretsCheck)
			shop.Paid("order-0002")
			fault.Operation = simulator.OperationRefund
			shop.Fault(fault)
			shop.Create(shop.NewRefund("refund-0001", "order-0001", 101, approved))
			shop.WaitMerchant(framework.MerchantName, "Ready=False/CertificateRejected")
			shop.WaitMerchant(framework.MerchantName, "CallsAllowed=False/RefundsPaused")
			shop.Create(shop.NewRefund("refund-0002", "order-0002", 101, approved))
			shop.Eventually("it is tried", func() error { return atLeast(shop, simulator.OperationRefund, "", 3) })
			calls := shop.WeChat.Ledger().CallsOf(simulator.OperationRefund, "")
			for i := 1; i < len(calls); i++ {
				g.Expect(calls[i].Time.Sub(calls[i-1].Time)).To(gomega.BeNumerically(">", 250*time.Millisecond), "one a pause")
			}
			shop.WeChat.ClearFaults()
			shop.WaitMerchant(framework.MerchantName, "Ready=True/Ready")
			shop.WaitMerchant(framework.MerchantName, "CallsAllowed=True/Allowed")
			shop.WaitRefund("refund-0001", "Succeeded=True/Succeeded")
			shop.WaitRefund("refund-0002", "Succeeded=True/Succeeded")
			shop.NoViolations()
		})
	}
}

// TestDeletedMerchantIsAbandonedWithRejectedKey: its Secret exists, but the key is
// rejected.
func TestDeletedMerchantIsAbandonedWithRejectedKey(t *testing.T) {
	shop, _ := openReady(t)
	shop.Create(shop.NewOrder("order-0001")) // never deleted
	shop.WaitOrder("order-0001", "Prepared=True/Prepared")
	setWrongCredentials(shop)
	shop.WaitMerchant(framework.MerchantName, "Ready=False/CredentialsRejected")
	merchant := shop.NewMerchant()
	shop.Must(shop.Client.Delete(shop.Context(), merchant))
	waitEvent(shop, framework.MerchantName, "FinalizerAbandoned")
	shop.WaitGone(merchant)
}
