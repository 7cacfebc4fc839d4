package policy_test

import (
	"fmt"
	"strings"
	"testing"

	rbacv1 "k8s.io/api/rbac/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/wechatpay-operator/wechatpay-operator/api/v1alpha1"
)

const owners = `[{"apiVersion":"v1","kind":"ConfigMap","name":"never-was","uid":"3f1f8f6e-0000-4000-8000-000000000000","controller":true,"blockOwnerDeletion":true}]`

func notOwned(t *testing.T, err error, user, kind string) {
	t.Helper()
	if !apierrors.IsForbidden(err) {
		t.Errorf("%v, want Forbidden", err)
		return
	}
	for _, words := range []string{"ValidatingAdmissionPolicy 'wechatpay-operator-owners'", user, `"delete" on ` + kind + ".wechatpay-operator.io in namespace " + ns} {
		if !strings.Contains(err.Error(), words) {
			t.Errorf("%q does not say %q", err, words)
		}
	}
}

// TestOwnersAreForWhoMayDelete: the garbage collector is no way round the right to delete, for any kind.
func TestOwnersAreForWhoMayDelete(t *testing.T) {
	ctx := t.Context()
	group := []string{v1alpha1.GroupVersion.Group}
	keeps := person(t, "keeps", nil, reads(), rbacv1.PolicyRule{APIGroups: group, Resources: []string{"merchants", "orders", "refunds"},
		Verbs: []string{"get", "create", "update", "patch"}})
	deletes := person(t, "deletes", nil, reads(), rbacv1.PolicyRule{APIGroups: group, Resources: []string{"merchants", "orders", "refunds"},
		Verbs: []string{"get", "create", "update", "patch", "delete"}})
	collector, err := userClient("system:serviceaccount:kube-system:generic-garbage-collector")
	if err != nil {
		t.Fatal(err)
	}
	for _, object := range objects() {
		kind := strings.ToLower(strings.TrimPrefix(typeName(object), "*v1alpha1.")) + "s"
		object.SetName("owned-0001")
		object.SetFinalizers(nil)
		born := object.DeepCopyObject().(client.Object)
		born.SetOwnerReferences([]metav1.OwnerReference{{APIVersion: "v1", Kind: "ConfigMap", Name: "never-was", UID: "3f1f8f6e-0000-4000-8000-000000000000"}})
		notOwned(t, keeps.Create(ctx, born.DeepCopyObject().(client.Object)), "keeps", kind)
		if err := deletes.Create(ctx, born.DeepCopyObject().(client.Object), client.DryRunAll); err != nil {
			t.Errorf("%s by who may delete them: %v", kind, err)
		}
		if err := keeps.Create(ctx, object); err != nil {
			t.Fatal(err)
		}
		for what, patch := range map[types.PatchType]string{
			types.MergePatchType: `{"metadata":{"ownerReferences":` + owners + `}}`,
			types.JSONPatchType:  `[{"op":"add","path":"/metadata/ownerReferences","value":` + owners + `}]`,
			types.ApplyPatchType: fmt.Sprintf(`{"apiVersion":%q,"kind":%q,"metadata":{"ownerReferences":%s}}`,
				v1alpha1.GroupVersion, strings.TrimPrefix(typeName(object), "*v1alpha1."), owners),
		} {
			options := []client.PatchOption{client.FieldOwner("test"), client.DryRunAll}
			notOwned(t, keeps.Patch(ctx, object.DeepCopyObject().(client.Object), client.RawPatch(what, []byte(patch)), options...), "keeps", kind)
			if err := deletes.Patch(ctx, object.DeepCopyObject().(client.Object), client.RawPatch(what, []byte(patch)), options...); err != nil {
				t.Errorf("%s by who may delete them: %v", kind, err)
			}
		}
		// With an owner, what is not about owners is free, and taking it away is not. The garbage collector may.
		merge := func(c client.Client, patch string, options ...client.PatchOption) error {
			return c.Patch(ctx, object.DeepCopyObject().(client.Object), client.RawPatch(types.MergePatchType, []byte(patch)), options...)
		}
		if err := merge(admin, `{"metadata":{"ownerReferences":`+owners+`}}`); err != nil {
			t.Fatal(err)
		}
		if err := merge(keeps, `{"metadata":{"labels":{"a":"b"}}}`); err != nil {
			t.Errorf("a label: %v", err)
		}
		notOwned(t, merge(keeps, `{"metadata":{"ownerReferences":null}}`), "keeps", kind)
		if err := merge(collector, `{"metadata":{"ownerReferences":null}}`); err != nil {
			t.Errorf("the garbage collector: %v", err)
		}
	}
	// Under the shop's own role.
	if err := shop.Create(ctx, refund("owned-0002", "")); err != nil {
		t.Fatal(err)
	}
	notOwned(t, takePatch(t, shop, `{"metadata":{"ownerReferences":`+owners+`}}`, "owned-0002"), "shop", "refunds")
}
