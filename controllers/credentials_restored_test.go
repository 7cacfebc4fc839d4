package controllers_test

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/onsi/gomega"

	"github.com/wechatpay-operator/wechatpay-operator/api/v1alpha1"
	"github.com/wechatpay-operator/wechatpay-operator/controllers"
	"github.com/wechatpay-operator/wechatpay-operator/internal/lifecycle"
	"github.com/wechatpay-operator/wechatpay-operator/internal/wechatpay"
	"github.com/wechatpay-operator/wechatpay-operator/internal/wechatpay/simulator"
	"github.com/wechatpay-operator/wechatpay-operator/test/framework"
)

// longRetries makes all waits after a failure longer than any test.
func longRetries(timing *controllers.Timing) {
	timing.RetryFirst, timing.RetryMost, timing.RetrySlowly, timing.CloseRetry = time.Hour, time.Hour, time.Hour, time.Hour
	timing.OrderPoll = lifecycle.Schedule{Ages: []time.Duration{2 * time.Second, time.Hour}, Repeat: true}
	timing.RefundPoll = timing.OrderPoll
}

// changeSecret replaces the Merchant's credentials with other valid ones.
func changeSecret(shop *framework.Shop) {
	setSecret(shop, "wechatpay", map[string][]byte{shop.KeyEntry() + ".previous": []byte(secondKey)})
}

// faultBadSignature answers one call with a bad signature, and its repetition on the backup host,
// except for refunds, which have none.
func faultBadSignature(shop *framework.Shop, operation simulator.Operation, number string) {
	count := 2
	if operation == simulator.OperationRefund {
		count = 1
	}
	shop.Fault(simulator.Fault{Operation: operation, Number: number, Kind: simulator.FaultBadSignature, Count: count})
}

// TestChangedSecretEndsWaits: whatever an Order or a Refund waits for, and however long, it
// continues as soon as the Secret has changed.
func TestChangedSecretEndsWaits(t *testing.T) {
	t.Run("a first call", func(t *testing.T) {
		shop, _ := openReady(t, framework.WithTiming(longRetries))
		faultBadSignature(shop, simulator.OperationUnifiedOrder, "order-0001")
		shop.Create(shop.NewOrder("order-0001"))
		shop.WaitOrder("order-0001", "Prepared=Unknown/OutcomeUnknown")
		changeSecret(shop)
		shop.WaitOrder("order-0001", "Prepared=True/Prepared")
	})
	t.Run("a close", func(t *testing.T) {
		shop, _ := openReady(t, framework.WithTiming(longRetries))
		shop.Create(shop.NewOrder("order-0001"))
		shop.WaitOrder("order-0001", "Prepared=True/Prepared")
		faultBadSignature(shop, simulator.OperationCloseOrder, "order-0001")
		shop.Patch(shop.NewOrder("order-0001"), `{"spec":{"desiredState":"Closed"}}`)
		shop.WaitOrder("order-0001", "Paid=Unknown/Closing")
		changeSecret(shop)
		shop.WaitOrder("order-0001", "Paid=False/Closed")
	})
	t.Run("a poll", func(t *testing.T) {
		shop, _ := openReady(t, framework.WithTiming(longRetries))
		shop.Fault(simulator.Fault{Operation: simulator.OperationPaymentCallback, Kind: simulator.FaultLose})
		faultBadSignature(shop, simulator.OperationOrderQuery, "order-0001")
		shop.Create(shop.NewOrder("order-0001"))
		shop.WaitOrder("order-0001", "Prepared=True/Prepared")
		shop.Pay("order-0001")
		shop.Eventually("a poll told nothing", func() error {
			return atLeast(shop, simulator.OperationOrderQuery, "order-0001", 2)
		})
		changeSecret(shop)
		shop.WaitOrder("order-0001", "Paid=True/Paid")
	})
	t.Run("a refund", func(t *testing.T) {
		shop, _ := openReady(t, framework.WithTiming(longRetries))
		shop.Paid("order-0001")
		shop.Fault(simulator.Fault{Operation: simulator.OperationRefundCallback, Kind: simulator.FaultLose})
		faultBadSignature(shop, simulator.OperationRefund, "refund-0001")
		shop.Create(shop.NewRefund("refund-0001", "order-0001", 50, approved))
		shop.WaitRefund("refund-0001", "Accepted=Unknown/OutcomeUnknown")
		changeSecret(shop)
		shop.WaitRefund("refund-0001", "Accepted=True/Accepted")
		shop.NoViolations()
	})
	t.Run("a refund that WeChat took", func(t *testing.T) {
		shop, _ := openReady(t, framework.WithTiming(longRetries))
		shop.Fault(simulator.Fault{Operation: simulator.OperationRefundCallback, Kind: simulator.FaultLose})
		shop.Paid("order-0001")
		faultBadSignature(shop, simulator.OperationRefundQuery, "refund-0001")
		shop.Create(shop.NewRefund("refund-0001", "order-0001", 50, approved))
		shop.WaitRefund("refund-0001", "Accepted=True/Accepted")
		shop.Eventually("a poll told nothing", func() error {
			return atLeast(shop, simulator.OperationRefundQuery, "refund-0001", 2)
		})
		changeSecret(shop)
		shop.WaitRefund("refund-0001", "Succeeded=True/Succeeded")
	})
}

// TestBadlySignedAnswerIsRepeatedSoon: nobody has to correct anything, and the payer is waiting.
func TestBadlySignedAnswerIsRepeatedSoon(t *testing.T) {
	shop, g := openReady(t, framework.WithTiming(func(timing *controllers.Timing) { timing.RetrySlowly = time.Hour }))
	faultBadSignature(shop, simulator.OperationUnifiedOrder, "order-0001")
	faultBadSignature(shop, simulator.OperationRefund, "refund-0001")
	shop.Paid("order-0001")
	shop.Create(shop.NewRefund("refund-0001", "order-0001", 50, approved))
	shop.WaitRefund("refund-0001", "Succeeded=True/Succeeded")
	g.Expect(shop.WeChat.Ledger().CallsOf(simulator.OperationUnifiedOrder, "order-0001")).NotTo(gomega.BeEmpty())
	shop.NoViolations()
}

// TestMerchantShowsTheKeysThatWeChatTook: the current key, and the previous one while its entry
// exists.
func TestMerchantShowsTheKeysThatWeChatTook(t *testing.T) {
	shop, _ := openReady(t, framework.Speaking(v1alpha1.ProtocolV2))
	keys := func(want ...string) {
		t.Helper()
		shop.Eventually("the keys are shown", func() error {
			m := shop.NewMerchant()
			shop.Must(shop.Client.Get(shop.Context(), keyOf(m), m))
			return sameKeys(m.Status.Keys, want)
		})
	}
	keys(framework.APIKey)
	// Only the key that was proven before is kept as the previous one.
	setSecret(shop, "wechatpay", map[string][]byte{"apiKey.previous": []byte(secondKey)})
	shop.Must(shop.WeChat.SetAPIKey(framework.MchID, thirdKey))
	setSecret(shop, "wechatpay", map[string][]byte{"apiKey": []byte(thirdKey), "apiKey.previous": []byte(secondKey)})
	keys(thirdKey)
	shop.Must(shop.WeChat.SetAPIKey(framework.MchID, framework.APIKey))
	setSecret(shop, "wechatpay", map[string][]byte{"apiKey": []byte(framework.APIKey), "apiKey.previous": []byte(thirdKey)})
	keys(framework.APIKey, thirdKey)
	// A rejected key does not replace the proven one.
	setSecret(shop, "wechatpay", map[string][]byte{"apiKey": []byte(secondKey)})
	shop.WaitMerchant(framework.MerchantName, "Ready=False/CredentialsRejected")
	keys(framework.APIKey, thirdKey)
	setSecret(shop, "wechatpay", map[string][]byte{"apiKey": []byte(framework.APIKey), "apiKey.previous": nil})
	keys(framework.APIKey)
	// A lost status, as after a restore, is written again.
	shop.WipeStatus(shop.NewMerchant())
	keys(framework.APIKey)
}

const thirdKey = "cccccccccccccccccccccccccccccccc"

func sameKeys(ids, keys []string) error {
	want := []string{}
	for _, key := range keys {
		want = append(want, wechatpay.KeyID(key, framework.MchID))
	}
	if !slices.Equal(ids, want) {
		return fmt.Errorf("%v, not %v", ids, want)
	}
	return nil
}

// TestAnotherEndpointTakesKeysAnew: a key accepted by one host is not proven for another, and until
// the other has answered, the Merchant is not Ready.
func TestAnotherEndpointTakesKeysAnew(t *testing.T) {
	shop, g := openReady(t)
	before := shop.WaitMerchant(framework.MerchantName, "Ready=True/Ready").Status
	shop.Patch(shop.NewMerchant(), `{"spec":{"endpoint":{"url":"https://127.0.0.1:1","backupURL":null}}}`)
	shop.WaitMerchant(framework.MerchantName, "Ready=Unknown/WeChatUnreachable")
	shop.Patch(shop.NewMerchant(), `{"spec":{"endpoint":{"url":"`+shop.WeChat.BackupURL()+`"}}}`)
	after := shop.WaitMerchant(framework.MerchantName, "Ready=True/Ready").Status
	g.Expect(after.Keys).To(gomega.Equal(before.Keys))
	g.Expect(after.KeysEndpoint).NotTo(gomega.Equal(before.KeysEndpoint))
}
