package policy_test

import (
	"context"
	"encoding/json"
	"strings"
	"testing"

	rbacv1 "k8s.io/api/rbac/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/wechatpay-operator/wechatpay-operator/api/v1alpha1"
)

// The two decisions on an abnormal refund.
var (
	toMerchant = &v1alpha1.AbnormalRefund{To: v1alpha1.AbnormalToMerchantBankCard}
	toUser     = &v1alpha1.AbnormalRefund{To: v1alpha1.AbnormalToUserBankCard, BankType: "ICBC_DEBIT",
		SecretRef: &v1alpha1.SecretReference{Name: "card"}}
)

// The ways in which spec.abnormal can be written. All are dry runs, so that the Refund stays as it
// is.
var waysOfAbnormal = map[string]func(ctx context.Context, c client.Client, stored *v1alpha1.Refund, abnormal *v1alpha1.AbnormalRefund) error{
	"update": func(ctx context.Context, c client.Client, stored *v1alpha1.Refund, abnormal *v1alpha1.AbnormalRefund) error {
		changed := stored.DeepCopy()
		changed.Spec.Abnormal = abnormal
		return c.Update(ctx, changed, client.DryRunAll)
	},
	"merge patch": func(ctx context.Context, c client.Client, stored *v1alpha1.Refund, abnormal *v1alpha1.AbnormalRefund) error {
		body, err := json.Marshal(map[string]any{"spec": map[string]any{"abnormal": abnormal}})
		if err != nil {
			return err
		}
		return c.Patch(ctx, stored.DeepCopy(), client.RawPatch(types.MergePatchType, body), client.DryRunAll)
	},
	"server-side apply": func(ctx context.Context, c client.Client, stored *v1alpha1.Refund, abnormal *v1alpha1.AbnormalRefund) error {
		r := refund(stored.Name, stored.Spec.Approval)
		r.Spec.Abnormal = abnormal
		body, err := json.Marshal(map[string]any{"apiVersion": r.APIVersion, "kind": r.Kind,
			"metadata": map[string]any{"namespace": r.Namespace, "name": r.Name}, "spec": r.Spec})
		if err != nil {
			return err
		}
		return c.Patch(ctx, r, client.RawPatch(types.ApplyPatchType, body), client.FieldOwner("decider"), client.ForceOwnership, client.DryRunAll)
	},
}

// approved is a Refund that was approved and of which WeChat said this.
func approved(t *testing.T, name string, conditions ...metav1.Condition) *v1alpha1.Refund {
	t.Helper()
	r := stored(t, name)
	if err := serverSideApply(t.Context(), approver, refund(name, v1alpha1.ApprovalApproved)); err != nil {
		t.Fatal(err)
	}
	if err := admin.Get(t.Context(), client.ObjectKeyFromObject(r), r); err != nil {
		t.Fatal(err)
	}
	if r.Status.Conditions = conditions; conditions != nil {
		if err := admin.Status().Update(t.Context(), r); err != nil {
			t.Fatal(err)
		}
	}
	return r
}

func said(kind, reason string) metav1.Condition {
	return metav1.Condition{Type: kind, Status: metav1.ConditionUnknown, Reason: reason, Message: reason, LastTransitionTime: metav1.Now()}
}

// deniedFor fails unless the policy on approvals refused, in these words.
func deniedFor(t *testing.T, err error, words ...string) {
	t.Helper()
	if !apierrors.IsForbidden(err) && !apierrors.IsInvalid(err) {
		t.Errorf("%v, want a refusal", err)
		return
	}
	for _, w := range append(words, "ValidatingAdmissionPolicy 'wechatpay-operator-refund-approval'") {
		if !strings.Contains(err.Error(), w) {
			t.Errorf("%q does not say %q", err, w)
		}
	}
}

// TestAbnormalTakesTheRightToApprove, and that to the Secret that is named. Neither replaces the
// other one.
func TestAbnormalTakesTheRightToApprove(t *testing.T) {
	r := approved(t, "abnormal", said("Succeeded", v1alpha1.ReasonAbnormal))
	edits := rbacv1.PolicyRule{APIGroups: []string{v1alpha1.GroupVersion.Group}, Resources: []string{"refunds"}, Verbs: []string{"get", "update", "patch"}}
	const right = `"approve" on refunds.wechatpay-operator.io in namespace shop`
	const secret = `"get" on the Secret card in namespace shop`
	people := map[string]struct {
		client.Client
		// What the refusal says; empty is none.
		merchant, user string
	}{
		"editor":      {editor, right, right},
		"card-editor": {person(t, "card-editor", []string{"shop"}, edits, reads("card")), right, right},
		"stranger":    {stranger, right, right},
		"approver":    {approver, "", secret},
		"other-card":  {person(t, "other-card", []string{"approver"}, reads("card-2")), "", secret},
		"card-lister": {person(t, "card-lister", []string{"approver"}, rbacv1.PolicyRule{APIGroups: []string{""},
			Resources: []string{"secrets"}, Verbs: []string{"list", "watch", "create", "update"}}), "", secret},
		"card-approver": {person(t, "card-approver", []string{"approver"}, reads("card")), "", ""},
		"admin":         {admin, "", ""},
	}
	for way, write := range waysOfAbnormal {
		for user, may := range people {
			for to, c := range map[string]struct {
				abnormal *v1alpha1.AbnormalRefund
				words    string
			}{"merchant": {toMerchant, may.merchant}, "user": {toUser, may.user}} {
				t.Run(strings.Join([]string{user, to, way}, "/"), func(t *testing.T) {
					err := write(t.Context(), may, r, c.abnormal)
					if c.words != "" {
						deniedFor(t, err, "spec.abnormal of Refund shop/abnormal", user, c.words)
					} else if err != nil {
						t.Error(err)
					}
				})
			}
		}
	}
	// The right to one name is one to this field too.
	named := approved(t, "the-one", said("Succeeded", v1alpha1.ReasonAbnormal))
	if err := waysOfAbnormal["merge patch"](t.Context(), one, named, toMerchant); err != nil {
		t.Error(err)
	}
	deniedFor(t, waysOfAbnormal["merge patch"](t.Context(), one, r, toMerchant), right)
	// Neither a shop nor the operator, whose patch is for other things.
	deniedFor(t, waysOfAbnormal["merge patch"](t.Context(), shop, r, toMerchant), right)
	if err := waysOfAbnormal["merge patch"](t.Context(), operator, r, toMerchant); !apierrors.IsForbidden(err) && !apierrors.IsInvalid(err) {
		t.Errorf("the operator: %v, want a refusal", err)
	}
}

// TestAbnormalWaitsUntilTheRefundIsAbnormal: it is the stored status that counts, whoever asks.
func TestAbnormalWaitsUntilTheRefundIsAbnormal(t *testing.T) {
	const tooEarly = "can be set only while its condition Succeeded has the reason Abnormal"
	for name, conditions := range map[string][]metav1.Condition{
		"without-status":    nil,
		"processing":        {said("Succeeded", "Processing")},
		"other-condition":   {said("Accepted", v1alpha1.ReasonAbnormal), said("Succeeded", "Processing")},
		"abnormal-no-more":  {said("Succeeded", v1alpha1.ReasonSucceeded)},
		"approved-abnormal": {said("Approved", v1alpha1.ReasonAbnormal)},
	} {
		r := approved(t, name, conditions...)
		for way, write := range waysOfAbnormal {
			for user, c := range map[string]client.Client{"approver": approver, "admin": admin} {
				t.Run(strings.Join([]string{name, user, way}, "/"), func(t *testing.T) {
					deniedFor(t, write(t.Context(), c, r, toMerchant), tooEarly)
				})
			}
		}
		// A status that comes with it is dropped, and is not the stored one.
		claims := r.DeepCopy()
		claims.Spec.Abnormal, claims.Status.Conditions = toMerchant, []metav1.Condition{said("Succeeded", v1alpha1.ReasonAbnormal)}
		deniedFor(t, admin.Update(t.Context(), claims, client.DryRunAll), tooEarly)
	}
	// At the creation the kind itself refuses.
	born := refund("born-abnormal", "")
	born.Spec.Abnormal = toMerchant
	if err := admin.Create(t.Context(), born, client.DryRunAll); !apierrors.IsInvalid(err) {
		t.Errorf("%v, want a refusal", err)
	}
}

// TestAbnormalStays: once it is set, everything else can be written without any right to it, also
// when the Refund is not abnormal any more.
func TestAbnormalStays(t *testing.T) {
	ctx := t.Context()
	cardApprover := person(t, "card-decider", []string{"approver"}, reads("card"))
	r := approved(t, "abnormal-for-good", said("Succeeded", v1alpha1.ReasonAbnormal))
	r.Spec.Abnormal = toUser
	if err := cardApprover.Update(ctx, r); err != nil {
		t.Fatal(err)
	}
	r.Status.Conditions = []metav1.Condition{said("Succeeded", v1alpha1.ReasonSucceeded)}
	if err := admin.Status().Update(ctx, r); err != nil {
		t.Fatal(err)
	}
	r.Labels = map[string]string{"seen": "yes"}
	if err := editor.Update(ctx, r); err != nil {
		t.Errorf("a label: %v", err)
	}
	if err := operator.Patch(ctx, r, client.RawPatch(types.MergePatchType, []byte(`{"metadata":{"finalizers":["wechatpay-operator.io/settle"]}}`))); err != nil {
		t.Errorf("the operator's finalizer: %v", err)
	}
	for way, write := range waysOfAbnormal {
		for _, abnormal := range []*v1alpha1.AbnormalRefund{toMerchant, nil} {
			if way == "server-side apply" && abnormal == nil {
				continue // leaves the field to its other owners
			}
			if err := write(ctx, admin, r, abnormal); !apierrors.IsInvalid(err) && !apierrors.IsForbidden(err) {
				t.Errorf("%v by %s: %v, want a refusal", abnormal, way, err)
			}
		}
	}
}
