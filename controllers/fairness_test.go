package controllers_test

import (
	"encoding/pem"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"sync/atomic"
	"testing"
	"time"

	"github.com/onsi/gomega"
	"github.com/prometheus/client_golang/prometheus/testutil"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/wechatpay-operator/wechatpay-operator/api/v1alpha1"
	"github.com/wechatpay-operator/wechatpay-operator/controllers"
	"github.com/wechatpay-operator/wechatpay-operator/internal/manager"
	"github.com/wechatpay-operator/wechatpay-operator/internal/metrics"
	"github.com/wechatpay-operator/wechatpay-operator/internal/wechatpay/simulator"
	"github.com/wechatpay-operator/wechatpay-operator/test/framework"
)

// secondMerchant has another merchant number in the same shop.
const secondMerchant, secondMchID, secondAppID, secondMchKey = "second", "1900000209", "wx0000000000000002", "cccccccccccccccccccccccccccccccc"

func withSecondMerchant() framework.Option {
	return framework.WithWeChat(func(o *simulator.Options) {
		o.Merchants = append(o.Merchants, framework.NewParty(secondMchID, secondAppID, secondMchKey))
	})
}

func createSecondMerchant(shop *framework.Shop) {
	shop.T.Helper()
	shop.CreateCredentialsOf(shop.WeChat, shop.Namespace, secondMerchant, secondMchID, secondMchKey)
	shop.Create(shop.NewMerchant(func(m *v1alpha1.Merchant) {
		m.Name, m.Spec.MchID, m.Spec.AppID = secondMerchant, secondMchID, secondAppID
		framework.UseCredentials(m, secondMerchant)
	}))
	shop.WaitMerchant(secondMerchant, "Ready=True/Ready")
}

// TestHangingMerchantDoesNotBlockOthers: it has more Orders than there are workers, and its
// WeChat answers none of them until the others are served.
func TestHangingMerchantDoesNotBlockOthers(t *testing.T) {
	shop, _ := openReady(t, withSecondMerchant(), framework.WithOptions(func(o *manager.Options) { o.MaxConcurrentReconciles = 8 }))
	createSecondMerchant(shop)
	shop.Fault(simulator.Fault{Operation: simulator.OperationUnifiedOrder, MchID: framework.MchID, Kind: simulator.FaultHang})
	const hanging = 40
	for i := range hanging {
		shop.Create(shop.NewOrder(orderName(i)))
	}
	shop.Eventually("its Orders wait for each other", func() error {
		var orders v1alpha1.OrderList
		shop.Must(shop.Client.List(shop.Context(), &orders, client.InNamespace(shop.Namespace)))
		for i := range orders.Items {
			if has := orders.Items[i].Status.Conditions; len(has) > 0 && contains(has[0].Message, "waiting for an answer") == nil {
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
	if ended := shop.WeChat.Ledger().Order(framework.MchID, orderName(0)); ended != nil {
		t.Error("the first Merchant had an answer, so nothing was tried")
	}
	shop.WeChat.ClearFaults()
	shop.StopOperators() // this ends the hanging calls
}

// hangingHost is a host that accepts requests and answers none.
type hangingHost struct {
	*httptest.Server
	underWay atomic.Int64
}

func newSilent(t *testing.T) *hangingHost {
	s, end := &hangingHost{}, make(chan struct{})
	s.Server = httptest.NewTLSServer(http.HandlerFunc(func(_ http.ResponseWriter, request *http.Request) {
		s.underWay.Add(1)
		defer s.underWay.Add(-1)
		_, _ = io.Copy(io.Discard, request.Body)
		select {
		case <-end:
		case <-request.Context().Done():
		}
	}))
	t.Cleanup(s.Close)
	t.Cleanup(func() { close(end) })
	return s
}

func (s *hangingHost) endpoint() *v1alpha1.Endpoint {
	return &v1alpha1.Endpoint{URL: s.URL, CABundle: pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: s.Certificate().Raw})}
}

// TestHangingMerchantsOfAnotherTenantDoNotBlockOthers: they delay neither the Orders of others nor
// new Merchants, whose key must be probed first. The other tenant has more objects than there are
// workers and slots.
func TestHangingMerchantsOfAnotherTenantDoNotBlockOthers(t *testing.T) {
	for name, test := range map[string]struct{ hosts, merchants, orders int }{
		"many Merchants at a host":    {1, 40, 5},
		"a few Merchants, many hosts": {4, 4, 14},
	} {
		t.Run(name, func(t *testing.T) {
			shop, _ := openReady(t, framework.WithNamespaces(2))
			stranger, newcomer := shop.Other(0), shop.Other(1)
			var hosts []*hangingHost
			for range test.hosts {
				hosts = append(hosts, newSilent(t))
			}
			shop.CreateCredentials(stranger)
			for i := range test.merchants {
				merchant := fmt.Sprintf("hangs-%d", i)
				shop.Create(shop.NewMerchant(func(m *v1alpha1.Merchant) {
					m.Namespace, m.Name, m.Spec.Endpoint = stranger, merchant, hosts[i%test.hosts].endpoint()
				}))
				for j := range test.orders {
					shop.Create(shop.NewOrder(fmt.Sprintf("hangs-%d-%d", i, j), func(o *v1alpha1.Order) {
						o.Namespace, o.Spec.MerchantRef.Name = stranger, merchant
					}))
				}
			}
			for _, host := range hosts {
				shop.Eventually("calls hang", func() error {
					if count := host.underWay.Load(); count < 1 {
						return fmt.Errorf("%d", count)
					}
					return nil
				})
			}
			for i := range 5 {
				shop.Create(shop.NewOrder(orderName(i)))
				shop.WaitOrder(orderName(i), "Prepared=True/Prepared")
			}
			shop.CreateCredentials(newcomer)
			shop.Create(shop.NewMerchant(func(m *v1alpha1.Merchant) { m.Namespace = newcomer }))
			shop.WaitMerchant(newcomer+"/"+framework.MerchantName, "Ready=True/Ready")
			// All Merchants of the other tenant show a condition, too.
			for i := range test.merchants {
				shop.WaitMerchant(fmt.Sprintf("%s/hangs-%d", stranger, i), "Ready=Unknown/WeChatUnreachable")
			}
		})
	}
}

// TestUnprovenMerchantUsesNoLimitsOfTheShop: the attacker names the shop's merchant
// number with another key, which the attacker's host accepts. Many of the attacker's Refunds wait
// for lookups, and more hang than may fail.
func TestUnprovenMerchantUsesNoLimitsOfTheShop(t *testing.T) {
	shop, g := paidShop(t, framework.WithNamespaces(1))
	stranger := shop.Other(0)
	host, err := simulator.New(simulator.Options{
		Merchants: []simulator.Merchant{framework.NewParty(framework.MchID, framework.AppID, secondMchKey)},
		TimeScale: 60, Rules: simulator.Rules{MinTimeExpire: -1, RefundDelay: -1, MinRefundInterval: -1},
	})
	shop.Must(err)
	t.Cleanup(func() { _ = host.Close() })
	shop.CreateCredentialsOf(host, stranger, "wechatpay", framework.MchID, secondMchKey)
	shop.Create(shop.NewMerchant(func(m *v1alpha1.Merchant) {
		m.Namespace = stranger
		m.Spec.Endpoint = &v1alpha1.Endpoint{URL: host.URL(), BackupURL: host.BackupURL(), CABundle: host.CAPEM()}
		believe(m, host)
	}))
	for i := range 7 {
		name := stranger + "/" + strangersOrder(i)
		shop.Create(shop.NewOrder(strangersOrder(i), func(o *v1alpha1.Order) { o.Namespace = stranger }))
		shop.WaitOrder(name, "Prepared=True/Prepared")
		_, err := host.Pay(framework.MchID, strangersOrder(i), simulator.PayOptions{})
		shop.Must(err)
		shop.WaitOrder(name, "Paid=True/Paid")
	}
	_, err = host.AddFault(simulator.Fault{Operation: simulator.OperationRefund, Kind: simulator.FaultHang})
	shop.Must(err)
	in := func(r *v1alpha1.Refund) { r.Namespace = stranger }
	const waiting = 110 // at two a second this exceeds the test's timeout
	for i := range waiting {
		shop.Create(shop.NewRefund(fmt.Sprintf("waits-%04d", i), strangersOrder(0), 1, in))
	}
	for i := range 7 {
		shop.Create(shop.NewRefund(fmt.Sprintf("hangs-%04d", i), strangersOrder(i), 101, in, approved))
	}
	shop.Create(shop.NewRefund("refund-0001", "order-0001", 50))
	shop.WaitRefund("refund-0001", "Approved=Unknown/AwaitingApproval")
	shop.Approve("refund-0001")
	shop.WaitRefund("refund-0001", "Succeeded=True/Succeeded")
	g.Expect(host.Ledger().CallsOf(simulator.OperationRefundQuery, "")).NotTo(gomega.BeEmpty(), "his own limits let him look")
	shop.NoViolations()
	_ = host.Close()
}

func strangersOrder(i int) string { return fmt.Sprintf("strange-%04d", i) }

// TestRefusedOrdersDoNotBlockOthers: an unsigned refusal may be anybody's, and
// says nothing about the account. It is shown at those Orders, which are retried slowly, each by
// itself.
func TestRefusedOrdersDoNotBlockOthers(t *testing.T) {
	const refused = 20
	for name, fault := range map[string]simulator.Fault{
		"parameters":        {Kind: simulator.FaultFail, ReturnMsg: "body参数格式错误"},
		"what nobody knows": {Kind: simulator.FaultFail, ReturnMsg: "商品描述含有敏感词"},
	} {
		t.Run(name, func(t *testing.T) {
			shop, g := openReady(t, breaksAfter(5), noSecretsCheck, framework.WithOptions(func(o *manager.Options) { o.Accounts.Limits.BreakFor = time.Hour }),
				framework.WithTiming(func(timing *controllers.Timing) { timing.RetrySlowly = time.Hour }))
			shop.WaitMerchant(framework.MerchantName, "CallsAllowed=True/Allowed")
			fault.Operation, fault.Count = simulator.OperationUnifiedOrder, refused
			shop.Fault(fault)
			for i := range refused {
				shop.Create(shop.NewOrder(orderName(i)))
			}
			for i := range refused {
				shop.WaitOrder(orderName(i), "Prepared=Unknown/Refused")
			}
			for i := range 5 {
				shop.Create(shop.NewOrder(orderName(refused + i)))
				shop.WaitOrder(orderName(refused+i), "Prepared=True/Prepared")
			}
			g.Expect(breakers(shop)["shop orders"]).To(gomega.BeZero())
			shop.WaitMerchant(framework.MerchantName, "CallsAllowed=True/Allowed")
			g.Expect(shop.WeChat.Ledger().CallsOf(simulator.OperationUnifiedOrder, "")).To(gomega.HaveLen(refused + 5))
		})
	}
}

// TestBurstAboveTheLimitIsServedInTurn: each Order is served, and roughly in the order of creation,
// although more are created all the time.
func TestBurstAboveTheLimitIsServedInTurn(t *testing.T) {
	shop, g := openReady(t, framework.WithOptions(func(o *manager.Options) {
		o.MaxConcurrentReconciles = 4
		o.Accounts.Limits.CreateOrder, o.Accounts.Limits.MaxWait = 5, 100*time.Millisecond // fewer than any machine creates in that time
	}), framework.WithTiming(func(timing *controllers.Timing) {
		// As in production: an Order that was denied once must not come last.
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
	denied := testutil.ToFloat64(metrics.CallsDenied.WithLabelValues("CreateOrder", "RateLimit"))
	g.Expect(denied).NotTo(gomega.BeZero(), "nobody had to come back, so nothing was shown")
	shop.NoViolations()
}
