package policy_test

import (
	"reflect"
	"slices"
	"strings"
	"testing"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/wechatpay-operator/wechatpay-operator/api/v1alpha1"
)

func eventSink(name string) *v1alpha1.EventSink {
	return &v1alpha1.EventSink{
		ObjectMeta: metav1.ObjectMeta{Namespace: ns, Name: name},
		Spec: v1alpha1.EventSinkSpec{
			URL: "https://orders.shop.example/wechatpay", CABundle: []byte("PEM"),
			SecretRef: v1alpha1.SigningKeyReference{Name: "shop-events"},
			Types:     []v1alpha1.EventType{v1alpha1.EventOrderPaid},
		},
	}
}

// fieldsOfEventSink has every field of the spec with merge patches of it, and whether it takes the
// right to read the Secret: does it choose where the key comes from, or where it is used?
var fieldsOfEventSink = map[string]struct {
	guarded bool
	patches []string
}{
	"url":       {true, []string{`{"url":"https://mine.example.com/"}`}},
	"caBundle":  {true, []string{`{"caBundle":"TUlORQ=="}`, `{"caBundle":null}`}},
	"secretRef": {true, []string{`{"secretRef":{"key":"another"}}`}},
	"types":     {false, []string{`{"types":null}`, `{"types":["RefundFailed"]}`}},
}

// TestEventSinksTakeTheRightToTheirSecret: who points at a Secret must be allowed to read it.
func TestEventSinksTakeTheRightToTheirSecret(t *testing.T) {
	ctx := t.Context()
	role := []string{"merchant-admin"}
	blind := person(t, "sink-blind", role)
	sees := person(t, "sink-sees", role, reads("shop-events"))
	hides := func(what string, err error) {
		t.Helper()
		for _, words := range []string{"ValidatingAdmissionPolicy 'wechatpay-operator-event-sink-secrets'", "sink-blind", `"get"`, "in namespace " + ns, "resourceNames"} {
			if !apierrors.IsForbidden(err) || !strings.Contains(err.Error(), words) {
				t.Errorf("%s: %v does not say %q", what, err, words)
			}
		}
	}
	hides("creation", blind.Create(ctx, eventSink("sink-0001")))
	stored := eventSink("sink-0001")
	if err := sees.Create(ctx, stored); err != nil {
		t.Fatal(err)
	}
	if names := jsonNames(reflect.TypeFor[v1alpha1.EventSinkSpec]()); len(names) != len(fieldsOfEventSink) ||
		slices.ContainsFunc(names, func(name string) bool { return len(fieldsOfEventSink[name].patches) == 0 }) {
		t.Errorf("nobody said which of the fields %q take the right to read the Secret", names)
	}
	patch := func(c client.Client, body string) error {
		return c.Patch(ctx, stored.DeepCopy(), client.RawPatch(types.MergePatchType, []byte(body)), client.DryRunAll)
	}
	for name, field := range fieldsOfEventSink {
		for _, body := range field.patches {
			body = `{"spec":` + body + `}`
			if err := patch(sees, body); err != nil {
				t.Errorf("%s: %v", body, err)
			}
			if err := patch(blind, body); field.guarded {
				hides(name+" "+body, err)
			} else if err != nil {
				t.Errorf("%s: %v", body, err)
			}
		}
	}
	// Another Secret takes the right to that one.
	if err := patch(sees, `{"spec":{"secretRef":{"name":"another"}}}`); !apierrors.IsForbidden(err) || !strings.Contains(err.Error(), "another") {
		t.Errorf("%v", err)
	}
	if err := patch(blind, `{"metadata":{"labels":{"a":"b"}}}`); err != nil {
		t.Errorf("a label: %v", err)
	}
	if err := patch(shop, `{"spec":{"types":null}}`); !apierrors.IsForbidden(err) {
		t.Errorf("the shop: %v", err)
	}
}
