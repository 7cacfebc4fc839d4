package v1alpha1_test

import (
	"context"
	"errors"
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/wechatpay-operator/wechatpay-operator/api/v1alpha1"
	"github.com/wechatpay-operator/wechatpay-operator/test/framework/controlplane"
)

// env is the one control plane of this package's tests: what the API server accepts is what counts, so nothing here
// stands in for it.
var env *controlplane.Environment

func TestMain(m *testing.M) { controlplane.Main(m, &env, nil) }

const strict = client.FieldValidation(metav1.FieldValidationStrict)

// namespace makes a namespace that no other test uses.
func namespace(t testing.TB) string {
	t.Helper()
	ns := &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{GenerateName: "api-"}}
	if err := env.Client.Create(t.Context(), ns); err != nil {
		t.Fatal(err)
	}
	return ns.Name
}

// An edit changes one thing of an object. Objects are unstructured, so that an edit can say what Go types can't:
// fractions, strings for numbers, fields that don't exist, null.
type edit func(*unstructured.Unstructured)

// set puts a value at a path such as spec.amount.total and makes the parents that are missing.
func set(path string, value any) edit {
	return func(u *unstructured.Unstructured) {
		if err := unstructured.SetNestedField(u.Object, value, strings.Split(path, ".")...); err != nil {
			panic(err)
		}
	}
}

// unset removes the field at a path.
func unset(path string) edit {
	return func(u *unstructured.Unstructured) {
		unstructured.RemoveNestedField(u.Object, strings.Split(path, ".")...)
	}
}

// named sets metadata.name.
func named(name string) edit { return set("metadata.name", name) }

func build(kind string, spec map[string]any, edits []edit) *unstructured.Unstructured {
	u := &unstructured.Unstructured{Object: map[string]any{"spec": spec}}
	u.SetGroupVersionKind(v1alpha1.GroupVersion.WithKind(kind))
	u.SetName(strings.ToLower(kind) + "-0001")
	for _, e := range edits {
		e(u)
	}
	return u
}

// eventSink has only what is required.
func eventSink(edits ...edit) *unstructured.Unstructured {
	return build("EventSink", map[string]any{
		"url":       "https://orders.shop.example/wechatpay",
		"secretRef": map[string]any{"name": "shop-events"},
	}, edits)
}

// miniProgram has only what is required.
func miniProgram(edits ...edit) *unstructured.Unstructured {
	return build("MiniProgram", map[string]any{
		"appID":        "wxd678efh567hg6787",
		"appSecretRef": map[string]any{"name": "shop-mini-program"},
	}, edits)
}

// shipment has only what is required.
func shipment(edits ...edit) *unstructured.Unstructured {
	return build("Shipment", map[string]any{
		"orderRef":  map[string]any{"name": "order-0001"},
		"logistics": "Express",
		"parcels":   []any{parcel()},
	}, edits)
}

// statement has only what is required.
func statement(edits ...edit) *unstructured.Unstructured {
	return build("Statement", map[string]any{"merchantRef": map[string]any{"name": "shop"}, "date": "2026-11-27"}, edits)
}

// parcel is an entry of spec.parcels for Express.
func parcel(pairs ...string) map[string]any {
	made := map[string]any{"carrier": "STO", "trackingNumber": "T1", "items": "肥皂 x1"}
	for i := 0; i < len(pairs); i += 2 {
		made[pairs[i]] = pairs[i+1]
		if pairs[i+1] == "" {
			delete(made, pairs[i])
		}
	}
	return made
}

// merchant has only what is required.
func merchant(edits ...edit) *unstructured.Unstructured {
	return build("Merchant", map[string]any{
		"mchID":           "1900000109",
		"appID":           "wxd678efh567hg6787",
		"apiKeySecretRef": map[string]any{"name": "shop-wechatpay"},
	}, edits)
}

// speaksBoth gives a Merchant what protocol V3 needs, and leaves it what V2 needs.
func speaksBoth(u *unstructured.Unstructured) {
	set("spec.protocol", "V3")(u)
	set("spec.apiV3KeySecretRef.name", "shop-wechatpay")(u)
	set("spec.certificateSecretRef.name", "shop-wechatpay-cert")(u)
}

// merchantV3 has only what is required of a Merchant of protocol V3.
func merchantV3(edits ...edit) *unstructured.Unstructured {
	return merchant(append([]edit{speaksBoth, unset("spec.apiKeySecretRef")}, edits...)...)
}

// pem is a public key in form; the API server does not read further.
const pem = "-----BEGIN PUBLIC KEY-----\nMIIBIjANBgkqhkiG9w0BAQEFAAOCAQ8AMIIBCgKCAQEA\nAQIDAQAB\n-----END PUBLIC KEY-----\n"

func publicKeys(ids ...string) []any {
	var keys []any
	for _, id := range ids {
		keys = append(keys, map[string]any{"id": id, "pem": pem})
	}
	return keys
}

// toUserCard decides on an abnormal refund.
func toUserCard(secret string) map[string]any {
	return map[string]any{"to": "UserBankCard", "bankType": "ICBC_DEBIT", "secretRef": map[string]any{"name": secret}}
}

// order has only what is required. APP is the trade type that asks for nothing more.
func order(edits ...edit) *unstructured.Unstructured {
	return build("Order", map[string]any{
		"merchantRef": map[string]any{"name": "shop"},
		"tradeType":   "APP",
		"description": "肥皂 x1",
		"amount":      map[string]any{"total": int64(101)},
	}, edits)
}

// refund has only what is required.
func refund(edits ...edit) *unstructured.Unstructured {
	return build("Refund", map[string]any{
		"orderRef": map[string]any{"name": "order-0001"},
		"amount":   int64(50),
	}, edits)
}

func create(ctx context.Context, ns string, u *unstructured.Unstructured) error {
	u.SetNamespace(ns)
	return env.Client.Create(ctx, u, strict)
}

// mustCreate returns the object as the API server stored it, and removes it when the test is over.
func mustCreate(t *testing.T, ns string, u *unstructured.Unstructured) *unstructured.Unstructured {
	t.Helper()
	if err := create(t.Context(), ns, u); err != nil {
		t.Fatalf("refused: %v", err)
	}
	t.Cleanup(func() {
		if err := client.IgnoreNotFound(env.Client.Delete(context.Background(), u)); err != nil {
			t.Error(err)
		}
	})
	return u
}

// typed reads an object as the operator does.
func typed(t *testing.T, u *unstructured.Unstructured) client.Object {
	t.Helper()
	o, err := env.Client.Scheme().New(u.GroupVersionKind())
	if err != nil {
		t.Fatal(err)
	}
	object := o.(client.Object)
	if err := env.Client.Get(t.Context(), client.ObjectKeyFromObject(u), object); err != nil {
		t.Fatalf("the API server took what the operator can't read: %v", err)
	}
	return object
}

// refused fails unless err is the API server's refusal with all the words in it.
func refused(t *testing.T, err error, words ...string) {
	t.Helper()
	if err == nil {
		t.Fatalf("accepted, want a refusal with %q", words)
	}
	if !apierrors.IsInvalid(err) && !apierrors.IsBadRequest(err) {
		t.Fatalf("%v is not a refusal by validation", err)
	}
	for _, word := range words {
		if !strings.Contains(err.Error(), word) {
			t.Errorf("refusal %q\ndoes not say %q", err, word)
		}
	}
}

// causes are the fields that a refusal blames, and for what.
func causes(err error) []metav1.StatusCause {
	var status apierrors.APIStatus
	if !errors.As(err, &status) || status.Status().Details == nil {
		return nil
	}
	return status.Status().Details.Causes
}

// items are goods of one line.
func items(id string) []any {
	return []any{map[string]any{"id": id, "quantity": int64(1), "price": int64(101)}}
}
