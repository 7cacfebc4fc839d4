package controllers_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/onsi/gomega"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/wechatpay-operator/wechatpay-operator/api/v1alpha1"
	"github.com/wechatpay-operator/wechatpay-operator/controllers"
	"github.com/wechatpay-operator/wechatpay-operator/internal/manager"
	"github.com/wechatpay-operator/wechatpay-operator/internal/wechatpay/simulator"
	"github.com/wechatpay-operator/wechatpay-operator/test/framework"
)

// openShared opens a Shop whose Merchant other namespaces may use, by the given rule.
func openShared(t *testing.T, rule v1alpha1.AllowedNamespaces, options ...framework.Option) (*framework.Shop, *gomega.WithT) {
	t.Helper()
	t.Parallel()
	shop := framework.Open(t, env, append(options, framework.WithNamespaces(2))...)
	shop.Create(shop.NewMerchant(func(m *v1alpha1.Merchant) { m.Spec.AllowedNamespaces = rule }))
	shop.WaitMerchant(framework.MerchantName, "Ready=True/Ready")
	return shop, gomega.NewWithT(t)
}

var (
	everybody = v1alpha1.AllowedNamespaces{From: v1alpha1.NamespacesFromAll}
	nobody    = v1alpha1.AllowedNamespaces{From: v1alpha1.NamespacesFromSame}
)

// of puts an Order into another namespace that names the shop's Merchant.
func of(shop *framework.Shop, tenant int) func(*v1alpha1.Order) {
	return func(o *v1alpha1.Order) {
		o.Namespace = shop.Other(tenant)
		o.Spec.MerchantRef.Namespace = shop.Namespace
	}
}

func numbered(number string) func(*v1alpha1.Order) {
	return func(o *v1alpha1.Order) { o.Spec.OutTradeNo = number }
}

func told(conditions []metav1.Condition) string {
	text := ""
	for _, c := range conditions {
		text += c.Message + "\n"
	}
	return text
}

// TestNumbersWithoutGrantAreFree: a namespace without a grant can't take numbers that the
// shop will use, however early, and in whatever state.
func TestNumbersWithoutGrantAreFree(t *testing.T) {
	shop, g := openShared(t, nobody)
	shop.Create(
		shop.NewOrder("order-0001", of(shop, 0)),
		shop.NewOrder("order-0002", of(shop, 0), func(o *v1alpha1.Order) { o.Spec.DesiredState = v1alpha1.DesiredStateClosed }),
		shop.NewOrder("squatter", of(shop, 0)),
		shop.NewRefund("refund-0001", "squatter", 50, func(r *v1alpha1.Refund) { r.Namespace = shop.Other(0) }),
	)
	shop.WaitOrder(shop.Other(0)+"/order-0001", "Prepared=False/NotPermitted")
	shop.WaitRefund(shop.Other(0)+"/refund-0001", "Accepted=False/NotPermitted")
	afterThisSecond(shop)

	shop.Paid("order-0001")
	shop.Paid("order-0002")
	shop.Create(shop.NewRefund("refund-0001", "order-0001", 50, approved))
	shop.WaitRefund("refund-0001", "Succeeded=True/Succeeded")
	stranger := shop.Order(shop.Other(0) + "/order-0001")
	g.Expect(reason(stranger)).To(gomega.Equal("Pending"))
	g.Expect(stranger.Status.Transaction).To(gomega.BeNil())
	shop.NoViolations()
}

// TestPaymentOfLostObjectIsNotAnotherTenants: the shop's object is lost, another tenant's Order has
// its number, and the payer pays.
func TestPaymentOfLostObjectIsNotAnotherTenants(t *testing.T) {
	shop, g := openShared(t, nobody)
	order := shop.NewOrder("order-0001")
	shop.Create(order)
	shop.WaitOrder("order-0001", "Prepared=True/Prepared")
	shop.Create(shop.NewOrder("order-0001", of(shop, 0)))
	shop.WaitOrder(shop.Other(0)+"/order-0001", "Prepared=False/NotPermitted")
	dropFromCluster(shop, order)

	shop.Pay("order-0001")
	shop.Eventually("the callback was answered", func() error {
		for _, callback := range shop.WeChat.Ledger().CallbacksOf(simulator.OperationPaymentCallback, "order-0001") {
			if len(callback.Attempts) > 0 {
				return nil
			}
		}
		return fmt.Errorf("no callback yet")
	})
	stranger := shop.Order(shop.Other(0) + "/order-0001")
	g.Expect(reason(stranger)).To(gomega.Equal("Pending"))
	g.Expect(stranger.Status.Transaction).To(gomega.BeNil())

	shop.Create(shop.NewOrder("order-0001"))
	shop.WaitOrder("order-0001", "Paid=True/Paid")
}

// TestOneNumberInOneSecondIsOneObject: two tenants of one Merchant create an Order with one number,
// and a Refund with one number, in the same second.
func TestOneNumberInOneSecondIsOneObject(t *testing.T) {
	shop, g := openShared(t, everybody)
	for i := range 6 {
		number := orderName(i)
		shop.Create(shop.NewOrder(number, of(shop, 0)), shop.NewOrder(number, of(shop, 1)))
		var owner, other string
		shop.Eventually("one of both has the number", func() error {
			for a, b := range map[string]string{shop.Other(0) + "/" + number: shop.Other(1) + "/" + number, shop.Other(1) + "/" + number: shop.Other(0) + "/" + number} {
				if prepared := shop.Order(a); prepared.Status.Prepay != nil {
					owner, other = a, b
					return nil
				}
			}
			return fmt.Errorf("neither yet")
		})
		shop.WaitOrder(other, "Paid=False/NumberInUse")
		shop.Pay(number)
		shop.WaitOrder(owner, "Paid=True/Paid")
		shop.WaitOrder(other, "Paid=False/NumberInUse")
	}
	shop.Paid("order-0100")
	for i := range 4 {
		number := fmt.Sprintf("refund-%04d", i)
		one := shop.NewRefund(number, "order-0100", 1, approved)
		two := shop.NewRefund(number+"-b", "order-0100", 1, approved, func(r *v1alpha1.Refund) { r.Spec.OutRefundNo = number })
		shop.Create(one, two)
		var final []string
		shop.Eventually("both are final", func() error {
			final = nil
			for _, name := range []string{number, number + "-b"} {
				for _, c := range shop.Refund(name).Status.Conditions {
					if c.Type == v1alpha1.ConditionSucceeded && c.Status != metav1.ConditionUnknown {
						final = append(final, c.Reason)
					}
				}
			}
			if len(final) < 2 {
				return fmt.Errorf("only %v", final)
			}
			return nil
		})
		g.Expect(final).To(gomega.ConsistOf("Succeeded", "NumberInUse"))
	}
	shop.NoViolations()
}

// TestOrdersOfOtherNamespacesNameTheirs: WeChat's record says which namespace an order belongs to.
func TestOrdersOfOtherNamespacesNameTheirs(t *testing.T) {
	shop, g := openShared(t, everybody)
	shop.Create(shop.NewOrder("order-0001", of(shop, 0), func(o *v1alpha1.Order) { o.Spec.Attach = "till 3" }), shop.NewOrder("order-0002", of(shop, 0)),
		shop.NewOrder("order-0003", func(o *v1alpha1.Order) { o.Spec.Attach = "till 3" }))
	for number, attach := range map[string]string{"order-0001": shop.Other(0) + "/till 3", "order-0002": shop.Other(0) + "/", "order-0003": "till 3"} {
		name := number
		if number != "order-0003" {
			name = shop.Other(0) + "/" + number
		}
		prepared := shop.WaitOrder(name, "Prepared=True/Prepared")
		g.Expect(prepared.Status.Prepay.Attach).To(gomega.Equal(attach))
		g.Expect(shop.WeChat.Ledger().Order(framework.MchID, number).Params["attach"]).To(gomega.Equal(attach))
		shop.Pay(number)
		shop.WaitOrder(name, "Paid=True/Paid")
	}
	long := shop.NewOrder("order-0004", of(shop, 0), func(o *v1alpha1.Order) {
		o.Spec.Attach = fmt.Sprintf("%0*d", 127-len(shop.Other(0)), 0) // one byte too long
	})
	shop.Create(long)
	rejected := shop.WaitOrder(shop.Other(0)+"/order-0004", "Paid=False/Rejected")
	g.Expect(told(rejected.Status.Conditions)).To(gomega.ContainSubstring("spec.attach is too long"))
	g.Expect(shop.WeChat.Ledger().CallsOf(simulator.OperationUnifiedOrder, "order-0004")).To(gomega.BeEmpty())
}

// TestSaleOfAnotherTenantIsNotRevealed: a tenant that uses a number which another tenant has sold
// and deleted learns nothing about that sale.
func TestSaleOfAnotherTenantIsNotRevealed(t *testing.T) {
	for name, sell := range map[string]func(*framework.Shop) string{
		"of a tenant":        func(shop *framework.Shop) string { return shop.Other(1) + "/order-0001" },
		"of the Merchant's":  func(*framework.Shop) string { return "order-0001" },
		"of the same tenant": func(shop *framework.Shop) string { return shop.Other(0) + "/order-0001" },
	} {
		t.Run(name, func(t *testing.T) {
			shop, g := openShared(t, everybody)
			sold := shop.NewOrder("order-0001")
			switch sell(shop) {
			case shop.Other(1) + "/order-0001":
				of(shop, 1)(sold)
			case shop.Other(0) + "/order-0001":
				of(shop, 0)(sold)
			}
			shop.Create(sold)
			shop.WaitOrder(sold.Namespace+"/order-0001", "Prepared=True/Prepared")
			shop.Pay("order-0001")
			shop.WaitOrder(sold.Namespace+"/order-0001", "Paid=True/Paid")
			shop.Must(shop.Client.Delete(shop.Context(), sold))
			shop.WaitGone(sold)

			shop.Create(shop.NewOrder("order-0001", of(shop, 0)), shop.NewOrder("order-0002", of(shop, 0), numbered("order-0001"), func(o *v1alpha1.Order) { o.Spec.Amount.Total = 7 }))
			mine := shop.Other(0) + "/order-0001"
			switch name {
			case "of the same tenant":
				shop.WaitOrder(mine, "Paid=True/Paid") // its own paid order, applied again
				return
			case "of a tenant":
				shop.WaitOrder(mine, "Paid=False/NumberInUse")
			default:
				shop.WaitOrder(mine, "Prepared=False/UsedAtWeChat")
			}
			order := shop.Order(mine)
			g.Expect(order.Status.Transaction).To(gomega.BeNil())
			for _, name := range []string{mine, shop.Other(0) + "/order-0002"} {
				g.Expect(told(shop.Order(name).Status.Conditions)).NotTo(gomega.Or(gomega.ContainSubstring("101"), gomega.ContainSubstring(framework.OpenID), gomega.ContainSubstring(shop.Other(1))))
			}
		})
	}
}

// TestRefundOfAnotherTenantIsNotRevealed: a tenant names the numbers of another tenant's order and
// refund. Nothing of the refund is shown, whether they query, approve, or delete an approved one.
func TestRefundOfAnotherTenantIsNotRevealed(t *testing.T) {
	for name, seller := range map[string]func(*framework.Shop) func(*v1alpha1.Order){
		"of a tenant":       func(shop *framework.Shop) func(*v1alpha1.Order) { return of(shop, 1) },
		"of the Merchant's": func(*framework.Shop) func(*v1alpha1.Order) { return func(*v1alpha1.Order) {} },
	} {
		t.Run(name, func(t *testing.T) {
			shop, g := openShared(t, everybody)
			sold := shop.NewOrder("order-0001", seller(shop))
			shop.Create(sold)
			shop.WaitOrder(sold.Namespace+"/order-0001", "Prepared=True/Prepared")
			shop.Pay("order-0001")
			shop.WaitOrder(sold.Namespace+"/order-0001", "Paid=True/Paid")
			refunded := shop.NewRefund("refund-0001", "order-0001", 50, approved, func(r *v1alpha1.Refund) { r.Namespace = sold.Namespace })
			shop.Create(refunded)
			shop.WaitRefund(sold.Namespace+"/refund-0001", "Succeeded=True/Succeeded")
			for _, object := range []client.Object{refunded, sold} {
				shop.Must(shop.Client.Delete(shop.Context(), object))
				shop.WaitGone(object)
			}
			asked := len(shop.WeChat.Ledger().CallsOf(simulator.OperationRefundQuery, "refund-0001"))

			mine := func(r *v1alpha1.Refund) { r.Namespace = shop.Other(0) }
			shop.Create(shop.NewOrder("order-0001", of(shop, 0)))
			shop.WaitOrder(shop.Other(0)+"/order-0001", "Paid=False/NumberInUse", "Prepared=False/UsedAtWeChat")
			shop.Create(shop.NewRefund("refund-0001", "order-0001", 50, mine),
				shop.NewRefund("refund-0002", "order-0001", 50, mine, approved, func(r *v1alpha1.Refund) { r.Spec.OutRefundNo = "refund-0001" }))
			for _, name := range []string{"refund-0001", "refund-0002"} {
				shop.WaitRefund(shop.Other(0)+"/"+name, "Accepted=False/OrderNotPaid")
			}
			shop.Must(shop.WeChat.ResendCallback(simulator.OperationRefundCallback, framework.MchID, "refund-0001"))
			shop.Paid("order-0002") // this takes longer than the callback
			for _, name := range []string{"refund-0001", "refund-0002"} {
				refund := shop.Refund(shop.Other(0) + "/" + name)
				g.Expect(refund.Status.RefundID + refund.Status.ReceivedAccount).To(gomega.BeEmpty())
				shop.Must(shop.Client.Delete(shop.Context(), refund))
				shop.WaitGone(refund)
			}
			g.Expect(shop.WeChat.Ledger().CallsOf(simulator.OperationRefundQuery, "refund-0001")).To(gomega.HaveLen(asked))
		})
	}
}

// TestOrderOfAnotherTenantIsNotClosed: a tenant's Order has the number of an open order whose
// object is lost. The tenant can't close that order.
func TestOrderOfAnotherTenantIsNotClosed(t *testing.T) {
	for name, lose := range map[string]func(*framework.Shop) func(*v1alpha1.Order){
		"of a tenant":       func(shop *framework.Shop) func(*v1alpha1.Order) { return of(shop, 1) },
		"of the Merchant's": func(*framework.Shop) func(*v1alpha1.Order) { return func(*v1alpha1.Order) {} },
	} {
		t.Run(name, func(t *testing.T) {
			shop, g := openShared(t, everybody)
			order := shop.NewOrder("order-0001", lose(shop))
			shop.Create(order)
			shop.WaitOrder(order.Namespace+"/order-0001", "Prepared=True/Prepared")
			dropFromCluster(shop, order)

			closed := shop.NewOrder("order-0001", of(shop, 0), func(o *v1alpha1.Order) { o.Spec.DesiredState = v1alpha1.DesiredStateClosed })
			deleted := shop.NewOrder("order-0002", of(shop, 0), numbered("order-0001"))
			shop.Create(closed, deleted)
			shop.WaitOrder(shop.Other(0)+"/order-0002", "Paid=False/NumberInUse", "Prepared=False/UsedAtWeChat")
			shop.Must(shop.Client.Delete(shop.Context(), deleted))
			shop.WaitGone(deleted)
			shop.WaitOrder(shop.Other(0)+"/order-0001", "Paid=False/NumberInUse", "Paid=False/Closed")
			g.Expect(shop.WeChat.Ledger().CallsOf(simulator.OperationCloseOrder, "order-0001")).To(gomega.BeEmpty())
			g.Expect(shop.WeChat.Ledger().Order(framework.MchID, "order-0001").State).To(gomega.Equal(simulator.StateNotPay))
		})
	}
}

// TestNumberWithOtherParametersIsStillPaid: an open Order is applied again without its status,
// after the callback address changed; its payer has the earlier prepay.
func TestNumberWithOtherParametersIsStillPaid(t *testing.T) {
	shop, g := openReady(t, framework.WithTiming(pollOften))
	order := shop.NewOrder("order-0001")
	shop.Create(order)
	prepay := shop.WaitOrder("order-0001", "Prepared=True/Prepared").Status.Prepay
	dropFromCluster(shop, order)
	merchant := shop.NewMerchant()
	shop.ChangeMerchant(`{"spec":{"notifyBaseURL":"` + shop.Base + `/moved"}}`)
	shop.Create(shop.NewOrder("order-0001"))
	used := shop.WaitOrder("order-0001", "Prepared=False/UsedAtWeChat")
	g.Expect(told(used.Status.Conditions)).To(gomega.ContainSubstring("notifyBaseURL"))
	g.Expect(reason(used)).To(gomega.Equal("Pending"))

	// It can be prepared again.
	shop.Patch(merchant, `{"spec":{"notifyBaseURL":null}}`)
	shop.WaitOrder("order-0001", "Prepared=True/Prepared")
	dropFromCluster(shop, shop.NewOrder("order-0001"))
	shop.ChangeMerchant(`{"spec":{"notifyBaseURL":"` + shop.Base + `/moved"}}`)
	shop.Create(shop.NewOrder("order-0001"))
	shop.WaitOrder("order-0001", "Prepared=False/UsedAtWeChat")
	_, err := shop.WeChat.PayByPrepayID(prepay.ID, simulator.PayOptions{})
	shop.Must(err)
	shop.WaitOrder("order-0001", "Paid=True/PaidUnderOtherParameters")
}

// TestNumberWithOtherParametersIsNeverClosed: an order that WeChat has with other parameters may
// belong to another system: the operator never closes it.
func TestNumberWithOtherParametersIsNeverClosed(t *testing.T) {
	for name, end := range map[string]func(*framework.Shop, *v1alpha1.Order){
		"its time is over": func(shop *framework.Shop, _ *v1alpha1.Order) { shop.WaitOrder("order-0001", "Paid=False/Expired") },
		"by wish": func(shop *framework.Shop, order *v1alpha1.Order) {
			shop.Patch(order, wishClosed)
			shop.WaitOrder("order-0001", "Paid=False/Closed")
		},
		"deleted": func(shop *framework.Shop, order *v1alpha1.Order) {
			shop.Must(shop.Client.Delete(shop.Context(), order))
			shop.WaitGone(order)
		},
	} {
		t.Run(name, func(t *testing.T) {
			shop, g := openReady(t)
			first := shop.NewOrder("order-0001")
			shop.Create(first)
			shop.WaitOrder("order-0001", "Prepared=True/Prepared")
			dropFromCluster(shop, first)
			order := shop.NewOrder("order-0001", expiresIn(6*time.Second), func(o *v1alpha1.Order) { o.Spec.Amount.Total = 999 })
			shop.Create(order)
			shop.WaitOrder("order-0001", "Prepared=False/UsedAtWeChat")
			end(shop, order)
			g.Expect(shop.WeChat.Ledger().CallsOf(simulator.OperationCloseOrder, "order-0001")).To(gomega.BeEmpty())
			g.Expect(shop.WeChat.Ledger().Order(framework.MchID, "order-0001").State).To(gomega.Equal(simulator.StateNotPay))
		})
	}
}

// TestRevokedGrantStopsOnlyWhatIsNew: removing a grant stops new calls. What was started is
// completed.
func TestRevokedGrantStopsOnlyWhatIsNew(t *testing.T) {
	shop, g := openShared(t, everybody, framework.WithTiming(pollOften))
	paidByCallback, paidByQuery, expires := shop.NewOrder("order-0001", of(shop, 0)), shop.NewOrder("order-0002", of(shop, 0)), shop.NewOrder("order-0003", of(shop, 0), expiresIn(8*time.Second))
	shop.Create(paidByCallback, paidByQuery, expires)
	for i := 1; i <= 3; i++ {
		shop.WaitOrder(shop.Other(0)+"/"+orderName(i), "Prepared=True/Prepared")
	}
	shop.ChangeMerchant(`{"spec":{"allowedNamespaces":{"from":"Same"}}}`)
	shop.Create(shop.NewOrder("order-0004", of(shop, 0)))
	shop.WaitOrder(shop.Other(0)+"/order-0004", "Prepared=False/NotPermitted")

	shop.Pay("order-0001")
	shop.WaitOrder(shop.Other(0)+"/order-0001", "Paid=True/Paid")
	shop.Pay("order-0002", simulator.PayOptions{NoCallback: true})
	shop.WaitOrder(shop.Other(0)+"/order-0002", "Paid=True/Paid")
	shop.WaitOrder(shop.Other(0)+"/order-0003", "Paid=False/Expired")
	g.Expect(shop.WeChat.Ledger().Order(framework.MchID, "order-0003").State).To(gomega.Equal(simulator.StateClosed))

	refund := shop.NewRefund("refund-0001", "order-0001", 50, approved, func(r *v1alpha1.Refund) { r.Namespace = shop.Other(0) })
	shop.Create(refund)
	shop.WaitRefund(shop.Other(0)+"/refund-0001", "Accepted=False/NotPermitted")
	shop.Patch(shop.NewMerchant(), `{"spec":{"allowedNamespaces":{"from":"All"}}}`)
	shop.WaitRefund(shop.Other(0)+"/refund-0001", "Succeeded=True/Succeeded")
	shop.NoViolations()
}

// TestAClosedOrderThatWeChatHasKeepsItsNumber: an Order that was closed at WeChat without a
// recorded prepay keeps its number: WeChat never gives it out again.
func TestAClosedOrderThatWeChatHasKeepsItsNumber(t *testing.T) {
	shop, g := openShared(t, everybody)
	lost := shop.NewOrder("order-0001", of(shop, 0))
	shop.Create(lost)
	shop.WaitOrder(shop.Other(0)+"/order-0001", "Prepared=True/Prepared")
	dropFromCluster(shop, lost)
	shop.Create(shop.NewOrder("order-0001", of(shop, 0), func(o *v1alpha1.Order) { o.Spec.DesiredState = v1alpha1.DesiredStateClosed }))
	closed := shop.WaitOrder(shop.Other(0)+"/order-0001", "Paid=False/Closed")
	g.Expect(shop.WeChat.Ledger().Order(framework.MchID, "order-0001").State).To(gomega.Equal(simulator.StateClosed))
	g.Expect(closed.Status.Prepay.Attach).To(gomega.Equal(shop.Other(0) + "/"))
	shop.Create(shop.NewOrder("order-0001", of(shop, 1)))
	shop.WaitOrder(shop.Other(1)+"/order-0001", "Paid=False/NumberInUse")
	made := 0 // WeChat refuses a second call for a closed order, which a lagging cache may cause
	for _, call := range shop.WeChat.Ledger().CallsOf(simulator.OperationUnifiedOrder, "order-0001") {
		if call.Outcome == "SUCCESS" {
			made++
		}
	}
	g.Expect(made).To(gomega.Equal(1))
}

// TestPrefixedNumbers: with Prefixed, a tenant can use only numbers that begin with the prefix of
// its Namespace.
func TestPrefixedNumbers(t *testing.T) {
	shop, g := openShared(t, v1alpha1.AllowedNamespaces{From: v1alpha1.NamespacesFromAll, Numbers: v1alpha1.NumbersPrefixed})
	label := func(tenant int, prefix string) {
		shop.Patch(&corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: shop.Other(tenant)}}, `{"metadata":{"labels":{"`+v1alpha1.LabelNumberPrefix+`":"`+prefix+`"}}}`)
	}
	label(0, "web")
	label(1, "")
	shop.Create(shop.NewOrder("web-0001", of(shop, 0)), shop.NewOrder("order-0001", of(shop, 0)), shop.NewOrder("order-0002", of(shop, 0), numbered("WEB-0002")),
		shop.NewOrder("web-0003", of(shop, 1)), shop.NewOrder("order-0004"))
	shop.WaitOrder(shop.Other(0)+"/web-0001", "Prepared=True/Prepared")
	shop.WaitOrder("order-0004", "Prepared=True/Prepared")
	for _, name := range []string{shop.Other(0) + "/order-0001", shop.Other(0) + "/order-0002", shop.Other(1) + "/web-0003"} {
		refused := shop.WaitOrder(name, "Prepared=False/NotPermitted")
		g.Expect(told(refused.Status.Conditions)).To(gomega.ContainSubstring(v1alpha1.LabelNumberPrefix))
	}
	shop.Pay("web-0001")
	shop.WaitOrder(shop.Other(0)+"/web-0001", "Paid=True/Paid")
	inOther := func(r *v1alpha1.Refund) { r.Namespace = shop.Other(0) }
	shop.Create(shop.NewRefund("refund-0001", "web-0001", 1, approved, inOther), shop.NewRefund("web-refund-0001", "web-0001", 1, approved, inOther))
	shop.WaitRefund(shop.Other(0)+"/refund-0001", "Accepted=False/NotPermitted")
	shop.WaitRefund(shop.Other(0)+"/web-refund-0001", "Succeeded=True/Succeeded")
	label(1, "web")
	shop.WaitOrder(shop.Other(1)+"/web-0003", "Prepared=True/Prepared")
}

// TestPreparedOrderEndsOnlyByAnAnswerThatNamesIt: an answer that does not name an order never ends
// one that the payer may be paying.
func TestPreparedOrderEndsOnlyByAnAnswerThatNamesIt(t *testing.T) {
	shop, g := openReady(t)
	order := shop.NewOrder("order-0001")
	shop.Create(order)
	shop.WaitOrder("order-0001", "Prepared=True/Prepared")
	shop.Fault(simulator.Fault{Operation: simulator.OperationOrderQuery, Number: "order-0001", Kind: simulator.FaultError, ErrCode: "ORDERNOTEXIST"})
	shop.Patch(order, wishClosed)
	shop.Eventually("it was asked for some times", func() error { return atLeast(shop, simulator.OperationOrderQuery, "order-0001", 4) })
	g.Expect(reason(shop.Order("order-0001"))).To(gomega.Equal("Closing"))
	shop.Pay("order-0001", simulator.PayOptions{NoCallback: true})
	shop.WeChat.ClearFaults()
	shop.WaitOrder("order-0001", "Paid=True/Paid")
}

// TestOrderThatWeChatNeverHadEndsByTwoAnswers: one answer that names no order does not end one that
// was never prepared; a second one, later, does.
func TestOrderThatWeChatNeverHadEndsByTwoAnswers(t *testing.T) {
	shop, g := openReady(t, framework.WithTiming(func(timing *controllers.Timing) { timing.SecondAnswer = time.Hour }))
	order := shop.NewOrder("order-0001", func(o *v1alpha1.Order) { o.Spec.DesiredState = v1alpha1.DesiredStateClosed })
	shop.Create(order)
	shop.WaitOrder("order-0001", "Paid=Unknown/Closing")
	shop.Paid("order-0002")
	g.Expect(shop.WeChat.Ledger().CallsOf(simulator.OperationOrderQuery, "order-0001")).To(gomega.HaveLen(1), "the second answer is not asked for before its time")
	shop.StopOperators()
	shop.StartOperator(func(o *manager.Options) { o.Timing.SecondAnswer = time.Millisecond })
	shop.WaitOrder("order-0001", "Paid=False/Closed")
}
