package controllers_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/onsi/gomega"
	"github.com/prometheus/client_golang/prometheus/testutil"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/wechatpay-operator/wechatpay-operator/api/v1alpha1"
	"github.com/wechatpay-operator/wechatpay-operator/controllers"
	"github.com/wechatpay-operator/wechatpay-operator/internal/manager"
	"github.com/wechatpay-operator/wechatpay-operator/internal/metrics"
	"github.com/wechatpay-operator/wechatpay-operator/internal/testshop"
	"github.com/wechatpay-operator/wechatpay-operator/internal/wechatpay/simulator"
)

// secondMerchant is another merchant number of the same shop.
const secondMerchant, secondMchID, secondAppID, secondMchKey = "second", "1900000209", "wx0000000000000002", "cccccccccccccccccccccccccccccccc"

func withSecondMerchant() testshop.Option {
	return testshop.WithWeChat(func(o *simulator.Options) {
		o.Merchants = append(o.Merchants, simulator.Merchant{MchID: secondMchID, AppIDs: []string{secondAppID}, APIKey: secondMchKey})
	})
}

func createSecondMerchant(shop *testshop.Shop) {
	shop.T.Helper()
	shop.Create(&corev1.Secret{ObjectMeta: metav1.ObjectMeta{Namespace: shop.Namespace, Name: secondMerchant}, StringData: map[string]string{"apiKey": secondMchKey}})
	shop.Create(shop.NewMerchant(func(m *v1alpha1.Merchant) {
		m.Name, m.Spec.MchID, m.Spec.AppID = secondMerchant, secondMchID, secondAppID
		m.Spec.APIKeySecretRef.Name, m.Spec.CertificateSecretRef = secondMerchant, nil
	}))
	shop.WaitMerchant(secondMerchant, "Ready=True/Ready")
}

// TestMerchantThatHangsDoesNotHoldUpOthers: there are more of its Orders than workers, and its WeChat answers none of them
// until the others are served.
func TestMerchantThatHangsDoesNotHoldUpOthers(t *testing.T) {
	shop, _ := openReady(t, withSecondMerchant(), testshop.WithOptions(func(o *manager.Options) { o.MaxConcurrentReconciles = 8 }))
	createSecondMerchant(shop)
	shop.Fault(simulator.Fault{Operation: simulator.OperationUnifiedOrder, MchID: testshop.MchID, Kind: simulator.FaultHang})
	const hanging = 40
	for i := range hanging {
		shop.Create(shop.NewOrder(orderName(i)))
	}
	shop.Eventually("its Orders wait for each other", func() error {
		var orders v1alpha1.OrderList
		shop.Must(shop.Client.List(shop.Context(), &orders, client.InNamespace(shop.Namespace)))
		for i := range orders.Items {
			if has := orders.Items[i].Status.Conditions; len(has) > 0 && contains(has[0].Message, "under way") == nil {
				return nil
			}
		}
		return fmt.Errorf("none of %d is told so", len(orders.Items))
	})
	for i := range 5 {
		name := fmt.Sprintf("other-%04d", i)
		shop.Create(shop.NewOrder(name, func(o *v1alpha1.Order) { o.Spec.MerchantRef.Name = secondMerchant }))
		shop.WaitOrder(name, "Prepared=True/Prepared")
	}
	if ended := shop.WeChat.Ledger().Order(testshop.MchID, orderName(0)); ended != nil {
		t.Error("the first Merchant had an answer, so nothing was tried")
	}
	shop.WeChat.ClearFaults()
	shop.StopOperators() // and with them the calls that hang
}

// TestBurstAboveTheLimitIsServedInTurn: each Order of it, and about in the order of their creation, although more come all the time.
func TestBurstAboveTheLimitIsServedInTurn(t *testing.T) {
	shop, g := openReady(t, testshop.WithOptions(func(o *manager.Options) {
		o.MaxConcurrentReconciles = 4
		o.Merchant.Limits.UnifiedOrder, o.Merchant.Limits.MaxWait = 5, 100*time.Millisecond // fewer than any machine creates
	}), testshop.WithTiming(func(timing *controllers.Timing) {
		// Production's: what was denied once would come back last.
		timing.RetryFirst, timing.RetryMost = 2*time.Second, 5*time.Minute
	}))
	const orders = 60
	for i := range orders {
		shop.Create(shop.NewOrder(orderName(i)))
	}
	for i := range orders {
		shop.WaitOrder(orderName(i), "Prepared=True/Prepared")
	}
	made := shop.WeChat.Ledger().CallsOf(simulator.OperationUnifiedOrder, "")
	g.Expect(made).To(gomega.HaveLen(orders))
	displaced := 0
	for at, call := range made {
		var created int
		_, err := fmt.Sscanf(call.Number, "order-%d", &created)
		shop.Must(err)
		displaced += max(at-created, created-at)
	}
	t.Logf("%.1f places off on average", float64(displaced)/orders)
	g.Expect(displaced/orders).To(gomega.BeNumerically("<", orders/6), "by chance it would be a third of them")
	denied := testutil.ToFloat64(metrics.CallsDenied.WithLabelValues("unifiedorder", "RateLimit"))
	g.Expect(denied).NotTo(gomega.BeZero(), "nobody had to come back, so nothing was shown")
	shop.NoViolations()
}
