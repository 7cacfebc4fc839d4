package controllers_test

import (
	"errors"
	"testing"
	"time"

	"github.com/onsi/gomega"
	"github.com/prometheus/client_golang/prometheus/testutil"

	"github.com/wechatpay-operator/wechatpay-operator/api/v1alpha1"
	"github.com/wechatpay-operator/wechatpay-operator/controllers"
	"github.com/wechatpay-operator/wechatpay-operator/internal/metrics"
	"github.com/wechatpay-operator/wechatpay-operator/internal/wechatpay/simulator"
	"github.com/wechatpay-operator/wechatpay-operator/test/framework"
)

// An object may have the finalizer from its creation on: set by the cluster's
// MutatingAdmissionPolicy, or by its author. The operator must not conclude from it that a call was
// made.

func held(o *v1alpha1.Order)        { o.Finalizers = []string{v1alpha1.Finalizer} }
func heldRefund(r *v1alpha1.Refund) { r.Finalizers = []string{v1alpha1.Finalizer} }

func letsGoNever(timing *controllers.Timing) {
	timing.AbandonAfter, timing.AbandonAtLast = time.Hour, time.Hour
}

func TestHeldOrderThatWasNeverSentGoesAtOnce(t *testing.T) {
	t.Run("without a Merchant", func(t *testing.T) {
		t.Parallel()
		shop := framework.Open(t, env, framework.WithTiming(letsGoNever))
		g := gomega.NewWithT(t)
		released := testutil.ToFloat64(metrics.FinalizersReleased.WithLabelValues("Order"))
		order := shop.NewOrder("order-0001", held)
		shop.Create(order)
		shop.WaitOrder("order-0001", "Prepared=False/MerchantNotReady")
		shop.Must(shop.Client.Delete(shop.Context(), order))
		shop.WaitGone(order)
		g.Expect(testutil.ToFloat64(metrics.FinalizersReleased.WithLabelValues("Order"))).To(gomega.Equal(released), "nothing was left unsettled")
	})
	t.Run("with one", func(t *testing.T) {
		t.Parallel()
		shop := framework.Open(t, env, framework.WithTiming(letsGoNever), framework.WithoutOperator())
		g := gomega.NewWithT(t)
		order := shop.NewOrder("order-0001", held)
		shop.Create(shop.NewMerchant(), order)
		shop.Must(shop.Client.Delete(shop.Context(), order))
		shop.StartOperator()
		shop.WaitGone(order)
		g.Expect(shop.WeChat.Ledger().CallsOf(simulator.OperationUnifiedOrder, "order-0001")).To(gomega.BeEmpty())
	})
}

func TestHeldRefundThatWasNeverSentGoesAtOnce(t *testing.T) {
	shop, _ := openReady(t, framework.WithTiming(letsGoNever))
	refund := shop.NewRefund("refund-0001", "there-is-none", 50, heldRefund)
	shop.Create(refund)
	shop.WaitRefund("refund-0001", "Accepted=False/OrderNotFound")
	shop.Must(shop.Client.Delete(shop.Context(), refund))
	shop.WaitGone(refund)
}

// TestHeldRefundThatWasAllowedWaits: it may have been sent by a process that stopped before it
// could record that.
func TestHeldRefundThatWasAllowedWaits(t *testing.T) {
	shop, g := openReady(t, framework.WithTiming(letsGoNever))
	refund := shop.NewRefund("refund-0001", "order-0001", 50, heldRefund, approved)
	shop.Create(refund)
	shop.WaitRefund("refund-0001", "Accepted=False/OrderNotFound")
	shop.Must(shop.Client.Delete(shop.Context(), refund))
	shop.Paid("order-0001")
	shop.WaitGone(refund)
	g.Expect(shop.WeChat.Ledger().CallsOf(simulator.OperationRefundQuery, "refund-0001")).NotTo(gomega.BeEmpty(), "WeChat is asked first")
}

// TestOrderWithoutGrantDoesNotBlockMerchantDeletion: an Order in a namespace without a grant,
// created with the finalizer, must not block the deletion of the Merchant that it names.
func TestOrderWithoutGrantDoesNotBlockMerchantDeletion(t *testing.T) {
	shop, _ := openReady(t, framework.WithTiming(letsGoNever), framework.WithNamespaces(1))
	shop.Create(shop.NewOrder("order-0001", held, func(o *v1alpha1.Order) {
		o.Namespace, o.Spec.MerchantRef.Namespace = shop.Other(0), shop.Namespace
	}))
	shop.WaitOrder(shop.Other(0)+"/order-0001", "Prepared=False/NotPermitted")
	merchant := shop.NewMerchant()
	shop.Must(shop.Client.Delete(shop.Context(), merchant))
	shop.WaitGone(merchant)
}

func TestDeletedMerchantTakesNoHeldOrders(t *testing.T) {
	shop, g := openReady(t)
	order := shop.NewOrder("order-0001", held)
	shop.Create(order)
	shop.WaitOrder("order-0001", "Prepared=True/Prepared")
	merchant := shop.DeleteMerchant()
	shop.Must(shop.Client.Get(shop.Context(), keyOf(merchant), merchant))
	shop.Eventually("a second later", func() error {
		if time.Since(merchant.DeletionTimestamp.Time) < 2*time.Second {
			return errors.New("not yet")
		}
		return nil
	})
	shop.Create(shop.NewOrder("order-0002", held))
	shop.WaitOrder("order-0002", "Prepared=False/MerchantNotReady")
	g.Expect(shop.WeChat.Ledger().CallsOf(simulator.OperationUnifiedOrder, "order-0002")).To(gomega.BeEmpty())
	shop.Must(shop.Client.Delete(shop.Context(), order))
	shop.WaitGone(order)
	shop.WaitGone(merchant)
}
