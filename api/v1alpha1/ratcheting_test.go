package v1alpha1_test

import (
	"context"
	"testing"
	"time"

	apiextensionsv1 "k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/wechatpay-operator/wechatpay-operator/api/v1alpha1"
)

// TestObjectsFromBeforeTheRulesGoOn: what was stored before a rule came is kept, and everything else of it can be
// written. A time that Go can't decode is mended by a patch, as docs/upgrade.md says.
func TestObjectsFromBeforeTheRulesGoOn(t *testing.T) {
	ns := namespace(t)
	const forged = "肥皂&total_fee=1"
	before := []edit{set("spec.description", forged), set("spec.attach", "😀"), set("spec.tradeType", "MWEB"), set("spec.goods.items", items("soap")), set("spec.goods.receiptID", "😀")}
	old := order(append(before, named("order-of-before"))...)
	withoutRules(t, "Order", order(append(before, named("order-of-probe"))...), func() {
		mustCreate(t, ns, old)
		writeStatus(t, old, set("status.expireTime", "2026-11-21t20:00:00z"), set("status.transaction", map[string]any{"total": int64(101)}))
	})
	refused(t, create(t.Context(), ns, order(named("order-of-today"), set("spec.description", forged))), "description")
	refused(t, create(t.Context(), ns, order(named("order-of-today"), set("spec.attach", "😀"))), "attach")
	refused(t, create(t.Context(), ns, order(named("order-of-today"), set("spec.tradeType", "MWEB"))), "h5")

	// A label, a finalizer, a wish, a status: as users and the operator write them.
	for _, e := range []edit{
		set("metadata.labels", map[string]any{"a": "b"}), set("metadata.finalizers", []any{v1alpha1.Finalizer}),
		set("spec.desiredState", "Closed"), set("spec.ttlSecondsAfterFinished", int64(60)), unset("metadata.finalizers"),
	} {
		e(old)
		if err := env.Client.Update(t.Context(), old, strict); err != nil {
			t.Errorf("an object of before can't be changed: %v", err)
		}
	}
	writeStatus(t, old, set("status.outTradeNo", "order-of-before"))
	var orders v1alpha1.OrderList
	if err := env.Client.List(t.Context(), &orders, client.InNamespace(ns)); err == nil {
		t.Error("a time that Go does not take was read, so nothing is shown here")
	}
	mend := client.RawPatch(types.MergePatchType, []byte(`{"status":{"expireTime":null}}`))
	if err := env.Client.Status().Patch(t.Context(), old, mend); err != nil {
		t.Fatal(err)
	}
	if err := env.Client.List(t.Context(), &orders, client.InNamespace(ns)); err != nil || len(orders.Items) != 1 || orders.Items[0].Spec.Description != forged {
		t.Errorf("%d Orders, %v", len(orders.Items), err)
	}
}

// withoutRules does something while a kind has neither patterns nor rules, as the kind of a version before. The probe
// is an object that only such a kind takes.
func withoutRules(t *testing.T, kind string, probe *unstructured.Unstructured, do func()) {
	t.Helper()
	asIs := crdOf(t, kind).Spec.Versions[0].Schema.OpenAPIV3Schema
	loose := asIs.DeepCopy()
	loosen(loose)
	setSchema(t, kind, loose)
	defer func() {
		setSchema(t, kind, asIs)
		waitFor(t, "the rules are back", func() bool { return tries(probe) != nil })
	}()
	waitFor(t, "the rules are gone", func() bool { return tries(probe) == nil })
	do()
}

func loosen(node *apiextensionsv1.JSONSchemaProps) {
	node.Pattern, node.XValidations = "", nil
	for name, property := range node.Properties {
		loosen(&property)
		node.Properties[name] = property
	}
	if node.Items != nil {
		loosen(node.Items.Schema)
	}
}

func setSchema(t *testing.T, kind string, schema *apiextensionsv1.JSONSchemaProps) {
	t.Helper()
	crd := crdOf(t, kind)
	crd.Spec.Versions[0].Schema.OpenAPIV3Schema = schema
	object, err := runtime.DefaultUnstructuredConverter.ToUnstructured(crd)
	if err != nil {
		t.Fatal(err)
	}
	u := &unstructured.Unstructured{Object: object}
	u.SetGroupVersionKind(apiextensionsv1.SchemeGroupVersion.WithKind("CustomResourceDefinition"))
	if err := env.Client.Update(t.Context(), u); err != nil {
		t.Fatal(err)
	}
}

// tries creates nothing.
func tries(object *unstructured.Unstructured) error {
	tried := object.DeepCopy()
	tried.SetNamespace("default")
	return env.Client.Create(context.Background(), tried, client.DryRunAll)
}

// waitFor waits until the API server's handler of a kind is the new one.
func waitFor(t *testing.T, what string, so func() bool) {
	t.Helper()
	for deadline := time.Now().Add(time.Minute); !so(); <-time.After(50 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("not yet: %s", what)
		}
	}
}
