package controllers_test

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/onsi/gomega"
	"github.com/prometheus/client_golang/prometheus/testutil"
	admissionregistrationv1 "k8s.io/api/admissionregistration/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/wechatpay-operator/wechatpay-operator/api/v1alpha1"
	"github.com/wechatpay-operator/wechatpay-operator/controllers"
	"github.com/wechatpay-operator/wechatpay-operator/internal/metrics"
	"github.com/wechatpay-operator/wechatpay-operator/internal/wechatpay/simulator"
	"github.com/wechatpay-operator/wechatpay-operator/test/framework"
)

// deniedWrites is a policy that denies the operator's writes that match an expression, in one
// namespace.
type deniedWrites struct {
	shop    *framework.Shop
	policy  *admissionregistrationv1.ValidatingAdmissionPolicy
	binding *admissionregistrationv1.ValidatingAdmissionPolicyBinding
}

const policySays = "our company wants no such writes"

// startAsOperator starts the operator as a user of its own with the operator's permissions, so that
// a policy can match its writes.
func startAsOperator(shop *framework.Shop) {
	shop.T.Helper()
	shop.OperatorConfig() // this creates the roles
	name := "operator-" + shop.Namespace
	config, err := env.User(name)
	shop.Must(err)
	binding := &rbacv1.ClusterRoleBinding{
		ObjectMeta: metav1.ObjectMeta{Name: name},
		RoleRef:    rbacv1.RoleRef{APIGroup: rbacv1.GroupName, Kind: "ClusterRole", Name: "wechatpay-operator-manager"},
		Subjects:   []rbacv1.Subject{{APIGroup: rbacv1.GroupName, Kind: "User", Name: name}},
	}
	shop.Create(binding)
	shop.T.Cleanup(func() { shop.Must(shop.Client.Delete(shop.Context(), binding)) })
	shop.StartOperatorAs(config)
}

func denies(shop *framework.Shop, matches string, resources ...string) *deniedWrites {
	shop.T.Helper()
	name := "deny-" + shop.Namespace
	d := &deniedWrites{shop: shop}
	d.policy = &admissionregistrationv1.ValidatingAdmissionPolicy{
		ObjectMeta: metav1.ObjectMeta{Name: name},
		Spec: admissionregistrationv1.ValidatingAdmissionPolicySpec{
			FailurePolicy: new(admissionregistrationv1.Fail),
			MatchConstraints: &admissionregistrationv1.MatchResources{ResourceRules: []admissionregistrationv1.NamedRuleWithOperations{{
				RuleWithOperations: admissionregistrationv1.RuleWithOperations{
					Operations: []admissionregistrationv1.OperationType{admissionregistrationv1.OperationAll},
					Rule:       admissionregistrationv1.Rule{APIGroups: []string{"wechatpay-operator.io"}, APIVersions: []string{"*"}, Resources: resources},
				},
			}}},
			MatchConditions: []admissionregistrationv1.MatchCondition{
				{Name: "the-operator", Expression: fmt.Sprintf("request.userInfo.username == 'operator-%s'", shop.Namespace)},
				{Name: "the-write", Expression: matches},
			},
			Validations: []admissionregistrationv1.Validation{{Expression: "false", Message: policySays}},
		},
	}
	d.binding = &admissionregistrationv1.ValidatingAdmissionPolicyBinding{
		ObjectMeta: metav1.ObjectMeta{Name: name},
		Spec: admissionregistrationv1.ValidatingAdmissionPolicyBindingSpec{
			PolicyName: name, ValidationActions: []admissionregistrationv1.ValidationAction{admissionregistrationv1.Deny},
			MatchResources: &admissionregistrationv1.MatchResources{
				NamespaceSelector: &metav1.LabelSelector{MatchLabels: map[string]string{"kubernetes.io/metadata.name": shop.Namespace}},
			},
		},
	}
	shop.Create(d.policy, d.binding)
	shop.T.Cleanup(d.lift)
	return d
}

func (d *deniedWrites) lift() {
	if d.binding != nil {
		d.shop.Must(d.shop.Client.Delete(d.shop.Context(), d.binding))
		d.shop.Must(d.shop.Client.Delete(d.shop.Context(), d.policy))
		d.binding = nil
	}
}

const addsFinalizer = "object != null && object.metadata.?finalizers.orValue([]).size() > oldObject.metadata.?finalizers.orValue([]).size()"

const dropsFinalizer = "object != null && oldObject != null && object.metadata.?finalizers.orValue([]).size() < oldObject.metadata.?finalizers.orValue([]).size()"

// deniedShop opens a Shop with an operator that a policy can match, and a Merchant that is ready.
func deniedShop(t *testing.T, change func(*framework.Shop), options ...framework.Option) (*framework.Shop, *gomega.WithT) {
	t.Helper()
	t.Parallel()
	shop := framework.Open(t, env, append(options, framework.WithoutOperator())...)
	startAsOperator(shop)
	shop.Create(shop.NewMerchant(func(m *v1alpha1.Merchant) { m.Spec.LatePayment = v1alpha1.LatePaymentRefund }))
	shop.WaitMerchant(framework.MerchantName, "Ready=True/Ready")
	if change != nil {
		change(shop)
	}
	return shop, gomega.NewWithT(t)
}

// inForce waits until a policy is in force, which takes a moment: probe returns nil when it was
// denied.
func (d *deniedWrites) inForce(probe func(i int) error) {
	d.shop.T.Helper()
	i := 0
	d.shop.Eventually("the policy is in force", func() error { i++; return probe(i) })
}

func finalizersAreDenied(shop *framework.Shop) *deniedWrites {
	shop.T.Helper()
	denied := denies(shop, addsFinalizer, "orders", "refunds")
	denied.inForce(func(i int) error {
		name := fmt.Sprintf("probe-%04d", i)
		shop.Create(shop.NewOrder(name))
		order := shop.Order(name)
		shop.Eventually("it is seen", func() error {
			order = shop.Order(name)
			if len(order.Status.Conditions) == 0 {
				return errors.New("not yet")
			}
			return nil
		})
		return contains(describeAll(order.Status.Conditions), policySays)
	})
	return denied
}

func TestOrderThatCantBeHeldSaysSo(t *testing.T) {
	shop, g := deniedShop(t, nil)
	before := testutil.ToFloat64(metrics.WritesRefused.WithLabelValues("Order", metrics.WriteHold))
	denied := finalizersAreDenied(shop)
	shop.Create(shop.NewOrder("order-0001"))
	order := shop.WaitOrder("order-0001", "Prepared=False/WriteRefused")
	g.Expect(describeAll(order.Status.Conditions)).To(gomega.ContainSubstring(policySays))
	waitEvent(shop, "order-0001", v1alpha1.ReasonWriteRefused)
	g.Expect(testutil.ToFloat64(metrics.WritesRefused.WithLabelValues("Order", metrics.WriteHold))).To(gomega.BeNumerically(">", before))
	g.Expect(shop.WeChat.Ledger().CallsOf(simulator.OperationUnifiedOrder, "order-0001")).To(gomega.BeEmpty(), "no call without a hold")
	shop.Create(shop.NewOrder("order-0002"))
	unheld := shop.WaitOrder("order-0002", "Prepared=False/WriteRefused")
	shop.Patch(unheld, wishClosed)
	shop.WaitOrder("order-0002", "Paid=False/Closed")
	denied.lift()
	shop.WaitOrder("order-0001", "Prepared=True/Prepared")
}

func TestRefundThatCantBeHeldSaysSo(t *testing.T) {
	shop, g := deniedShop(t, nil)
	shop.Paid("order-0001")
	denied := finalizersAreDenied(shop)
	shop.Create(shop.NewRefund("refund-0001", "order-0001", 101))
	shop.WaitRefund("refund-0001", "Approved=Unknown/AwaitingApproval") // people can decide nevertheless
	shop.Approve("refund-0001")
	refund := shop.WaitRefund("refund-0001", "Accepted=False/WriteRefused")
	g.Expect(describeAll(refund.Status.Conditions)).To(gomega.ContainSubstring(policySays))
	waitEvent(shop, "refund-0001", v1alpha1.ReasonWriteRefused)
	g.Expect(shop.WeChat.Ledger().CallsOf(simulator.OperationRefund, "refund-0001")).To(gomega.BeEmpty())
	denied.lift()
	shop.WaitRefund("refund-0001", "Succeeded=True/Succeeded")
}

// noLateRefunds denies the creation of Refunds, like a quota.
func noLateRefunds(shop *framework.Shop) *deniedWrites {
	shop.T.Helper()
	denied := denies(shop, "request.operation == 'CREATE'", "refunds")
	config, err := env.User("operator-" + shop.Namespace)
	shop.Must(err)
	as, err := client.New(config, client.Options{Scheme: env.Client.Scheme()})
	shop.Must(err)
	denied.inForce(func(i int) error {
		if err := as.Create(shop.Context(), shop.NewRefund(fmt.Sprintf("probe-%04d", i), "order-0001", 1), client.DryRunAll); err == nil {
			return errors.New("it was allowed")
		}
		return nil
	})
	return denied
}

func TestLateRefundThatIsRefusedStopsNothing(t *testing.T) {
	paidLate := func(t *testing.T) (*framework.Shop, *gomega.WithT, *deniedWrites) {
		shop, g := deniedShop(t, nil)
		denied := noLateRefunds(shop)
		shop.Create(shop.NewOrder("order-0001"))
		shop.Patch(shop.WaitOrder("order-0001", "Prepared=True/Prepared"), wishClosed)
		shop.WaitOrder("order-0001", "Paid=False/Closed")
		payLate(shop, simulator.PayOptions{})
		shop.WaitOrder("order-0001", "Paid=True/PaidLate")
		shop.Eventually("what the policy says is shown", func() error {
			return contains(describeAll(shop.Order("order-0001").Status.Conditions), policySays)
		})
		waitEvent(shop, "order-0001", v1alpha1.ReasonWriteRefused)
		return shop, g, denied
	}
	t.Run("it can be deleted", func(t *testing.T) {
		shop, _, _ := paidLate(t)
		order := shop.NewOrder("order-0001")
		shop.Must(shop.Client.Delete(shop.Context(), order))
		shop.WaitGone(order)
	})
	t.Run("what is refunded is summed, and the Refund is made when it may be", func(t *testing.T) {
		shop, g, denied := paidLate(t)
		shop.Create(shop.NewRefund("refund-0001", "order-0001", 1, approved))
		shop.WaitRefund("refund-0001", "Succeeded=True/Succeeded")
		shop.Eventually("the sum is written", func() error {
			if refunded := shop.Order("order-0001").Status.Refunded; refunded == nil || refunded.Total != 1 {
				return errors.New("not yet")
			}
			return nil
		})
		// An automatic deletion would hide the missing refund.
		shop.Patch(shop.NewOrder("order-0001"), `{"spec":{"ttlSecondsAfterFinished":1}}`)
		g.Expect(testutil.ToFloat64(metrics.WritesRefused.WithLabelValues("Order", metrics.WriteCreate))).To(gomega.BeNumerically(">", 0))
		denied.lift()
		shop.Eventually("the Refund is made", func() error {
			return shop.Client.Get(shop.Context(), keyOf(shop.NewRefund("order-0001-late", "", 0)), &v1alpha1.Refund{})
		})
		shop.Eventually("nothing is said of the policy any more", func() error {
			if shown := describeAll(shop.Order("order-0001").Status.Conditions); strings.Contains(shown, policySays) {
				return errors.New(shown)
			}
			return nil
		})
	})
}

// TestLateRefundIsMadeOnce: also after it was denied and deleted.
func TestLateRefundIsMadeOnce(t *testing.T) {
	shop, g := closedOrder(t, v1alpha1.LatePaymentRefund)
	payLate(shop, simulator.PayOptions{})
	refund := shop.WaitRefund("order-0001-late", "Approved=Unknown/AwaitingApproval")
	g.Expect(shop.WaitOrder("order-0001", "Paid=True/PaidLate").Status.LateRefund).To(gomega.Equal("order-0001-late"))
	shop.Patch(refund, `{"spec":{"approval":"Denied"}}`)
	shop.WaitRefund("order-0001-late", "Succeeded=False/Denied")
	shop.Must(shop.Client.Delete(shop.Context(), refund))
	shop.WaitGone(refund)
	shop.Patch(shop.Order("order-0001"), `{"metadata":{"labels":{"look":"again"}}}`)
	shop.StopOperators()
	shop.StartOperator()
	shop.Paid("order-0002") // any repeated creation would have happened
	noRefund(shop, g)
}

// TestRefusedFinalizerRemovalIsReported: the user who deletes the object sees the reason.
func TestRefusedFinalizerRemovalIsReported(t *testing.T) {
	shop, _ := deniedShop(t, func(shop *framework.Shop) { shop.Paid("order-0001") })
	denied := denies(shop, dropsFinalizer, "orders", "refunds")
	denied.inForce(func(i int) error {
		name := fmt.Sprintf("probe-%04d", i)
		order := shop.NewOrder(name, held)
		shop.Create(order)
		shop.WaitOrder(name, "Prepared=True/Prepared")
		shop.Must(shop.Client.Delete(shop.Context(), order))
		return waitFor(shop, func() (bool, error) {
			err := shop.Client.Get(shop.Context(), keyOf(order), order)
			return err != nil || contains(describeAll(order.Status.Conditions), policySays) == nil, err
		})
	})
	order := shop.NewOrder("order-0001")
	shop.Must(shop.Client.Delete(shop.Context(), order))
	shop.Eventually("it says why it stays", func() error {
		return contains(describeAll(shop.Order("order-0001").Status.Conditions), policySays)
	})
	shop.WaitOrder("order-0001", "Paid=True/Paid")
	waitEvent(shop, "order-0001", v1alpha1.ReasonWriteRefused)
	denied.lift()
	shop.WaitGone(order)
}

// TestDeletionEndsWhenNoStatusCanBeWritten: its end can't be recorded then.
func TestDeletionEndsWhenNoStatusCanBeWritten(t *testing.T) {
	shop, g := deniedShop(t, func(shop *framework.Shop) {
		shop.Create(shop.NewOrder("order-0001"))
		shop.WaitOrder("order-0001", "Prepared=True/Prepared")
	}, framework.WithTiming(func(timing *controllers.Timing) { timing.AbandonAtLast = 2 * time.Second }))
	denied := denies(shop, "request.subResource == 'status'", "orders/status", "refunds/status")
	denied.inForce(func(i int) error {
		name := fmt.Sprintf("probe-%04d", i)
		shop.Create(shop.NewOrder(name))
		return waitFor(shop, func() (bool, error) {
			if len(shop.Order(name).Status.Conditions) > 0 {
				return true, errors.New("it was written")
			}
			return len(eventsAbout(shop, name, v1alpha1.ReasonWriteRefused)) > 0, nil
		})
	})
	order := shop.NewOrder("order-0001")
	shop.Must(shop.Client.Delete(shop.Context(), order))
	waitEvent(shop, "order-0001", v1alpha1.ReasonWriteRefused)
	waitEvent(shop, "order-0001", "FinalizerAbandoned")
	shop.WaitGone(order)
	g.Expect(shop.WeChat.Ledger().Order(framework.MchID, "order-0001").State).To(gomega.Equal(simulator.StateClosed), "it was closed all the same")
}

// waitFor waits until something is decided, and returns the result.
func waitFor(shop *framework.Shop, decided func() (bool, error)) (result error) {
	shop.T.Helper()
	shop.Eventually("it is decided", func() error {
		is, err := decided()
		if result = err; !is {
			return errors.New("not yet")
		}
		return nil
	})
	return result
}
