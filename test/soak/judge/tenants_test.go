package judge_test

import (
	"slices"
	"strings"
	"testing"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/wechatpay-operator/wechatpay-operator/api/v1alpha1"
	"github.com/wechatpay-operator/wechatpay-operator/internal/wechatpay/simulator"
	"github.com/wechatpay-operator/wechatpay-operator/test/soak/judge"
)

// elsewhereTransaction has the format of WeChat Pay's transaction numbers and belongs to an
// unrelated Order.
const elsewhereTransaction = "4200012345202611210123456789"

// tenants is a story in which others use the Order's number: a guest of the same Merchant, who may
// use it, and a rival, who may not. Both request a Refund with the same number too.
type tenants struct {
	*story
	guest, rival             *v1alpha1.Order
	guestRefund, rivalRefund *v1alpha1.Refund
	shop                     *v1alpha1.Merchant
	// before are versions older than those of the objects.
	before []judge.Change
}

func newTenants() *tenants {
	s := &tenants{story: newStory()}
	s.order.Spec.Payer = &v1alpha1.Payer{OpenID: "payer-of-soap"}
	s.Orders[orderNumber].Order.Spec.Payer = s.order.Spec.Payer
	s.ledgerOrder().Params["openid"] = s.order.Spec.Payer.OpenID
	s.guest, s.guestRefund = s.copyTo("towels")
	s.guest.Spec.Amount.Total, s.guest.Spec.Payer = 20205, &v1alpha1.Payer{OpenID: "payer-of-towels"}
	s.guest.Status.Conditions = []metav1.Condition{
		condition(v1alpha1.ConditionPrepared, metav1.ConditionFalse, v1alpha1.ReasonNumberInUse), condition(v1alpha1.ConditionPaid, metav1.ConditionFalse, v1alpha1.ReasonNumberInUse),
	}
	s.rival, s.rivalRefund = s.copyTo("brushes")
	s.rival.Status.Conditions = []metav1.Condition{condition(v1alpha1.ConditionPrepared, metav1.ConditionFalse, v1alpha1.ReasonNotPermitted)}

	s.Orders[orderNumber].Twin = &judge.AskedOrder{Order: s.guest, Merchant: s.merchant()}
	s.Refunds[refundNo].Twin = &judge.AskedRefund{Refund: s.guestRefund, Order: orderNumber, ApprovedTime: noon}
	s.Rivals = []judge.Rival{{Number: orderNumber, Order: s.rival}, {Number: refundNo, Refund: s.rivalRefund}}
	s.shop = &v1alpha1.Merchant{ObjectMeta: metav1.ObjectMeta{Namespace: "soap", Name: "shop"}, Spec: s.merchant().Spec}
	s.shopIs(metav1.ConditionTrue)
	s.stored()
	return s
}

// copyTo returns the Order and Refund of another namespace that use the same numbers.
func (s *tenants) copyTo(namespace string) (*v1alpha1.Order, *v1alpha1.Refund) {
	order, refund := s.order.DeepCopy(), s.refund.DeepCopy()
	order.Namespace, refund.Namespace = namespace, namespace
	order.Spec.MerchantRef.Namespace = "soap"
	order.Status, refund.Status = v1alpha1.OrderStatus{}, v1alpha1.RefundStatus{}
	return order, refund
}

func (s *tenants) stored() {
	s.story.stored()
	s.History = slices.Insert(s.History, 0, s.before...)
	s.then(judge.Change{Object: s.guest.DeepCopy()}, judge.Change{Object: s.rival.DeepCopy()}, judge.Change{Object: s.guestRefund.DeepCopy()},
		judge.Change{Object: s.rivalRefund.DeepCopy()}, judge.Change{Object: s.shop.DeepCopy()})
}

func (s *tenants) shopIs(guarded metav1.ConditionStatus) {
	s.shop.Status.Conditions = []metav1.Condition{condition(v1alpha1.ConditionRefundsGuarded, guarded, v1alpha1.ReasonPolicyMissing)}
}

func (s *tenants) succeeds(refund *v1alpha1.Refund, id string) {
	refund.Status.RefundID = id
	refund.Status.Conditions = []metav1.Condition{condition(v1alpha1.ConditionSucceeded, metav1.ConditionTrue, v1alpha1.ReasonSucceeded)}
}

// guestOwns makes the number the guest's in WeChat Pay's ledger, and in the objects.
func (s *tenants) guestOwns() {
	s.order.Namespace, s.guest.Namespace = "towels", "soap"
	s.order.Spec.MerchantRef.Namespace, s.guest.Spec.MerchantRef.Namespace = "soap", ""
	s.refund.Namespace, s.guestRefund.Namespace = "towels", "soap"
	s.ledgerOrder().Params["attach"] = "towels/"
	first, second := s.Orders[orderNumber], s.Refunds[refundNo]
	first.Twin.Order, first.Order = s.order.DeepCopy(), s.guest.DeepCopy()
	second.Twin.Refund, second.Refund = s.refund.DeepCopy(), s.guestRefund.DeepCopy()
	s.stored()
}

func TestTenantsThatHold(t *testing.T) {
	for name, change := range map[string]func(*tenants){
		"the first owns the number":  func(*tenants) {},
		"the second owns the number": (*tenants).guestOwns,
		"nobody owns it yet, and the first waits": func(s *tenants) {
			s.unpaid(simulator.StateNotPay)
			s.Ledger.Orders = nil
			s.orderShows(metav1.ConditionFalse, v1alpha1.ReasonNumberInUse)
			s.guest.Status.Conditions = []metav1.Condition{condition(v1alpha1.ConditionPaid, metav1.ConditionFalse, v1alpha1.ReasonClosed)}
			s.then(judge.Change{Object: s.guest}, judge.Change{Object: s.rival}, judge.Change{Object: s.rivalRefund})
		},
		"who lost was closed before it could try": func(s *tenants) {
			s.guest.Status.Conditions[1].Reason = v1alpha1.ReasonClosed
			s.stored()
		},
		"a message names the Merchant's namespace": func(s *tenants) {
			s.rival.Status.Conditions[0].Message = "Merchant soap/shop does not grant namespace brushes"
			s.stored()
		},
	} {
		t.Run(name, func(t *testing.T) {
			s := newTenants()
			change(s)
			verdict := judge.Judge(s.Evidence, noon)
			for _, finding := range verdict.Findings {
				t.Errorf("unexpected: %+v", finding)
			}
			if verdict.LookedAt[judge.UngrantedIsNothing] == 0 || verdict.LookedAt[judge.NoFactCrosses] == 0 {
				t.Errorf("not looked at: %v", verdict.LookedAt)
			}
		})
	}
}

func TestTenantsThatBreakARule(t *testing.T) {
	for name, c := range map[string]struct {
		rule   judge.Rule
		object string
		what   string
		change func(*tenants)
	}{
		"a payment of both": {judge.OneTransaction, "Order towels/order-1", "it shows t1, which Order soap/order-1 showed before", func(s *tenants) {
			s.guest.Status = *s.order.Status.DeepCopy()
		}},
		"a payout of both": {judge.OnePayout, "Refund towels/refund-1", "it shows 50300, which Refund soap/refund-1 showed before", func(s *tenants) {
			s.succeeds(s.refund, "50300")
			s.succeeds(s.guestRefund, "50300")
		}},
		"a payout of who lost": {judge.NoFactCrosses, "Refund towels/refund-1", "shows a payout that is not of its Order", func(s *tenants) {
			s.succeeds(s.guestRefund, "")
		}},
		"a payout of who was never granted": {judge.NoFactCrosses, "Refund brushes/refund-1", "shows a payout that is not of its Order", func(s *tenants) {
			s.succeeds(s.rivalRefund, "")
		}},
		"a prepay of who lost": {judge.NoFactCrosses, "Order towels/order-1", "shows a prepay that is not of its order", func(s *tenants) {
			s.guest.Status.Prepay = &v1alpha1.OrderPrepay{ID: "wx1"}
		}},
		"a transaction of who lost": {judge.NoFactCrosses, "Order towels/order-1", "shows a transaction that is not of its order", func(s *tenants) {
			s.guest.Status.Transaction = &v1alpha1.Transaction{ID: "t2"}
		}},
		"the namespace of another": {judge.NoFactCrosses, "Order soap/order-1", `tells "towels" of another namespace`, func(s *tenants) {
			s.order.Status.Conditions[0].Message = "Order towels/order-1 wants the number as well"
		}},
		"the payer of another": {judge.NoFactCrosses, "Order towels/order-1", `tells "payer-of-soap" of another namespace`, func(s *tenants) {
			s.guest.Status.Conditions[0].Message = "paid by payer-of-soap"
		}},
		"the payment of another": {judge.NoFactCrosses, "Order brushes/order-1", `tells "t1" of another namespace`, func(s *tenants) {
			s.rival.Status.Conditions[0].Message = "paid as t1"
		}},
		"the amount of another": {judge.NoFactCrosses, "Refund soap/refund-1", "tells the amount of another namespace's Order", func(s *tenants) {
			s.refund.Status.Conditions[0].Message = "not 20205 fen"
		}},
		"a payment of a number that it does not want": {judge.NoFactCrosses, "Order soap/order-1", "which paid an Order of another namespace", func(s *tenants) {
			other := s.order.DeepCopy()
			other.Namespace, other.Name = "towels", "order-2"
			s.Orders[judge.Number{MchID: mchID, Number: "order-2"}] = &judge.AskedOrder{Order: other, Merchant: s.merchant(), Deleted: true}
			s.Ledger.Orders = append(s.Ledger.Orders, simulator.Order{MchID: mchID, OutTradeNo: "order-2",
				Params:  map[string]string{"attach": "towels/", "notify_url": "https://pay.example.com/notify/soap/shop/payment"},
				Payment: &simulator.Payment{TransactionID: elsewhereTransaction}})
			other.Spec.MerchantRef.Namespace = "soap"
			s.order.Status.Conditions[0].Message = "transaction " + elsewhereTransaction
		}},
		"a prepay of who was never granted": {judge.UngrantedIsNothing, "Order brushes/order-1", "was never granted and shows a prepay or a transaction", func(s *tenants) {
			s.rival.Status.Prepay = &v1alpha1.OrderPrepay{ID: "wx1"}
		}},
		"an order of who was never granted": {judge.UngrantedIsNothing, "Order brushes/order-1", "was never granted, and WeChat has an order", func(s *tenants) {
			s.ledgerOrder().Params["attach"] = "brushes/"
		}},
		"a rival that nobody told": {judge.Converged, "Order soap/order-1", "Order brushes/order-1, which was never granted, is not told so", func(s *tenants) {
			s.rival.Status.Conditions = nil
		}},
		"who lost does not show it": {judge.Converged, "Order soap/order-1", "Order towels/order-1 lost the number and does not show it", func(s *tenants) {
			s.guest.Status.Conditions[1] = condition(v1alpha1.ConditionPaid, metav1.ConditionUnknown, v1alpha1.ReasonAwaitingPayment)
		}},
		"an attach of another namespace": {judge.OrderOnce, "Order soap/order-1", `attach is "towels/x"`, func(s *tenants) {
			s.ledgerOrder().Params["attach"] = "towels/x"
		}},
		"an approval without the right": {judge.RefundApproved, "Refund soap/refund-1", "who has no right to approve could do so", func(s *tenants) {
			s.LetThrough = []judge.Number{refundNo}
		}},
		"the policy was away": {judge.RefundApproved, "", "Merchant soap/shop shows RefundsGuarded=False/PolicyMissing", func(s *tenants) {
			away := s.shop.DeepCopy()
			away.Status.Conditions[0].Status = metav1.ConditionFalse
			s.before = []judge.Change{{Object: away}}
		}},
		"nobody knows whether the policy is in force": {judge.RefundApproved, "", "Merchant soap/shop does not show RefundsGuarded", func(s *tenants) {
			s.shopIs(metav1.ConditionUnknown)
		}},
	} {
		t.Run(name, func(t *testing.T) {
			s := newTenants()
			c.change(s)
			s.stored()
			findings := judge.Judge(s.Evidence, noon).Findings
			if !slices.ContainsFunc(findings, func(f judge.Finding) bool {
				shown := strings.HasPrefix(f.Object, c.object) || f.Number == c.object
				return f.Rule == c.rule && strings.Contains(f.What, c.what) && shown
			}) {
				t.Errorf("%q (%s) of %s is not found: %+v", c.rule, c.what, c.object, findings)
			}
		})
	}
}
