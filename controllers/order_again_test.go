package controllers_test

import (
	"errors"
	"testing"
	"time"

	"github.com/onsi/gomega"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/wechatpay-operator/wechatpay-operator/api/v1alpha1"
	"github.com/wechatpay-operator/wechatpay-operator/internal/wechatpay/simulator"
	"github.com/wechatpay-operator/wechatpay-operator/test/framework"
)

// afterThisSecond waits until new objects are younger than earlier payments: times have whole
// seconds.
func afterThisSecond(shop *framework.Shop) {
	shop.T.Helper()
	second := time.Now().Unix()
	shop.Eventually("the second is over", func() error {
		if time.Now().Unix() <= second+1 {
			return errors.New("not yet")
		}
		return nil
	})
}

// restoredFromBackup returns an object as a backup tool restores it: same name and spec, a new UID,
// with or without its status.
func restoredFromBackup[T client.Object](object T) T {
	object.SetUID("")
	object.SetResourceVersion("")
	object.SetCreationTimestamp(metav1.Time{})
	object.SetFinalizers(nil)
	object.SetManagedFields(nil)
	return object
}

// dropFromCluster removes an object as the loss of a cluster does: nothing is settled.
func dropFromCluster(shop *framework.Shop, object client.Object) {
	shop.T.Helper()
	shop.StopOperators() // otherwise it would add the finalizer again, and settle
	shop.Patch(object, `{"metadata":{"finalizers":null}}`)
	shop.Must(shop.Client.Delete(shop.Context(), object))
	shop.WaitGone(object)
	shop.StartOperator()
}

func TestAppliedAgainAnOpenOrderIsTheSameOrder(t *testing.T) {
	shop, g := openReady(t)
	order := shop.NewOrder("order-0001")
	shop.Create(order)
	shop.WaitOrder("order-0001", "Prepared=True/Prepared")
	dropFromCluster(shop, order)

	shop.Create(shop.NewOrder("order-0001"))
	shop.WaitOrder("order-0001", "Prepared=True/Prepared")
	shop.Pay("order-0001")
	shop.WaitOrder("order-0001", "Paid=True/Paid")
	g.Expect(shop.WeChat.Ledger().Orders).To(gomega.HaveLen(1))
	shop.NoViolations()
}

func TestAppliedAgainAPaidOrderIsPaidEarlier(t *testing.T) {
	shop, g := openReady(t, paysMinutesAgo)
	order := shop.Paid("order-0001")
	shop.Must(shop.Client.Delete(shop.Context(), order))
	shop.WaitGone(order)
	afterThisSecond(shop)

	shop.Create(shop.NewOrder("order-0001"))
	again := shop.WaitOrder("order-0001", "Paid=True/PaidEarlier")
	shop.WaitOrder("order-0001", "Prepared=False/AlreadyPaid")
	g.Expect(again.Status.Transaction.ID).NotTo(gomega.BeEmpty())
	g.Expect(shop.WeChat.Ledger().Orders).To(gomega.HaveLen(1))
	shop.NoViolations()
}

// TestAppliedAgainAPaidOrderIsNotRefundedAsLate: an Order that was paid and delivered is restored
// before its Merchant, and expires before WeChat can be asked. Its payment is an earlier one, which
// latePayment does not send back.
func TestAppliedAgainAPaidOrderIsNotRefundedAsLate(t *testing.T) {
	t.Parallel()
	shop := framework.Open(t, env, paysMinutesAgo, framework.WithTiming(pollOften))
	refundsLate := func(m *v1alpha1.Merchant) { m.Spec.LatePayment = v1alpha1.LatePaymentRefund }
	merchant := shop.NewMerchant(refundsLate)
	shop.Create(merchant)
	order := shop.Paid("order-0001")
	shop.Must(shop.Client.Delete(shop.Context(), order))
	shop.WaitGone(order)
	shop.Must(shop.Client.Delete(shop.Context(), merchant))
	shop.WaitGone(merchant)
	afterThisSecond(shop)

	shop.Create(shop.NewOrder("order-0001", func(o *v1alpha1.Order) { o.Spec.ExpireTime = new(metav1.NewTime(time.Now().Add(-time.Hour))) }))
	shop.WaitOrder("order-0001", "Paid=False/Expired")
	shop.Create(shop.NewMerchant(refundsLate))
	shop.WaitOrder("order-0001", "Paid=True/PaidEarlier")
	noRefund(shop, gomega.NewWithT(t))
}

// paysMinutesAgo sets back WeChat's clock, so that a payment is older than an object that is
// created now. What its answers and signatures say is right, since V3 compares the two clocks.
var paysMinutesAgo = framework.WithWeChat(func(o *simulator.Options) {
	const ago = 10 * time.Minute
	o.Now = func() time.Time { return time.Now().Add(-ago) }
	o.ClockSkew = ago
})

func TestAppliedAgainADeletedOrderStaysClosed(t *testing.T) {
	shop, g := openReady(t)
	order := shop.NewOrder("order-0001")
	shop.Create(order)
	shop.WaitOrder("order-0001", "Prepared=True/Prepared")
	shop.Must(shop.Client.Delete(shop.Context(), order))
	shop.WaitGone(order)
	g.Expect(shop.WeChat.Ledger().Order(framework.MchID, "order-0001").State).To(gomega.Equal(simulator.StateClosed))

	shop.Create(shop.NewOrder("order-0001"))
	shop.WaitOrder("order-0001", "Paid=False/Closed")
	g.Expect(shop.WeChat.Ledger().Orders).To(gomega.HaveLen(1))
}

func TestWipedStatusComesBack(t *testing.T) {
	shop, g := openReady(t)
	order := shop.NewOrder("order-0001")
	shop.Create(order)
	shop.WaitOrder("order-0001", "Prepared=True/Prepared")
	shop.WipeStatus(order)
	shop.WaitOrder("order-0001", "Prepared=True/Prepared")
	shop.Pay("order-0001")
	transaction := shop.WaitOrder("order-0001", "Paid=True/Paid").Status.Transaction.ID
	shop.WipeStatus(order)
	again := shop.WaitOrder("order-0001", "Paid=True/Paid")
	g.Expect(again.Status.Transaction.ID).To(gomega.Equal(transaction))
	g.Expect(shop.WeChat.Ledger().Orders).To(gomega.HaveLen(1))
	shop.NoViolations()
}

func TestWipedStatusDoesNotHideThatNothingIsKnown(t *testing.T) {
	// After a lost answer and a lost status the next process has neither, and still creates no
	// second order.
	shop, g := openReady(t)
	shop.Fault(simulator.Fault{Operation: simulator.OperationUnifiedOrder, Kind: simulator.FaultDrop, AfterEffect: true})
	order := shop.NewOrder("order-0001")
	shop.Create(order)
	shop.WaitOrder("order-0001", "Prepared=Unknown/OutcomeUnknown")
	shop.StopOperators()
	shop.WipeStatus(order)
	shop.WeChat.ClearFaults()
	shop.StartOperator()
	shop.WaitOrder("order-0001", "Prepared=True/Prepared")
	g.Expect(shop.WeChat.Ledger().Orders).To(gomega.HaveLen(1))
	shop.NoViolations()
}

func TestRestoredWithStatusUnderANewUID(t *testing.T) {
	shop, g := openReady(t)
	order := shop.Paid("order-0001")
	backup := order.DeepCopy()
	dropFromCluster(shop, order)
	restoredOrder := restoredFromBackup(backup.DeepCopy())
	shop.Create(restoredOrder)
	restoredOrder.Status = backup.Status
	shop.Eventually("the status is restored", func() error {
		live := shop.Order("order-0001")
		live.Status = backup.Status
		return shop.Client.Status().Update(shop.Context(), live)
	})
	shop.WaitOrder("order-0001", "Paid=True/Paid")
	g.Expect(shop.WeChat.Ledger().Orders).To(gomega.HaveLen(1))
	g.Expect(shop.WeChat.Ledger().Order(framework.MchID, "order-0001").State).To(gomega.Equal(simulator.StateSuccess))
	shop.NoViolations()
}

func TestExplicitNumberIsUsedWhateverTheName(t *testing.T) {
	shop, g := openReady(t)
	shop.Create(shop.NewOrder("a.name.that-is-no-number", func(o *v1alpha1.Order) { o.Spec.OutTradeNo = "SHOP_2026|0001" }))
	shop.WaitOrder("a.name.that-is-no-number", "Prepared=True/Prepared")
	g.Expect(shop.WeChat.Ledger().Order(framework.MchID, "SHOP_2026|0001")).NotTo(gomega.BeNil())
	shop.Pay("SHOP_2026|0001")
	shop.WaitOrder("a.name.that-is-no-number", "Paid=True/Paid")
}

func TestMutableFieldsDoNotReachWeChat(t *testing.T) {
	shop, g := openReady(t)
	order := shop.NewOrder("order-0001")
	shop.Create(order)
	shop.WaitOrder("order-0001", "Prepared=True/Prepared")
	before := shop.WeChat.Ledger().Order(framework.MchID, "order-0001").Params
	shop.Patch(order, `{"spec":{"ttlSecondsAfterFinished":600},"metadata":{"labels":{"a":"b"},"annotations":{"wechatpay-operator.io/refresh-prepay":"1"}}}`)
	shop.Eventually("it was asked for again", func() error { return atLeast(shop, simulator.OperationUnifiedOrder, "order-0001", 2) })
	g.Expect(shop.WeChat.Ledger().Order(framework.MchID, "order-0001").Params).To(gomega.Equal(before))
	shop.NoViolations()
}

func TestChangedSettingsHoldForLaterOrdersOnly(t *testing.T) {
	shop, g := openReady(t, framework.Speaking(v1alpha1.ProtocolV2))
	order := shop.NewOrder("order-0001")
	shop.Create(order)
	shop.WaitOrder("order-0001", "Prepared=True/Prepared")
	shop.ChangeMerchant(`{"spec":{"signType":"MD5","notifyBaseURL":"` + shop.Base + `/elsewhere"}}`)
	shop.Create(shop.NewOrder("order-0002"))
	g.Expect(shop.WaitOrder("order-0002", "Prepared=True/Prepared").Status.Prepay.SignType).To(gomega.Equal(v1alpha1.SignTypeMD5))

	shop.Patch(order, `{"metadata":{"annotations":{"wechatpay-operator.io/refresh-prepay":"1"}}}`)
	shop.Eventually("order-0001 is refreshed", func() error { return differs(shop.Order("order-0001").Status.Prepay.RefreshRequest, "") })
	prepay := shop.Order("order-0001").Status.Prepay
	g.Expect(prepay.SignType).To(gomega.Equal(v1alpha1.SignTypeHMACSHA256))
	g.Expect(prepay.JSAPI.SignType).To(gomega.Equal("HMAC-SHA256"))
	g.Expect(prepay.NotifyURL).NotTo(gomega.ContainSubstring("elsewhere"))
	shop.Pay("order-0001")
	shop.WaitOrder("order-0001", "Paid=True/Paid")
	shop.NoViolations()
}
