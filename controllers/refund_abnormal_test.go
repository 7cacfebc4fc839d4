package controllers_test

import (
	"context"
	"sync/atomic"
	"testing"

	"github.com/onsi/gomega"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/wechatpay-operator/wechatpay-operator/api/v1alpha1"
	"github.com/wechatpay-operator/wechatpay-operator/internal/guard"
	"github.com/wechatpay-operator/wechatpay-operator/internal/manager"
	"github.com/wechatpay-operator/wechatpay-operator/internal/wechatpay/simulator"
	"github.com/wechatpay-operator/wechatpay-operator/test/framework"
)

// abnormal opens a Shop with a Refund whose money WeChat could not give back.
func abnormal(t *testing.T, options ...framework.Option) (*framework.Shop, *gomega.WithT) {
	t.Helper()
	shop, g := openReady(t, append([]framework.Option{framework.Speaking(v1alpha1.ProtocolV3), framework.WithTiming(pollOften)}, options...)...)
	shop.Fault(simulator.Fault{Operation: simulator.OperationRefund, Kind: simulator.FaultRefundChange, Count: 1})
	shop.Paid("order-0001")
	shop.Create(shop.NewRefund("refund-0001", "order-0001", 101))
	shop.Approve("refund-0001")
	shop.WaitRefund("refund-0001", "Succeeded=Unknown/Abnormal")
	return shop, g
}

const (
	toMerchant = `{"spec":{"abnormal":{"to":"MerchantBankCard"}}}`
	toUser     = `{"spec":{"abnormal":{"to":"UserBankCard","bankType":"CMB_DEBIT","secretRef":{"name":"card"}}}}`
)

func abnormalCalls(shop *framework.Shop) []simulator.Call {
	return shop.WeChat.Ledger().CallsOf(simulator.OperationAbnormalRefund, "refund-0001")
}

func TestAbnormalRefundGoesToTheMerchantsCard(t *testing.T) {
	shop, g := abnormal(t)
	shop.Patch(shop.Refund("refund-0001"), toMerchant)
	shop.WaitRefund("refund-0001", "AbnormalHandled=True/Accepted")
	shop.WaitRefund("refund-0001", "Succeeded=True/Succeeded")
	g.Expect(abnormalCalls(shop)).To(gomega.HaveLen(1))
	shop.NoViolations()
}

// TestAbnormalRefundGoesToAPayersCard: the card is encrypted for WeChat and shown nowhere.
func TestAbnormalRefundGoesToAPayersCard(t *testing.T) {
	shop, g := abnormal(t)
	shop.Patch(shop.Refund("refund-0001"), toUser)
	waiting := shop.WaitRefund("refund-0001", "AbnormalHandled=False/SecretNotFound")
	g.Expect(abnormalCalls(shop)).To(gomega.BeEmpty())
	shop.Create(&corev1.Secret{
		ObjectMeta: metav1.ObjectMeta{Namespace: shop.Namespace, Name: "card"},
		StringData: map[string]string{"account": "6225880000000001", "name": "张三"},
	})
	done := shop.WaitRefund("refund-0001", "Succeeded=True/Succeeded")
	sent := shop.WeChat.Ledger().Refund(framework.MchID, "refund-0001").Abnormal
	g.Expect(sent.BankType).To(gomega.Equal("CMB_DEBIT"))
	for _, refund := range []*v1alpha1.Refund{waiting, done} {
		for _, condition := range refund.Status.Conditions {
			g.Expect(condition.Message).NotTo(gomega.Or(gomega.ContainSubstring("6225880000000001"), gomega.ContainSubstring("张三")))
		}
	}
}

// TestAbnormalRefundIsAskedAboutBeforeItIsRepeated: the answer is lost after WeChat took it.
func TestAbnormalRefundIsAskedAboutBeforeItIsRepeated(t *testing.T) {
	shop, g := abnormal(t)
	shop.Fault(simulator.Fault{Operation: simulator.OperationAbnormalRefund, Kind: simulator.FaultDrop, AfterEffect: true})
	shop.Patch(shop.Refund("refund-0001"), toMerchant)
	shop.WaitRefund("refund-0001", "Succeeded=True/Succeeded")
	g.Expect(abnormalCalls(shop)).To(gomega.HaveLen(1))
}

// unguarded is a policy that a test takes away.
type unguarded struct {
	framework.Guarded
	missing atomic.Bool
}

func (u *unguarded) Look(context.Context, string) guard.Finding {
	if u.missing.Load() {
		return guard.Finding{State: guard.Missing}
	}
	return guard.Finding{State: guard.InForce}
}

func (u *unguarded) LookNow(ctx context.Context, refund *v1alpha1.Refund) (before, now guard.Finding) {
	return u.Look(ctx, refund.Namespace), u.Look(ctx, refund.Namespace)
}

// TestAbnormalDecisionWithoutThePolicyIsNotSent: it would send money to a card of whoever wrote it.
func TestAbnormalDecisionWithoutThePolicyIsNotSent(t *testing.T) {
	policy := &unguarded{}
	shop, g := abnormal(t, framework.WithOptions(func(o *manager.Options) { o.Guard = policy }))
	policy.missing.Store(true)
	shop.Patch(shop.Refund("refund-0001"), toMerchant)
	shop.WaitRefund("refund-0001", "AbnormalHandled=False/ApprovedUnguarded")
	policy.missing.Store(false)
	before := len(shop.WeChat.Ledger().CallsOf(simulator.OperationRefundQuery, "refund-0001"))
	shop.Eventually("it is followed on", func() error {
		return atLeast(shop, simulator.OperationRefundQuery, "refund-0001", before+3)
	})
	g.Expect(abnormalCalls(shop)).To(gomega.BeEmpty())
	g.Expect(lastReason(shop.Refund("refund-0001"), v1alpha1.ConditionAbnormalHandled)).To(gomega.Equal(v1alpha1.ReasonApprovedUnguarded))
}

func lastReason(refund *v1alpha1.Refund, kind string) string {
	for _, condition := range refund.Status.Conditions {
		if condition.Type == kind {
			return condition.Reason
		}
	}
	return ""
}

// TestAbnormalRefundOfV2SaysWhatToDo: the protocol has no call for it.
func TestAbnormalRefundOfV2SaysWhatToDo(t *testing.T) {
	shop, g := abnormal(t, framework.Speaking(v1alpha1.ProtocolV2))
	shop.Patch(shop.Refund("refund-0001"), toMerchant)
	shop.Eventually("it says what to do", func() error {
		for _, condition := range shop.Refund("refund-0001").Status.Conditions {
			if condition.Type == v1alpha1.ConditionAbnormalHandled {
				return contains(condition.Message, "give the money back in the merchant platform")
			}
		}
		return errNotYet
	})
	shop.Must(shop.WeChat.SetRefundStatus(framework.MchID, "refund-0001", simulator.RefundSuccess))
	shop.WaitRefund("refund-0001", "Succeeded=True/Succeeded")
	g.Expect(abnormalCalls(shop)).To(gomega.BeEmpty())
}
