package policy_test

import (
	"strings"
	"testing"

	rbacv1 "k8s.io/api/rbac/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/wechatpay-operator/wechatpay-operator/api/v1alpha1"
)

func notAutomatic(t *testing.T, err error, user string) {
	t.Helper()
	if !apierrors.IsForbidden(err) {
		t.Errorf("%v, want Forbidden", err)
		return
	}
	for _, words := range []string{"ValidatingAdmissionPolicy 'wechatpay-operator-automatic-refunds'", user, `"approve" on refunds.wechatpay-operator.io in namespace ` + ns, "ClusterRole wechatpay-operator-approver"} {
		if !strings.Contains(err.Error(), words) {
			t.Errorf("%q does not say %q", err, words)
		}
	}
}

// TestAutomaticIsAnApprovalOfAll: who sets refundApproval to Automatic approves every Refund to come.
func TestAutomaticIsAnApprovalOfAll(t *testing.T) {
	ctx := t.Context()
	setup := person(t, "automatic-setup", []string{"merchant-admin"}, reads())
	one := person(t, "automatic-one", []string{"merchant-admin"}, reads(), rbacv1.PolicyRule{
		APIGroups: []string{v1alpha1.GroupVersion.Group}, Resources: []string{"refunds"}, ResourceNames: []string{"the-one"}, Verbs: []string{"approve"}})
	decider := person(t, "automatic-decider", []string{"merchant-admin", "approver"}, reads())
	automatic := func(spec *v1alpha1.MerchantSpec) { spec.RefundApproval = v1alpha1.RefundApprovalAutomatic }
	for user, c := range map[string]client.Client{"automatic-setup": setup, "automatic-one": one} {
		notAutomatic(t, c.Create(ctx, merchant("automatic", automatic)), user)
		notAutomatic(t, applyMerchant(ctx, c, merchant("automatic", automatic)), user)
	}
	if err := decider.Create(ctx, merchant("automatic-born", automatic)); err != nil {
		t.Error(err)
	}
	if err := setup.Create(ctx, merchant("automatic")); err != nil {
		t.Fatal(err)
	}
	stored := &v1alpha1.Merchant{}
	if err := admin.Get(ctx, client.ObjectKey{Namespace: ns, Name: "automatic"}, stored); err != nil {
		t.Fatal(err)
	}
	for way, write := range waysOfMerchants {
		t.Run(way, func(t *testing.T) {
			notAutomatic(t, write(t.Context(), setup, stored, `{"refundApproval":"Automatic"}`), "automatic-setup")
			notAutomatic(t, write(t.Context(), one, stored, `{"refundApproval":"Automatic","latePayment":"Refund"}`), "automatic-one")
			if err := write(t.Context(), decider, stored, `{"refundApproval":"Automatic"}`); err != nil {
				t.Error(err)
			}
		})
	}
	// One that is Automatic already stays it, whoever applies it again, and going back is free; then it is Manual.
	patch := func(body string) error {
		return setup.Patch(ctx, stored.DeepCopy(), client.RawPatch(types.MergePatchType, []byte(`{"spec":`+body+`}`)))
	}
	if err := admin.Patch(ctx, stored.DeepCopy(), client.RawPatch(types.MergePatchType, []byte(`{"spec":{"refundApproval":"Automatic"}}`))); err != nil {
		t.Fatal(err)
	}
	for _, body := range []string{`{"refundApproval":"Automatic"}`, `{"latePayment":"Refund"}`, `{"refundApproval":null}`, `{"refundApproval":"Manual"}`} {
		if err := patch(body); err != nil {
			t.Errorf("%s: %v", body, err)
		}
	}
	notAutomatic(t, patch(`{"refundApproval":"Automatic"}`), "automatic-setup")
}
