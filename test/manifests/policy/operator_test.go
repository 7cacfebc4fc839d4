package policy_test

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/wechatpay-operator/wechatpay-operator/api/v1alpha1"
	"github.com/wechatpay-operator/wechatpay-operator/test/framework/controlplane"
)

func userClient(name string) (client.Client, error) {
	config, err := env.User(name)
	if err != nil {
		return nil, err
	}
	return client.New(config, client.Options{Scheme: controlplane.Scheme()})
}

func notTheOperators(t *testing.T, what string, err error) {
	t.Helper()
	if !apierrors.IsForbidden(err) {
		t.Errorf("%s: %v, want Forbidden", what, err)
	} else if !strings.Contains(err.Error(), "ValidatingAdmissionPolicy 'wechatpay-operator-operator'") || !strings.Contains(err.Error(), manager) {
		t.Errorf("%s: %v", what, err)
	}
}

// TestOperatorWritesItsFinalizerOnly: whoever has the operator's token changes nothing by it that money depends on.
func TestOperatorWritesItsFinalizerOnly(t *testing.T) {
	ctx := t.Context()
	specs := map[string]string{
		"merchants": `{"spec":{"refundApproval":"Automatic"}}`,
		"orders":    `{"spec":{"desiredState":"Closed"}}`,
		"refunds":   `{"spec":{"approval":"Denied"}}`,
	}
	for _, object := range objects() {
		object.SetName("operated-0001")
		if err := admin.Create(ctx, object); err != nil {
			t.Fatal(err)
		}
		kind := strings.ToLower(strings.TrimPrefix(typeName(object), "*v1alpha1.")) + "s"
		patch := func(what types.PatchType, body string) error {
			return operator.Patch(ctx, object.DeepCopyObject().(client.Object), client.RawPatch(what, []byte(body)), client.FieldOwner("test"))
		}
		for what, body := range map[string]string{
			"the spec":               specs[kind],
			"a label":                `{"metadata":{"labels":{"a":"b"}}}`,
			"an annotation":          `{"metadata":{"annotations":{"wechatpay-operator.io/requested-by":"li"}}}`,
			"owners":                 `{"metadata":{"ownerReferences":` + owners + `}}`,
			"a finalizer of another": `{"metadata":{"finalizers":["wechatpay-operator.io/settle"]}}`,
			"another finalizer":      `{"metadata":{"finalizers":["example.com/keep","wechatpay-operator.io/settle","example.com/more"]}}`,
		} {
			// Of two policies that refuse, either may be the one that is told.
			if err := patch(types.MergePatchType, body); what != "a label" && what != "an annotation" && what != "another finalizer" {
				if !apierrors.IsForbidden(err) {
					t.Errorf("%s of %s: %v, want Forbidden", what, kind, err)
				}
			} else {
				notTheOperators(t, what+" of "+kind, err)
			}
		}
		if kind == "merchants" {
			notTheOperators(t, "a field that no other policy looks at", patch(types.MergePatchType, `{"spec":{"allowedNamespaces":{"from":"All"}}}`))
			notTheOperators(t, "the same by JSON patch", patch(types.JSONPatchType, `[{"op":"replace","path":"/spec/allowedNamespaces/from","value":"All"}]`))
		}
		// What it is for: its finalizer off and on, and the status.
		if err := patch(types.MergePatchType, `{"metadata":{"finalizers":["example.com/keep"]}}`); err != nil {
			t.Errorf("its finalizer off %s: %v", kind, err)
		}
		if err := patch(types.MergePatchType, `{"metadata":{"finalizers":["example.com/keep","wechatpay-operator.io/settle"]}}`); err != nil {
			t.Errorf("its finalizer on %s: %v", kind, err)
		}
		if err := admin.Get(ctx, client.ObjectKeyFromObject(object), object); err != nil {
			t.Fatal(err)
		}
		// A write of the status brings nothing else with it.
		object.SetLabels(map[string]string{"a": "b"})
		if err := operator.Status().Update(ctx, object); err != nil {
			t.Errorf("the status of %s: %v", kind, err)
		}
		if err := admin.Get(ctx, client.ObjectKeyFromObject(object), object); err != nil {
			t.Fatal(err)
		}
		if len(object.GetLabels()) > 0 {
			t.Errorf("a write of the status of %s wrote labels", kind)
		}
	}
}

// TestOperatorTriesThePolicyOnApprovals: a dry run of a decision meets the policy on approvals alone, so that the
// operator sees whether it looks at changes. Nothing of other kinds is tried.
func TestOperatorTriesThePolicyOnApprovals(t *testing.T) {
	ctx := t.Context()
	r := refund("tried-0001", "")
	if err := admin.Create(ctx, r); err != nil {
		t.Fatal(err)
	}
	try := func(object client.Object, patch string) error {
		return operator.Patch(ctx, object.DeepCopyObject().(client.Object), client.RawPatch(types.MergePatchType, []byte(patch)), client.DryRunAll)
	}
	err := try(r, `{"spec":{"approval":"Approved"}}`)
	if !apierrors.IsForbidden(err) || !strings.Contains(err.Error(), "ValidatingAdmissionPolicy 'wechatpay-operator-refund-approval'") {
		t.Errorf("%v", err)
	}
	if err := try(r, `{"metadata":{"labels":{"a":"b"}}}`); err != nil {
		t.Errorf("a label, by a dry run: %v", err)
	}
	for _, object := range objects() {
		if strings.HasSuffix(typeName(object), "Refund") {
			continue
		}
		object.SetName("tried-0001")
		if err := admin.Create(ctx, object); err != nil {
			t.Fatal(err)
		}
		notTheOperators(t, typeName(object), try(object, `{"metadata":{"labels":{"a":"b"}}}`))
	}
}

// TestOperatorCreatesLateRefundsOnly: those that it makes for late payments, named as
// controllers/order_late_refund.go names them.
func TestOperatorCreatesLateRefundsOnly(t *testing.T) {
	ctx := t.Context()
	long := strings.Repeat("a", 247) + "-" + strings.Repeat("b", 5)
	for _, made := range []struct{ name, order string }{
		{"order-0001-late", "order-0001"},
		{strings.Repeat("a", 248) + "-late", strings.Repeat("a", 248)},
		{strings.Repeat("a", 248) + "-late", strings.Repeat("a", 253)},
		{strings.Repeat("a", 247) + "-late", long},
	} {
		r := refund(made.name, "")
		r.Spec.OrderRef.Name, r.Spec.OutRefundNo = made.order, "order-0001-late"
		if err := operator.Create(ctx, r, client.DryRunAll); err != nil {
			t.Errorf("%s of %s: %v", made.name, made.order, err)
		}
	}
	for name, order := range map[string]string{
		"order-0001":                       "order-0001",
		"order-0002-late":                  "order-0001",
		"late":                             "order-0001",
		"order-0001-late-late":             "order-0001",
		"order-000-late":                   "order-0001",
		strings.Repeat("a", 100) + "-late": strings.Repeat("a", 253),
		strings.Repeat("a", 247) + "-late": strings.Repeat("a", 253),
	} {
		r := refund(name, "")
		r.Spec.OrderRef.Name, r.Spec.OutRefundNo = order, "order-0001-late"
		notTheOperators(t, name+" of "+order, operator.Create(ctx, r, client.DryRunAll))
		if err := editor.Create(ctx, r, client.DryRunAll); err != nil {
			t.Errorf("an editor: %v", err)
		}
	}
	generated := refund("", "")
	generated.GenerateName = "order-0001-late-"
	notTheOperators(t, "a generated name", operator.Create(ctx, generated, client.DryRunAll))
}

// TestOperatorIsKnownByItsName: the policy follows an installation, whatever its namespace, prefix or suffix.
func TestOperatorIsKnownByItsName(t *testing.T) {
	content, err := os.ReadFile(filepath.Join(controlplane.Root(), "config", "policy", "operator.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	written := regexp.MustCompile(`username\.matches\('(.*)'\)`).FindSubmatch(content)
	if written == nil {
		t.Fatal("operator.yaml does not say how the operator is known")
	}
	known := regexp.MustCompile(string(written[1]))
	for name, want := range map[string]bool{
		manager: true,
		"system:serviceaccount:" + system + ":wechatpay-operator-callbacks":                      true,
		"system:serviceaccount:payments:wechatpay-operator-controller-manager":                   true,
		"system:serviceaccount:payments:acme-wechatpay-operator-controller-manager-blue":         true,
		"wechatpay-operator-controller-manager":                                                  false,
		"system:serviceaccount:shop:backend":                                                     false,
		"system:serviceaccount:wechatpay-operator-controller-manager:default":                    false,
		"https://sso/system:serviceaccount:" + system + ":wechatpay-operator-controller-manager": false,
	} {
		if got := known.MatchString(name); got != want {
			t.Errorf("%s: %t, want %t", name, got, want)
		}
	}
	for _, folder := range []string{"config/default", "config/overlays/separate-callbacks", "config/overlays/single-namespace"} {
		rendered, err := controlplane.Kustomize(t.Context(), folder)
		if err != nil {
			t.Fatal(err)
		}
		found := 0
		for _, object := range rendered {
			if object.GetKind() == "ServiceAccount" {
				found++
				if name := "system:serviceaccount:" + object.GetNamespace() + ":" + object.GetName(); !known.MatchString(name) {
					t.Errorf("%s runs under %s, which the policy does not know", folder, name)
				}
			}
		}
		if found == 0 {
			t.Errorf("%s has no ServiceAccount", folder)
		}
	}
}

// TestOperatorCreatesShipmentsOfVirtualGoodsOnly: what it reports as delivered by itself has the name
// of its Order, and nothing that a person would have to hand over.
func TestOperatorCreatesShipmentsOfVirtualGoodsOnly(t *testing.T) {
	ctx := t.Context()
	shipment := func(name, order string, logistics v1alpha1.Logistics) *v1alpha1.Shipment {
		parcel := v1alpha1.Parcel{Items: "会员 x1"}
		if logistics == v1alpha1.LogisticsExpress {
			parcel.Carrier, parcel.TrackingNumber = "STO", "T1"
		}
		return &v1alpha1.Shipment{
			ObjectMeta: metav1.ObjectMeta{Namespace: ns, Name: name},
			Spec:       v1alpha1.ShipmentSpec{OrderRef: v1alpha1.OrderReference{Name: order}, Logistics: logistics, Parcels: []v1alpha1.Parcel{parcel}},
		}
	}
	virtual := shipment("order-9001", "order-9001", v1alpha1.LogisticsVirtual)
	virtual.OwnerReferences = []metav1.OwnerReference{{APIVersion: v1alpha1.GroupVersion.String(), Kind: "Order", Name: "order-9001", UID: "3f1f8f6e-0000-4000-8000-000000000001"}}
	if err := operator.Create(ctx, virtual, client.DryRunAll); err != nil {
		t.Errorf("a Shipment of virtual goods: %v", err)
	}
	notTheOperators(t, "another name", operator.Create(ctx, shipment("order-9002", "order-9001", v1alpha1.LogisticsVirtual), client.DryRunAll))
	notTheOperators(t, "a parcel", operator.Create(ctx, shipment("order-9001", "order-9001", v1alpha1.LogisticsExpress), client.DryRunAll))
}

// TestOperatorCreatesDailyStatementsOnly: what it has compared by itself is named by its Merchant and its day.
func TestOperatorCreatesDailyStatementsOnly(t *testing.T) {
	statement := func(name, date string) *v1alpha1.Statement {
		return &v1alpha1.Statement{
			ObjectMeta: metav1.ObjectMeta{Namespace: ns, Name: name},
			Spec:       v1alpha1.StatementSpec{MerchantRef: v1alpha1.LocalMerchantReference{Name: "shop"}, Date: date},
		}
	}
	if err := operator.Create(t.Context(), statement("shop-2026-11-27", "2026-11-27"), client.DryRunAll); err != nil {
		t.Errorf("a daily Statement: %v", err)
	}
	notTheOperators(t, "another name", operator.Create(t.Context(), statement("books", "2026-11-27"), client.DryRunAll))
	notTheOperators(t, "another day", operator.Create(t.Context(), statement("shop-2026-11-28", "2026-11-27"), client.DryRunAll))
}
