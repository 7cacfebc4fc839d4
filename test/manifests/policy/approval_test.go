package policy_test

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	rbacv1 "k8s.io/api/rbac/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/util/wait"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/wechatpay-operator/wechatpay-operator/api/v1alpha1"
)

// The ways in which the field can be written.
var ways = map[string]func(ctx context.Context, c client.Client, stored *v1alpha1.Refund, approval v1alpha1.Approval) error{
	"update": func(ctx context.Context, c client.Client, stored *v1alpha1.Refund, approval v1alpha1.Approval) error {
		changed := stored.DeepCopy()
		changed.Spec.Approval = approval
		return c.Update(ctx, changed)
	},
	"merge patch": func(ctx context.Context, c client.Client, stored *v1alpha1.Refund, approval v1alpha1.Approval) error {
		var value any
		if approval != "" {
			value = approval
		}
		body, _ := json.Marshal(map[string]any{"spec": map[string]any{"approval": value}})
		return c.Patch(ctx, stored.DeepCopy(), client.RawPatch(types.MergePatchType, body))
	},
	"JSON patch": func(ctx context.Context, c client.Client, stored *v1alpha1.Refund, approval v1alpha1.Approval) error {
		operation := map[string]any{"op": "add", "path": "/spec/approval", "value": approval}
		if approval == "" {
			operation = map[string]any{"op": "remove", "path": "/spec/approval"}
		}
		body, _ := json.Marshal([]any{operation})
		return c.Patch(ctx, stored.DeepCopy(), client.RawPatch(types.JSONPatchType, body))
	},
	"server-side apply": func(ctx context.Context, c client.Client, stored *v1alpha1.Refund, approval v1alpha1.Approval) error {
		return serverSideApply(ctx, c, refund(stored.Name, approval))
	},
}

func serverSideApply(ctx context.Context, c client.Client, r *v1alpha1.Refund) error {
	body, err := json.Marshal(map[string]any{"apiVersion": r.APIVersion, "kind": r.Kind,
		"metadata": map[string]any{"namespace": r.Namespace, "name": r.Name}, "spec": r.Spec})
	if err != nil {
		return err
	}
	return c.Patch(ctx, r, client.RawPatch(types.ApplyPatchType, body), client.FieldOwner("test"), client.ForceOwnership)
}

// stored is a Refund that waits for a decision.
func stored(t *testing.T, name string) *v1alpha1.Refund {
	t.Helper()
	r := refund(name, "")
	// Applied, so that server-side apply owns the fields. Nothing is approved by it.
	if err := serverSideApply(t.Context(), editor, r); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = admin.Delete(context.Background(), refund(name, "")) })
	return r
}

func decision(t *testing.T, name string) v1alpha1.Approval {
	t.Helper()
	var r v1alpha1.Refund
	if err := admin.Get(t.Context(), client.ObjectKey{Namespace: ns, Name: name}, &r); err != nil {
		t.Fatal(err)
	}
	return r.Spec.Approval
}

// forbidden fails unless the policy itself refused, in words that help.
func forbidden(t *testing.T, err error, user string) {
	t.Helper()
	if !apierrors.IsForbidden(err) {
		t.Fatalf("%v, want Forbidden", err)
	}
	if user == manager && strings.Contains(err.Error(), "ValidatingAdmissionPolicy 'wechatpay-operator-operator'") {
		return // two policies refuse, and either may be the one that is told
	}
	for _, words := range []string{"ValidatingAdmissionPolicy 'wechatpay-operator-refund-approval'", "spec.approval of Refund shop/", user,
		`"approve" on refunds.wechatpay-operator.io in namespace shop`, "ClusterRole wechatpay-operator-approver"} {
		if !strings.Contains(err.Error(), words) {
			t.Errorf("%q does not say %q", err, words)
		}
	}
}

// refused fails unless the policy refused, or RBAC before it: shops and the operator have no right to replace Refunds
// at all.
func refused(t *testing.T, err error, user, way string) {
	t.Helper()
	if way != "update" || (user != "shop" && user != manager) {
		forbidden(t, err, user)
	} else if !apierrors.IsForbidden(err) {
		t.Errorf("%v, want Forbidden", err)
	}
}

var decisions = []v1alpha1.Approval{v1alpha1.ApprovalApproved, v1alpha1.ApprovalDenied}

func TestCreateDecided(t *testing.T) {
	for _, d := range decisions {
		name := "born-" + strings.ToLower(string(d))
		for user, c := range map[string]client.Client{"shop": shop, "editor": editor, "one": one, "stranger": stranger, manager: operator} {
			t.Run(string(d)+"/"+user, func(t *testing.T) {
				forbidden(t, c.Create(t.Context(), refund(name, d)), user)
				generated := refund("", d)
				generated.GenerateName = name + "-"
				forbidden(t, c.Create(t.Context(), generated), user)
				forbidden(t, serverSideApply(t.Context(), c, refund(name, d)), user)
			})
		}
		for user, c := range map[string]client.Client{"both": both, "admin": admin} {
			t.Run(string(d)+"/"+user, func(t *testing.T) {
				for _, create := range []func() error{
					func() error { return c.Create(t.Context(), refund(name, d)) },
					func() error { return serverSideApply(t.Context(), c, refund(name, d)) },
				} {
					if err := create(); err != nil {
						t.Fatal(err)
					}
					if got := decision(t, name); got != d {
						t.Errorf("created with %q, want %q", got, d)
					}
					if err := admin.Delete(t.Context(), refund(name, d)); err != nil {
						t.Fatal(err)
					}
				}
			})
		}
	}
}

func TestCreateUndecided(t *testing.T) {
	for user, c := range map[string]client.Client{"shop": shop, "editor": editor, "operator": operator, "admin": admin} {
		t.Run(user, func(t *testing.T) {
			// The name that the operator gives to a Refund of a late payment.
			r := refund("order-20261121-0001-late", "")
			r.Spec.OrderRef.Name = "order-20261121-0001"
			if err := c.Create(t.Context(), r); err != nil {
				t.Fatal(err)
			}
			if err := admin.Delete(t.Context(), r); err != nil {
				t.Fatal(err)
			}
		})
	}
}

func TestDecide(t *testing.T) {
	for way, write := range ways {
		for _, d := range decisions {
			for user, c := range map[string]client.Client{"shop": shop, "editor": editor, "one": one, "stranger": stranger, manager: operator} {
				t.Run(strings.Join([]string{string(d), user, way}, "/"), func(t *testing.T) {
					r := stored(t, "undecided")
					refused(t, write(t.Context(), c, r, d), user, way)
					if got := decision(t, r.Name); got != "" {
						t.Errorf("decided: %s", got)
					}
				})
			}
			for user, c := range map[string]client.Client{"approver": approver, "admin": admin} {
				t.Run(strings.Join([]string{string(d), user, way}, "/"), func(t *testing.T) {
					r := stored(t, "undecided")
					if err := write(t.Context(), c, r, d); err != nil {
						t.Fatal(err)
					}
					if got := decision(t, r.Name); got != d {
						t.Errorf("decided %q, want %q", got, d)
					}
				})
			}
			t.Run(strings.Join([]string{string(d), "a right to one name", way}, "/"), func(t *testing.T) {
				if err := write(t.Context(), one, stored(t, "the-one"), d); err != nil {
					t.Error(err)
				}
			})
		}
	}
}

// TestDecisionIsFinal: for those who may decide it is the Refund's own rule that says no; for the others it does not
// matter who says it.
func TestDecisionIsFinal(t *testing.T) {
	for way, write := range ways {
		for _, d := range decisions {
			r := stored(t, strings.ToLower(strings.ReplaceAll(way, " ", "-")+"-"+string(d)))
			if err := serverSideApply(t.Context(), approver, refund(r.Name, d)); err != nil {
				t.Fatal(err)
			}
			if err := admin.Get(t.Context(), client.ObjectKeyFromObject(r), r); err != nil {
				t.Fatal(err)
			}
			for _, other := range []v1alpha1.Approval{v1alpha1.ApprovalApproved, v1alpha1.ApprovalDenied, ""} {
				if other == d {
					continue
				}
				for user, c := range map[string]client.Client{"shop": shop, "editor": editor, "operator": operator, "approver": approver, "admin": admin} {
					t.Run(strings.Join([]string{string(d) + " to " + string(other), user, way}, "/"), func(t *testing.T) {
						err := write(t.Context(), c, r, other)
						if !apierrors.IsInvalid(err) && !apierrors.IsForbidden(err) {
							t.Errorf("%v, want a refusal", err)
						}
						if final := strings.Contains(fmt.Sprint(err), "approval is final once decided"); (user == "approver" || user == "admin") && !final {
							t.Errorf("%v does not say that the decision is final", err)
						}
						if got := decision(t, r.Name); got != d {
							t.Errorf("now %q, was %q", got, d)
						}
					})
				}
			}
		}
	}
}

// TestWriteTheRest: who may not decide may still write what else there is, on Refunds that are decided too. The
// operator has its finalizer and the status.
func TestWriteTheRest(t *testing.T) {
	for _, d := range []v1alpha1.Approval{"", v1alpha1.ApprovalApproved, v1alpha1.ApprovalDenied} {
		r := stored(t, "rest"+strings.ToLower(string(d)))
		if d != "" {
			if err := serverSideApply(t.Context(), approver, refund(r.Name, d)); err != nil {
				t.Fatal(err)
			}
		}
		for user, c := range map[string]client.Client{"editor": editor, "operator": operator} {
			t.Run(string(d)+"/"+user, func(t *testing.T) {
				finalizer := v1alpha1.Finalizer
				if user == "editor" {
					finalizer = "example.com/editor"
				}
				if err := c.Get(t.Context(), client.ObjectKeyFromObject(r), r); err != nil {
					t.Fatal(err)
				}
				before := r.DeepCopy()
				if user == "editor" {
					r.Labels = map[string]string{"by": user}
				}
				r.Finalizers = append(r.Finalizers, finalizer)
				if err := c.Patch(t.Context(), r, client.MergeFrom(before)); err != nil {
					t.Error(err)
				}
				before = r.DeepCopy()
				r.Finalizers = slices.DeleteFunc(r.Finalizers, func(f string) bool { return f == finalizer })
				if err := c.Patch(t.Context(), r, client.MergeFrom(before)); err != nil {
					t.Error(err)
				}
				r.Status.RefundID = "5000000001"
				if err := c.Status().Update(t.Context(), r); err != nil {
					t.Error(err)
				}
			})
		}
	}
}

// TestStatusIsNoWayRound: a write of the status with a decision in the spec decides nothing.
func TestStatusIsNoWayRound(t *testing.T) {
	r := stored(t, "by-status")
	for _, c := range []client.Client{editor, operator} {
		changed := r.DeepCopy()
		if err := admin.Get(t.Context(), client.ObjectKeyFromObject(r), changed); err != nil {
			t.Fatal(err)
		}
		changed.Spec.Approval = v1alpha1.ApprovalApproved
		if err := c.Status().Update(t.Context(), changed); err != nil {
			t.Fatal(err)
		}
		body := []byte(`{"spec":{"approval":"Approved"},"status":{"refundID":"5000000001"}}`)
		if err := c.Status().Patch(t.Context(), r.DeepCopy(), client.RawPatch(types.MergePatchType, body)); err != nil && (c == editor || !apierrors.IsForbidden(err)) {
			t.Fatal(err)
		}
		if got := decision(t, r.Name); got != "" {
			t.Errorf("decided by way of status: %s", got)
		}
	}
}

// TestChangeAndRemovalNeedTheRight takes the Refund's own rule away, so that it is the policy alone that says no: a
// policy that guarded only the first decision would leave it to one line of a schema that the others can't be undone.
func TestChangeAndRemovalNeedTheRight(t *testing.T) {
	ctx := t.Context()
	r := stored(t, "without-the-rule")
	if err := serverSideApply(ctx, approver, refund(r.Name, v1alpha1.ApprovalApproved)); err != nil {
		t.Fatal(err)
	}
	crd := &unstructured.Unstructured{}
	crd.SetAPIVersion("apiextensions.k8s.io/v1")
	crd.SetKind("CustomResourceDefinition")
	crd.SetName("refunds.wechatpay-operator.io")
	if err := admin.Get(ctx, client.ObjectKeyFromObject(crd), crd); err != nil {
		t.Fatal(err)
	}
	versions, _, _ := unstructured.NestedSlice(crd.Object, "spec", "versions")
	schema := versions[0].(map[string]any)["schema"].(map[string]any)["openAPIV3Schema"].(map[string]any)
	rules := schema["x-kubernetes-validations"].([]any)
	left := slices.DeleteFunc(slices.Clone(rules), func(rule any) bool {
		return rule.(map[string]any)["fieldPath"] == ".spec.approval"
	})
	if len(left) != len(rules)-1 {
		t.Fatalf("%d rules guard the approval", len(rules)-len(left))
	}
	schema["x-kubernetes-validations"] = left
	replace := func(ctx context.Context) error {
		body, err := json.Marshal(map[string]any{"spec": map[string]any{"versions": versions}})
		if err != nil {
			return err
		}
		return admin.Patch(ctx, crd, client.RawPatch(types.MergePatchType, body))
	}
	if err := replace(ctx); err != nil {
		t.Fatal(err)
	}
	mayDeny := func(ctx context.Context) (bool, error) {
		changed := refund(r.Name, "")
		if err := admin.Get(ctx, client.ObjectKeyFromObject(r), changed); err != nil {
			return false, err
		}
		changed.Spec.Approval = v1alpha1.ApprovalDenied
		err := both.Update(ctx, changed, client.DryRunAll)
		if apierrors.IsInvalid(err) {
			return false, nil
		}
		return err == nil, err
	}
	t.Cleanup(func() {
		ctx := context.Background()
		schema["x-kubernetes-validations"] = rules
		if err := replace(ctx); err != nil {
			t.Error(err)
		}
		if err := wait.PollUntilContextTimeout(ctx, 50*time.Millisecond, 20*time.Second, true, func(ctx context.Context) (bool, error) {
			ok, err := mayDeny(ctx)
			return !ok, err
		}); err != nil {
			t.Errorf("the rule did not come back: %v", err)
		}
	})
	if err := wait.PollUntilContextTimeout(ctx, 50*time.Millisecond, 20*time.Second, true, mayDeny); err != nil {
		t.Fatalf("the rule did not go away: %v", err)
	}
	if err := admin.Get(ctx, client.ObjectKeyFromObject(r), r); err != nil {
		t.Fatal(err)
	}
	for user, c := range map[string]client.Client{"editor": editor, "stranger": stranger, manager: operator} {
		for way, write := range ways {
			for _, d := range []v1alpha1.Approval{v1alpha1.ApprovalDenied, ""} {
				if way == "server-side apply" && d == "" {
					continue // leaves the field to its other owners
				}
				t.Run(strings.Join([]string{"to " + string(d), user, way}, "/"), func(t *testing.T) {
					refused(t, write(t.Context(), c, r, d), user, way)
				})
			}
		}
	}
}

// TestRightGoesAway: the policy asks anew each time.
func TestRightGoesAway(t *testing.T) {
	ctx := t.Context()
	binding := &rbacv1.RoleBinding{
		ObjectMeta: metav1.ObjectMeta{Namespace: ns, Name: "for-a-while"},
		RoleRef:    rbacv1.RoleRef{APIGroup: rbacv1.GroupName, Kind: "ClusterRole", Name: "wechatpay-operator-approver"},
		Subjects:   []rbacv1.Subject{{APIGroup: rbacv1.GroupName, Kind: "User", Name: "editor"}},
	}
	if err := admin.Create(ctx, binding); err != nil {
		t.Fatal(err)
	}
	r := stored(t, "for-a-while")
	may := func(ctx context.Context) (bool, error) {
		changed := r.DeepCopy()
		changed.Spec.Approval = v1alpha1.ApprovalApproved
		err := editor.Update(ctx, changed, client.DryRunAll)
		return err == nil, ignoreForbidden(err)
	}
	if err := wait.PollUntilContextTimeout(ctx, 20*time.Millisecond, 10*time.Second, true, may); err != nil {
		t.Fatalf("the right did not come: %v", err)
	}
	if err := admin.Delete(ctx, binding); err != nil {
		t.Fatal(err)
	}
	if err := wait.PollUntilContextTimeout(ctx, 20*time.Millisecond, 10*time.Second, true, func(ctx context.Context) (bool, error) {
		ok, err := may(ctx)
		return !ok, err
	}); err != nil {
		t.Fatalf("the right did not go: %v", err)
	}
}
