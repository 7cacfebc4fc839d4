package controllers_test

import (
	"testing"

	"github.com/onsi/gomega"
	"github.com/prometheus/client_golang/prometheus/testutil"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/wechatpay-operator/wechatpay-operator/api/v1alpha1"
	"github.com/wechatpay-operator/wechatpay-operator/internal/metrics"
	"github.com/wechatpay-operator/wechatpay-operator/internal/wechatpay/simulator"
	"github.com/wechatpay-operator/wechatpay-operator/test/framework"
)

// TestNamespaceThatIsDeletedAsAWholeEnds: it ends within the limited wait, although the Secrets are
// deleted first and nothing can be settled any more. There is no namespace controller here, so the
// test deletes the objects itself, in the worst order.
func TestNamespaceThatIsDeletedAsAWholeEnds(t *testing.T) {
	released := map[string]float64{}
	for _, kind := range []string{"Order", "Refund"} {
		released[kind] = testutil.ToFloat64(metrics.FinalizersReleased.WithLabelValues(kind))
	}
	shop, g := paidShop(t)
	shop.Fault(simulator.Fault{Operation: simulator.OperationRefund, Kind: simulator.FaultRefundHold})
	underWay := shop.NewRefund("refund-0001", "order-0001", 50, approved)
	shop.Create(underWay)
	shop.WaitRefund("refund-0001", "Succeeded=Unknown/Processing")
	undecided := shop.NewRefund("refund-0002", "order-0001", 51)
	shop.Create(undecided)
	shop.WaitRefund("refund-0002", "Approved=Unknown/AwaitingApproval")
	open := shop.NewOrder("order-0002")
	shop.Create(open)
	shop.WaitOrder("order-0002", "Prepared=True/Prepared")
	all := []client.Object{shop.NewMerchant(), shop.NewOrder("order-0001"), open, underWay, undecided}

	shop.Must(shop.Client.Delete(shop.Context(), &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: shop.Namespace}}))
	for _, name := range []string{"wechatpay", "wechatpay-cert"} {
		shop.Must(shop.Client.Delete(shop.Context(), secret(shop, name)))
	}
	shop.WaitMerchant(framework.MerchantName, "Ready=False/SecretNotFound")
	for _, object := range all {
		shop.Must(shop.Client.Delete(shop.Context(), object))
	}
	waiting := shop.WaitOrder("order-0002", "Paid=Unknown/Closing")
	g.Expect(waiting.Status.Conditions).To(gomega.ContainElement(gomega.HaveField("Message", gomega.ContainSubstring("Deletion waits, at most 2s"))))
	for _, object := range all {
		shop.WaitGone(object)
	}
	for kind, before := range released {
		g.Expect(testutil.ToFloat64(metrics.FinalizersReleased.WithLabelValues(kind))).To(gomega.BeNumerically(">", before), kind)
	}
	var left v1alpha1.OrderList
	shop.Must(shop.Client.List(shop.Context(), &left, client.InNamespace(shop.Namespace)))
	g.Expect(left.Items).To(gomega.BeEmpty())
}
