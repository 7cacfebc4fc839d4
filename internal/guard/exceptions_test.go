package guard_test

import (
	"context"
	"encoding/json"
	"errors"
	"testing"
	"time"

	admissionregistrationv1 "k8s.io/api/admissionregistration/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/utils/clock"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/wechatpay-operator/wechatpay-operator/api/v1alpha1"
	"github.com/wechatpay-operator/wechatpay-operator/controllers"
	"github.com/wechatpay-operator/wechatpay-operator/internal/guard"
	"github.com/wechatpay-operator/wechatpay-operator/test/framework"
	"github.com/wechatpay-operator/wechatpay-operator/test/framework/controlplane"
)

// labelled sets the label that the binding excludes in these tests.
func labelled(r *v1alpha1.Refund) { r.Labels = map[string]string{"skip": "yes"} }

// leaveOut makes the binding exclude labelled Refunds, and returns once the API server applies it.
func (s *guardedShop) leaveOut() {
	s.T.Helper()
	s.Must(s.Client.Patch(s.Context(), binding(), client.RawPatch(types.MergePatchType,
		[]byte(`{"spec":{"matchResources":{"objectSelector":{"matchExpressions":[{"key":"skip","operator":"NotIn","values":["yes"]}]}}}}`))))
	s.T.Cleanup(func() {
		s.Must(client.IgnoreNotFound(s.Client.Delete(s.Context(), binding())))
		s.bind()
	})
	s.Eventually("the API server knows what the binding leaves out", func() error {
		return s.backend.Create(s.Context(), s.NewRefund("tried-by-the-shop", "order-0001", 1, approved, labelled), client.DryRunAll)
	})
}

// TestABindingThatLeavesALabelOut: with an excluded label, anyone who may set it could approve.
// Refunds without the label stay guarded.
func TestABindingThatLeavesALabelOut(t *testing.T) {
	shop := open(t, framework.WithTiming(rarely), framework.WithTiming(func(timing *controllers.Timing) {
		timing.GuardRetry = time.Minute // the next try, without the label, finds the policy in force again
	}))
	shop.ready()
	shop.leaveOut()
	shop.Must(shop.backend.Create(shop.Context(), shop.NewRefund("born-approved", "order-0001", 20, approved, labelled)))
	shop.WaitRefund("born-approved", "Succeeded=False/ApprovedUnguarded")
	shop.WaitMerchant(framework.MerchantName, "RefundsGuarded=False/PolicyMissing")
	shop.notSent("born-approved")
}

// TestALabelThatComesLater: the Refund awaits approval, then the shop labels and approves it.
func TestALabelThatComesLater(t *testing.T) {
	shop := open(t, framework.WithTiming(rarely))
	shop.ready()
	shop.Create(shop.NewRefund("refund-0001", "order-0001", 20))
	shop.WaitRefund("refund-0001", "Approved=Unknown/AwaitingApproval")
	shop.leaveOut()
	shop.Must(shop.backend.Patch(shop.Context(), shop.NewRefund("refund-0001", "", 0), client.RawPatch(types.MergePatchType, []byte(`{"metadata":{"labels":{"skip":"yes"}}}`))))
	shop.approveAs(shop.backend, "refund-0001")
	shop.WaitRefund("refund-0001", "Succeeded=False/ApprovedUnguarded")
	shop.notSent("refund-0001")
}

// TestAPolicyThatLooksAtCreationsOnly: the guard notices it when the first Refund awaits approval,
// before anybody decides.
func TestAPolicyThatLooksAtCreationsOnly(t *testing.T) {
	shop := open(t, framework.WithTiming(rarely))
	shop.ready()
	policy := &admissionregistrationv1.ValidatingAdmissionPolicy{ObjectMeta: metav1.ObjectMeta{Name: "wechatpay-operator-refund-approval"}}
	shop.Must(shop.Client.Get(shop.Context(), client.ObjectKeyFromObject(policy), policy))
	whole := policy.Spec.MatchConstraints.ResourceRules
	set := func(rules []admissionregistrationv1.NamedRuleWithOperations) {
		patch, err := json.Marshal(map[string]any{"spec": map[string]any{"matchConstraints": map[string]any{"resourceRules": rules}}})
		shop.Must(err)
		shop.Must(shop.Client.Patch(shop.Context(), policy, client.RawPatch(types.MergePatchType, patch)))
	}
	t.Cleanup(func() {
		set(whole)
		shop.changesAreGuarded(true)
	})
	creations := *whole[0].DeepCopy()
	creations.Operations = []admissionregistrationv1.OperationType{admissionregistrationv1.Create}
	set([]admissionregistrationv1.NamedRuleWithOperations{creations})
	shop.changesAreGuarded(false)

	shop.Create(shop.NewRefund("refund-0001", "order-0001", 20))
	shop.WaitRefund("refund-0001", "Approved=Unknown/PolicyMissing")
	shop.WaitMerchant(framework.MerchantName, "RefundsGuarded=False/PolicyMissing")
	shop.approveAs(shop.backend, "refund-0001")
	shop.WaitRefund("refund-0001", "Succeeded=False/ApprovedUnguarded")
	shop.notSent("refund-0001")
}

// changesAreGuarded waits until the API server applies whether the policy covers updates.
func (s *guardedShop) changesAreGuarded(want bool) {
	s.T.Helper()
	nobodys := s.NewRefund("nobodys", "no-order", 1)
	s.Must(client.IgnoreAlreadyExists(s.Client.Create(s.Context(), nobodys.DeepCopy())))
	s.Eventually("the API server knows whether changes are guarded", func() error {
		err := s.backend.Patch(s.Context(), nobodys.DeepCopy(), client.RawPatch(types.MergePatchType, []byte(`{"spec":{"approval":"Denied"}}`)), client.DryRunAll)
		if (err != nil) != want {
			return errors.Join(errors.New("a decision by the shop is answered otherwise"), err)
		}
		return nil
	})
}

// TestAnApprovalMeanwhileIsNoHole: the operator reads the Refund undecided while an approver
// decides. Approving an approved Refund again changes nothing and proves nothing.
func TestAnApprovalMeanwhileIsNoHole(t *testing.T) {
	shop := open(t, framework.WithTiming(rarely))
	shop.ready()
	shop.Create(shop.NewRefund("refund-0001", "order-0001", 20))
	undecided := shop.WaitRefund("refund-0001", "Approved=Unknown/AwaitingApproval").DeepCopy()
	shop.Approve("refund-0001")
	shop.WaitRefund("refund-0001", "Succeeded=True/Succeeded")
	operator, err := client.New(shop.OperatorConfig(), client.Options{Scheme: controlplane.Scheme()})
	shop.Must(err)
	waiting := func(context.Context, string) []*v1alpha1.Refund { return []*v1alpha1.Refund{undecided} }
	g := guard.New(operator, waiting, clock.RealClock{}, guard.Intervals{Check: time.Hour, Retry: time.Hour})
	if _, found := g.LookNow(shop.Context(), undecided); found.State != guard.InForce {
		t.Errorf("of the one that is looked at: %+v", found)
	}
	g = guard.New(operator, waiting, clock.RealClock{}, guard.Intervals{Check: time.Hour, Retry: time.Hour})
	if found := g.Look(shop.Context(), shop.Namespace); found.State != guard.InForce {
		t.Errorf("of those that wait: %+v", found)
	}
}
