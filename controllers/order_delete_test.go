package controllers_test

import (
	"errors"
	"testing"

	"github.com/onsi/gomega"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/wechatpay-operator/wechatpay-operator/api/v1alpha1"
	"github.com/wechatpay-operator/wechatpay-operator/internal/wechatpay/simulator"
	"github.com/wechatpay-operator/wechatpay-operator/test/framework"
)

func TestDeletedOrderIsClosedFirst(t *testing.T) {
	shop, g := openReady(t)
	order := shop.NewOrder("order-0001")
	shop.Create(order)
	shop.WaitOrder("order-0001", "Prepared=True/Prepared")
	shop.Must(shop.Client.Delete(shop.Context(), order))
	shop.WaitGone(order)
	g.Expect(shop.WeChat.Ledger().Order(framework.MchID, "order-0001").State).To(gomega.Equal(simulator.StateClosed))
}

func TestDeletedOrderStaysUntilWeChatAnswers(t *testing.T) {
	shop, g := openReady(t)
	order := shop.NewOrder("order-0001")
	shop.Create(order)
	shop.WaitOrder("order-0001", "Prepared=True/Prepared")
	shop.Fault(simulator.Fault{Operation: simulator.OperationCloseOrder, Kind: simulator.FaultHTML})
	shop.Must(shop.Client.Delete(shop.Context(), order))
	shop.WaitOrder("order-0001", "Paid=Unknown/Closing")
	g.Expect(shop.Order("order-0001").Finalizers).To(gomega.ContainElement(v1alpha1.Finalizer))
	shop.WeChat.ClearFaults()
	shop.WaitGone(order)
	g.Expect(shop.WeChat.Ledger().Order(framework.MchID, "order-0001").State).To(gomega.Equal(simulator.StateClosed))
}

func TestPaymentInTheMomentOfDeletionIsRecordedFirst(t *testing.T) {
	shop, g := openReady(t)
	order := shop.NewOrder("order-0001", func(o *v1alpha1.Order) { o.Finalizers = []string{"example.com/keep"} })
	shop.Create(order)
	shop.WaitOrder("order-0001", "Prepared=True/Prepared")
	shop.Pay("order-0001", simulator.PayOptions{NoCallback: true})
	shop.Must(shop.Client.Delete(shop.Context(), order))
	shop.WaitOrder("order-0001", "Paid=True/Paid")
	shop.Eventually("the operator lets it go", func() error {
		if len(shop.Order("order-0001").Finalizers) > 1 {
			return errors.New("not yet")
		}
		return nil
	})
	g.Expect(shop.WeChat.Ledger().Order(framework.MchID, "order-0001").State).To(gomega.Equal(simulator.StateSuccess))
}

// TestOneMismatchDoesNotEndADeletedOrder: a callback about another amount is followed by a deletion,
// and only the query knows the payment.
func TestOneMismatchDoesNotEndADeletedOrder(t *testing.T) {
	shop, _ := openReady(t)
	order := shop.NewOrder("order-0001", func(o *v1alpha1.Order) { o.Finalizers = []string{"example.com/keep"} })
	shop.Create(order)
	shop.WaitOrder("order-0001", "Prepared=True/Prepared")
	shop.Fault(simulator.Fault{Operation: simulator.OperationPaymentCallback, Kind: simulator.FaultWrongAmount, Count: 1})
	shop.Fault(simulator.Fault{Operation: simulator.OperationPaymentCallback, Kind: simulator.FaultLose})
	shop.Pay("order-0001", simulator.PayOptions{})
	shop.WaitOrder("order-0001", "Paid=Unknown/AmountMismatch")
	shop.Must(shop.Client.Delete(shop.Context(), order))
	shop.WaitOrder("order-0001", "Paid=True/Paid")
}

// TestPaidDifferentlyIsAskedForAndGoes: the query says what the callback said.
func TestPaidDifferentlyIsAskedForAndGoes(t *testing.T) {
	shop, _ := openReady(t)
	order := shop.NewOrder("order-0001")
	shop.Create(order)
	shop.WaitOrder("order-0001", "Prepared=True/Prepared")
	shop.Pay("order-0001", simulator.PayOptions{TotalFee: new(int64(1))})
	shop.WaitOrder("order-0001", "Paid=Unknown/AmountMismatch")
	shop.Must(shop.Client.Delete(shop.Context(), order))
	shop.WaitGone(order)
}

func TestPaidOrderGoesAtOnce(t *testing.T) {
	shop, g := openReady(t)
	order := shop.Paid("order-0001")
	shop.Must(shop.Client.Delete(shop.Context(), order))
	shop.WaitGone(order)
	g.Expect(shop.WeChat.Ledger().CallsOf(simulator.OperationCloseOrder, "order-0001")).To(gomega.BeEmpty())
}

func TestPaidOrderStaysWhileARefundIsOpen(t *testing.T) {
	shop, _ := openReady(t)
	order := shop.Paid("order-0001")
	refund := shop.NewRefund("refund-0001", "order-0001", 50)
	shop.Create(refund)
	shop.WaitRefund("refund-0001", "Approved=Unknown/AwaitingApproval")
	shop.Must(shop.Client.Delete(shop.Context(), order))
	shop.Approve("refund-0001")
	shop.WaitRefund("refund-0001", "Succeeded=True/Succeeded")
	shop.WaitGone(order)
}

func TestOrderThatWasNeverSentGoesAtOnce(t *testing.T) {
	t.Parallel()
	shop := framework.Open(t, env)
	order := shop.NewOrder("order-0001")
	shop.Create(order)
	shop.WaitOrder("order-0001", "Prepared=False/MerchantNotReady")
	shop.Must(shop.Client.Delete(shop.Context(), order))
	shop.WaitGone(order)
}

func TestDeletionWithoutCredentialsIsAbandoned(t *testing.T) {
	shop, g := openReady(t)
	order := shop.NewOrder("order-0001")
	shop.Create(order)
	shop.WaitOrder("order-0001", "Prepared=True/Prepared")
	shop.Must(shop.Client.Delete(shop.Context(), &corev1.Secret{ObjectMeta: metav1.ObjectMeta{Namespace: shop.Namespace, Name: "wechatpay"}}))
	shop.WaitMerchant(framework.MerchantName, "Ready=False/SecretNotFound")
	merchant := shop.NewMerchant()
	shop.Must(shop.Client.Delete(shop.Context(), merchant))
	shop.Must(shop.Client.Delete(shop.Context(), order))
	waiting := shop.WaitOrder("order-0001", "Paid=Unknown/Closing")
	g.Expect(waiting.Status.Conditions).To(gomega.ContainElement(gomega.HaveField("Message", gomega.ContainSubstring("Deletion waits, at most"))))
	waitEvent(shop, "order-0001", "FinalizerAbandoned")
	shop.WaitGone(order)
	shop.WaitGone(merchant)
}

func TestMerchantStaysWhileOrdersNeedIt(t *testing.T) {
	shop, g := openReady(t)
	order := shop.NewOrder("order-0001")
	shop.Create(order)
	shop.WaitOrder("order-0001", "Prepared=True/Prepared")
	merchant := shop.DeleteMerchant()
	shop.Create(shop.NewOrder("order-0002"))
	shop.WaitOrder("order-0002", "Prepared=False/MerchantNotReady")
	shop.Eventually("the Merchant says what it waits for", func() error {
		if err := shop.Client.Get(shop.Context(), keyOf(merchant), merchant); err != nil {
			return err
		}
		return contains(ready(merchant), "is being deleted and waits for 1 unfinished Order or Refund")
	})
	g.Expect(shop.Client.Get(shop.Context(), keyOf(merchant), merchant)).To(gomega.Succeed())
	shop.Pay("order-0001")
	shop.WaitOrder("order-0001", "Paid=True/Paid")
	shop.WaitGone(merchant)
}

func TestFinishedOrderIsDeletedAfterItsTTL(t *testing.T) {
	shop, _ := openReady(t)
	ttl := func(seconds int32) func(*v1alpha1.Order) {
		return func(o *v1alpha1.Order) { o.Spec.TTLSecondsAfterFinished = &seconds }
	}
	paid := shop.Paid("order-0001", ttl(1))
	shop.WaitGone(paid)

	closed := shop.NewOrder("order-0002", ttl(0))
	shop.Create(closed)
	shop.WaitOrder("order-0002", "Prepared=True/Prepared")
	shop.Patch(closed, wishClosed)
	shop.WaitGone(closed)

	later := shop.Paid("order-0003")
	shop.Patch(later, `{"spec":{"ttlSecondsAfterFinished":0}}`)
	shop.WaitGone(later)
}

func TestTTLWaitsForRefunds(t *testing.T) {
	shop, _ := openReady(t)
	order := shop.Paid("order-0001")
	shop.Create(shop.NewRefund("refund-0001", "order-0001", 50))
	shop.WaitRefund("refund-0001", "Approved=Unknown/AwaitingApproval")
	shop.Patch(order, `{"spec":{"ttlSecondsAfterFinished":0}}`)
	shop.Approve("refund-0001")
	shop.WaitRefund("refund-0001", "Succeeded=True/Succeeded")
	shop.WaitGone(order)
}
