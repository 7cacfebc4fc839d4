package policy_test

import (
	"context"
	"slices"
	"strings"
	"testing"
	"time"

	rbacv1 "k8s.io/api/rbac/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/util/wait"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/wechatpay-operator/wechatpay-operator/api/v1alpha1"
)

// held is a Refund with the operator's finalizer, and another.
func held(name string) *v1alpha1.Refund {
	r := refund(name, "")
	r.Finalizers = []string{v1alpha1.Finalizer, "example.com/keep"}
	return r
}

// objects are one of each kind, held.
func objects() []client.Object {
	finalizers := []string{"example.com/keep", v1alpha1.Finalizer}
	return []client.Object{
		held("held-0001"),
		&v1alpha1.Order{
			ObjectMeta: metav1.ObjectMeta{Namespace: ns, Name: "held-0001", Finalizers: finalizers},
			Spec: v1alpha1.OrderSpec{MerchantRef: v1alpha1.MerchantReference{Name: "shop"}, TradeType: v1alpha1.TradeTypeApp,
				Description: "肥皂", Amount: v1alpha1.Amount{Total: 101}},
		},
		&v1alpha1.Merchant{
			ObjectMeta: metav1.ObjectMeta{Namespace: ns, Name: "held-0001", Finalizers: finalizers},
			Spec: v1alpha1.MerchantSpec{MchID: "1900000109", AppID: "wxd678efh567hg6787",
				APIKeySecretRef: v1alpha1.SecretKeyReference{Name: "wechatpay"}},
		},
	}
}

// The ways in which the finalizer can be taken off.
var takings = map[string]func(ctx context.Context, c client.Client, object client.Object) error{
	"update": func(ctx context.Context, c client.Client, object client.Object) error {
		object.SetFinalizers(slices.DeleteFunc(object.GetFinalizers(), func(f string) bool { return f == v1alpha1.Finalizer }))
		return c.Update(ctx, object)
	},
	"merge patch": func(ctx context.Context, c client.Client, object client.Object) error {
		return c.Patch(ctx, object, client.RawPatch(types.MergePatchType, []byte(`{"metadata":{"finalizers":null}}`)))
	},
	"JSON patch": func(ctx context.Context, c client.Client, object client.Object) error {
		return c.Patch(ctx, object, client.RawPatch(types.JSONPatchType, []byte(`[{"op":"remove","path":"/metadata/finalizers"}]`)))
	},
}

// TestFinalizerStaysOn: those who may write everything else can't make an object go before it is settled. The operator
// can, and whoever was given the right.
func TestFinalizerStaysOn(t *testing.T) {
	ctx := t.Context()
	group := v1alpha1.GroupVersion.Group
	kinds := []string{"merchants", "orders", "refunds"}
	role := &rbacv1.ClusterRole{ObjectMeta: metav1.ObjectMeta{Name: "writes-all"}, Rules: []rbacv1.PolicyRule{
		{APIGroups: []string{group}, Resources: kinds, Verbs: []string{"get", "list", "watch", "create", "update", "patch", "delete", "approve"}},
		// Close to the right, but not it.
		{APIGroups: []string{group}, Resources: kinds, Verbs: []string{"finalize"}},
		{APIGroups: []string{group}, Resources: []string{"merchants/finalizers", "orders/finalizers", "refunds/finalizers"}, Verbs: []string{"get", "patch"}},
	}}
	if err := admin.Create(ctx, role); err != nil {
		t.Fatal(err)
	}
	if err := admin.Create(ctx, &rbacv1.RoleBinding{
		ObjectMeta: metav1.ObjectMeta{Namespace: ns, Name: "writer"},
		RoleRef:    rbacv1.RoleRef{APIGroup: rbacv1.GroupName, Kind: "ClusterRole", Name: role.Name},
		Subjects:   []rbacv1.Subject{{APIGroup: rbacv1.GroupName, Kind: "User", Name: "writer"}},
	}); err != nil {
		t.Fatal(err)
	}
	config, err := env.User("writer")
	if err != nil {
		t.Fatal(err)
	}
	writer, err := client.New(config, client.Options{Scheme: admin.Scheme()})
	if err != nil {
		t.Fatal(err)
	}
	if err := wait.PollUntilContextTimeout(ctx, 20*time.Millisecond, 20*time.Second, true, func(ctx context.Context) (bool, error) {
		err := writer.List(ctx, &v1alpha1.MerchantList{}, client.InNamespace(ns))
		return err == nil, ignoreForbidden(err)
	}); err != nil {
		t.Fatal(err)
	}
	for _, object := range objects() {
		if err := admin.Create(ctx, object); err != nil {
			t.Fatal(err)
		}
		kind := strings.ToLower(strings.TrimPrefix(typeName(object), "*v1alpha1.")) + "s"
		for way, take := range takings {
			t.Run(kind+"/"+way, func(t *testing.T) {
				err := take(t.Context(), writer, object.DeepCopyObject().(client.Object))
				if !apierrors.IsForbidden(err) {
					t.Fatalf("%v, want Forbidden", err)
				}
				for _, words := range []string{"ValidatingAdmissionPolicy 'wechatpay-operator-finalizer'", "writer", "shop/held-0001",
					"kubectl apply", kind + "/finalizers.wechatpay-operator.io"} {
					if !strings.Contains(err.Error(), words) {
						t.Errorf("%q does not say %q", err, words)
					}
				}
			})
		}
		// The rest of metadata is theirs, other finalizers included.
		if err := writer.Patch(ctx, object.DeepCopyObject().(client.Object), client.RawPatch(types.MergePatchType,
			[]byte(`{"metadata":{"labels":{"a":"b"},"finalizers":["wechatpay-operator.io/settle"]}}`))); err != nil {
			t.Errorf("%s: %v", kind, err)
		}
		// On the way out as well.
		if err := writer.Delete(ctx, object.DeepCopyObject().(client.Object)); err != nil {
			t.Fatal(err)
		}
		if err := takings["merge patch"](ctx, writer, object.DeepCopyObject().(client.Object)); !apierrors.IsForbidden(err) {
			t.Errorf("%s that is being deleted: %v, want Forbidden", kind, err)
		}
		if err := takings["merge patch"](ctx, operator, object.DeepCopyObject().(client.Object)); err != nil {
			t.Errorf("the operator can't let %s go: %v", kind, err)
		}
		if err := admin.Get(ctx, client.ObjectKeyFromObject(object), object); !apierrors.IsNotFound(err) {
			t.Errorf("%s did not go: %v", kind, err)
		}
	}
	r := held("held-0002")
	if err := admin.Create(ctx, r); err != nil {
		t.Fatal(err)
	}
	if err := takings["merge patch"](ctx, shop, r); !apierrors.IsForbidden(err) {
		t.Errorf("a shop: %v, want Forbidden", err)
	}
	if err := takings["merge patch"](ctx, approver, r); !apierrors.IsForbidden(err) {
		t.Errorf("an approver: %v, want Forbidden", err)
	}
	if err := takings["merge patch"](ctx, admin, r); err != nil {
		t.Errorf("an administrator, for the day on which the operator is gone: %v", err)
	}
}
