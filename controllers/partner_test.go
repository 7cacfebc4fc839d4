package controllers_test

import (
	"testing"

	"github.com/onsi/gomega"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/wechatpay-operator/wechatpay-operator/api/v1alpha1"
	"github.com/wechatpay-operator/wechatpay-operator/internal/wechatpay/simulator"
	"github.com/wechatpay-operator/wechatpay-operator/test/framework"
)

// The sub merchants of the provider that is framework.MchID.
const (
	firstSub  = "1900000201"
	secondSub = "1900000202"
	subAppID  = "wx5ub678efh567hg67"
	subOpenID = "oSubF8uMuAJO_M2pxb1Q9zNjWeS6"
)

// openPartner opens a Shop whose merchant number is a service provider's. Its Merchant acts for the
// first sub merchant; the one of the other namespace, with a copy of the Secrets, for the second.
func openPartner(t *testing.T, protocol v1alpha1.Protocol, options ...framework.Option) (*framework.Shop, *gomega.WithT) {
	t.Helper()
	t.Parallel()
	shop := framework.Open(t, env, append(options, framework.Speaking(protocol), framework.WithNamespaces(1),
		framework.WithWeChat(func(simulated *simulator.Options) {
			simulated.Merchants[0].SubMerchants = []simulator.SubMerchant{
				{SubMchID: firstSub, SubAppIDs: []string{subAppID}, RefundRight: true}, {SubMchID: secondSub, RefundRight: true},
			}
		}))...)
	shop.CreateCredentials(shop.Other(0))
	shop.Create(
		shop.NewMerchant(func(m *v1alpha1.Merchant) {
			m.Spec.Partner = &v1alpha1.Partner{SubMchID: firstSub, SubAppID: subAppID}
		}),
		shop.NewMerchant(func(m *v1alpha1.Merchant) {
			m.Namespace, m.Spec.Partner = shop.Other(0), &v1alpha1.Partner{SubMchID: secondSub}
		}))
	shop.WaitMerchant(framework.MerchantName, "Ready=True/Ready")
	shop.WaitMerchant(shop.Other(0)+"/"+framework.MerchantName, "Ready=True/Ready")
	return shop, gomega.NewWithT(t)
}

func inBothProtocols(t *testing.T, test func(t *testing.T, protocol v1alpha1.Protocol)) {
	for _, protocol := range []v1alpha1.Protocol{v1alpha1.ProtocolV2, v1alpha1.ProtocolV3} {
		t.Run(string(protocol), func(t *testing.T) { test(t, protocol) })
	}
}

// inNamespace puts an Order into a namespace.
func inNamespace(namespace string) func(*v1alpha1.Order) {
	return func(o *v1alpha1.Order) { o.Namespace = namespace }
}

// TestSubMerchantsOfOneProvider: each is paid and refunded by its own Orders, and their numbers are
// the provider's.
func TestSubMerchantsOfOneProvider(t *testing.T) {
	inBothProtocols(t, func(t *testing.T, protocol v1alpha1.Protocol) {
		shop, g := openPartner(t, protocol)
		shop.Create(shop.NewOrder("order-0001"), shop.NewOrder("order-0002", inNamespace(shop.Other(0))))
		shop.WaitOrder("order-0001", "Prepared=True/Prepared")
		shop.WaitOrder(shop.Other(0)+"/order-0002", "Prepared=True/Prepared")
		shop.Pay("order-0001")
		shop.Pay("order-0002")
		shop.WaitOrder("order-0001", "Paid=True/Paid")
		shop.WaitOrder(shop.Other(0)+"/order-0002", "Paid=True/Paid")

		shop.Create(shop.NewRefund("refund-0001", "order-0001", 101))
		shop.Approve("refund-0001")
		shop.WaitRefund("refund-0001", "Succeeded=True/Succeeded")
		g.Expect(shop.WaitMerchant(framework.MerchantName, "RefundsAllowed=True/RefundAccepted").Spec.Partner.SubMchID).To(gomega.Equal(firstSub))

		// The number is taken, whichever sub merchant took it.
		shop.Create(shop.NewOrder("order-0001", inNamespace(shop.Other(0))))
		shop.WaitOrder(shop.Other(0)+"/order-0001", "Prepared=False/NumberInUse")
		for _, order := range shop.WeChat.Ledger().Orders {
			want := map[string]string{"order-0001": firstSub, "order-0002": secondSub}[order.OutTradeNo]
			g.Expect(order.SubMchID).To(gomega.Equal(want), order.OutTradeNo)
		}
		shop.NoViolations()
	})
}

// TestPayerPaysInTheAppOfTheSubMerchant: paySign is of the app in which the payer pays.
func TestPayerPaysInTheAppOfTheSubMerchant(t *testing.T) {
	inBothProtocols(t, func(t *testing.T, protocol v1alpha1.Protocol) {
		shop, g := openPartner(t, protocol)
		shop.Create(shop.NewOrder("order-0001", func(o *v1alpha1.Order) {
			o.Spec.Payer = &v1alpha1.Payer{SubOpenID: subOpenID}
		}))
		parameters := shop.WaitOrder("order-0001", "Prepared=True/Prepared").Status.Prepay.JSAPI
		g.Expect(parameters.AppID).To(gomega.Equal(subAppID))
		_, err := shop.WeChat.RequestPayment(simulator.ClientPayment{
			AppID: parameters.AppID, TimeStamp: parameters.TimeStamp, NonceStr: parameters.NonceStr, Package: parameters.Package,
			SignType: parameters.SignType, PaySign: parameters.PaySign,
		}, simulator.PayOptions{})
		shop.Must(err)
		g.Expect(shop.WaitOrder("order-0001", "Paid=True/Paid").Status.Transaction.SubOpenID).To(gomega.Equal(subOpenID))

		// The second Merchant has no appid of its sub merchant.
		shop.Create(shop.NewOrder("order-0002", inNamespace(shop.Other(0)), func(o *v1alpha1.Order) {
			o.Spec.Payer = &v1alpha1.Payer{SubOpenID: subOpenID}
		}))
		shop.WaitOrder(shop.Other(0)+"/order-0002", "Prepared=False/Rejected")
	})
}

// TestRefundRightIsRevokedAndGranted: refunds of one sub merchant wait, those of the other do not.
func TestRefundRightIsRevokedAndGranted(t *testing.T) {
	inBothProtocols(t, func(t *testing.T, protocol v1alpha1.Protocol) {
		shop, g := openPartner(t, protocol)
		shop.Paid("order-0001")
		shop.Create(shop.NewOrder("order-0002", inNamespace(shop.Other(0))))
		shop.WaitOrder(shop.Other(0)+"/order-0002", "Prepared=True/Prepared")
		shop.Pay("order-0002")
		shop.WaitOrder(shop.Other(0)+"/order-0002", "Paid=True/Paid")
		shop.Must(shop.WeChat.SetRefundRight(framework.MchID, firstSub, false))

		shop.Create(shop.NewRefund("refund-0001", "order-0001", 101))
		shop.Approve("refund-0001")
		missing := shop.WaitMerchant(framework.MerchantName, "RefundsAllowed=False/NoRight")
		g.Expect(has(missing.Status.Conditions, "Ready", "Ready")).To(gomega.BeTrue())
		g.Expect(has(missing.Status.Conditions, "CallsAllowed", "Allowed")).To(gomega.BeTrue(), "it opens no breaker")
		other := shop.NewRefund("refund-0002", "order-0002", 101, func(r *v1alpha1.Refund) { r.Namespace = shop.Other(0) })
		shop.Create(other)
		shop.Patch(other, `{"spec":{"approval":"Approved"}}`)
		shop.WaitRefund(shop.Other(0)+"/refund-0002", "Succeeded=True/Succeeded")

		shop.Must(shop.WeChat.SetRefundRight(framework.MchID, firstSub, true))
		shop.WaitRefund("refund-0001", "Succeeded=True/Succeeded")
		shop.WaitMerchant(framework.MerchantName, "RefundsAllowed=True/RefundAccepted")
	})
}

// TestAnotherSubMerchantProvesNothing: answers and callbacks that name another sub merchant are not
// taken, however well they are signed.
func TestAnotherSubMerchantProvesNothing(t *testing.T) {
	inBothProtocols(t, func(t *testing.T, protocol v1alpha1.Protocol) {
		shop, g := openPartner(t, protocol, framework.WithTiming(pollOften))
		shop.Create(shop.NewOrder("order-0001"))
		shop.WaitOrder("order-0001", "Prepared=True/Prepared")
		shop.Fault(simulator.Fault{Operation: simulator.OperationPaymentCallback, Kind: simulator.FaultWrongSubMchID})
		shop.Fault(simulator.Fault{Operation: simulator.OperationOrderQuery, Kind: simulator.FaultWrongSubMchID})
		shop.Pay("order-0001")
		shop.Eventually("WeChat was asked and has called back", func() error {
			for _, fault := range shop.WeChat.Faults() {
				if fault.Struck < 2 {
					return errNotYet
				}
			}
			return nil
		})
		g.Expect(shop.Order("order-0001").Status.Transaction).To(gomega.BeNil())
		shop.WeChat.ClearFaults()
		shop.WaitOrder("order-0001", "Paid=True/Paid")
	})
}

// TestProviderWithoutSubMerchant: a service provider's number can't receive money itself. WeChat Pay
// says so in words only; the message says what the Merchant lacks. V2 does not sign these words, so
// that the key is not proven either.
func TestProviderWithoutSubMerchant(t *testing.T) {
	inBothProtocols(t, func(t *testing.T, protocol v1alpha1.Protocol) {
		shop, g := openPartner(t, protocol)
		shop.Create(shop.NewMerchant(func(m *v1alpha1.Merchant) { m.Name = "provider" }))
		said := func(conditions []metav1.Condition, kind string) string {
			return meta.FindStatusCondition(conditions, kind).Message
		}
		explained := gomega.And(gomega.ContainSubstring("必须传入sub_mch_id"), gomega.ContainSubstring("needs spec.partner"))
		if protocol == v1alpha1.ProtocolV2 {
			merchant := shop.WaitMerchant("provider", "Ready=Unknown/WeChatUnreachable")
			g.Expect(said(merchant.Status.Conditions, v1alpha1.ConditionReady)).To(explained)
			return
		}
		shop.WaitMerchant("provider", "Ready=True/Ready")
		shop.Create(shop.NewOrder("order-0001", func(o *v1alpha1.Order) { o.Spec.MerchantRef.Name = "provider" }))
		order := shop.WaitOrder("order-0001", "Prepared=False/Rejected")
		g.Expect(said(order.Status.Conditions, v1alpha1.ConditionPrepared)).To(explained)
	})
}
