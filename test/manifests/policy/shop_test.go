package policy_test

import (
	"fmt"
	"strings"
	"testing"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/wechatpay-operator/wechatpay-operator/api/v1alpha1"
)

func typeName(object any) string { return fmt.Sprintf("%T", object) }

// TestShopAppliesARefund: server-side apply, as GitOps tools do it, once and again, is what patch is for; everything
// else that patch could do to a Refund is refused.
func TestShopAppliesARefund(t *testing.T) {
	ctx := t.Context()
	const name = "applied-0001"
	for _, when := range []string{"first", "again", "after the decision"} {
		if err := serverSideApply(ctx, shop, refund(name, "")); err != nil {
			t.Fatalf("%s: %v", when, err)
		}
		if when == "again" {
			if err := takePatch(t, approver, `{"spec":{"approval":"Denied"},"metadata":{"finalizers":["wechatpay-operator.io/settle"]}}`, name); err != nil {
				t.Fatal(err)
			}
		}
	}
	if got := decision(t, name); got != v1alpha1.ApprovalDenied {
		t.Errorf("applying it again made the decision %q", got)
	}
	for what, patch := range map[string]string{
		"another amount":       `{"spec":{"amount":60}}`,
		"another order":        `{"spec":{"orderRef":{"name":"order-0002"}}}`,
		"another number":       `{"spec":{"outRefundNo":"r-2"}}`,
		"no decision":          `{"spec":{"approval":null}}`,
		"approved":             `{"spec":{"approval":"Approved"}}`,
		"without finalizer":    `{"metadata":{"finalizers":[]}}`,
		"with other finalizer": `{"metadata":{"finalizers":["example.com/other"]}}`,
	} {
		if err := takePatch(t, shop, patch, name); !apierrors.IsForbidden(err) && !apierrors.IsInvalid(err) {
			t.Errorf("%s: %v, want a refusal", what, err)
		}
	}
	// The part for the status is dropped, and the status itself is no shop's.
	if err := takePatch(t, shop, `{"metadata":{"labels":{"seen":"yes"}},"status":{"refundID":"5000000001"}}`, name); err != nil {
		t.Errorf("a label: %v", err)
	}
	r := refund(name, "")
	if err := shop.Status().Patch(ctx, r.DeepCopy(), client.RawPatch(types.MergePatchType, []byte(`{"status":{"refundID":"5000000001"}}`))); !apierrors.IsForbidden(err) {
		t.Errorf("the status: %v, want Forbidden", err)
	}
	if err := admin.Get(ctx, client.ObjectKeyFromObject(r), r); err != nil {
		t.Fatal(err)
	}
	if r.Status.RefundID != "" || r.Spec.Amount != 50 || !strings.Contains(fmt.Sprint(r.Finalizers), v1alpha1.Finalizer) || r.Labels["seen"] != "yes" {
		t.Errorf("%+v", r)
	}
}

func takePatch(t *testing.T, c client.Client, patch, name string) error {
	return c.Patch(t.Context(), refund(name, ""), client.RawPatch(types.MergePatchType, []byte(patch)))
}
