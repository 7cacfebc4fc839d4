package guard_test

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	admissionregistrationv1 "k8s.io/api/admissionregistration/v1"
	eventsv1 "k8s.io/api/events/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/wechatpay-operator/wechatpay-operator/api/v1alpha1"
	"github.com/wechatpay-operator/wechatpay-operator/controllers"
	"github.com/wechatpay-operator/wechatpay-operator/internal/wechatpay/simulator"
	"github.com/wechatpay-operator/wechatpay-operator/test/framework"
	"github.com/wechatpay-operator/wechatpay-operator/test/framework/controlplane"
)

var env *controlplane.Environment

func TestMain(m *testing.M) {
	controlplane.Main(m, &env, func() error {
		_, err := env.Operator(context.Background()) // also installs the role of shops
		return errors.Join(err, env.Apply(context.Background(), "config/policy/*.yaml"))
	})
}

// guardedShop is a shop whose operator runs as in an installation, with the shop's own client,
// which may create and update Refunds.
type guardedShop struct {
	*framework.Shop
	backend client.Client
}

func open(t *testing.T, options ...framework.Option) *guardedShop {
	t.Helper()
	shop := &guardedShop{Shop: framework.Open(t, env, append(options, framework.WithoutOperator(), framework.WithGuard())...)}
	shop.Create(&rbacv1.RoleBinding{
		ObjectMeta: metav1.ObjectMeta{Namespace: shop.Namespace, Name: "backend"},
		RoleRef:    rbacv1.RoleRef{APIGroup: rbacv1.GroupName, Kind: "ClusterRole", Name: "wechatpay-operator-shop"},
		Subjects:   []rbacv1.Subject{{APIGroup: rbacv1.GroupName, Kind: "User", Name: "backend"}},
	})
	config, err := env.User("backend")
	shop.Must(err)
	shop.backend, err = client.New(config, client.Options{Scheme: controlplane.Scheme()})
	shop.Must(err)
	shop.bound(true)
	t.Cleanup(func() { shop.bind() })
	shop.StartOperator()
	return shop
}

func binding() *admissionregistrationv1.ValidatingAdmissionPolicyBinding {
	return &admissionregistrationv1.ValidatingAdmissionPolicyBinding{
		ObjectMeta: metav1.ObjectMeta{Name: "wechatpay-operator-refund-approval"},
		Spec: admissionregistrationv1.ValidatingAdmissionPolicyBindingSpec{
			PolicyName:        "wechatpay-operator-refund-approval",
			ValidationActions: []admissionregistrationv1.ValidationAction{admissionregistrationv1.Deny},
		},
	}
}

// bind creates the policy's binding and unbind deletes it; both return once the API server applies
// it.
func (s *guardedShop) bind() {
	s.T.Helper()
	if err := s.Client.Create(s.Context(), binding()); err != nil && !apierrors.IsAlreadyExists(err) {
		s.T.Fatal(err)
	}
	s.bound(true)
}

func (s *guardedShop) unbind() {
	s.T.Helper()
	s.Must(s.Client.Delete(s.Context(), binding()))
	s.bound(false)
}

func (s *guardedShop) bound(want bool) {
	s.T.Helper()
	s.Eventually("the API server knows of the binding, or that it is gone", func() error {
		err := s.backend.Create(s.Context(), s.NewRefund("tried-by-the-shop", "order-0001", 1, approved), client.DryRunAll)
		if apierrors.IsForbidden(err) != want {
			return errors.Join(errors.New("an approval by the shop is answered otherwise"), err)
		}
		return nil
	})
}

func approved(r *v1alpha1.Refund) { r.Spec.Approval = v1alpha1.ApprovalApproved }

// approveAs approves without the verb approve, which succeeds only while the policy is missing.
func (s *guardedShop) approveAs(c client.Client, name string) {
	s.T.Helper()
	s.Must(c.Patch(s.Context(), s.NewRefund(name, "", 0), client.RawPatch(types.MergePatchType, []byte(`{"spec":{"approval":"Approved"}}`))))
}

func (s *guardedShop) ready() {
	s.T.Helper()
	s.Create(s.NewMerchant())
	s.WaitMerchant(framework.MerchantName, "RefundsGuarded=True/Guarded")
	s.Paid("order-0001")
}

func (s *guardedShop) notSent(name string) {
	s.T.Helper()
	if calls := s.WeChat.Ledger().CallsOf(simulator.OperationRefund, name); len(calls) > 0 {
		s.T.Errorf("refund %s was asked for %d times", name, len(calls))
	}
}

// rarely limits the operator's periodic checks to the one at startup, so that a test covers only
// the check triggered by an approval.
func rarely(timing *controllers.Timing) { timing.GuardCheck = time.Hour }

// TestNoGuardNoMoney: the binding is deleted and the shop approves its own Refunds. Nothing is
// sent, the condition says why, and approvals from that time are not sent later either.
func TestNoGuardNoMoney(t *testing.T) {
	shop := open(t)
	shop.ready()
	shop.Create(shop.NewRefund("waits", "order-0001", 20), shop.NewRefund("by-the-shop", "order-0001", 20))
	shop.WaitRefund("waits", "Approved=Unknown/AwaitingApproval")
	shop.WaitRefund("by-the-shop", "Approved=Unknown/AwaitingApproval")

	shop.unbind()
	shop.WaitMerchant(framework.MerchantName, "RefundsGuarded=False/PolicyMissing")
	shop.WaitRefund("waits", "Approved=Unknown/PolicyMissing")
	shop.WaitRefund("by-the-shop", "Approved=Unknown/PolicyMissing")
	shop.approveAs(shop.backend, "by-the-shop")
	shop.WaitRefund("by-the-shop", "Approved=False/ApprovedUnguarded")
	shop.WaitRefund("by-the-shop", "Succeeded=False/ApprovedUnguarded")
	shop.Must(shop.backend.Create(shop.Context(), shop.NewRefund("born-approved", "order-0001", 20, approved)))
	shop.WaitRefund("born-approved", "Succeeded=False/ApprovedUnguarded")
	shop.Create(shop.NewRefund("asked-meanwhile", "order-0001", 20))
	shop.WaitRefund("asked-meanwhile", "Approved=Unknown/PolicyMissing")

	shop.bind()
	shop.WaitMerchant(framework.MerchantName, "RefundsGuarded=True/Guarded")
	shop.WaitRefund("waits", "Approved=Unknown/AwaitingApproval")
	shop.WaitRefund("asked-meanwhile", "Approved=Unknown/AwaitingApproval")
	shop.Approve("waits")
	shop.WaitRefund("waits", "Succeeded=True/Succeeded")
	for _, name := range []string{"by-the-shop", "born-approved", "asked-meanwhile"} {
		shop.notSent(name)
	}
	shop.WaitRefund("by-the-shop", "Succeeded=False/ApprovedUnguarded")
	shop.NoViolations()
}

// TestApprovalBetweenTwoTries: the binding is deleted and the shop approves at once, long before
// the next periodic check.
func TestApprovalBetweenTwoTries(t *testing.T) {
	shop := open(t, framework.WithTiming(rarely))
	shop.ready()
	shop.Create(shop.NewRefund("refund-0001", "order-0001", 20))
	shop.WaitRefund("refund-0001", "Approved=Unknown/AwaitingApproval")
	shop.unbind()
	shop.approveAs(shop.backend, "refund-0001")
	shop.WaitRefund("refund-0001", "Succeeded=False/ApprovedUnguarded")
	shop.notSent("refund-0001")
	shop.WaitMerchant(framework.MerchantName, "RefundsGuarded=False/PolicyMissing")
	// For a Refund that waited for the policy, an approval counts only after the Refund shows
	// AwaitingApproval again.
	shop.Create(shop.NewRefund("refund-0002", "order-0001", 20))
	shop.WaitRefund("refund-0002", "Approved=Unknown/PolicyMissing")
	shop.StopOperators()
	shop.approveAs(shop.backend, "refund-0002")
	shop.bind()
	shop.StartOperator()
	shop.WaitRefund("refund-0002", "Succeeded=False/ApprovedUnguarded")
	shop.notSent("refund-0002")
}

// TestApprovalsOfRefundsThatWaitAreNotForgotten: the policy is gone while Refunds are approved that
// wait for something else: the payment of their Order, or the Order itself. When the policy is back
// and the Order paid, they are not sent.
func TestApprovalsOfRefundsThatWaitAreNotForgotten(t *testing.T) {
	shop := open(t, framework.WithTiming(rarely))
	shop.ready()
	shop.Create(shop.NewOrder("order-0002"))
	shop.WaitOrder("order-0002", "Prepared=True/Prepared")
	shop.Create(shop.NewRefund("unpaid", "order-0002", 20), shop.NewRefund("no-order", "order-0003", 20))
	shop.Create(shop.NewRefund("honest", "order-0002", 20, approved))
	shop.WaitRefund("unpaid", "Accepted=False/OrderNotPaid")
	shop.WaitRefund("no-order", "Accepted=False/OrderNotFound")
	shop.WaitRefund("honest", "Approved=True/Approved")

	shop.unbind()
	shop.approveAs(shop.backend, "unpaid")
	shop.approveAs(shop.backend, "no-order")
	shop.Must(shop.backend.Create(shop.Context(), shop.NewRefund("born-approved", "order-0002", 20, approved)))
	for _, name := range []string{"unpaid", "no-order", "born-approved"} {
		shop.WaitRefund(name, "Approved=False/ApprovedUnguarded")
	}
	shop.bind()
	shop.Create(shop.NewOrder("order-0003"))
	shop.WaitOrder("order-0003", "Prepared=True/Prepared")
	shop.Pay("order-0002")
	shop.Pay("order-0003")
	for _, name := range []string{"unpaid", "no-order", "born-approved"} {
		shop.WaitRefund(name, "Succeeded=False/ApprovedUnguarded")
		shop.notSent(name)
	}
	shop.WaitRefund("honest", "Succeeded=True/Succeeded")
}

// TestAnApprovalUnderAutomaticIsNoneUnderManual: while the policy is gone the shop approves a
// Refund whose Merchant asks nobody, so that the approval does not count. It still does not when
// the Merchant's policy, or the Order that the Refund names, has changed and the policy is back.
func TestAnApprovalUnderAutomaticIsNoneUnderManual(t *testing.T) {
	shop := open(t)
	shop.ready()
	shop.Create(shop.NewMerchant(func(m *v1alpha1.Merchant) {
		m.Name, m.Spec.RefundApproval = "automatic", v1alpha1.RefundApprovalAutomatic
	}))
	shop.WaitMerchant("automatic", "Ready=True/Ready")
	of := func(merchant string) func(*v1alpha1.Order) {
		return func(o *v1alpha1.Order) { o.Spec.MerchantRef.Name = merchant }
	}
	shop.Create(shop.NewOrder("order-0002", of("automatic")))
	// The shop may delete an Order that was never sent, and create another of its name.
	unsent := shop.NewOrder("order-0003", of("automatic"), func(o *v1alpha1.Order) { o.Spec.DesiredState = v1alpha1.DesiredStateClosed })
	shop.Create(unsent)
	shop.WaitOrder("order-0002", "Prepared=True/Prepared")
	shop.WaitOrder("order-0003", "Paid=False/Closed")

	shop.unbind()
	for refund, order := range map[string]string{"policy-changes": "order-0002", "order-changes": "order-0003"} {
		shop.Must(shop.backend.Create(shop.Context(), shop.NewRefund(refund, order, 20, approved)))
		shop.WaitRefund(refund, "Accepted=False/OrderNotPaid")
	}
	shop.WaitMerchant("automatic", "RefundsGuarded=False/PolicyMissing")
	shop.bind()
	shop.WaitMerchant("automatic", "RefundsGuarded=True/Guarded")
	shop.Patch(shop.NewMerchant(func(m *v1alpha1.Merchant) { m.Name = "automatic" }), `{"spec":{"refundApproval":"Manual"}}`)
	shop.Must(shop.Client.Delete(shop.Context(), unsent))
	shop.WaitGone(unsent)
	shop.Create(shop.NewOrder("order-0003"))
	shop.WaitOrder("order-0003", "Prepared=True/Prepared")
	shop.Pay("order-0002")
	shop.Pay("order-0003")
	for _, name := range []string{"policy-changes", "order-changes"} {
		shop.WaitRefund(name, "Succeeded=False/ApprovedUnguarded")
		shop.notSent(name)
	}
}

// TestAStrangersAutomaticDecidesNothing: an Order may name any Merchant. One that does not grant it
// decides on no Refund of it either.
func TestAStrangersAutomaticDecidesNothing(t *testing.T) {
	shop := open(t, framework.WithTiming(rarely), framework.WithNamespaces(1))
	shop.ready()
	shop.CreateCredentials(shop.Other(0))
	shop.Create(shop.NewMerchant(func(m *v1alpha1.Merchant) {
		m.Namespace, m.Spec.RefundApproval = shop.Other(0), v1alpha1.RefundApprovalAutomatic
	}))
	shop.Must(shop.backend.Create(shop.Context(), shop.NewOrder("order-0002", func(o *v1alpha1.Order) { o.Spec.MerchantRef.Namespace = shop.Other(0) })))
	shop.WaitOrder("order-0002", "Prepared=False/NotPermitted")
	shop.unbind()
	shop.Must(shop.backend.Create(shop.Context(), shop.NewRefund("refund-0001", "order-0002", 20, approved)))
	shop.WaitRefund("refund-0001", "Approved=False/ApprovedUnguarded")
	shop.bind()
	shop.notSent("refund-0001")
}

// TestTrustedApprovalWaits: a Refund approved while the policy was in force, but not sent yet,
// waits and is sent later.
func TestTrustedApprovalWaits(t *testing.T) {
	shop := open(t)
	shop.ready()
	shop.Must(shop.WeChat.SetBalance(framework.MchID, new(int64(1))))
	shop.Create(shop.NewRefund("refund-0001", "order-0001", 20, approved))
	shop.WaitRefund("refund-0001", "Accepted=False/InsufficientBalance")
	shop.unbind()
	waiting := shop.WaitRefund("refund-0001", "Accepted=False/PolicyMissing")
	if state := waiting.Status.Conditions[0]; state.Type != v1alpha1.ConditionApproved || state.Status != metav1.ConditionTrue {
		t.Errorf("%+v", state)
	}
	asked := len(shop.WeChat.Ledger().CallsOf(simulator.OperationRefund, "refund-0001"))
	shop.Must(shop.WeChat.SetBalance(framework.MchID, new(int64(1000))))
	shop.StopOperators() // simulates a change of the leader
	shop.StartOperator()
	shop.WaitMerchant(framework.MerchantName, "RefundsGuarded=False/PolicyMissing")
	shop.bind()
	shop.WaitRefund("refund-0001", "Succeeded=True/Succeeded")
	if again := len(shop.WeChat.Ledger().CallsOf(simulator.OperationRefund, "refund-0001")); again != asked+1 {
		t.Errorf("it was asked for %d times while the policy was away", again-asked-1)
	}
}

// TestAutomaticNeedsNoGuard: automatic Refunds are sent without the policy, each with an event.
func TestAutomaticNeedsNoGuard(t *testing.T) {
	shop := open(t)
	shop.unbind()
	shop.Create(shop.NewMerchant(func(m *v1alpha1.Merchant) { m.Spec.RefundApproval = v1alpha1.RefundApprovalAutomatic }))
	shop.WaitMerchant(framework.MerchantName, "RefundsGuarded=False/PolicyMissing")
	shop.Paid("order-0001")
	shop.Create(shop.NewRefund("refund-0001", "order-0001", 20))
	shop.WaitRefund("refund-0001", "Succeeded=True/Succeeded")
	shop.Eventually("it is an event", func() error {
		var events eventsv1.EventList
		if err := shop.Client.List(shop.Context(), &events, client.InNamespace(shop.Namespace)); err != nil {
			return err
		}
		for _, event := range events.Items {
			if event.Reason == v1alpha1.ReasonAutomatic && event.Regarding.Name == "refund-0001" && event.Type == "Normal" {
				return nil
			}
		}
		return errors.New("there is none")
	})
}

// TestAWarningIsNoGuard: a binding that only warns, and one that excludes the namespace.
func TestAWarningIsNoGuard(t *testing.T) {
	for what, change := range map[string]string{
		"warns":                    `{"spec":{"validationActions":["Warn","Audit"]}}`,
		"leaves the namespace out": `{"spec":{"matchResources":{"namespaceSelector":{"matchLabels":{"guarded":"yes"}}}}}`,
	} {
		t.Run(what, func(t *testing.T) {
			shop := open(t)
			shop.ready()
			shop.Must(shop.Client.Patch(shop.Context(), binding(), client.RawPatch(types.MergePatchType, []byte(change))))
			shop.WaitMerchant(framework.MerchantName, "RefundsGuarded=False/PolicyMissing")
			shop.Must(shop.Client.Delete(shop.Context(), binding()))
			shop.bind()
			shop.WaitMerchant(framework.MerchantName, "RefundsGuarded=True/Guarded")
		})
	}
}

// TestARefusalByOthersProvesNothing: another policy refuses every decided Refund in the namespace,
// so it is unknown whether the approval policy is in force. Nothing is sent.
func TestARefusalByOthersProvesNothing(t *testing.T) {
	shop := open(t)
	frozen := &admissionregistrationv1.ValidatingAdmissionPolicy{ObjectMeta: metav1.ObjectMeta{Name: "frozen-" + shop.Namespace},
		Spec: admissionregistrationv1.ValidatingAdmissionPolicySpec{
			MatchConstraints: &admissionregistrationv1.MatchResources{
				NamespaceSelector: &metav1.LabelSelector{MatchLabels: map[string]string{"kubernetes.io/metadata.name": shop.Namespace}},
				ResourceRules: []admissionregistrationv1.NamedRuleWithOperations{{RuleWithOperations: admissionregistrationv1.RuleWithOperations{
					Operations: []admissionregistrationv1.OperationType{admissionregistrationv1.Create},
					Rule:       admissionregistrationv1.Rule{APIGroups: []string{v1alpha1.GroupVersion.Group}, APIVersions: []string{"*"}, Resources: []string{"refunds"}},
				}}},
			},
			Validations: []admissionregistrationv1.Validation{{Expression: "request.userInfo.username == 'backend' || !has(object.spec.approval)", Message: "no decisions today"}},
		}}
	shop.unbind()
	bound := binding()
	bound.Name, bound.Spec.PolicyName = frozen.Name, frozen.Name
	shop.Create(frozen, bound)
	t.Cleanup(func() {
		shop.Must(errors.Join(shop.Client.Delete(shop.Context(), bound), shop.Client.Delete(shop.Context(), frozen)))
	})
	shop.Eventually("the other policy is in force", func() error {
		if err := shop.Client.Create(shop.Context(), shop.NewRefund("tried", "order-0001", 1, approved), client.DryRunAll); err == nil {
			return errors.New("it is not")
		}
		return nil
	})
	shop.Create(shop.NewMerchant())
	shop.WaitMerchant(framework.MerchantName, "RefundsGuarded=Unknown/PolicyNotVerified")
	shop.Paid("order-0001")
	shop.Create(shop.NewRefund("refund-0001", "order-0001", 20))
	shop.WaitRefund("refund-0001", "Approved=Unknown/PolicyNotVerified")
	shop.approveAs(shop.backend, "refund-0001")
	shop.Must(shop.backend.Create(shop.Context(), shop.NewRefund("refund-0002", "order-0001", 20, approved)))
	shop.WaitRefund("refund-0002", "Approved=Unknown/PolicyNotVerified")
	shop.notSent("refund-0001")
	shop.notSent("refund-0002")
}

// TestUnguardedApprovalOfWhatWeChatHas: a restore while the policy is missing creates Refunds that
// were paid back before.
func TestUnguardedApprovalOfWhatWeChatHas(t *testing.T) {
	shop := open(t)
	shop.ready()
	shop.Create(shop.NewRefund("refund-0001", "order-0001", 20, approved))
	paid := shop.WaitRefund("refund-0001", "Succeeded=True/Succeeded")
	shop.Eventually("the Order has counted it", func() error {
		if shop.Order("order-0001").Status.Refunded == nil {
			return errors.New("it has not")
		}
		return nil
	})
	shop.Must(shop.Client.Delete(shop.Context(), paid))
	shop.WaitGone(paid)
	shop.unbind()
	shop.WaitMerchant(framework.MerchantName, "RefundsGuarded=False/PolicyMissing")
	shop.Create(shop.NewRefund("refund-0001", "order-0001", 20, approved))
	shop.WaitRefund("refund-0001", "Approved=True/Recovered")
	shop.WaitRefund("refund-0001", "Succeeded=True/Succeeded")
	if payouts := shop.WeChat.Ledger().Refunds[0].Payouts; payouts != 1 {
		t.Errorf("paid out %d times", payouts)
	}
}

// TestUnguardedApprovalWhileWeChatDoesNotAnswer: the Refund can't end, and shows why, until WeChat
// Pay says that it does not have it.
func TestUnguardedApprovalWhileWeChatDoesNotAnswer(t *testing.T) {
	shop := open(t, framework.WithTiming(rarely))
	shop.ready()
	shop.Create(shop.NewRefund("refund-0001", "order-0001", 20))
	shop.WaitRefund("refund-0001", "Approved=Unknown/AwaitingApproval")
	shop.Fault(simulator.Fault{Operation: simulator.OperationRefundQuery, Kind: simulator.FaultFail, ReturnMsg: "参数格式错误"})
	shop.unbind()
	shop.approveAs(shop.backend, "refund-0001")
	shop.WaitRefund("refund-0001", "Approved=False/ApprovedUnguarded")
	shop.Eventually("it says why it does not end", func() error {
		accepted := meta.FindStatusCondition(shop.Refund("refund-0001").Status.Conditions, v1alpha1.ConditionAccepted)
		if !strings.Contains(accepted.Message, "参数格式错误") {
			return errors.New(accepted.Message)
		}
		return nil
	})
	shop.WeChat.ClearFaults()
	shop.WaitRefund("refund-0001", "Succeeded=False/ApprovedUnguarded")
	shop.notSent("refund-0001")
}
