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

func miniProgram(name string) *v1alpha1.MiniProgram {
	return &v1alpha1.MiniProgram{
		ObjectMeta: metav1.ObjectMeta{Namespace: ns, Name: name},
		Spec: v1alpha1.MiniProgramSpec{
			AppID: "wxd678efh567hg6787", AppSecretRef: v1alpha1.AppSecretReference{Name: "shop-mini-program"},
			Endpoint: &v1alpha1.WeixinEndpoint{URL: "https://api.weixin.qq.com", CABundle: []byte("PEM")},
		},
	}
}

// fieldsOfMiniProgram has every field of the spec with merge patches of it, and whether it takes the
// right to read the Secret: does it choose where the AppSecret comes from, or where it is sent? appID
// is immutable.
var fieldsOfMiniProgram = map[string]struct {
	guarded bool
	patches []string
}{
	"appID":             {false, []string{`{"appID":"wxd678efh567hg6787"}`}},
	"appSecretRef":      {true, []string{`{"appSecretRef":{"key":"another"}}`}},
	"endpoint":          {true, []string{`{"endpoint":{"url":"https://mine.example.com"}}`, `{"endpoint":{"caBundle":null}}`, `{"endpoint":null}`}},
	"allowedNamespaces": {false, []string{`{"allowedNamespaces":{"from":"All"}}`}},
	"virtualGoods":      {false, []string{`{"virtualGoods":"Ship"}`}},
}

// TestMiniProgramsTakeTheRightToTheirSecret: who points at a Secret must be allowed to read it.
func TestMiniProgramsTakeTheRightToTheirSecret(t *testing.T) {
	ctx := t.Context()
	role := []string{"merchant-admin"}
	blind := person(t, "mini-blind", role)
	sees := person(t, "mini-sees", role, reads("shop-mini-program"))
	hides := func(what string, err error) {
		t.Helper()
		for _, words := range []string{"ValidatingAdmissionPolicy 'wechatpay-operator-mini-program-secrets'", "mini-blind", `"get"`, "in namespace " + ns, "resourceNames"} {
			if !apierrors.IsForbidden(err) || !strings.Contains(err.Error(), words) {
				t.Errorf("%s: %v does not say %q", what, err, words)
			}
		}
	}
	hides("creation", blind.Create(ctx, miniProgram("mini-0001")))
	stored := miniProgram("mini-0001")
	if err := sees.Create(ctx, stored); err != nil {
		t.Fatal(err)
	}
	if names := jsonNames(reflect.TypeFor[v1alpha1.MiniProgramSpec]()); len(names) != len(fieldsOfMiniProgram) ||
		slices.ContainsFunc(names, func(name string) bool { return len(fieldsOfMiniProgram[name].patches) == 0 }) {
		t.Errorf("nobody said which of the fields %q take the right to read the Secret", names)
	}
	patch := func(c client.Client, body string) error {
		return c.Patch(ctx, stored.DeepCopy(), client.RawPatch(types.MergePatchType, []byte(body)), client.DryRunAll)
	}
	for name, field := range fieldsOfMiniProgram {
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
	if err := patch(sees, `{"spec":{"appSecretRef":{"name":"another"}}}`); !apierrors.IsForbidden(err) || !strings.Contains(err.Error(), "another") {
		t.Errorf("%v", err)
	}
	if err := patch(blind, `{"metadata":{"labels":{"a":"b"}}}`); err != nil {
		t.Errorf("a label: %v", err)
	}
	if err := patch(shop, `{"spec":{"virtualGoods":"Ship"}}`); !apierrors.IsForbidden(err) {
		t.Errorf("the shop: %v", err)
	}
}
